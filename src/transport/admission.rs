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

use super::activity::{Activity, CallInFlight};
use super::body::TimedBody;
use super::bounds::CallBounds;
use super::deadline::Deadline;
use super::overload::{Backlog, CallState, Runnable};
use super::refusal::{Refusal, Rejections};
use crate::telemetry::TransportMetrics;

/// The admission of one process, shared by all its listeners.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    in_flight: Arc<Semaphore>,
    backlog: Arc<Backlog>,
    timeout: Duration,
    metrics: TransportMetrics,
    rejections: Rejections,
}

impl Admission {
    /// A admission for so many calls, which turns others away with these answers.
    pub fn new(bounds: CallBounds, rejections: Rejections, metrics: TransportMetrics) -> Self {
        Self(Arc::new(Inner {
            in_flight: Arc::new(Semaphore::new(bounds.in_flight_max.min(Semaphore::MAX_PERMITS))),
            backlog: Arc::new(Backlog::new(bounds.backlog_max)),
            timeout: bounds.timeout,
            metrics,
            rejections,
        }))
    }

    /// A service that answers only calls that may come in.
    pub fn shed<S>(&self, inner: S) -> LoadShed<S> {
        LoadShed {
            inner,
            admission: self.clone(),
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

    fn try_admit(&self) -> Option<OwnedSemaphorePermit> {
        let free = || Arc::clone(&self.0.in_flight).try_acquire_owned().ok();
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
    fn answer(self, request: http::Request<B>, call: AdmittedCall) -> BoxFuture<http::Response<Body>, Infallible>;
}

/// What a call holds: its permit, and its connection; and how long for. An extension of each request, for answers that
/// outlast the call.
#[derive(Debug, Clone, Default)]
pub struct CallGuard {
    /// When its caller stops waiting.
    pub deadline: Deadline,
    _held: Option<Arc<(OwnedSemaphorePermit, Option<CallInFlight>)>>,
}

/// A service behind a [`Admission`].
#[derive(Debug, Clone)]
pub struct LoadShed<S> {
    inner: S,
    admission: Admission,
}

impl<S, B> Service<http::Request<B>> for LoadShed<S>
where
    S: Endpoint<TimedBody<B>> + Clone + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = AdmissionFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let Some(permit) = self.admission.try_admit() else {
            let refusal = Refusal::new(self.admission.refuse(), request);
            return AdmissionFuture(Outcome::Refused(Box::new(refusal)));
        };
        let Inner { backlog, timeout, .. } = &*self.admission.0;
        let call_state = CallState::begin(backlog);
        let deadline = Deadline::of(request.headers(), call_state.arrived());
        let guard = CallGuard {
            deadline,
            _held: Some(Arc::new((permit, Activity::of(&request).map(Activity::begin_call)))),
        };
        request.extensions_mut().insert(guard.clone());
        let ours = call_state.arrived() + *timeout;
        let until = deadline.0.map_or(ours, |theirs| theirs.min(ours));
        let request = request.map(|body| TimedBody::new(body, Arc::clone(&call_state)));
        let call = AdmittedCall {
            until,
            _guard: guard,
            call_state: Arc::clone(&call_state),
            admission: self.admission.clone(),
        };
        AdmissionFuture(Outcome::Admitted(Runnable::new(
            call_state,
            self.inner.clone().answer(request, call),
        )))
    }
}

/// The bounds of a call that was let in, and what it holds until it has been answered.
#[derive(Debug)]
pub struct AdmittedCall {
    until: Instant,
    _guard: CallGuard,
    call_state: Arc<CallState>,
    admission: Admission,
}

impl AdmittedCall {
    /// The answer, if it comes in time.
    ///
    /// # Errors
    /// Never.
    pub async fn within<F>(&self, answer: Pin<&mut F>) -> Result<http::Response<Body>, Infallible>
    where
        F: Future<Output = Result<http::Response<Body>, Infallible>>,
    {
        let answer = timeout_at(self.until, answer).await;
        answer.unwrap_or_else(|_| Ok(self.admission.0.rejections.too_late()))
    }
}

impl Drop for AdmittedCall {
    /// Records the latency of the call: also of one whose caller has gone, which is dropped before its answer.
    fn drop(&mut self) {
        let took = self.call_state.took(Instant::now());
        self.admission.0.metrics.called(took.as_secs_f64());
    }
}

/// The answer to a call that was let in, or not.
pub struct AdmissionFuture<B>(Outcome<B>);

enum Outcome<B> {
    Admitted(Runnable<BoxFuture<http::Response<Body>, Infallible>>),
    /// It never counts: a refusal must not keep others out.
    Refused(Box<Refusal<B>>),
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Future for AdmissionFuture<B> {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Admitted(answer) => Pin::new(answer).poll(context),
            Outcome::Refused(refusal) => Pin::new(refusal).poll(context),
        }
    }
}

impl<B> fmt::Debug for AdmissionFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdmissionFuture")
    }
}
