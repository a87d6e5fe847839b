//! Ends connections whose peer is too slow to send a request's head or to take its answer.
//!
//! hyper has one timeout for both the time between two requests and the time that a head takes. The
//! first must be longer than the 90 s for which API servers keep idle connections, the second must
//! not, so hyper's timeout is the first and this is the second. The head's time begins with its
//! first byte, on a new connection too: an API server may open one, get its answer over another
//! that became free meanwhile, and keep the new one for later.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::metrics::ByWord;

/// What a connection is doing, as its I/O and its service see it together.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<AtomicU8>);

impl Activity {
    const IDLE: u8 = 0;
    const READING_HEAD: u8 = 1;
    const ANSWERING: u8 = 2;

    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::IDLE
    }

    pub(super) fn answering(&self) {
        self.0.store(Self::ANSWERING, Ordering::Release);
    }

    pub(super) fn idle(&self) {
        self.0.store(Self::IDLE, Ordering::Release);
    }

    fn reading_head(&self) {
        self.0.store(Self::READING_HEAD, Ordering::Release);
    }

    fn is_reading_head(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::READING_HEAD
    }
}

/// A stream whose peer must keep pace.
pub(super) struct Paced<S> {
    stream: S,
    activity: Activity,
    head: Limit,
    write: Limit,
    cut: ByWord,
}

impl<S> Paced<S> {
    pub(super) fn new(
        stream: S,
        activity: Activity,
        head: Duration,
        write: Duration,
        cut: ByWord,
    ) -> Self {
        Self {
            stream,
            activity,
            head: Limit::new(head),
            write: Limit::new(write),
            cut,
        }
    }

    fn too_slow(&self, with: &'static str) -> io::Error {
        self.cut.get_or_create(&[("reason", with)]).inc();
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the peer's {with} took too long"),
        )
    }

    /// Lets a write be pending for so long and no longer.
    fn paced_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write.end();
        } else if self.write.poll_over(cx) {
            return Poll::Ready(Err(self.too_slow("write")));
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.activity.is_idle() {
            self.activity.reading_head();
            self.head.end();
            self.head.begin();
        }
        // A head that came whole is never waited for, and so costs no timer.
        if poll.is_pending() && self.activity.is_reading_head() && self.head.poll_over(cx) {
            return Poll::Ready(Err(self.too_slow("header")));
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.paced_write(cx, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.paced_write(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.paced_write(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.paced_write(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A time limit that costs a clock reading when it begins and a timer only when it is waited for.
struct Limit {
    time: Duration,
    until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    fn new(time: Duration) -> Self {
        Self {
            time,
            until: None,
            timer: None,
        }
    }

    fn begin(&mut self) -> Instant {
        *self.until.get_or_insert_with(|| Instant::now() + self.time)
    }

    fn end(&mut self) {
        self.until = None;
    }

    /// Whether the time is over; begins it if need be, and wakes the task when it ends.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        let until = self.begin();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Both ends of a pipe that holds four bytes; ours is paced.
    fn paced(cut: &ByWord) -> (Paced<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(4);
        let time = Duration::from_secs(5);
        let ours = Paced::new(ours, Activity::default(), time, time, cut.clone());
        (ours, theirs)
    }

    fn count(cut: &ByWord, reason: &'static str) -> u64 {
        cut.get_or_create(&[("reason", reason)]).get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut() {
        let cut = ByWord::default();
        let (mut ours, _theirs) = paced(&cut);
        let error = ours.write_all(b"more than four").await.expect_err("cut");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(count(&cut, "write"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_it_slowly_but_steadily_is_not() {
        let cut = ByWord::default();
        let (mut ours, mut theirs) = paced(&cut);
        let reader = tokio::spawn(async move {
            for _ in 0..14 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                theirs.read_u8().await.expect("a byte");
            }
        });
        ours.write_all(b"more than four").await.expect("taken");
        reader.await.expect("no panic");
        assert_eq!(count(&cut, "write"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_is_cut_when_its_time_is_over() {
        let cut = ByWord::default();
        let (mut ours, mut theirs) = paced(&cut);
        let writer = tokio::spawn(async move {
            while theirs.write_u8(b'G').await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let began = Instant::now();
        let mut head = Vec::new();
        let error = ours.read_to_end(&mut head).await.expect_err("cut");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(
            began.elapsed(),
            Duration::from_secs(5),
            "the paused clock's"
        );
        assert_eq!(count(&cut, "header"), 1);
        drop(ours);
        writer.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_between_requests_and_slow_bodies_are_not_its_business() {
        let cut = ByWord::default();
        let (mut ours, mut theirs) = paced(&cut);
        let activity = ours.activity.clone();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            theirs.write_u8(b'G').await.expect("sent");
            ours.read_u8().await.expect("the head");
            activity.answering();
            tokio::time::sleep(Duration::from_secs(60)).await;
            theirs.write_u8(b'{').await.expect("sent");
            ours.read_u8().await.expect("the body");
            activity.idle();
        }
        assert_eq!(count(&cut, "header"), 0);
    }
}
