//! Accepts TCP connections up to a bound, and closes them without resetting answers that are still unread.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// The pause of accepting when the system has no file descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(50);

/// The time that the other side may take to close after we have.
const LINGER: Duration = Duration::from_secs(1);

/// The connections that one listener accepts, as a stream that never ends.
#[derive(Debug)]
pub struct Incoming {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// Accepts connections of this listener while there are `permits`, which all listeners share.
    pub const fn new(listener: TcpListener, permits: Arc<Semaphore>) -> Self {
        Self {
            listener,
            permits,
            pause: None,
        }
    }
}

impl Stream for Incoming {
    type Item = io::Result<AcceptedStream>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(context)) {
                Ok((stream, _)) => {
                    // One too many is closed before a byte is read; its caller tries elsewhere.
                    let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                        tracing::debug!("a connection is refused: there are pressure.connections_max");
                        continue;
                    };
                    // Without it small answers wait for the caller's acknowledgements. It fails on dead connections
                    // only.
                    let _ = stream.set_nodelay(true);
                    return Poll::Ready(Some(Ok(AcceptedStream::new(stream, permit))));
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

/// One accepted TCP connection, which lingers when it is closed until the other side has read its answers.
#[derive(Debug)]
pub struct AcceptedStream {
    stream: TcpStream,
    /// The timer of lingering, from our side's close on.
    linger: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl AcceptedStream {
    const fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            linger: None,
            _permit: permit,
        }
    }
}

impl AsyncRead for AcceptedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for AcceptedStream {
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
        // What the other side had under way is read and forgotten: a connection that is closed on read_budget bytes is
        // reset, and a reset takes back answers that the other side has not read yet.
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
