//! Accepts TLS connections. Handshakes run concurrently, each under a time limit and with the certificates of the
//! moment; a peer that breaks one off, or speaks plain text, is dropped without an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;

use crate::telemetry::TransportMetrics;

/// The number of concurrent handshakes on one listener; beyond that, peers wait in the kernel.
const HANDSHAKES_MAX: usize = 1_024;

/// Certificates and keys, which may be replaced while connections are made.
pub type Tls = Arc<ArcSwap<ServerConfig>>;

/// The connections of one listener whose TLS handshake is done.
#[derive(Debug)]
pub struct TlsIncoming<I, T> {
    incoming: I,
    tls: Tls,
    handshake_timeout: Duration,
    metrics: TransportMetrics,
    handshakes: JoinSet<io::Result<TlsStream<T>>>,
}

impl<I, T> TlsIncoming<I, T> {
    /// Makes the handshakes of `incoming`; those that fail are counted in `metrics`.
    pub fn new(incoming: I, tls: Tls, handshake_timeout: Duration, metrics: TransportMetrics) -> Self {
        Self {
            incoming,
            tls,
            handshake_timeout,
            metrics,
            handshakes: JoinSet::new(),
        }
    }
}

impl<I, T> Stream for TlsIncoming<I, T>
where
    I: Stream<Item = io::Result<T>> + Unpin,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Item = io::Result<TlsStream<T>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            while this.handshakes.len() < HANDSHAKES_MAX {
                match Pin::new(&mut this.incoming).poll_next(context) {
                    Poll::Ready(Some(Ok(peer))) => drop(this.handshakes.spawn(handshake(
                        peer,
                        this.tls.load_full(),
                        this.handshake_timeout,
                    ))),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => break,
                }
            }
            match this.handshakes.poll_join_next(context) {
                Poll::Ready(Some(Ok(Ok(connection)))) => return Poll::Ready(Some(Ok(connection))),
                // Port scanners and wrong certificates are no fault of ours: counted, and the next may begin.
                Poll::Ready(Some(_)) => this.metrics.handshake_failed(),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

async fn handshake<T>(peer: T, tls: Arc<ServerConfig>, within: Duration) -> io::Result<TlsStream<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let accepted = TlsAcceptor::from(tls).accept(peer);
    tokio::time::timeout(within, accepted)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
