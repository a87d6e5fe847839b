//! Where the load comes from: a network namespace of its own with one cable to the node, as another machine has it.

use std::process::Command;

use crate::capsule::ip;

/// Hanging connections are many files. And it goes before what it measures: another machine's processor would not be
/// busy with the cluster.
const START: &str = r#"ulimit -n "$(ulimit -Hn)"; exec chrt --rr 1 "$@""#;

/// A machine outside; it is gone when this is dropped.
pub(crate) struct Outside {
    name: String,
}

impl Outside {
    /// Lays a cable. Each number has addresses of its own, so that no machine meets what the node still remembers
    /// of another one's connections.
    pub(crate) fn new(number: u32) -> Result<Self, String> {
        let name = format!("outside{number}");
        // Networks of four addresses.
        let [_, _, third, fourth] = (number * 4).to_be_bytes();
        let here = format!("10.246.{third}.{}", fourth + 1);
        let there = format!("10.246.{third}.{}", fourth + 2);
        ip(&["netns", "add", &name], None)?;
        let outside = Self { name };
        let name = &*outside.name;
        let pair = ["type", "veth", "peer", "name", "node", "netns", name];
        ip(&[&["link", "add", name], &pair[..]].concat(), None)?;
        ip(
            &["address", "add", &format!("{here}/30"), "dev", name],
            None,
        )?;
        ip(&["link", "set", name, "up"], None)?;
        let inside = ["-n", name];
        for words in [
            ["address", "add", &format!("{there}/30"), "dev", "node"],
            ["link", "set", "node", "up", ""],
            ["route", "add", "default", "via", &here],
        ] {
            let words = words.iter().copied().filter(|word| !word.is_empty());
            ip(&inside.into_iter().chain(words).collect::<Vec<_>>(), None)?;
        }
        Ok(outside)
    }

    /// To be followed by a program and its words.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command.args(["sh", "-c", START, "sh"]);
        command
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.name], None);
    }
}
