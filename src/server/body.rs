//! Request bodies: whole, bounded in size and in time.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What of each body needs no room: more than nearly every review has.
const FREE: usize = 32 * 1024;

/// Why a body could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    TooLarge,
    TooSlow,
    /// The client left, or broke the protocol; nobody waits for an answer.
    Broken,
}

/// Room for bodies beyond the first 32 KiB of each, shared by all: clients that send much, or begin to, wait for each
/// other, and for the time that a body has. Ordinary pods need none.
pub(super) struct Room(Semaphore);

impl Room {
    /// Room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Semaphore::new((bytes / 1024).min(Semaphore::MAX_PERMITS)))
    }
}

/// A body, and the room that it takes.
pub(super) struct Whole<'r> {
    pub(super) bytes: Vec<u8>,
    held: Option<SemaphorePermit<'r>>,
    room: &'r Room,
}

impl Whole<'_> {
    /// Waits for the room that so many bytes need.
    async fn grow(&mut self, bytes: usize) {
        let held = self.held.as_ref().map_or(0, SemaphorePermit::num_permits);
        let needed = bytes.saturating_sub(FREE).div_ceil(1024);
        let more = u32::try_from(needed.saturating_sub(held)).unwrap_or(u32::MAX);
        // It is never closed.
        if more > 0
            && let Ok(permit) = self.room.0.acquire_many(more).await
        {
            match &mut self.held {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
        }
    }
}

/// Reads a body to its end.
///
/// One that is too large is read to its end all the same and thrown away, in the time that any body
/// has: closing a connection with unread bytes resets it, and the client never sees why.
pub(super) async fn read(
    body: Body,
    limit: usize,
    time: Duration,
    room: &Room,
) -> Result<Whole<'_>, BodyError> {
    tokio::time::timeout(time, read_all(body, limit, room))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn read_all(mut body: Body, limit: usize, room: &Room) -> Result<Whole<'_>, BodyError> {
    // The length that a client states is a hint to make room by, not a reason to hold megabytes.
    let stated = body.size_hint().exact().unwrap_or(0);
    let mut too_large = stated > limit as u64;
    let stated = usize::try_from(stated).unwrap_or(limit).min(limit);
    let mut whole = Whole {
        bytes: Vec::with_capacity(stated.min(64 * 1024)),
        held: None,
        room,
    };
    if !too_large {
        // All at once, so that none waits for another with a part in its hands.
        whole.grow(stated).await;
    }
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue; // trailers
        };
        let length = whole.bytes.len() + data.len();
        too_large |= length > limit;
        if too_large {
            (whole.bytes, whole.held) = (Vec::new(), None);
        } else {
            whole.grow(length).await;
            whole.bytes.extend_from_slice(&data);
        }
    }
    if too_large {
        Err(BodyError::TooLarge)
    } else {
        Ok(whole)
    }
}
