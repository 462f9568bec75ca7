//! Counts and traces every call of our services, by method and by how it ended: also those that are turned away before
//! any of our code sees them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};

use crate::moderator::Moderator;
use crate::telemetry::{Call, Method};

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(super) struct Instrumented<S> {
    inner: S,
    moderator: Arc<Moderator>,
}

impl<S> Instrumented<S> {
    /// Counts the calls of `inner`. It belongs outermost, around whatever may turn a call away.
    pub(super) fn new(inner: S, moderator: &Arc<Moderator>) -> Self {
        let moderator = Arc::clone(moderator);
        Self { inner, moderator }
    }
}

impl<S, B> Service<http::Request<B>> for Instrumented<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = InstrumentedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let moderator = Arc::clone(&self.moderator);
        let method = Method::of_path(request.uri().path());
        moderator.metrics().requested(method);
        let parent = request
            .headers()
            .get("traceparent")
            .and_then(|parent| parent.to_str().ok());
        let call = moderator.trace(method, parent);
        if let Some(call) = &call {
            // The door tells it what was decided.
            request.extensions_mut().insert(call.clone());
        }
        InstrumentedFuture {
            inner: self.inner.call(request),
            moderator,
            method,
            call,
            progress: Progress::Waiting,
        }
    }
}

/// A call in flight, which is counted and traced when it ends: answered, or dropped because its caller cancelled it or
/// its connection broke.
#[derive(Debug)]
pub(super) struct InstrumentedFuture<F> {
    inner: F,
    moderator: Arc<Moderator>,
    method: Method,
    call: Option<Call>,
    progress: Progress,
}

/// The state that a dropped call was in, which tells why it was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Between two polls: dropped here, its caller is gone.
    Waiting,
    /// Within a poll: dropped here, it panicked.
    Polling,
    /// Its end has been recorded.
    Ended,
}

impl Progress {
    /// The status of a call that is dropped in this state; `None` if it has ended before.
    const fn when_dropped(self) -> Option<Code> {
        match self {
            Self::Waiting => Some(Code::Cancelled),
            Self::Polling => Some(Code::Internal),
            Self::Ended => None,
        }
    }
}

impl<F> InstrumentedFuture<F> {
    /// Counts the call, and ends its span, by this status.
    fn end(&mut self, code: Code) {
        self.progress = Progress::Ended;
        if code != Code::Ok {
            self.moderator.metrics().failed(code as i32);
        }
        let method = self.method;
        // A stream that has begun records its own end.
        if let Some(call) = self
            .call
            .take()
            .filter(|_| method != Method::ModerateStream || code != Code::Ok)
        {
            self.moderator.traced(&call, method, code as i32);
        }
    }
}

impl<F> Future for InstrumentedFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, Infallible>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.progress = Progress::Polling;
        let polled = Pin::new(&mut self.inner).poll(context);
        self.progress = Progress::Waiting;
        let Ok(answer) = ready!(polled);
        // A call that fails as a whole says so in the head; the error of one item of a stream is no failed call.
        let status = answer.headers().get(Status::GRPC_STATUS);
        let code = status.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
        self.end(code);
        Poll::Ready(Ok(answer))
    }
}

impl<F> Drop for InstrumentedFuture<F> {
    fn drop(&mut self) {
        if let Some(code) = self.progress.when_dropped() {
            self.end(code);
        }
    }
}
