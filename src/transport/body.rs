//! Request bodies that measure how long their caller lets them wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::overload::CallState;

/// The body of a request, which notes in the call's state when it waits for bytes of its caller, and when that has
/// gone.
#[derive(Debug)]
pub struct TimedBody<B> {
    inner: B,
    call: Arc<CallState>,
}

impl<B> TimedBody<B> {
    /// Wraps the body of the call with this state.
    pub(super) const fn new(inner: B, call: Arc<CallState>) -> Self {
        Self { inner, call }
    }
}

impl<B: Body + Unpin> Body for TimedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if polled.is_pending() {
            self.call.waits_for_body(Instant::now());
        } else {
            // What woke it may have done so before it was said that it waits.
            self.call.body_arrived(Instant::now);
        }
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.call.body_failed();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;
    use std::io;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use http_body::{Body, Frame};
    use tonic::codegen::Bytes;

    use super::{CallState, TimedBody};
    use crate::transport::overload::Backlog;

    /// Pieces of a message, by their bytes; `None` where the next has not come yet, and an error where there are 0.
    pub(in crate::transport) struct Pieces(pub(in crate::transport) VecDeque<Option<usize>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(None) => Poll::Pending,
                Some(Some(0)) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
                Some(Some(n)) => Poll::Ready(Some(Ok(Frame::data(vec![0; n].into())))),
            }
        }
    }

    #[test]
    fn a_message_notices_what_it_lacks() {
        let call = CallState::begin(&Arc::new(Backlog::new(1)));
        let mut message = TimedBody::new(Pieces([Some(5), None, Some(5)].into()), Arc::clone(&call));
        let mut poll = || Pin::new(&mut message).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_ready() && !call.is_waiting_for_body());
        assert!(poll().is_pending() && call.is_waiting_for_body());
        Waker::from(Arc::clone(&call)).wake();
        assert!(!call.is_waiting_for_body());
        assert!(poll().is_ready() && !call.is_waiting_for_body());
    }

    #[test]
    fn a_body_that_breaks_off_tells_that_the_caller_has_gone() {
        let call = CallState::begin(&Arc::new(Backlog::new(1)));
        let mut body = TimedBody::new(Pieces([Some(5), Some(0)].into()), Arc::clone(&call));
        let mut poll = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_ready() && !call.has_lost_its_caller());
        assert!(poll().is_ready() && call.has_lost_its_caller());
    }
}
