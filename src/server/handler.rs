//! `POST /mutate` and `POST /warn`: bytes in, bytes out, and an answer whatever happens in between.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::body::{self, BodyError, Room};
use super::metrics::{Metrics, Shed};
use crate::admission::{Answer, Outcome, Review, Unanswerable, UnreadReview, WorkloadReview};
use crate::lifecycle::annotations::Said;
use crate::lifecycle::policy::Policy;
use crate::workload::Kinds;

/// How many bytes a review of a workload may have to be told anything about it.
const TOLD: usize = 512 * 1024;

/// What is asked, each under a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// What does a pod get?
    Mutate,
    /// What is there to tell whoever writes what makes pods?
    Warn,
}

impl Question {
    fn path(self) -> &'static str {
        match self {
            Self::Mutate => "/mutate",
            Self::Warn => "/warn",
        }
    }
}

/// Finds out what a namespace says to its pods. It may take its time: a request whose deadline comes
/// first is answered without looking at its pod.
pub type NamespaceLookup = Arc<dyn Fn(&str) -> PendingNamespace + Send + Sync>;

/// What [`NamespaceLookup`] returns.
pub type PendingNamespace = Pin<Box<dyn Future<Output = Result<Arc<Said>, Unavailable>> + Send>>;

/// What a namespace says cannot be found out now, for this reason. Its pods are left alone: it may say
/// that they are to be.
#[derive(Debug, Clone)]
pub struct Unavailable(pub String);

/// Bounds of what a request may take.
#[derive(Debug, Clone)]
pub struct RequestLimits {
    /// Bytes of a body. An API server takes objects of 3 MiB, and a review holds up to two.
    pub body: usize,
    /// Time for a body.
    pub body_time: Duration,
    /// Bytes of all bodies together, beyond the first 32 KiB of each. Who finds no room waits, within the time for a
    /// body.
    pub bodies: usize,
    /// Requests looked at together. One more is answered all the same, without looking at its pod.
    pub in_flight: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body: 8 * 1024 * 1024,
            body_time: Duration::from_secs(10),
            bodies: 24 * 1024 * 1024,
            in_flight: 256,
        }
    }
}

/// Everything that answering needs.
pub(super) struct Webhook {
    policy: Arc<ArcSwap<Policy>>,
    kinds: Arc<ArcSwap<Kinds>>,
    namespaces: Option<NamespaceLookup>,
    metrics: Arc<Metrics>,
    limits: RequestLimits,
    /// For bodies.
    bodies: Room,
    /// For requests that are looked at.
    room: Semaphore,
}

impl Webhook {
    pub(super) fn new(
        policy: Arc<ArcSwap<Policy>>,
        kinds: Arc<ArcSwap<Kinds>>,
        namespaces: Option<NamespaceLookup>,
        metrics: Arc<Metrics>,
        limits: RequestLimits,
    ) -> Self {
        let room = Semaphore::new(limits.in_flight.min(Semaphore::MAX_PERMITS));
        Self {
            policy,
            kinds,
            namespaces,
            metrics,
            bodies: Room::new(limits.bodies.max(limits.body)),
            limits,
            room,
        }
    }

    /// The routes of the webhook listener.
    pub(super) fn router(self) -> Router {
        let webhook = Arc::new(self);
        let mut router = Router::new();
        for question in [Question::Mutate, Question::Warn] {
            let answer = move |State(webhook): State<Arc<Webhook>>, request: Request| async move {
                respond(&webhook, question, request).await
            };
            router = router.route(question.path(), post(answer));
        }
        router
            .method_not_allowed_fallback(|State(webhook): State<Arc<Webhook>>| async move {
                let sentence = "Only POST is answered here: send an AdmissionReview.";
                webhook.refuse(StatusCode::METHOD_NOT_ALLOWED, sentence)
            })
            .fallback(|State(webhook): State<Arc<Webhook>>| async move {
                let sentence = "Nothing is served here: the webhook's paths are /mutate and /warn.";
                webhook.refuse(StatusCode::NOT_FOUND, sentence)
            })
            .with_state(webhook)
    }

    async fn answer(&self, question: Question, uri: &Uri, body: Body) -> Response {
        let started = Instant::now();
        // A deadline beyond the clock's end is none.
        let deadline = deadline(uri).and_then(|budget| started.checked_add(budget));
        self.metrics.in_flight.inc();
        let _in_flight = InFlight(&self.metrics);
        let limit = self.limits.body;
        let body = match body::read(body, limit, self.limits.body_time, &self.bodies).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => {
                let sentence = format!("The body is larger than the {limit} bytes that are read.");
                return self.refuse(StatusCode::PAYLOAD_TOO_LARGE, sentence);
            }
            Err(BodyError::TooSlow) => {
                let sentence = "The body did not come in time.";
                return self.refuse(StatusCode::REQUEST_TIMEOUT, sentence);
            }
            Err(BodyError::Broken) => {
                let sentence = "The body ended before its end.";
                return self.refuse(StatusCode::BAD_REQUEST, sentence);
            }
        };
        self.metrics.received(body.bytes.len());
        // Who has only begun to send keeps nobody else from being looked at.
        let room = self.room.try_acquire().ok();
        match self.review(question, &body.bytes, room, deadline).await {
            Ok(answer) => {
                self.record(question, &answer);
                let seconds = started.elapsed().as_secs_f64();
                self.metrics.answered(answer.body.len(), seconds);
                self.metrics.responded(StatusCode::OK);
                ([(header::CONTENT_TYPE, "application/json")], answer.body).into_response()
            }
            Err(Unanswerable(sentence)) => self.refuse(StatusCode::BAD_REQUEST, sentence),
        }
    }

    /// Looks at the object where there are room and time to, and answers in any case.
    async fn review(
        &self,
        question: Question,
        bytes: &[u8],
        room: Option<SemaphorePermit<'_>>,
        deadline: Option<Instant>,
    ) -> Result<Answer, Unanswerable> {
        let shed = |why| self.shed(question, bytes, why);
        if room.is_none() {
            return shed(Shed::Overload);
        }
        let decide = caught(self.decide(question, bytes));
        let Some(deadline) = deadline else {
            return match decide.await {
                Ok(answer) => answer,
                Err(Panicked) => shed(Shed::Panic),
            };
        };
        if Instant::now() >= deadline {
            return shed(Shed::Deadline);
        }
        match tokio::time::timeout_at(deadline, decide).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Panicked)) => shed(Shed::Panic),
            Err(_) => shed(Shed::Deadline),
        }
    }

    async fn decide(&self, question: Question, bytes: &[u8]) -> Result<Answer, Unanswerable> {
        match question {
            Question::Mutate => {
                let review = Review::read(bytes)?;
                match self.said_by(review.namespace()).await {
                    Ok(said) => Ok(review.answer(&self.policy.load(), said.as_deref())),
                    Err(why) => self.shed(question, bytes, why),
                }
            }
            // A tree of it takes fifty times its size, and nobody loses more than a word.
            Question::Warn if bytes.len() > TOLD => Ok(UnreadReview::read(bytes)?.shed()),
            Question::Warn => {
                let review = WorkloadReview::read(bytes)?;
                let (policy, kinds) = (self.policy.load(), self.kinds.load());
                match self.said_by(review.namespace()).await {
                    Ok(said) => Ok(review.answer(&policy, &kinds, said.as_deref())),
                    Err(why) => self.shed(question, bytes, why),
                }
            }
        }
    }

    /// What a namespace says to its pods, where anybody knows.
    async fn said_by(&self, namespace: Option<&str>) -> Result<Option<Arc<Said>>, Shed> {
        let (Some(lookup), Some(name)) = (&self.namespaces, namespace) else {
            return Ok(None);
        };
        lookup(name).await.map(Some).map_err(|Unavailable(why)| {
            tracing::warn!(namespace = name, why, "the namespace is not known");
            Shed::Namespace
        })
    }

    /// Answers without looking at the object. Only a pod loses anything by it.
    fn shed(&self, question: Question, bytes: &[u8], why: Shed) -> Result<Answer, Unanswerable> {
        if matches!(why, Shed::Panic) {
            self.metrics.panics.inc();
            tracing::error!("a panic while answering; the object was allowed as it is");
        }
        let answer = catch_unwind(|| match question {
            Question::Mutate => Ok(Review::read(bytes)?.shed(why.warning())),
            Question::Warn => Ok(UnreadReview::read(bytes)?.shed()),
        });
        let answer = answer.unwrap_or_else(|_| {
            // Reading itself panicked: there is no uid to answer with.
            Err(Unanswerable("The review could not be read.".to_owned()))
        })?;
        if question == Question::Mutate {
            self.metrics.shed(why);
        }
        Ok(answer)
    }

    fn record(&self, question: Question, answer: &Answer) {
        let decision = &answer.decision;
        match question {
            Question::Mutate => self.metrics.decided(decision),
            Question::Warn => self.metrics.told(decision.outcome),
        }
        let webhook = question.path();
        let (operation, outcome) = (decision.operation, decision.outcome.code());
        // Names of objects and fields only: objects hold what logs must not.
        if decision.outcome == Outcome::Injected {
            tracing::info!(webhook, operation, outcome, "{}", decision.summary);
        } else {
            tracing::debug!(webhook, operation, outcome, "{}", decision.summary);
        }
    }

    /// Refuses what carries nothing to answer to, in one sentence.
    fn refuse(&self, status: StatusCode, sentence: impl Into<String>) -> Response {
        self.metrics.responded(status);
        (status, sentence.into() + "\n").into_response()
    }
}

/// The content type is not looked at: API servers always send `application/json`, and a review that
/// can be read can be answered whatever it is called.
async fn respond(webhook: &Webhook, question: Question, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let response = webhook.answer(question, &head.uri, body).await;
    if response.status() == StatusCode::REQUEST_TIMEOUT {
        // The rest of the body may still come; it must not be taken for the next request.
        return ([(header::CONNECTION, "close")], response).into_response();
    }
    response
}

/// The time that `?timeout=10s` leaves for answering. API servers always send it; what cannot be
/// read is as good as absent.
fn deadline(uri: &Uri) -> Option<Duration> {
    let mut pairs = uri.query()?.split('&');
    let text = pairs.find_map(|pair| pair.strip_prefix("timeout="))?;
    let timeout = Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok()?;
    if timeout.is_zero() {
        return None;
    }
    // The answer has a way to go: a tenth for it, but no more than 100 ms.
    Some(timeout - (timeout / 10).min(Duration::from_millis(100)))
}

/// What became of a future that panicked.
struct Panicked;

/// Runs a future and catches its panics. Nothing that it shares is left half changed by one: the
/// policy is only read, and metrics are atomic.
async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}

struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_leaves_time_for_the_way_back_and_nonsense_means_none() {
        let of = |uri: &'static str| deadline(&Uri::from_static(uri));
        assert_eq!(
            of("/mutate?timeout=10s"),
            Some(Duration::from_millis(9_900))
        );
        assert_eq!(
            of("/mutate?a=b&timeout=500ms"),
            Some(Duration::from_millis(450))
        );
        assert_eq!(
            of("/mutate?timeout=1m0s"),
            Some(Duration::from_millis(59_900))
        );
        for none in [
            "/mutate",
            "/mutate?timeout=",
            "/mutate?timeout=soon",
            "/mutate?timeout=0s",
            "/mutate?timeout=-1s",
            "/mutate?timeout=99999999999999999999s",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
