//! The release binary from outside: requests over TLS keep-alive, memory while serving, and many manifests
//! through `inject`.
//!
//! `cargo bench --bench process`; the results of one run are compared with each other only.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use hyper::Request;
use hyper_util::rt::TokioIo;
use podgrace::certs::Authority;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const NAME: &str = "podgrace.podgrace-system.svc";
const CONNECTIONS: usize = 32;
const DEPLOYMENTS: usize = 10_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(serving());
    injecting();
}

/// A server of the release binary, ended with this value.
struct Server {
    child: Child,
    address: SocketAddr,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(NAME).unwrap();
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&certificate, &authority.leaf.certificate).unwrap();
        std::fs::write(&key, &authority.leaf.key).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_podgrace"))
            .args(["serve", "--offline", "--listen", "127.0.0.1:0"])
            .args(["--ops-listen", "127.0.0.1:0", "--drain-time", "0s"])
            .args([
                "--log-format",
                "json",
                "--log",
                "podgrace::cli=info,podgrace::server=warn",
            ])
            .arg("--tls-cert-file")
            .arg(&certificate)
            .arg("--tls-key-file")
            .arg(&key)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
                line["webhook"].as_str()?.parse().ok()
            })
            .expect("the server says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            authority,
            _folder: folder,
        }
    }

    /// A line of /proc/PID/status, in KiB.
    fn memory(&self, field: &str) -> u64 {
        memory(self.child.id(), field)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn memory(process: u32, field: &str) -> u64 {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix(field)?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

async fn serving() {
    let server = Server::start();
    println!(
        "serving, memory before the first request: {} KiB",
        server.memory("VmRSS:")
    );
    let mut roots = RootCertStore::empty();
    roots.add(server.authority.ca.clone()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(config));
    let body = review();
    println!("review of {} bytes", body.len());
    for connections in [1, 4, CONNECTIONS] {
        let requests = 20_000 / connections;
        let began = Instant::now();
        let clients: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(client(server.address, tls.clone(), body.clone(), requests)))
            .collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await.unwrap());
        }
        let took = began.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
        println!(
            "{connections:>3} connections: {:>6.0} requests/s, p50 {} µs, p99 {} µs, memory {} KiB",
            times.len() as f64 / took,
            at(0.5),
            at(0.99),
            server.memory("VmRSS:"),
        );
    }
    println!("serving, most memory: {} KiB", server.memory("VmHWM:"));
}

/// Sends the same review again and again over one connection, and times each answer.
async fn client(
    address: SocketAddr,
    tls: TlsConnector,
    body: Vec<u8>,
    requests: usize,
) -> Vec<Duration> {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let stream = tls
        .connect(ServerName::try_from(NAME).unwrap(), tcp)
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let request = Request::post("/mutate?timeout=2s")
            .header("host", NAME)
            .header("content-type", "application/json")
            .body(Body::from(body.clone()))
            .unwrap();
        let began = Instant::now();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        to_bytes(Body::new(answer.into_body()), usize::MAX)
            .await
            .unwrap();
        times.push(began.elapsed());
    }
    times
}

/// A review of an ordinary pod.
fn review() -> Vec<u8> {
    let variables: Vec<_> = (0..20)
        .map(|i| json!({"name": format!("VARIABLE_{i}"), "value": "a value of some length"}))
        .collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "shop-7d4b9c-", "labels": {"app": "shop"}, "annotations": {"a/b": "c"}},
        "spec": {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": [{
                "name": "shop",
                "image": "example/shop:1.4",
                "env": variables,
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}},
            }],
        },
    });
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "object": pod,
        },
    });
    serde_json::to_vec(&review).unwrap()
}

/// Many Deployments in one stream through `inject`, and once more through it.
fn injecting() {
    let mut stream = String::new();
    for i in 0..DEPLOYMENTS {
        let _ = write!(
            stream,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: shop-{i} # one of many\nspec:\n  \
             replicas: 3\n  selector:\n    matchLabels: {{app: shop-{i}}}\n  template:\n    metadata:\n      \
             labels: {{app: shop-{i}}}\n    spec:\n      containers:\n        - name: shop\n          \
             image: \"example/shop:{i}\"\n          ports:\n            - name: http\n              \
             containerPort: 8080\n          livenessProbe:\n            httpGet:\n              path: /healthz\n              \
             port: http\n          resources:\n            requests: {{cpu: 100m, memory: 128Mi}}\n"
        );
    }
    let once = inject("first", stream.into_bytes());
    let twice = inject("second", once.clone());
    assert!(once == twice, "the second run changes nothing");
}

fn inject(run: &str, input: Vec<u8>) -> Vec<u8> {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_podgrace"))
        .args(["inject", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (bytes, mut stdin) = (input.len(), child.stdin.take().unwrap());
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let mut output = Vec::new();
    let mut most = 0;
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 16];
    // What the process has used is gone with it: look while it still writes.
    while let Ok(read @ 1..) = stdout.read(&mut buffer) {
        output.extend_from_slice(&buffer[..read]);
        most = most.max(memory(child.id(), "VmHWM:"));
    }
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    println!(
        "inject, {run} run: {DEPLOYMENTS} Deployments, {bytes} bytes in, {} out, {:.2} s, most memory {most} KiB",
        output.len(),
        began.elapsed().as_secs_f64(),
    );
    output
}
