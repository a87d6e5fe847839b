//! What is to be done about the certificates now. Pure: whoever calls it has looked at the Secret, the
//! configurations and the clock.

use std::time::{Duration, SystemTime};

use super::authority::Names;
use super::contents::{Contents, Leaf, Unusable};

/// How long everything takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How long a new leaf is valid.
    pub lifetime: Duration,
    /// For how long every configuration must have carried a new CA before a leaf of it is served: API servers
    /// learn of a changed configuration by a watch each.
    pub spread: Duration,
    /// How long after its last leaf was replaced an old CA is still trusted: each replica learns of the new
    /// leaf by a watch.
    pub retire: Duration,
    /// How much earlier than the others this replica renews, so that they do not all begin at once.
    pub jitter: Duration,
}

impl Schedule {
    /// Of a lifetime: a minute to spread and ten to retire, less where the lifetime is that short. `chance`
    /// is between 0 and 1.
    pub fn of(lifetime: Duration, chance: f64) -> Self {
        Self {
            lifetime,
            spread: Duration::from_secs(60).min(lifetime / 20),
            retire: Duration::from_secs(600).min(lifetime / 10),
            jitter: (lifetime / 20).mul_f64(chance.clamp(0.0, 1.0)),
        }
    }

    /// When a leaf is renewed: after two thirds of its life, which leaves a month of three.
    pub fn renewal(&self, leaf: &Leaf) -> SystemTime {
        let life = leaf
            .not_after
            .duration_since(leaf.not_before)
            .unwrap_or_default();
        leaf.not_before + life * 2 / 3 - self.jitter.min(life / 3)
    }
}

/// What was seen.
#[derive(Debug)]
pub struct Situation<'a> {
    /// What the Secret holds.
    pub stored: Result<&'a Contents, &'a Unusable>,
    /// What this replica serves, where it has ever had something of use.
    pub served: Option<&'a Contents>,
    /// Since when every configuration has carried the bundle that is stored.
    pub in_place: Option<SystemTime>,
    /// The clock.
    pub now: SystemTime,
}

/// What is to be done, by writing the Secret if nobody else has written it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing before then.
    Wait(SystemTime),
    /// Write what is served back: the Secret lost it.
    Restore,
    /// Make a CA and a leaf at once, for this reason: nothing of use is there.
    Make(String),
    /// Make the next CA and leaf, and add the CA to the bundle.
    Stage,
    /// Serve the next leaf.
    Promote,
    /// Take all but the newest CA out of the bundle.
    Retire,
}

/// Decides.
pub fn step(schedule: &Schedule, names: &Names, situation: &Situation<'_>) -> Step {
    let now = situation.now;
    let check = |contents: &Contents| Leaf::check(&contents.leaf, &contents.bundle, names, now);
    let served = || {
        let served = situation.served?;
        check(served).is_ok().then_some(Step::Restore)
    };
    let contents = match situation.stored {
        Ok(contents) => contents,
        Err(why) => return served().unwrap_or_else(|| Step::Make(why.to_string())),
    };
    let leaf = match check(contents) {
        Ok(leaf) => leaf,
        Err(why) => {
            // Half a change by hand; or everything has expired while nobody ran.
            return served().unwrap_or(Step::Make(why));
        }
    };
    if let Some(next) = &contents.next {
        if Leaf::check(next, &contents.bundle, names, now).is_err() {
            return Step::Stage;
        }
        // Better a moment of distrust than a leaf that has expired.
        let last = leaf.not_after - schedule.spread;
        let ready = match situation.in_place {
            Some(since) => since.max(contents.changed) + schedule.spread,
            None => last,
        };
        return at(ready.min(last), now, Step::Promote);
    }
    let renewal = schedule.renewal(&leaf);
    if now >= renewal {
        return Step::Stage;
    }
    if contents.bundle.len() > 1 {
        let retire = contents.changed + schedule.retire;
        // A clock that was far ahead must not keep it for ever.
        let retire = retire.min(now + schedule.retire);
        return match at(retire, now, Step::Retire) {
            Step::Wait(then) => Step::Wait(then.min(renewal)),
            step => step,
        };
    }
    Step::Wait(renewal)
}

fn at(then: SystemTime, now: SystemTime, step: Step) -> Step {
    if now >= then { step } else { Step::Wait(then) }
}
