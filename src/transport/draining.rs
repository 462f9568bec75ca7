//! Ends streams that have no end of their own (health watches, reflection) when the process stops: else it would wait
//! for their callers to hang up.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Frame;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, Service, http};

use super::activity::{Activity, CallInFlight};

/// A service whose streamed answers end when the process stops.
#[derive(Debug, Clone)]
pub struct DrainOnShutdown<S> {
    inner: S,
    /// True once the process is told to stop.
    stopped: watch::Receiver<bool>,
    /// The trailers that its streams end with.
    trailers: http::HeaderMap,
}

impl<S> DrainOnShutdown<S> {
    /// Ends the streams of `inner` with these trailers once `stopped` is true.
    pub const fn new(inner: S, stopped: watch::Receiver<bool>, trailers: http::HeaderMap) -> Self {
        Self {
            inner,
            stopped,
            trailers,
        }
    }
}

impl<S, B> Service<http::Request<B>> for DrainOnShutdown<S>
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
        let in_flight = Activity::of(&request).map(Activity::begin_call);
        let (mut stopped, trailers) = (self.stopped.clone(), self.trailers.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|inner| {
                Body::new(Stream {
                    inner,
                    stopped: Box::pin(async move {
                        // An error means that the sender is gone, which is the end as well.
                        let _ = stopped.wait_for(|stopped| *stopped).await;
                    }),
                    trailers: Some(trailers),
                    _in_flight: in_flight,
                })
            }))
        })
    }
}

/// The body of an answer, which ends when the process stops.
struct Stream {
    inner: Body,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The trailers it ends with, until it has.
    trailers: Option<http::HeaderMap>,
    _in_flight: Option<CallInFlight>,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.trailers.is_none() {
            return Poll::Ready(None);
        }
        // What there is to say is said first: a watch hears that the service is not serving any more.
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if frame.is_ready() || self.stopped.as_mut().poll(context).is_pending() {
            return frame;
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none() || self.inner.is_end_stream()
    }
}
