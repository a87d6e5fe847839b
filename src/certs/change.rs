//! What the Secret holds after a step.

use std::time::{Duration, SystemTime};

use super::authority::{Authority, Names};
use super::contents::{Contents, Leaf, Unusable};
use super::state::Step;

/// What is to be written for a step, and what the step is called in metrics and logs. `stored` is what the
/// Secret holds, `served` what this replica serves, `lifetime` how long a new leaf is valid.
///
/// # Errors
/// When no certificate can be made, or there is nothing to do the step to.
pub fn after(
    step: Step,
    names: &Names,
    lifetime: Duration,
    stored: &Result<Contents, Unusable>,
    served: Option<&Contents>,
    now: SystemTime,
) -> Result<(&'static str, Contents), String> {
    let make = || {
        Authority::make(names, now, lifetime)
            .map_err(|error| format!("no certificate can be made: {error}"))
    };
    let stored = || stored.clone().map_err(|why| why.to_string());
    // The CAs that the leaf in use needs.
    let needed = |contents: &Contents| -> Vec<String> {
        let signs = |ca: &&String| {
            let alone = std::slice::from_ref(*ca);
            Leaf::check(&contents.leaf, alone, names, now).is_ok()
        };
        contents.bundle.iter().filter(signs).cloned().collect()
    };
    let (word, contents) = match step {
        Step::Wait(_) => return Err("there is nothing to write yet".to_owned()),
        Step::Restore => ("restore", served.cloned().ok_or("nothing is served yet")?),
        Step::Make(_) => {
            let made = make()?;
            let contents = Contents {
                leaf: made.leaf,
                next: None,
                bundle: vec![made.ca_pem],
                changed: now,
            };
            ("make", contents)
        }
        Step::Stage => {
            let contents = stored()?;
            let made = make()?;
            let mut bundle = vec![made.ca_pem];
            bundle.extend(needed(&contents));
            let next = Some(made.leaf);
            let contents = Contents {
                next,
                bundle,
                ..contents
            };
            ("stage", contents)
        }
        Step::Promote => {
            let mut contents = stored()?;
            if let Some(next) = contents.next.take() {
                contents.leaf = next;
            }
            ("promote", contents)
        }
        Step::Retire => {
            let contents = stored()?;
            let bundle = needed(&contents);
            ("retire", Contents { bundle, ..contents })
        }
    };
    let changed = now;
    Ok((
        word,
        Contents {
            changed,
            ..contents
        },
    ))
}
