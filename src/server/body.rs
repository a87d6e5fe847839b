//! Request bodies: whole, bounded in size and in time.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};

/// Why a body could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    TooLarge,
    TooSlow,
    /// The client left, or broke the protocol; nobody waits for an answer.
    Broken,
}

/// Reads a body to its end.
///
/// One that is too large is read to its end all the same and thrown away, in the time that any body
/// has: closing a connection with unread bytes resets it, and the client never sees why.
pub(super) async fn read(body: Body, limit: usize, time: Duration) -> Result<Vec<u8>, BodyError> {
    tokio::time::timeout(time, read_all(body, limit))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn read_all(mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    // The length that a client states is a hint to make room by, not a reason to hold megabytes.
    let stated = body.size_hint().exact().unwrap_or(0);
    let mut bytes = Vec::with_capacity(usize::try_from(stated).unwrap_or(limit).min(64 * 1024));
    let mut too_large = stated > limit as u64;
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue; // trailers
        };
        too_large |= bytes.len() + data.len() > limit;
        if too_large {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if too_large {
        Err(BodyError::TooLarge)
    } else {
        Ok(bytes)
    }
}
