//! Answers refused calls, after their body has arrived and been discarded. A caller that still sends to a stream which
//! was answered makes us reset it, and h2 cuts a connection on which that happens too often, with all the calls on it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tonic::body::Body;
use tonic::codegen::{Bytes, http};

use super::activity::{Activity, CallInFlight};

/// Bytes of a body that are awaited at most: a comment's usual length many times over.
const BYTES_MAX: usize = 64 << 10;

/// The time for which a body is awaited at most.
const PATIENCE: Duration = Duration::from_millis(50);

/// The answer to a refused call, which resolves when the body has arrived and been discarded.
#[derive(Debug)]
pub struct Refusal<B> {
    answer: Option<http::Response<Body>>,
    body: B,
    /// Bytes that are still waited for, at most.
    left: usize,
    /// The timer, once the body has to be awaited.
    until: Option<Pin<Box<Sleep>>>,
    /// Keeps the connection from being idle meanwhile.
    _in_flight: Option<CallInFlight>,
}

impl<B> Refusal<B> {
    /// Answers this request with this refusal, and marks the call as refused.
    pub fn new(answer: http::Response<Body>, request: http::Request<B>) -> Self {
        let activity = Activity::of(&request);
        if let Some(activity) = activity {
            activity.set_refused_flag();
        }
        Self {
            answer: Some(answer),
            _in_flight: activity.map(Activity::begin_call),
            body: request.into_body(),
            left: BYTES_MAX,
            until: None,
        }
    }
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Refusal<B> {
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.left > 0 {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    self.left = self.left.saturating_sub(bytes);
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    let until = self.until.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
                    return until.as_mut().poll(context);
                }
            }
        }
        Poll::Ready(())
    }
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Future for Refusal<B> {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.poll_body(context).is_pending() {
            return Poll::Pending;
        }
        self.answer
            .take()
            .map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
    }
}

/// The answers of a protocol to calls that its services do not answer, for want of capacity or time. They are made
/// once, so that a refusal under overload costs as little as possible.
#[derive(Debug)]
pub struct Rejections {
    overloaded: Vec<http::Response<()>>,
    next: AtomicUsize,
    too_late: http::Response<()>,
    cancelled: http::Response<()>,
}

impl Rejections {
    /// The answers to refused calls, given in turn so that callers retry at different times; the one to calls that took
    /// too long; and the one that calls end with whose caller has gone.
    pub const fn new(
        overloaded: Vec<http::Response<()>>,
        too_late: http::Response<()>,
        cancelled: http::Response<()>,
    ) -> Self {
        Self {
            overloaded,
            next: AtomicUsize::new(0),
            too_late,
            cancelled,
        }
    }

    /// The next answer to a call that is one too many.
    pub(super) fn overloaded(&self) -> http::Response<Body> {
        let n = self.next.fetch_add(1, Ordering::Relaxed) % self.overloaded.len().max(1);
        let answer = self.overloaded.get(n).unwrap_or(&self.too_late);
        answer.clone().map(|()| Body::empty())
    }

    /// The end of a call whose caller has gone.
    pub(super) fn cancelled(&self) -> http::Response<Body> {
        self.cancelled.clone().map(|()| Body::empty())
    }

    /// The answer to a call that took too long.
    pub(super) fn too_late(&self) -> http::Response<Body> {
        self.too_late.clone().map(|()| Body::empty())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use tokio::time::Instant;
    use tonic::body::Body;
    use tonic::codegen::http;

    use super::{BYTES_MAX, PATIENCE, Refusal, Rejections};
    use crate::transport::body::tests::Pieces;

    fn refusal(pieces: impl IntoIterator<Item = Option<usize>>) -> Refusal<Pieces> {
        let message = Pieces(pieces.into_iter().collect());
        let answer = http::Response::builder().status(429).body(Body::empty()).unwrap();
        Refusal::new(answer, http::Request::new(message))
    }

    fn is_answered(refusal: &mut Refusal<Pieces>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(refusal).poll(&mut context).is_ready()
    }

    #[test]
    fn callers_get_the_refusals_in_turn() {
        let head = |status: u16| http::Response::builder().status(status).body(()).unwrap();
        let rejections = Rejections::new(vec![head(429), head(503)], head(504), head(499));
        let given = [(); 3].map(|()| rejections.overloaded().status().as_u16());
        assert_eq!(given, [429, 503, 429]);
        assert_eq!(rejections.too_late().status(), 504);
        assert_eq!(rejections.cancelled().status(), 499);
    }

    #[tokio::test]
    async fn it_waits_for_the_message_but_not_for_long() {
        assert!(is_answered(&mut refusal([Some(3), Some(4)])));
        let mut late = refusal([Some(3), None, Some(4)]);
        assert!(!is_answered(&mut late), "more is to come");
        assert!(is_answered(&mut late), "it has come");
        let begun = Instant::now();
        let answer = refusal(std::iter::repeat_n(None, 100)).await.unwrap();
        assert!(begun.elapsed() >= PATIENCE, "the message never came");
        assert_eq!(answer.status(), 429);
    }

    #[tokio::test]
    async fn it_does_not_wait_for_a_message_without_end() {
        assert!(is_answered(&mut refusal([Some(BYTES_MAX), None])));
        assert!(!is_answered(&mut refusal([Some(BYTES_MAX - 1), None])));
    }
}
