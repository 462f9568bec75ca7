//! A connection that limits and batches its calls. A call holds a permit until it is out of the pipeline: answered, or
//! given up with the whole connection. A caller that stops waiting (its budget is over, its client went away) does not
//! free its permit, or impatient callers could pile up commands at a slow Redis without end.
//!
//! Calls made at the same time leave together, in one write. Sent one by one, each would wake the library's driver,
//! which would write it at once: the system calls for that are most of what a call costs.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::call::{Call, Script};

type Answer = Result<Value, RedisError>;

/// Calls in one write at most: the first waits for the last, on the way out and on the way back.
const BATCH_MAX: usize = 8;

/// An open connection with its permits and its batcher.
pub(super) struct BatchedConnection {
    connection: MultiplexedConnection,
    in_flight: Arc<AtomicUsize>,
    in_flight_max: usize,
    batcher: Arc<Batcher>,
    /// Dropped with the connection, which ends the waiting for answers to calls that were given up.
    _open: watch::Sender<()>,
}

impl BatchedConnection {
    /// Wraps a connection: at most `in_flight_max` calls at once, each of which waits at most the `budget` for its
    /// answer. Needs a running tokio runtime.
    pub(super) fn new(connection: MultiplexedConnection, in_flight_max: usize, budget: Duration) -> Self {
        let open = watch::Sender::new(());
        let batcher = Arc::new(Batcher {
            batch: Mutex::default(),
            begun: Notify::new(),
            connection: connection.clone(),
            open: open.subscribe(),
            budget,
        });
        tokio::spawn(send_batches(Arc::clone(&batcher)));
        Self {
            connection,
            in_flight: Arc::default(),
            in_flight_max,
            batcher,
            _open: open,
        }
    }

    /// The connection itself, for commands outside the batches.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// A permit for one call, or `None` if too many are in flight.
    pub(super) fn try_acquire(&self) -> Option<Permit> {
        let count = InFlightCount(Arc::clone(&self.in_flight));
        // Without a permit, the drop of `count` takes the increment back.
        (self.in_flight.fetch_add(1, Ordering::Relaxed) < self.in_flight_max).then(|| Permit {
            batcher: Arc::clone(&self.batcher),
            count,
        })
    }
}

/// A call's place among those in flight, counted while it lives.
struct InFlightCount(Arc<AtomicUsize>);

impl Drop for InFlightCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Permission to have one command in the pipeline.
pub(super) struct Permit {
    batcher: Arc<Batcher>,
    count: InFlightCount,
}

impl Permit {
    /// Sends a call made at `now`. The permit is returned when its answer has come, whether or not anybody waits for
    /// that.
    pub(super) fn send(self, call: Call, now: Instant) -> PendingAnswer {
        let (reply, answer) = oneshot::channel();
        let (command, script) = call.into_parts();
        let pending = PendingCall {
            command,
            script,
            since: now,
            caller: Caller {
                reply,
                count: self.count,
            },
        };
        self.batcher.push(pending);
        PendingAnswer(answer)
    }
}

/// The answer to a call, once it comes; an error if the budget is over or the connection gone, in which case nobody
/// knows whether the call ran.
pub(super) struct PendingAnswer(oneshot::Receiver<Answer>);

impl Future for PendingAnswer {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let gone = |_| RedisError::from(io::Error::from(io::ErrorKind::ConnectionAborted));
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.map_err(gone).flatten())
    }
}

/// A call that is not answered yet, and its caller.
struct PendingCall {
    command: Cmd,
    script: Option<&'static Script>,
    since: Instant,
    caller: Caller,
}

/// The channel to the caller of a call, and the call's place among those in flight.
struct Caller {
    reply: oneshot::Sender<Answer>,
    count: InFlightCount,
}

impl Caller {
    /// Answers that the budget is over. The call is in flight all the same.
    fn time_out(self) -> InFlightCount {
        let late = RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        let _ = self.reply.send(Err(late));
        self.count
    }
}

/// Collects calls until they are sent in one write.
struct Batcher {
    batch: Mutex<Batch>,
    /// Notified when a batch has its first call.
    begun: Notify,
    connection: MultiplexedConnection,
    open: watch::Receiver<()>,
    budget: Duration,
}

/// The calls of the next write.
#[derive(Default)]
struct Batch {
    calls: Vec<PendingCall>,
    /// Set when the sending task has ended: from then on each call is sent by its caller.
    is_closed: bool,
}

impl Batcher {
    /// Adds a call. The one that fills the batch sends it.
    fn push(&self, call: PendingCall) {
        let mut batch = self.batch();
        batch.calls.push(call);
        if batch.calls.len() >= BATCH_MAX || batch.is_closed {
            self.send(batch);
        } else if batch.calls.len() == 1 {
            self.begun.notify_one();
        }
    }

    fn send(&self, mut batch: MutexGuard<'_, Batch>) {
        let calls = std::mem::take(&mut batch.calls);
        drop(batch);
        if !calls.is_empty() {
            tokio::spawn(run(calls, self.connection.clone(), self.open.clone(), self.budget));
        }
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends batch after batch for as long as the connection lives.
async fn send_batches(batcher: Arc<Batcher>) {
    let mut open = batcher.open.clone();
    loop {
        tokio::select! {
            () = batcher.begun.notified() => {}
            // Nothing is ever sent: it ends when the sender goes.
            _ = open.changed() => break,
        }
        yield_to_ready_tasks().await;
        batcher.send(batcher.batch());
    }
    let mut batch = batcher.batch();
    batch.is_closed = true;
    batcher.send(batch);
}

/// Returns after every task that is ready now has run once, so that their calls join the batch.
async fn yield_to_ready_tasks() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs calls and hands their answers out. Those whose script Redis does not know (it was restarted, or flushed) run
/// again with the script's text.
async fn run(
    calls: Vec<PendingCall>,
    mut connection: MultiplexedConnection,
    mut open: watch::Receiver<()>,
    budget: Duration,
) {
    let Some(first) = calls.first() else { return };
    // One timer for all: they were made at about the same time.
    let until = first.since + budget;
    let mut unknown = run_once(calls, &mut connection, &mut open, until).await;
    if unknown.is_empty() {
        return;
    }
    for call in &mut unknown {
        if let Some(script) = call.script {
            call.command = script.with_text(&call.command);
        }
    }
    for PendingCall { caller, .. } in run_once(unknown, &mut connection, &mut open, until).await {
        let unknown = RedisError::from((ErrorKind::Server(ServerErrorKind::NoScript), "the script's text"));
        let _ = caller.reply.send(Err(unknown));
    }
}

/// Runs all calls in one write and hands their answers out; returns those whose script is unknown. Answers that come
/// too late are waited for while the connection is open, and their calls stay in flight for as long.
async fn run_once(
    calls: Vec<PendingCall>,
    connection: &mut MultiplexedConnection,
    open: &mut watch::Receiver<()>,
    until: Instant,
) -> Vec<PendingCall> {
    let mut pipeline = Pipeline::with_capacity(calls.len());
    let mut sent = Vec::with_capacity(calls.len());
    // A caller that went away before its call was sent needs no answer.
    for call in calls.into_iter().filter(|call| !call.caller.reply.is_closed()) {
        pipeline.add_command(call.command);
        sent.push((call.script, call.since, call.caller));
    }
    if sent.is_empty() {
        return Vec::new();
    }
    let mut answers = pin!(connection.send_packed_commands(&pipeline, 0, pipeline.len()));
    let Ok(answers) = timeout_at(until, &mut answers).await else {
        let counts: Vec<InFlightCount> = sent.into_iter().map(|(.., caller)| caller.time_out()).collect();
        tokio::select! {
            _ = answers => {}
            // Nothing is ever sent: it ends when the sender goes.
            _ = open.changed() => {}
        }
        drop(counts);
        return Vec::new();
    };
    let answers = match answers {
        // The library hands an error of the server over as an answer.
        Ok(answers) => answers.into_iter().map(Value::extract_error).collect(),
        Err(error) => vec![Err(error); sent.len()],
    };
    let mut unknown = Vec::new();
    for ((command, (script, since, caller)), answer) in pipeline.cmd_iter().zip(sent).zip(answers) {
        match answer {
            Err(error) if script.is_some() && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let command = command.clone();
                unknown.push(PendingCall {
                    command,
                    script,
                    since,
                    caller,
                });
            }
            answer => {
                let _ = caller.reply.send(answer);
            }
        }
    }
    unknown
}
