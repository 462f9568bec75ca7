//! How many calls one process takes on at once. The excess is turned away before its message is read, with a hint when
//! to come back: a queue that grows makes everybody wait past their deadline.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

use super::status;

/// Places for calls, shared by all listeners of a process.
#[derive(Debug, Clone)]
pub struct InFlight {
    places: Arc<Semaphore>,
    max: usize,
}

impl InFlight {
    /// So many places.
    pub fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(max)),
            max,
        }
    }

    /// A service that answers only calls that find a place.
    pub(super) fn bound<S>(&self, inner: S) -> Bounded<S> {
        Bounded {
            inner,
            in_flight: self.clone(),
        }
    }
}

/// A service behind [`InFlight`].
#[derive(Debug, Clone)]
pub(super) struct Bounded<S> {
    inner: S,
    in_flight: InFlight,
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Bounded<S>
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
        let Ok(place) = Arc::clone(&self.in_flight.places).try_acquire_owned() else {
            let refusal = status::overloaded(self.in_flight.max).into_http();
            return Box::pin(async { Ok(refusal) });
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(place);
            answer
        })
    }
}
