//! A connection with its seats. A command holds a seat until it is out of the pipeline: answered, or given up with the
//! whole connection. That nobody waits for its answer any more (the budget is over, the caller went away) does not free
//! its seat, or impatient callers could pile up commands at a slow Redis without end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::node::send;

type Answer = Result<Value, RedisError>;

/// What waits for one; boxed, so that it can go on without its caller.
type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// An open connection.
pub(super) struct Line {
    connection: MultiplexedConnection,
    taken: Arc<AtomicUsize>,
    seats: usize,
    /// Goes away with the line, and takes with it the commands that nobody waits for.
    open: watch::Sender<()>,
}

impl Line {
    /// A connection that carries at most so many commands at once.
    pub(super) fn new(connection: MultiplexedConnection, seats: usize) -> Self {
        Self {
            connection,
            taken: Arc::default(),
            seats,
            open: watch::Sender::new(()),
        }
    }

    /// The connection, for what is no take.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// A seat, if one is free.
    pub(super) fn sit(&self) -> Option<Seat> {
        let place = Place(Arc::clone(&self.taken));
        // Without a seat, the drop of `place` takes the count back.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.seats).then(|| Seat {
            connection: self.connection.clone(),
            open: self.open.subscribe(),
            _place: place,
        })
    }
}

/// One among the seats, counted while it lives.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to have one command in the pipeline.
pub(super) struct Seat {
    connection: MultiplexedConnection,
    open: watch::Receiver<()>,
    _place: Place,
}

impl Seat {
    /// Sends a command. The seat comes back with the answer.
    pub(super) fn send(self, command: Cmd) -> Sent {
        let mut connection = self.connection.clone();
        let answer = Box::pin(async move { send(&mut connection, &command).await });
        Sent {
            under_way: Some((answer, self)),
        }
    }
}

/// A command under way.
pub(super) struct Sent {
    under_way: Option<(Waiting, Seat)>,
}

impl Future for Sent {
    type Output = (Answer, Seat);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((mut answer, seat)) = self.under_way.take() else {
            return Poll::Pending;
        };
        match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready((answer, seat)),
            Poll::Pending => {
                self.under_way = Some((answer, seat));
                Poll::Pending
            }
        }
    }
}

/// Waits for an answer that nobody reads, with the whole seat.
async fn see_off(answer: impl Future<Output = Answer>, mut seat: Seat) {
    tokio::select! {
        _ = answer => {}
        // Nothing is ever sent: it ends when the sender goes.
        _ = seat.open.changed() => {}
    }
}

impl Drop for Sent {
    /// Nobody waits any more: the command is seen to its end all the same, in a task that ends with it or with the line.
    fn drop(&mut self) {
        let (Some((answer, seat)), Ok(runtime)) = (self.under_way.take(), Handle::try_current()) else {
            return;
        };
        drop(runtime.spawn(see_off(answer, seat)));
    }
}
