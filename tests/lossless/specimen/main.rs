//! The application whose pods come and go while requests are counted: it listens when it is told to, takes as
//! long for a request as it is told to, and does with SIGTERM what it is told to.
//!
//! It answers every path with the name of its pod, so that a client knows whom it met, and writes what happens
//! to it as JSON lines: `{"moment":"listening","at":1795000000.123}`, in seconds since the epoch.

#![allow(clippy::print_stdout, reason = "its log")]

mod proxy;
mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

#[derive(Parser)]
struct Arguments {
    /// The port that it listens on.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// How long it takes to listen.
    #[arg(long, value_parser = duration, default_value = "0s")]
    listens_after: Duration,
    /// How long a request takes.
    #[arg(long, value_parser = duration, default_value = "1ms")]
    answers_after: Duration,
    /// What it does when it is told to end.
    #[arg(long, value_enum, default_value_t = OnSigterm::Exit)]
    on_sigterm: OnSigterm,
    /// For how long it does that, where it is `announce` or `stay`.
    #[arg(long, value_parser = duration, default_value = "5s")]
    lasts: Duration,
    /// Be a proxy: pass every connection on to that address.
    #[arg(long, value_name = "HOST:PORT")]
    passes_to: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnSigterm {
    /// End at once, whatever is in flight.
    Exit,
    /// Close the listener and idle connections, finish what is in flight, end: as Go's `http.Server.Shutdown`.
    Drain,
    /// Serve on and say `Connection: close` with every answer; then drain.
    Announce,
    /// Serve on and say nothing of it; then end.
    Stay,
    /// Have no handler. Process 1 of a container is then not even ended by it.
    Ignore,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: kube::core::Duration = text.parse().map_err(|why| format!("{why}"))?;
    Ok(parsed.into())
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Starting,
    Serving,
    /// Each answer is the last of its connection.
    Closing,
    /// Nothing new is taken.
    Draining,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let sigterm = match arguments.on_sigterm {
        OnSigterm::Ignore => None,
        _ => Some(signal(SignalKind::terminate()).expect("a handler")),
    };
    say("started");
    let phase = watch::Sender::new(Phase::Starting);
    tokio::select! {
        () = end(&arguments, sigterm, &phase) => {}
        () = serve(&arguments, &phase) => {}
    }
    say("exit");
    std::process::exit(0);
}

/// Does with SIGTERM what is to be done with it; returns where nothing is left to wait for.
async fn end(arguments: &Arguments, sigterm: Option<Signal>, phase: &watch::Sender<Phase>) {
    let Some(mut sigterm) = sigterm else {
        return std::future::pending().await;
    };
    sigterm.recv().await;
    say("sigterm");
    let serves = *phase.borrow() == Phase::Serving;
    match arguments.on_sigterm {
        OnSigterm::Drain | OnSigterm::Announce if serves => {
            phase.send_replace(Phase::Closing);
            if arguments.on_sigterm == OnSigterm::Announce {
                tokio::time::sleep(arguments.lasts).await;
            }
            phase.send_replace(Phase::Draining);
            // The server returns when it has drained.
            std::future::pending().await
        }
        OnSigterm::Stay => tokio::time::sleep(arguments.lasts).await,
        _ => {}
    }
}

async fn serve(arguments: &Arguments, phase: &watch::Sender<Phase>) {
    tokio::time::sleep(arguments.listens_after).await;
    let listener = TcpListener::bind(("0.0.0.0", arguments.port)).await;
    let listener = listener.expect("the port is free");
    phase.send_replace(Phase::Serving);
    say("listening");
    match &arguments.passes_to {
        Some(upstream) => proxy::pass(listener, upstream).await,
        None => server::serve(listener, arguments.answers_after, phase.subscribe()).await,
    }
}

/// Writes down that something happens.
fn say(moment: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let at = now.expect("after 1970").as_secs_f64();
    println!(r#"{{"moment":"{moment}","at":{at:.3}}}"#);
}
