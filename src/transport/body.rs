//! The message of a call on its way in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::overload::Mark;

/// The message of a call, which notices how long its caller lets it wait.
#[derive(Debug)]
pub struct Message<B> {
    inner: B,
    mark: Arc<Mark>,
}

impl<B> Message<B> {
    /// The message of this call.
    pub(super) const fn new(inner: B, mark: Arc<Mark>) -> Self {
        Self { inner, mark }
    }
}

impl<B: Body + Unpin> Body for Message<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if polled.is_pending() {
            self.mark.lacks(Instant::now());
        } else {
            // What woke it may have done so before it was said that it waits.
            self.mark.lacks_no_more(Instant::now);
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
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use http_body::{Body, Frame};
    use tonic::codegen::Bytes;

    use super::{Mark, Message};
    use crate::transport::overload::Backlog;

    /// Pieces of a message, by their bytes; `None` where the next has not come yet.
    pub(in crate::transport) struct Pieces(pub(in crate::transport) VecDeque<Option<usize>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(None) => Poll::Pending,
                Some(Some(n)) => Poll::Ready(Some(Ok(Frame::data(vec![0; n].into())))),
            }
        }
    }

    #[test]
    fn a_message_notices_what_it_lacks() {
        let mark = Mark::begin(&Arc::new(Backlog::new(1)));
        let mut message = Message::new(Pieces([Some(5), None, Some(5)].into()), Arc::clone(&mark));
        let mut poll = || Pin::new(&mut message).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_ready() && !mark.is_lacking());
        assert!(poll().is_pending() && mark.is_lacking());
        Waker::from(Arc::clone(&mark)).wake();
        assert!(!mark.is_lacking());
        assert!(poll().is_ready() && !mark.is_lacking());
    }
}
