//! A way to the API server that can be interrupted, while the API server itself goes on.

use std::path::PathBuf;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cluster::Cluster;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Whole,
    /// Every connection ends, and so does every new one.
    Cut,
    /// Nothing passes any more, and nobody says so, as when a machine loses its power.
    Mute,
}

/// It lasts until it is dropped.
pub(crate) struct Cable {
    state: watch::Sender<State>,
    /// By which a client comes through it.
    pub(crate) kubeconfig: PathBuf,
}

impl Cable {
    /// Lays one to a cluster of ours.
    pub(crate) async fn lay(cluster: &Cluster, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut to = String::new();
        let kubeconfig = cluster.kubeconfig_with(name, |file| {
            let server = &mut file["clusters"][0]["cluster"]["server"];
            let url = server.as_str().expect("an URL");
            to = url.strip_prefix("https://").expect("HTTPS").to_owned();
            *server = format!("https://{address}").into();
        });
        let state = watch::Sender::new(State::Whole);
        let seen = state.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, to.clone(), seen.clone()));
            }
        });
        Self { state, kubeconfig }
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

/// Carries a connection until it is cut. One that was mute never says anything again.
async fn carry(mut near: TcpStream, to: String, mut state: watch::Receiver<State>) {
    if *state.borrow_and_update() == State::Whole {
        let Ok(mut far) = TcpStream::connect(to).await else {
            return;
        };
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            changed = state.changed() => if changed.is_err() { return },
        }
    }
    while *state.borrow_and_update() != State::Cut {
        // The end of the cable cuts it too.
        if state.changed().await.is_err() {
            return;
        }
    }
}
