//! Closes connections that do not send their HTTP/2 preface in time, or that have no call in flight for too long, with
//! TLS or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::activity::Activity;
use super::bounds::ConnectionBounds;

/// The bytes that every HTTP/2 client begins with: its preface, and the head of its settings (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24 + 9;

/// A connection that ends, as if its caller had hung up, when it is idle for too long.
#[derive(Debug)]
pub struct IdleTimeout<T> {
    stream: T,
    activity: Activity,
    bounds: ConnectionBounds,
    /// Bytes of the preface that are still to come.
    preface_left: usize,
    /// The timer of the next check.
    check: Pin<Box<Sleep>>,
}

impl<T> IdleTimeout<T> {
    /// Wraps a connection, which has `handshake_timeout` from now on to send its preface.
    pub fn new(stream: T, bounds: ConnectionBounds) -> Self {
        Self {
            stream,
            activity: Activity::opened(),
            bounds,
            preface_left: PREFACE_BYTES,
            check: Box::pin(sleep(bounds.handshake_timeout)),
        }
    }

    /// The calls in flight on this connection.
    pub(super) const fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Notes that so many bytes arrived; after the preface, `idle_timeout` holds.
    fn received(&mut self, bytes: usize) {
        if self.preface_left > 0 {
            self.preface_left = self.preface_left.saturating_sub(bytes);
            if self.preface_left == 0 {
                let next = Instant::now() + self.bounds.idle_timeout;
                self.check.as_mut().reset(next);
            }
        }
    }

    /// Returns true if the connection has to be closed; else the task is woken in time for the next check.
    fn has_expired(&mut self, context: &mut Context<'_>) -> bool {
        while self.check.as_mut().poll(context).is_ready() {
            if self.preface_left > 0 {
                return true;
            }
            let now = Instant::now();
            let idle_since = self.activity.idle_since().unwrap_or(now);
            let end = idle_since + self.bounds.idle_timeout;
            if end <= now {
                return true;
            }
            self.check = Box::pin(sleep_until(end));
        }
        false
    }
}

impl<T: AsyncRead + Unpin> IdleTimeout<T> {
    /// Reads at most as many bytes as the turn's budget allows.
    fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read_budget = self.activity.read_budget();
        if read_budget == 0 {
            // There may be more: it is its turn again behind all that wait now.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let stream = Pin::new(&mut self.stream);
        if read_budget == usize::MAX {
            return stream.poll_read(context, buffer);
        }
        let bytes = read_budget.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(bytes));
        ready!(stream.poll_read(context, &mut part))?;
        let n = part.filled().len();
        buffer.advance(n);
        self.activity.consume_read_budget(n);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for IdleTimeout<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.read(context, buffer);
        if polled.is_ready() {
            let bytes = buffer.filled().len() - before;
            self.received(bytes);
            // One that sends its preface byte by byte has no longer than any other.
            if self.preface_left == 0 || bytes == 0 || !self.has_expired(context) {
                return polled;
            }
        } else if !self.has_expired(context) {
            return Poll::Pending;
        }
        // As if the caller had hung up: with no call under way nothing is lost.
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for IdleTimeout<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use tokio::io::{AsyncRead, ReadBuf};

    use super::{ConnectionBounds, IdleTimeout};

    #[tokio::test]
    async fn no_more_is_read_than_may_be_in_one_turn() {
        let bounds = ConnectionBounds {
            connections_max: 1,
            handshake_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            calls_max: 1,
            header_list_bytes_max: 1_024,
            keep_alive_interval: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(60),
            age_max: Duration::from_secs(60),
            close_timeout: Duration::from_secs(60),
        };
        let mut peer = IdleTimeout::new(Cursor::new(vec![7; 700]), bounds);
        let activity = peer.activity().clone();
        let mut read = |room: usize| {
            let mut bytes = vec![0; room];
            let mut buffer = ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut peer).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
            polled.map(|read| read.map(|()| buffer.filled().len()).unwrap())
        };
        activity.set_read_budget(150);
        assert_eq!(read(100), Poll::Ready(100));
        assert_eq!(read(100), Poll::Ready(50));
        assert_eq!(read(100), Poll::Pending);
        activity.set_read_budget(150);
        assert_eq!(read(1_000), Poll::Ready(150));
        activity.set_read_budget(usize::MAX);
        assert_eq!(read(1_000), Poll::Ready(400));
    }
}
