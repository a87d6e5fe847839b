//! Who makes what: a Deployment's pods are no finding of their own.

use std::collections::HashSet;

use serde_json::Value;

/// The objects that were read, by which those that they make are known.
#[derive(Debug, Default)]
pub struct Makers {
    uids: HashSet<String>,
}

impl Makers {
    /// Remembers an object; what it makes is known from then on. Returns whether one that was read before makes
    /// it.
    pub fn add(&mut self, object: &Value) -> bool {
        let is_made = self.made(object);
        if let Some(uid) = object["metadata"]["uid"].as_str() {
            self.uids.insert(uid.to_owned());
        }
        is_made
    }

    fn made(&self, object: &Value) -> bool {
        maker(object)
            .and_then(|owner| owner["uid"].as_str())
            .is_some_and(|uid| self.uids.contains(uid))
    }
}

/// The owner that makes an object and makes it anew, where one does.
pub fn maker(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(uid: &str, owner: Option<&str>, controller: bool) -> Value {
        let owners = owner.map(|uid| json!([{"uid": uid, "controller": controller}]));
        json!({"metadata": {"uid": uid, "ownerReferences": owners}})
    }

    #[test]
    fn what_is_made_is_known_over_two_steps_and_only_by_whom_was_read() {
        let mut makers = Makers::default();
        assert!(!makers.add(&object("deployment", None, true)));
        assert!(makers.add(&object("replica-set", Some("deployment"), true)));
        assert!(makers.add(&object("pod", Some("replica-set"), true)));
        assert!(!makers.add(&object("foreign", Some("rollout"), true)));
        assert!(!makers.add(&object("kept", Some("deployment"), false)));
    }
}
