//! A proxy in front of the application, as a mesh puts one into a pod: bytes in, bytes out.

use tokio::net::{TcpListener, TcpStream};

/// Passes connections on until the process ends.
pub(crate) async fn pass(listener: TcpListener, upstream: &str) {
    while let Ok((mut client, _)) = listener.accept().await {
        let upstream = upstream.to_owned();
        tokio::spawn(async move {
            // Where nobody listens there, the client's connection is closed without an answer.
            let Ok(mut server) = TcpStream::connect(upstream).await else {
                return;
            };
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
