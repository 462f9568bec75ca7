//! Serves HTTP/2 on the connections of a listener, each until its caller hangs up, it is too old, or the process stops.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hyper::body::Incoming as RequestBody;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::http;

use super::activity::Activity;
use super::admission::Admission;
use super::bounds::ConnectionBounds;
use super::idle::IdleTimeout;

/// Resets of streams whose callers still sent after the answer, for each concurrent call that a connection may have;
/// beyond that the connection is cut. h2's usual thousand is soon used up by long messages that come too late, and
/// without a limit resets that nobody reads would fill the memory (RUSTSEC-2024-0003).
const RESETS_PER_CALL: usize = 16;

/// Bytes of a connection that are read in one turn while the backlog is full: some six comments. Reading and refusing
/// more would keep the admitted calls waiting.
const BUSY_BYTES_MAX: usize = 2_048;

/// The number of times that a connection yields before it is polled, at most: each is a pass of the runtime's whole
/// queue.
const DEFERRALS_MAX: u32 = 16;

/// Serves connections until `stopped` is true or `incoming` ends, then drains those that are open. Dropping the future
/// cuts them off.
///
/// `handlers` makes the handler of one connection's calls.
pub async fn serve<T, C, H, A>(
    incoming: impl Stream<Item = io::Result<IdleTimeout<T>>>,
    handlers: C,
    bounds: ConnectionBounds,
    admission: Admission,
    stopped: watch::Receiver<bool>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Fn(Activity) -> H,
    H: Fn(http::Request<RequestBody>) -> A + Send + 'static,
    A: Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    {
        // The listener is closed with this block: no connection is accepted that would not be served.
        let mut incoming = pin!(incoming);
        let mut stop = pin!(is_stopped(stopped.clone()));
        loop {
            tokio::select! {
                () = &mut stop => break,
                peer = incoming.next() => match peer {
                    Some(Ok(peer)) => {
                        let handler = handlers(peer.activity().clone());
                        let (admission, stopped) = (admission.clone(), stopped.clone());
                        connections.spawn(serve_connection(peer, handler, bounds, admission, stopped));
                    }
                    Some(Err(error)) => tracing::debug!(%error, "a connection failed as it came in"),
                    None => break,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one connection until it ends.
async fn serve_connection<T, H, A>(
    peer: IdleTimeout<T>,
    handler: H,
    bounds: ConnectionBounds,
    admission: Admission,
    stopped: watch::Receiver<bool>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(http::Request<RequestBody>) -> A + Send + 'static,
    A: Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'static,
{
    let activity = peer.activity().clone();
    let mut builder = Builder::new(CallExecutor(activity.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.calls_max)
        .max_header_list_size(bounds.header_list_bytes_max)
        .max_local_error_reset_streams(RESETS_PER_CALL * bounds.calls_max as usize)
        .keep_alive_interval(Some(bounds.keep_alive_interval))
        .keep_alive_timeout(bounds.keep_alive_timeout)
        // gRPC has no use for it.
        .auto_date_header(false);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(peer), service_fn(handler)));
    let mut stop = pin!(is_stopped(stopped));
    let mut old = pin!(sleep(bounds.age_max));
    let (mut is_stopping, mut is_old) = (false, false);
    let mut n_deferred = 0;
    loop {
        // Whenever it is woken, the connection lets everybody go first who can go on. Else it would be its turn after
        // each single answer, for tokio runs what was woken last: so it writes the answers of many calls at once, and
        // reads many calls. That halved the kernel's share of a call's time.
        let served = poll_fn(|context| {
            // In overload it lets those go first that were admitted, and so waits for the turns of most others: all
            // have as many.
            n_deferred += 1;
            if n_deferred == 1 || (n_deferred <= DEFERRALS_MAX && admission.has_waiting()) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            n_deferred = 0;
            activity.set_read_budget(if admission.is_busy() {
                BUSY_BYTES_MAX
            } else {
                usize::MAX
            });
            connection.as_mut().poll(context)
        });
        tokio::select! {
            biased;
            served = served => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection failed");
                }
                return;
            }
            () = &mut stop, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut old => {
                if is_old {
                    tracing::debug!("a connection is cut off: it was asked to close, and did not");
                    return;
                }
                is_old = true;
                connection.as_mut().graceful_shutdown();
                // Nothing that has begun lasts longer.
                old.set(sleep(bounds.close_timeout));
            }
        }
    }
}

async fn is_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Spawns a task for each call of one connection. A refused call is polled in place first, and is done if its body has
/// arrived: in the runtime's queue it would keep admitted calls waiting.
#[derive(Clone)]
struct CallExecutor(Activity);

impl<F> Executor<F> for CallExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, call: F) {
        if !self.0.take_refused_flag() {
            tokio::spawn(call);
            return;
        }
        let mut call = Box::pin(call);
        let mut context = Context::from_waker(Waker::noop());
        if call.as_mut().poll(&mut context).is_pending() {
            tokio::spawn(call);
        }
    }
}
