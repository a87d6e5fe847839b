//! HTTP/1.1 with keep-alive, and the two gentle ways to end it.

use std::convert::Infallible;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Phase;

/// Serves until it has drained.
pub(crate) async fn serve(
    listener: TcpListener,
    answers_after: Duration,
    phase: watch::Receiver<Phase>,
) {
    let mut connections = JoinSet::new();
    let mut draining = phase.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, answers_after, phase.clone()));
                }
            }
            // What has ended need not be remembered.
            Some(_) = connections.join_next() => {}
            _ = draining.wait_for(|phase| *phase == Phase::Draining) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Answers what comes on one connection.
async fn connection(stream: TcpStream, answers_after: Duration, mut phase: watch::Receiver<Phase>) {
    let _ = stream.set_nodelay(true);
    let now = &phase.clone();
    let service = service_fn(|request: Request<Incoming>| async move {
        // Probes ask for other paths, and are answered at once.
        if request.uri().path() == "/" {
            tokio::time::sleep(answers_after).await;
        }
        let pod = std::env::var("HOSTNAME").unwrap_or_default();
        let mut response = Response::new(pod);
        if *now.borrow() >= Phase::Closing {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase == Phase::Draining) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
