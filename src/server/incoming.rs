//! Connections as they come in: so many at once, and none that only sits there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use crate::api::grpc::Activity;

/// What every HTTP/2 client begins with: its preface, and the head of its settings.
const OPENING_BYTES: usize = 24 + 9;

/// How long accepting rests when the system has no file descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the other side may take to hang up after we have.
const LINGER: Duration = Duration::from_secs(1);

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionBounds {
    /// Connections open at once, over all listeners.
    pub connections_max: usize,
    /// How long a caller may take to open the conversation.
    pub handshake_timeout: Duration,
    /// How long a connection may have no call under way.
    pub idle_timeout: Duration,
}

/// The connections of one listener.
pub(super) struct Incoming {
    listener: TcpListener,
    bounds: ConnectionBounds,
    places: Arc<Semaphore>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// Listens. `places` is shared by all listeners.
    pub(super) const fn new(listener: TcpListener, bounds: ConnectionBounds, places: Arc<Semaphore>) -> Self {
        Self {
            listener,
            bounds,
            places,
            pause: None,
        }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(context)) {
                Ok((stream, _)) => {
                    // One too many is closed before a byte is read; its caller tries elsewhere.
                    let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                        tracing::debug!("a connection is refused: there are service.connections_max");
                        continue;
                    };
                    // Without it small answers wait for the caller's acknowledgements. It fails on dead connections only.
                    let _ = stream.set_nodelay(true);
                    return Poll::Ready(Some(Ok(Connection::new(stream, self.bounds, place))));
                }
                // The caller has gone again, or the system is short of something that comes back. A listener that gave
                // up would be worse than either.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
            }
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    activity: Activity,
    bounds: ConnectionBounds,
    /// Bytes of the opening that are still to come.
    opening: usize,
    /// Set once we have hung up: when we stop waiting for the other side to.
    linger: Option<Pin<Box<Sleep>>>,
    /// When it is looked at next.
    look: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, bounds: ConnectionBounds, place: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            activity: Activity::begin(),
            bounds,
            opening: OPENING_BYTES,
            linger: None,
            look: Box::pin(sleep(bounds.handshake_timeout)),
            _place: place,
        }
    }

    /// Bytes have come.
    fn heard(&mut self, bytes: usize) {
        if self.opening > 0 {
            self.opening = self.opening.saturating_sub(bytes);
            if self.opening == 0 {
                let next = Instant::now() + self.bounds.idle_timeout;
                self.look.as_mut().reset(next);
            }
        }
    }

    /// Whether the connection has to be closed; if not, this is asked again in time.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        while self.look.as_mut().poll(context).is_ready() {
            if self.opening > 0 {
                return true;
            }
            let now = Instant::now();
            let rests_since = self.activity.rests_since().unwrap_or(now);
            let end = rests_since + self.bounds.idle_timeout;
            if end <= now {
                return true;
            }
            self.look = Box::pin(sleep_until(end));
        }
        false
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            let bytes = buffer.filled().len() - before;
            self.heard(bytes);
            // One that sends its opening byte by byte has no longer than any other.
            if self.opening == 0 || bytes == 0 || !self.is_over(context) {
                return polled;
            }
        } else if !self.is_over(context) {
            return Poll::Pending;
        }
        // As if the caller had hung up: with no call under way nothing is lost.
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, linger, .. } = &mut *self;
        let linger = match linger {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
                linger.insert(Box::pin(sleep(LINGER)))
            }
        };
        // What the other side had under way is read and forgotten: a connection that is closed on unread bytes is reset,
        // and a reset takes back answers that the other side has not read yet.
        let mut forgotten = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut forgotten);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.as_mut().poll(context).map(Ok),
            }
        }
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

impl Connected for Connection {
    type ConnectInfo = Activity;

    fn connect_info(&self) -> Activity {
        self.activity.clone()
    }
}
