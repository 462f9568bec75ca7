//! What one process takes on at once, and for how long. The excess is turned away as it comes in, with a hint when to come
//! back: a queue that grows makes everybody wait past their deadline.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, Service, http};

use super::activity::{Activity, Busy};
use super::body::Message;
use super::bounds::CallBounds;
use super::deadline::Deadline;
use super::overload::{Backlog, Counted, Mark};
use super::refusal::{Refusal, Rejections};
use crate::telemetry::TransportMetrics;

/// The gate of one process, shared by all its listeners.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Arc<Semaphore>,
    backlog: Arc<Backlog>,
    timeout: Duration,
    metrics: TransportMetrics,
    rejections: Rejections,
}

impl Gate {
    /// A gate for so many calls, which turns others away with these answers.
    pub fn new(bounds: CallBounds, rejections: Rejections, metrics: TransportMetrics) -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(bounds.in_flight_max.min(Semaphore::MAX_PERMITS))),
            backlog: Arc::new(Backlog::new(bounds.backlog_max)),
            timeout: bounds.timeout,
            metrics,
            rejections,
        }))
    }

    /// A service that answers only calls that may come in.
    pub fn bound<S>(&self, inner: S) -> Bounded<S> {
        Bounded {
            inner,
            gate: self.clone(),
        }
    }

    /// Whether enough calls wait for a processor to keep it busy for a while.
    pub fn is_busy(&self) -> bool {
        self.0.backlog.is_busy()
    }

    /// Whether there is overload, and calls wait for a processor that were let in all the same.
    pub fn has_waiting(&self) -> bool {
        self.0.backlog.has_waiting()
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let free = || Arc::clone(&self.0.places).try_acquire_owned().ok();
        self.0.backlog.admits().then(free).flatten()
    }

    fn refuse(&self) -> http::Response<Body> {
        self.0.metrics.turned_away();
        self.0.rejections.overloaded()
    }
}

/// What answers calls with messages like `B`.
pub trait Endpoint<B> {
    /// Answers a call that was let in. What takes time is done as the answer is awaited.
    fn answer(self, request: http::Request<B>, call: Let) -> BoxFuture<http::Response<Body>, Infallible>;
}

/// What a call holds: its place, and its connection; and how long for. An extension of each request, for answers that
/// outlast the call.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// When its caller stops waiting.
    pub deadline: Deadline,
    _held: Option<Arc<(OwnedSemaphorePermit, Option<Busy>)>>,
}

/// A service behind a [`Gate`].
#[derive(Debug, Clone)]
pub struct Bounded<S> {
    inner: S,
    gate: Gate,
}

impl<S, B> Service<http::Request<B>> for Bounded<S>
where
    S: Endpoint<Message<B>> + Clone + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = LetIn<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let Some(place) = self.gate.place() else {
            let refusal = Refusal::new(self.gate.refuse(), request);
            return LetIn(Outcome::Not(Box::new(refusal)));
        };
        let Inner { backlog, timeout, .. } = &*self.gate.0;
        let mark = Mark::begin(backlog);
        let deadline = Deadline::of(request.headers(), mark.came());
        let held = Held {
            deadline,
            _held: Some(Arc::new((place, Activity::of(&request).map(Activity::call)))),
        };
        request.extensions_mut().insert(held.clone());
        let ours = mark.came() + *timeout;
        let until = deadline.0.map_or(ours, |theirs| theirs.min(ours));
        let request = request.map(|message| Message::new(message, Arc::clone(&mark)));
        let call = Let {
            until,
            _held: held,
            mark: Arc::clone(&mark),
            gate: self.gate.clone(),
        };
        LetIn(Outcome::Is(Counted::new(
            mark,
            self.inner.clone().answer(request, call),
        )))
    }
}

/// The bounds of a call that was let in, and what it holds until it has been answered.
#[derive(Debug)]
pub struct Let {
    until: Instant,
    _held: Held,
    mark: Arc<Mark>,
    gate: Gate,
}

impl Let {
    /// The answer, if it comes in time.
    ///
    /// # Errors
    /// Never.
    pub async fn within<F>(&self, answer: Pin<&mut F>) -> Result<http::Response<Body>, Infallible>
    where
        F: Future<Output = Result<http::Response<Body>, Infallible>>,
    {
        let answer = timeout_at(self.until, answer).await;
        let took = self.mark.took(Instant::now());
        self.gate.0.metrics.called(took.as_secs_f64());
        answer.unwrap_or_else(|_| Ok(self.gate.0.rejections.too_late()))
    }
}

/// The answer to a call that was let in, or not.
pub struct LetIn<B>(Outcome<B>);

enum Outcome<B> {
    Is(Counted<BoxFuture<http::Response<Body>, Infallible>>),
    /// It never counts: a refusal must not keep others out.
    Not(Box<Refusal<B>>),
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Future for LetIn<B> {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Is(answer) => Pin::new(answer).poll(context),
            Outcome::Not(refusal) => Pin::new(refusal).poll(context),
        }
    }
}

impl<B> fmt::Debug for LetIn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LetIn")
    }
}
