//! Replicas that keep one certificate together, in every order of what can happen: whoever trusts a bundle
//! that was published can shake hands with what each replica serves.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use podgrace::certs::{Contents, Leaf, Names, Schedule, Situation, Step, Unusable, after, step};
use proptest::prelude::*;

const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// One replica: what it has read, what it serves, how wrong its clock is, in seconds.
struct Replica {
    read: (u64, Result<Contents, Unusable>),
    served: Option<Contents>,
    skew: i64,
    schedule: Schedule,
    in_place: Option<(Vec<String>, SystemTime)>,
}

/// The Secret with its version, the caBundle with every API server's copy of it, and the true time.
struct World {
    secret: (u64, Result<Contents, Unusable>),
    bundle: Vec<String>,
    api_servers: Vec<Vec<String>>,
    replicas: Vec<Replica>,
    now: SystemTime,
    names: Names,
    made: usize,
}

#[derive(Debug, Clone)]
enum Happens {
    /// Time goes by.
    Minutes(u32),
    /// A replica's watch brings it the Secret as it is.
    Reads(usize),
    /// A replica looks and does what is to be done.
    Looks(usize),
    /// A replica is restarted.
    Restarts(usize),
    /// An API server's watch brings it the bundle.
    Learns(usize),
}

fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time - by } else { time + by }
}

impl World {
    fn new(skews: &[i64]) -> Self {
        let empty = || (0, Err(Unusable::Empty));
        let replicas = skews.iter().enumerate().map(|(n, &skew)| Replica {
            read: empty(),
            served: None,
            skew,
            schedule: Schedule::of(LIFETIME, n as f64 / skews.len() as f64),
            in_place: None,
        });
        Self {
            secret: empty(),
            bundle: Vec::new(),
            api_servers: vec![Vec::new(); 2],
            replicas: replicas.collect(),
            now: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            names: Names::service("podgrace", "podgrace"),
            made: 0,
        }
    }

    fn happen(&mut self, what: &Happens) {
        let replicas = self.replicas.len();
        match *what {
            // Every watch has brought what it had to within a minute: the schedule counts on that.
            Happens::Minutes(minutes) => {
                for replica in 0..replicas {
                    self.read(replica);
                    self.adopt(replica);
                }
                for server in &mut self.api_servers {
                    server.clone_from(&self.bundle);
                }
                self.now += Duration::from_secs(60 * u64::from(minutes));
            }
            Happens::Reads(n) => self.read(n % replicas),
            Happens::Looks(n) => self.look(n % replicas),
            Happens::Restarts(n) => {
                let replica = &mut self.replicas[n % replicas];
                replica.served = None;
                replica.in_place = None;
                self.read(n % replicas);
                self.adopt(n % replicas);
            }
            Happens::Learns(n) => {
                let n = n % self.api_servers.len();
                self.api_servers[n].clone_from(&self.bundle);
            }
        }
    }

    fn read(&mut self, n: usize) {
        self.replicas[n].read = self.secret.clone();
    }

    fn adopt(&mut self, n: usize) {
        let replica = &mut self.replicas[n];
        let now = shifted(self.now, replica.skew);
        if let Ok(contents) = &replica.read.1
            && Leaf::check(&contents.leaf, &contents.bundle, &self.names, now).is_ok()
        {
            replica.served = Some(contents.clone());
        }
    }

    fn look(&mut self, n: usize) {
        self.adopt(n);
        let replica = &mut self.replicas[n];
        let now = shifted(self.now, replica.skew);
        if let Some(served) = &replica.served {
            self.bundle.clone_from(&served.bundle);
            if replica.in_place.as_ref().map(|(bundle, _)| bundle) != Some(&served.bundle) {
                replica.in_place = Some((served.bundle.clone(), now));
            }
        }
        let situation = Situation {
            stored: replica.read.1.as_ref(),
            served: replica.served.as_ref(),
            in_place: replica.in_place.as_ref().map(|(_, since)| *since),
            now,
        };
        let step = step(&replica.schedule, &self.names, &situation);
        if matches!(step, Step::Wait(_)) {
            return;
        }
        let makes = matches!(step, Step::Make(_));
        let (stored, served) = (&replica.read.1, replica.served.as_ref());
        let (_, contents) = after(step, &self.names, LIFETIME, stored, served, now).unwrap();
        // Compare and swap.
        if replica.read.0 == self.secret.0 {
            self.secret = (self.secret.0 + 1, Ok(contents));
            self.made += usize::from(makes);
        }
        self.read(n);
    }

    /// Every API server that trusts anything takes what every replica serves.
    fn holds(&self) {
        for (server, bundle) in self.api_servers.iter().enumerate() {
            for (n, replica) in self.replicas.iter().enumerate() {
                if let Some(served) = &replica.served
                    && !bundle.is_empty()
                {
                    let checked = Leaf::check(&served.leaf, bundle, &self.names, self.now);
                    assert!(
                        checked.is_ok(),
                        "API server {server}, replica {n}: {checked:?}"
                    );
                }
            }
        }
    }

    /// Everybody looks until nothing is to be done.
    fn settle(&mut self) {
        for _ in 0..6 {
            for n in 0..self.replicas.len() {
                self.read(n);
                self.look(n);
            }
            self.happen(&Happens::Minutes(0));
        }
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        2 => (1..20_u32).prop_map(Happens::Minutes),
        1 => (60..60 * 24 * 20_u32).prop_map(Happens::Minutes),
        4 => (0..3_usize).prop_map(Happens::Reads),
        6 => (0..3_usize).prop_map(Happens::Looks),
        1 => (0..3_usize).prop_map(Happens::Restarts),
        3 => (0..2_usize).prop_map(Happens::Learns),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24), ..ProptestConfig::default() })]

    #[test]
    fn no_handshake_fails(
        skews in proptest::collection::vec(-300..300_i64, 1..4),
        story in proptest::collection::vec(happens(), 1..60),
    ) {
        let mut world = World::new(&skews);
        world.settle();
        prop_assert_eq!(world.made, 1, "one of the replicas makes the first");
        for what in &story {
            world.happen(what);
            // Nobody looked for a month: what has expired is made anew, and until API servers know, none is trusted.
            if world.made > 1 {
                return Ok(());
            }
            let expired = world.secret.1.as_ref().is_ok_and(|contents| {
                Leaf::times(&contents.leaf.certificate).unwrap().not_after < world.now + Duration::from_secs(600)
            });
            if expired {
                return Ok(());
            }
            world.holds();
        }
    }
}

/// A renewal ends by itself: the new leaf is served, and one CA is left.
#[test]
fn a_renewal_comes_to_its_end() {
    let mut world = World::new(&[0, 120, -120]);
    world.settle();
    let first = world.secret.1.clone().unwrap();
    world.happen(&Happens::Minutes(61 * 24 * 60));
    let mut seen = Vec::new();
    for _ in 0..40 {
        world.settle();
        world.holds();
        let contents = world.secret.1.clone().unwrap();
        seen.push((contents.next.is_some(), contents.bundle.len()));
        world.happen(&Happens::Minutes(1));
    }
    seen.dedup();
    assert_eq!(seen, [(true, 2), (false, 2), (false, 1)]);
    let last = world.secret.1.clone().unwrap();
    assert_ne!(last.leaf, first.leaf);
    assert!(!first.bundle.contains(&last.bundle[0]));
    assert_eq!(world.made, 1, "a renewal is no emergency");
}

/// What expired while nobody ran, or is for another Service, is made anew at once.
#[test]
fn what_is_of_no_use_is_made_anew() {
    let mut world = World::new(&[0]);
    world.settle();
    world.happen(&Happens::Minutes(100 * 24 * 60));
    world.replicas[0].served = None;
    world.settle();
    assert_eq!(world.made, 2);
    world.holds();

    world.names = Names::service("renamed", "podgrace");
    world.replicas[0].served = None;
    world.settle();
    assert_eq!(world.made, 3);
    world.holds();
}
