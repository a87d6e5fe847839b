//! As much of an HTTP/1.1 client as tells apart in which way a request is lost.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Failure;

/// A connection, new or used.
pub(super) struct Connection {
    stream: TcpStream,
    target: SocketAddr,
    used: bool,
}

/// Why there is no answer.
pub(super) enum Broken {
    /// The connection had been used before, and ended before any byte of an answer.
    UsedBeforeAnswer(Failure),
    Otherwise(Failure),
}

impl Broken {
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::UsedBeforeAnswer(failure) | Self::Otherwise(failure) => failure,
        }
    }
}

impl Connection {
    pub(super) async fn open(target: SocketAddr) -> Result<Self, Broken> {
        let stream = TcpStream::connect(target).await;
        let stream = stream.map_err(|why| Broken::Otherwise(failure(&why)))?;
        let _ = stream.set_nodelay(true);
        Ok(Self {
            stream,
            target,
            used: false,
        })
    }

    /// Whether nothing says that the server has closed it.
    pub(super) fn is_open(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        read.is_err_and(|why| why.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a request and reads its answer, the name of the pod. Whether the connection can be used again.
    pub(super) async fn exchange(
        &mut self,
        connection: &str,
        pod: &mut Option<String>,
    ) -> Result<bool, Broken> {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n\r\n",
            self.target
        );
        let mut answer = Vec::with_capacity(512);
        let ended = self.stream.write_all(request.as_bytes()).await;
        let read = match ended {
            Ok(()) => self.read(&mut answer).await,
            Err(why) => Err(why),
        };
        let (status, body, stays_open) = match read {
            Ok(parts) => parts,
            Err(why) if answer.is_empty() && self.used => {
                let failure = match failure(&why) {
                    Failure::Cut => Failure::ClosedUsed,
                    other => other,
                };
                return Err(Broken::UsedBeforeAnswer(failure));
            }
            Err(why) => return Err(Broken::Otherwise(failure(&why))),
        };
        if status >= 500 {
            return Err(Broken::Otherwise(Failure::ServerError));
        }
        *pod = Some(body);
        self.used = true;
        Ok(stays_open)
    }

    /// Status, body and whether it stays open.
    async fn read(&mut self, answer: &mut Vec<u8>) -> io::Result<(u16, String, bool)> {
        loop {
            if let Some(parts) = parse(answer)? {
                return Ok(parts);
            }
            if self.stream.read_buf(answer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The parts of an answer, once all of it is there.
fn parse(answer: &[u8]) -> io::Result<Option<(u16, String, bool)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let head = std::str::from_utf8(head).map_err(|_| ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let header = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    };
    let length = header("content-length").and_then(|value| value.parse().ok());
    let (Some(status), Some(length)) = (status, length) else {
        return Err(ErrorKind::InvalidData.into());
    };
    if body.len() < length {
        return Ok(None);
    }
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let text = String::from_utf8_lossy(&body[..length]).trim().to_owned();
    Ok(Some((status, text, !closes)))
}

fn failure(why: &io::Error) -> Failure {
    match why.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Failure::Reset
        }
        ErrorKind::UnexpectedEof => Failure::Cut,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Failure::NoRoute,
        ErrorKind::TimedOut => Failure::TimedOut,
        _ => Failure::Other,
    }
}
