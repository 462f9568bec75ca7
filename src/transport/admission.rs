//! Admits calls up to the bounds of the process, and limits how long each may take. The excess is refused on arrival,
//! with a hint when to retry: a queue that grows makes everybody wait past their deadline.

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

/// Decides for each call on arrival whether it is admitted or refused. One for each process, shared by all its
/// listeners.
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
    /// An admission of calls within these bounds, which refuses the excess with these answers.
    pub fn new(bounds: CallBounds, rejections: Rejections, metrics: TransportMetrics) -> Self {
        Self(Arc::new(Inner {
            in_flight: Arc::new(Semaphore::new(bounds.in_flight_max.min(Semaphore::MAX_PERMITS))),
            backlog: Arc::new(Backlog::new(bounds.backlog_max)),
            timeout: bounds.timeout,
            metrics,
            rejections,
        }))
    }

    /// Wraps a service, so that only admitted calls reach it.
    pub fn shed<S>(&self, inner: S) -> LoadShed<S> {
        LoadShed {
            inner,
            admission: self.clone(),
        }
    }

    /// Returns true if as many calls wait for a processor as `pressure.backlog_max` allows.
    pub fn is_busy(&self) -> bool {
        self.0.backlog.is_busy()
    }

    /// Returns true if the service is overloaded while admitted calls wait for a processor.
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

/// A service behind [`Admission`], for requests with a body of type `B`.
pub trait Endpoint<B> {
    /// Answers an admitted call. It returns at once: the work is done by the future.
    fn answer(self, request: http::Request<B>, call: AdmittedCall) -> BoxFuture<http::Response<Body>, Infallible>;
}

/// Keeps an admitted call's permit, and its connection from being idle, until the last clone is dropped. An extension
/// of each request, for streamed answers that outlast the call's head.
#[derive(Debug, Clone, Default)]
pub struct CallGuard {
    /// The time at which the caller stops waiting.
    pub deadline: Deadline,
    _permit: Option<Arc<(OwnedSemaphorePermit, Option<CallInFlight>)>>,
}

/// A service that refuses calls which [`Admission`] does not admit, before anything of them is read.
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
            _permit: Some(Arc::new((permit, Activity::of(&request).map(Activity::begin_call)))),
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

/// An admitted call: its permit, its deadline and its timer, until it has been answered or dropped.
#[derive(Debug)]
pub struct AdmittedCall {
    until: Instant,
    _guard: CallGuard,
    call_state: Arc<CallState>,
    admission: Admission,
}

impl AdmittedCall {
    /// Awaits the answer, at most until the deadline of the call; then the answer is that it took too long.
    ///
    /// # Errors
    /// Never: errors are answers.
    pub async fn within<F>(&self, answer: Pin<&mut F>) -> Result<http::Response<Body>, Infallible>
    where
        F: Future<Output = Result<http::Response<Body>, Infallible>>,
    {
        let answer = timeout_at(self.until, answer).await;
        let rejections = &self.admission.0.rejections;
        if self.call_state.has_lost_its_caller() {
            // Whatever a service says of half a message is read by nobody, and is no error of the service.
            return Ok(rejections.cancelled());
        }
        answer.unwrap_or_else(|_| Ok(rejections.too_late()))
    }
}

impl Drop for AdmittedCall {
    /// Records the latency of the call: also of one whose caller has gone, which is dropped before its answer.
    fn drop(&mut self) {
        let took = self.call_state.took(Instant::now());
        self.admission.0.metrics.called(took.as_secs_f64());
    }
}

/// The answer to an admitted or refused call.
pub struct AdmissionFuture<B>(Outcome<B>);

enum Outcome<B> {
    Admitted(Runnable<BoxFuture<http::Response<Body>, Infallible>>),
    /// A refusal, which is not counted as part of the backlog: it must not keep others out.
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
