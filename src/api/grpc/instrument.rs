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
        }
    }
}

/// A call under way, which is counted and traced when it is answered.
#[derive(Debug)]
pub(super) struct InstrumentedFuture<F> {
    inner: F,
    moderator: Arc<Moderator>,
    method: Method,
    call: Option<Call>,
}

impl<F> Future for InstrumentedFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, Infallible>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Ok(answer) = ready!(Pin::new(&mut self.inner).poll(context));
        // A call that fails as a whole says so in the head; what befalls one item of a stream is no failed call.
        let status = answer.headers().get(Status::GRPC_STATUS);
        let code = status.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
        if code != Code::Ok {
            self.moderator.metrics().failed(code as i32);
        }
        let method = self.method;
        // A stream that has begun tells itself how it ends.
        if let Some(call) = self
            .call
            .take()
            .filter(|_| method != Method::ModerateStream || code != Code::Ok)
        {
            self.moderator.traced(&call, method, code as i32);
        }
        Poll::Ready(Ok(answer))
    }
}
