//! Counts every call of our services, by method and by how it ended: also those that are turned away before any of our
//! code sees them.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Code, Status};

use crate::moderator::Moderator;
use crate::telemetry::Method;

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(super) struct Observed<S> {
    inner: S,
    moderator: Arc<Moderator>,
}

impl<S> Observed<S> {
    /// Counts the calls of `inner`. It belongs outermost, around whatever may turn a call away.
    pub(super) fn new(inner: S, moderator: &Arc<Moderator>) -> Self {
        let moderator = Arc::clone(moderator);
        Self { inner, moderator }
    }
}

impl<S: NamedService> NamedService for Observed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Observed<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let moderator = Arc::clone(&self.moderator);
        moderator.metrics().requested(Method::of_path(request.uri().path()));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // A call that fails as a whole says so in the head; what befalls one item of a stream is no failed call.
            if let Some(status) = Status::from_header_map(answer.headers())
                && status.code() != Code::Ok
            {
                moderator.metrics().failed(status.code() as i32);
            }
            Ok(answer)
        })
    }
}
