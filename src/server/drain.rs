//! Stopping without losing a request.
//!
//! Closing the listener on SIGTERM loses requests: load balancers learn of the end later than the
//! process does, and a keep-alive client may be writing just when its idle connection is closed.
//! So the server first goes on as a lame duck, asking every client to leave in the answer that it
//! gets, and closes only what is left after that.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

/// How far the server is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Not at all.
    Serving,
    /// Not ready any more, but everything is served, with `Connection: close`.
    LameDuck,
    /// The listener is closed; what has begun is finished.
    Finishing,
}

/// The phase, shared by everything that acts on it.
#[derive(Debug, Clone)]
pub(super) struct Drain(Arc<watch::Sender<Phase>>);

impl Drain {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    pub(super) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.phase() != Phase::Serving
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// Returns when `phase` or a later one is entered.
    pub(super) async fn reached(&self, phase: Phase) {
        let mut changes = self.0.subscribe();
        // An error would mean that the sender is gone, and `self` is one.
        let _ = changes.wait_for(|now| *now >= phase).await;
    }
}

/// Two futures for [`Bound::run`](super::Bound::run): the first SIGTERM or SIGINT, and the second.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn signals() -> io::Result<(
    impl Future<Output = ()> + Send,
    impl Future<Output = ()> + Send,
)> {
    let mut requests = Requests::new()?;
    let (first, told) = oneshot::channel();
    let (second, told_again) = oneshot::channel();
    tokio::spawn(async move {
        for heard in [first, second] {
            requests.next().await;
            let _ = heard.send(());
        }
    });
    Ok((heard(told), heard(told_again)))
}

/// A sender that went away without a word is no signal.
async fn heard(told: oneshot::Receiver<()>) {
    if told.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Requests to stop, as the system makes them.
#[cfg(unix)]
struct Requests {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Requests {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Requests;

#[cfg(not(unix))]
impl Requests {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
