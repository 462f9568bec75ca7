//! What one process takes on at once, and for how long. The excess is turned away as it comes in, with a hint when to come
//! back: a queue that grows makes everybody wait past their deadline.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, Service, http};

use super::activity::{Activity, Busy};
use super::backlog::{Backlog, Counted, Mark};
use super::deadline::Deadline;
use super::ending::Ending;
use super::endpoint::Endpoint;
use super::message::Message;
use super::refusal::Refusal;
use super::status::{self, Overloaded};
use super::stream::{StreamBounds, Streams};
use crate::moderator::Moderator;

/// Bounds on calls.
#[derive(Debug, Clone, Copy)]
pub struct CallBounds {
    /// Calls under way at once, waiting ones included.
    pub in_flight_max: usize,
    /// Calls that wait for a processor at once, beyond a burst.
    pub backlog_max: usize,
    /// How long a call may take, unless its caller is less patient.
    pub timeout: Duration,
}

/// The gate of one process, shared by all its listeners.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Arc<Semaphore>,
    backlog: Arc<Backlog>,
    timeout: Duration,
    moderator: Arc<Moderator>,
    overloaded: Overloaded,
    /// Places for the items of streams.
    items: Arc<Semaphore>,
    /// True once the process is told to stop.
    stopped: watch::Receiver<bool>,
}

impl Gate {
    /// A gate in front of this house, which closes when `stopped` becomes true.
    pub fn new(bounds: CallBounds, moderator: Arc<Moderator>, stopped: watch::Receiver<bool>) -> Self {
        let places = |max: usize| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Inner {
            places: places(bounds.in_flight_max),
            // Twice as many as there may be calls that wait for a processor: items wait for Redis too, and are few enough to
            // keep no reader waiting for long.
            items: places(bounds.backlog_max.saturating_mul(2)),
            stopped,
            backlog: Arc::new(Backlog::new(bounds.backlog_max)),
            timeout: bounds.timeout,
            moderator,
            overloaded: Overloaded::new(),
        }))
    }

    /// A service that answers only calls that may come in.
    pub(super) fn bound<S>(&self, inner: S) -> Bounded<S> {
        Bounded {
            inner,
            gate: self.clone(),
        }
    }

    /// A service whose streams end when the gate closes.
    pub(super) fn ending<S>(&self, inner: S) -> Ending<S> {
        let stopped = self.0.stopped.clone();
        Ending { inner, stopped }
    }

    /// What streams of comments share.
    pub(super) fn streams(&self, bounds: StreamBounds) -> Streams {
        Streams {
            bounds,
            places: Arc::clone(&self.0.items),
            stopped: self.0.stopped.clone(),
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
        self.0.moderator.metrics().turned_away();
        self.0.overloaded.answer()
    }
}

/// What a call holds: its place, and its connection; and how long for. An extension of each request, for answers that
/// outlast the call.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// When its caller stops waiting.
    pub(super) deadline: Deadline,
    _held: Option<Arc<(OwnedSemaphorePermit, Option<Busy>)>>,
}

/// A service behind a [`Gate`].
#[derive(Debug, Clone)]
pub(super) struct Bounded<S> {
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
            return LetIn::Not(Box::new(Refusal::new(self.gate.refuse(), request)));
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
            moderator: Arc::clone(&self.gate.0.moderator),
        };
        LetIn::Is(Counted::new(mark, self.inner.clone().answer(request, call)))
    }
}

/// The bounds of a call that was let in, and what it holds until it has been answered.
pub(super) struct Let {
    until: Instant,
    _held: Held,
    mark: Arc<Mark>,
    moderator: Arc<Moderator>,
}

impl Let {
    /// The answer, if it comes in time.
    pub(super) async fn within<F>(&self, answer: Pin<&mut F>) -> Result<http::Response<Body>, Infallible>
    where
        F: Future<Output = Result<http::Response<Body>, Infallible>>,
    {
        let answer = timeout_at(self.until, answer).await;
        let took = self.mark.took(Instant::now());
        self.moderator.metrics().called(took.as_secs_f64());
        answer.unwrap_or_else(|_| Ok(status::too_late().into_http()))
    }
}

/// The answer to a call that was let in, or not.
pub(super) enum LetIn<B> {
    Is(Counted<BoxFuture<http::Response<Body>, Infallible>>),
    /// It never counts: a refusal must not keep others out.
    Not(Box<Refusal<B>>),
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Future for LetIn<B> {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Is(answer) => Pin::new(answer).poll(context),
            Self::Not(refusal) => Pin::new(refusal).poll(context),
        }
    }
}
