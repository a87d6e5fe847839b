//! A client that does exactly what it is told: no pool, no retry, no second connection.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::NAME;

/// One connection.
pub(crate) struct Client<S = TlsStream<TcpStream>> {
    stream: S,
    buffer: Vec<u8>,
}

/// One response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn closes(&self) -> bool {
        self.headers.get("connection").is_some_and(|c| c == "close")
    }

    /// Holds the response against the contract: the uid that was sent, and allowed.
    #[track_caller]
    pub(crate) fn allows(&self, uid: &str) {
        assert_eq!(self.status, 200, "{}", self.text());
        let review = self.json();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1", "{review}");
        assert_eq!(review["kind"], "AdmissionReview", "{review}");
        assert_eq!(review["response"]["uid"], uid, "{review}");
        assert_eq!(review["response"]["allowed"], true, "{review}");
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, config: &ClientConfig) -> io::Result<Self> {
        Self::connect_as(address, config, NAME).await
    }

    pub(crate) async fn connect_as(
        address: SocketAddr,
        config: &ClientConfig,
        name: &'static str,
    ) -> io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        // As API servers do; else a request waits for the acknowledgement of the handshake's end.
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(name).expect("a name");
        let connector = TlsConnector::from(Arc::new(config.clone()));
        Ok(Self::over(connector.connect(name, tcp).await?))
    }

    /// What TLS agreed on.
    pub(crate) fn session(&self) -> &rustls::ClientConnection {
        self.stream.get_ref().1
    }

    /// The leaf that the server showed.
    pub(crate) fn leaf(&self) -> CertificateDer<'static> {
        let shown = self.session().peer_certificates().expect("certificates");
        shown[0].clone().into_owned()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> io::Result<Response> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {NAME}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.send(head + body).await?;
        self.response().await
    }

    pub(crate) async fn get(&mut self, path: &str) -> io::Result<Response> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\n\r\n"))
            .await?;
        self.response().await
    }

    pub(crate) async fn response(&mut self) -> io::Result<Response> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|l| l.split(' ').nth(1));
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or("0", |l| l.as_str());
        let length: usize = length.parse().expect("a length");
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(Response {
            status: status.and_then(|s| s.parse().ok()).expect("a status"),
            headers,
            body: self.buffer.drain(..length).collect(),
        })
    }

    async fn more(&mut self) -> io::Result<()> {
        match in_time(self.stream.read_buf(&mut self.buffer)).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Returns when the server has ended the connection, which it must do without another byte.
    pub(crate) async fn ended(&mut self) {
        let more = self.more().await;
        assert!(more.is_err(), "{:?}", String::from_utf8_lossy(&self.buffer));
    }
}

/// Fails a test that would hang otherwise, long after any machine should be done.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(60), what).await;
    waited.expect("it never came")
}
