//! Programs that end with us, however we end.
//!
//! A shell, the watchdog, holds the other end of a pipe. When the pipe closes, which the kernel sees to also
//! after `kill -9`, it kills by their ids what has been started and not yet ended, and removes the folder and the
//! control groups of a node in it.
//! Everything runs in a process group of its own, so that an interrupt at the terminal reaches us alone.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::capsule;

const WATCHDOG: &str = r#"
pids=
while read -r word pid; do
    case $word in
    started) pids="$pids $pid" ;;
    ended)
        left=
        for each in $pids; do [ "$each" = "$pid" ] || left="$left $each"; done
        pids=$left
        ;;
    leave) exit ;;
    esac
done
[ -z "$pids" ] || kill -KILL $pids
# What was killed may still write for a moment, and a control group is busy until its last process is gone.
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=
    rm -rf "$1" 2>/dev/null || left=yes
    for group in /sys/fs/cgroup/"$2" /sys/fs/cgroup/*/"$2"; do
        [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || left=yes
    done
    [ -n "$left" ] || exit 0
    sleep 0.3
done
"#;

pub(crate) struct Processes {
    watchdog: Option<Child>,
    running: Vec<(String, Child)>,
    folder: PathBuf,
}

impl Processes {
    /// Nothing yet; `folder` takes the logs and is removed at the end.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCHDOG, "watchdog"]);
        shell.arg(folder).arg(capsule::control_group(folder));
        let watchdog = shell.stdin(Stdio::piped()).process_group(0).spawn();
        Self {
            watchdog: Some(watchdog.expect("a shell")),
            running: Vec::new(),
            folder: folder.to_owned(),
        }
    }

    /// The same in a [`capsule`], which ends with everything in it and is cleaned up after from outside.
    pub(crate) fn in_capsule(folder: &Path) -> Self {
        Self {
            watchdog: None,
            running: Vec::new(),
            folder: folder.to_owned(),
        }
    }

    /// Starts a program that writes into `NAME.log`.
    pub(crate) fn start(&mut self, name: &str, mut command: Command) -> Result<(), String> {
        let log = File::create(self.log(name)).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|why| format!("{name}'s log: {why}"))?;
        command.stdout(out).stderr(err);
        self.spawn(name, command)
    }

    /// Starts a program that writes where we do, or where the command says.
    pub(crate) fn spawn(&mut self, name: &str, mut command: Command) -> Result<(), String> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|why| format!("{name} does not start: {why}"))?;
        self.tell("started", child.id());
        self.running.push((name.to_owned(), child));
        Ok(())
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// What a program said last, where it has ended by itself.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        let ended = self.running.iter_mut().find_map(|(name, child)| {
            let ended = matches!(child.try_wait(), Ok(Some(_)));
            ended.then(|| name.clone())
        });
        let name = ended?;
        let text = std::fs::read(self.log(&name)).unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]);
        Some(format!("{name} ended by itself: {tail}"))
    }

    /// The id of a running program.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        let mut all = self.running.iter();
        let (_, child) = all.find(|(running, _)| running == name)?;
        Some(child.id())
    }

    /// How a program ended, if it did.
    pub(crate) fn ended(&mut self, name: &str) -> Option<ExitStatus> {
        let mut all = self.running.iter_mut();
        let (_, child) = all.find(|(running, _)| running == name)?;
        child.try_wait().ok().flatten()
    }

    /// Ends one program as `kill -9` does.
    pub(crate) fn kill(&mut self, name: &str) {
        let at = self.running.iter().position(|(running, _)| running == name);
        let (_, mut child) = self.running.remove(at.expect("it runs"));
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        self.tell("ended", child.id());
    }

    /// Lets everything run on without us; returns the ids.
    pub(crate) fn leave(mut self) -> Vec<u32> {
        self.tell("leave", 0);
        let ids = self.running.drain(..).map(|(_, child)| child.id());
        ids.collect()
    }

    fn tell(&mut self, word: &str, id: u32) {
        let watchdog = self.watchdog.as_mut();
        if let Some(pipe) = watchdog.and_then(|watchdog| watchdog.stdin.as_mut()) {
            writeln!(pipe, "{word} {id}").expect("the watchdog listens");
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // The last first: nobody then misses whom it needs.
        while let Some((name, _)) = self.running.last() {
            let name = name.clone();
            self.kill(&name);
        }
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
    }
}
