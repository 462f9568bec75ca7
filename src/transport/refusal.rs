//! The answer to a call that is turned away: given when its message has come, which is thrown away. A caller that is still
//! sending to a stream that is over breaks the protocol without meaning to, and a connection on which that happens too often
//! is cut, with all the calls on it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tonic::body::Body;
use tonic::codegen::{Bytes, http};

use super::activity::{Activity, CallInFlight};

/// So much of a message is waited for: a comment's usual length many times over.
const BYTES_MAX: usize = 64 << 10;

/// And so long.
const PATIENCE: Duration = Duration::from_millis(50);

/// A refusal that waits for the message.
#[derive(Debug)]
pub struct Refusal<B> {
    answer: Option<http::Response<Body>>,
    body: B,
    /// Bytes that are still waited for, at most.
    left: usize,
    /// Until when, once it has to be waited.
    until: Option<Pin<Box<Sleep>>>,
    /// The connection is not at rest meanwhile.
    _in_flight: Option<CallInFlight>,
}

impl<B> Refusal<B> {
    /// This answer, to this request: it needs no turn of its own.
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

/// The answers that a protocol gives to calls that are not answered by its services. They are made once: while they are
/// needed nobody has time to make them.
#[derive(Debug)]
pub struct Rejections {
    overloaded: Vec<http::Response<()>>,
    next: AtomicUsize,
    too_late: http::Response<()>,
}

impl Rejections {
    /// Answers to calls that are too many, given in turn (each says another time to come back at), and the one to calls
    /// that take too long.
    pub const fn new(overloaded: Vec<http::Response<()>>, too_late: http::Response<()>) -> Self {
        Self {
            overloaded,
            next: AtomicUsize::new(0),
            too_late,
        }
    }

    /// The next answer to a call that is one too many.
    pub(super) fn overloaded(&self) -> http::Response<Body> {
        let n = self.next.fetch_add(1, Ordering::Relaxed) % self.overloaded.len().max(1);
        let answer = self.overloaded.get(n).unwrap_or(&self.too_late);
        answer.clone().map(|()| Body::empty())
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

    use super::{BYTES_MAX, PATIENCE, Refusal};
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
