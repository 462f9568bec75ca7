//! A node is one Redis process: its connection, its breaker, and the task that brings it back.
//!
//! A call is sent if the breaker admits it and a permit is free, waits at most the budget, and tells the breaker how it
//! went. Connecting and probing happen in the node's own task, never in a request; the probe needs all that real calls
//! need, so whatever would fail those (a password, a permission, a full memory, a read-only replica) fails it too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionInfo, RedisError, Value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::batch::{BatchedConnection, PendingAnswer};
use super::breaker::{Breaker, Phase};
use super::call::Call;
use super::cause::Cause;
use super::connection::{connect, send};
use super::error::{Failure, cause, failure};
use super::sentinel;
use super::shared::Shared;

/// A Redis process, and the task that keeps it connected; the task ends with the node.
pub(super) struct Node {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    /// The number of the probe's key, one that lies in this node's slots.
    probe: u32,
    state: Mutex<State>,
    /// Notified when the breaker opens.
    opened: Notify,
    started: Instant,
}

/// The address of a node, or the way to it.
#[derive(Clone)]
pub(super) enum Endpoint {
    /// An address that does not change.
    Fixed(ConnectionInfo),
    /// The address that sentinels give at each attempt to connect.
    Sentinel {
        /// The sentinels to ask.
        sentinels: Vec<ConnectionInfo>,
        /// The name of the master.
        name: String,
        /// The login at the master; its address is a placeholder.
        master: ConnectionInfo,
    },
}

struct State {
    breaker: Breaker,
    connection: Option<BatchedConnection>,
    /// The number of this connection: a failure of an earlier one says nothing about it.
    epoch: u64,
}

impl Node {
    /// A node that begins to connect at once. Needs a running tokio runtime.
    pub(super) fn start(shared: Arc<Shared>, endpoint: Endpoint, probe: u32) -> Self {
        let state = State {
            breaker: Breaker::new(),
            connection: None,
            epoch: 0,
        };
        let inner = Arc::new(Inner {
            shared,
            endpoint,
            probe,
            state: Mutex::new(state),
            opened: Notify::new(),
            started: Instant::now(),
        });
        let task = tokio::spawn(supervise(Arc::clone(&inner)));
        Self { inner, task }
    }

    /// Sends a call. It is on its way when this returns.
    ///
    /// # Errors
    /// If it was not sent: why.
    pub(super) fn send(&self, call: Call) -> Result<InFlight, Failure> {
        Inner::send(&self.inner, call)
    }

    /// The address of the node, or the way to it.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// The number of its probe's key.
    pub(super) fn probe_number(&self) -> u32 {
        self.inner.probe
    }

    /// The connection, while the node is up.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.inner
            .state()
            .connection
            .as_ref()
            .map(BatchedConnection::connection)
    }

    /// The reason for not sending to it; `None` while it is up.
    pub(super) fn away(&self) -> Option<Cause> {
        self.inner.state().breaker.cause()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(node: &Arc<Self>, call: Call) -> Result<InFlight, Failure> {
        let counts = &node.shared.counts;
        let (permit, epoch) = {
            let state = node.state();
            if let Some(cause) = state.breaker.cause() {
                return Err(Failure::NotRun(cause));
            }
            let Some(connection) = &state.connection else {
                return Err(Failure::NotRun(Cause::Connecting));
            };
            (connection.try_acquire(), state.epoch)
        };
        let Some(permit) = permit else {
            add(&counts.shed);
            return Err(Failure::Shed);
        };
        add(&counts.sent);
        let since = Instant::now();
        Ok(InFlight {
            node: Arc::clone(node),
            epoch,
            since,
            is_judged: false,
            answer: permit.send(call, since),
        })
    }

    fn record<T>(&self, result: &Result<T, Failure>, epoch: u64) {
        let counts = &self.shared.counts;
        let now = self.started.elapsed();
        let mut state = self.state();
        if state.epoch != epoch {
            return;
        }
        let opened = match result {
            Ok(_) => {
                state.breaker.answered();
                false
            }
            Err(Failure::InDoubt(Cause::Timeout)) => {
                add(&counts.timed_out);
                state.breaker.timed_out(now)
            }
            Err(Failure::NotRun(cause) | Failure::InDoubt(cause)) => state.breaker.failed(*cause, now),
            Err(Failure::Moved) if !self.shared.is_cluster => state.breaker.failed(Cause::WrongKind, now),
            Err(Failure::Moved) => {
                self.shared.notify();
                false
            }
            Err(Failure::Shed) => false,
        };
        if opened {
            state.connection = None;
            drop(state);
            add(&counts.opened);
            self.opened.notify_one();
            self.shared.notify();
        }
    }
}

/// A call in flight. One that its caller drops (a client's deadline, shorter than the budget) after half of the budget
/// counts as a time-out, or the breaker would never hear of a Redis that does not answer.
///
/// Kept small, as all that a call holds while it waits: smaller waiting calls mean fewer cache misses on resume.
pub struct InFlight {
    node: Arc<Inner>,
    epoch: u64,
    since: Instant,
    /// The breaker has been told how it went.
    is_judged: bool,
    answer: PendingAnswer,
}

impl InFlight {
    /// Waits for the answer, at most the budget, or `patience` if that is less. An answer that `read` cannot read
    /// counts as one of something else than our Redis.
    ///
    /// # Errors
    /// If there is no answer: why, and whether the call may have run.
    pub async fn answer<T>(&mut self, patience: Duration, read: impl FnOnce(Value) -> Option<T>) -> Result<T, Failure> {
        let budget = self.node.shared.settings.budget;
        // The connection itself keeps to the budget, with one timer for many calls.
        let answer = if patience < budget {
            // Boxed, or every call that waits would be larger for it.
            Box::pin(timeout(patience, &mut self.answer)).await
        } else {
            Ok((&mut self.answer).await)
        };
        let result = match answer {
            Err(_) => Err(Failure::InDoubt(Cause::Timeout)),
            Ok(Err(error)) => Err(failure(&error)),
            Ok(Ok(value)) => read(value).ok_or(Failure::InDoubt(Cause::Unexpected)),
        };
        // If the caller was less patient than the budget, that is judged when this is dropped.
        if patience >= budget || !matches!(result, Err(Failure::InDoubt(Cause::Timeout))) {
            self.is_judged = true;
            self.node.record(&result, self.epoch);
        }
        result
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.is_judged && self.since.elapsed() >= self.node.shared.settings.budget / 2 {
            self.node
                .record::<()>(&Err(Failure::InDoubt(Cause::Timeout)), self.epoch);
        }
    }
}

impl std::fmt::Debug for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InFlight(..)")
    }
}

/// Brings the node up, and again whenever its breaker opens.
async fn supervise(node: Arc<Inner>) {
    let jitter = foldhash::fast::RandomState::default();
    for attempt in 0_u64.. {
        let phase = node.state().breaker.phase();
        match phase {
            Phase::Closed | Phase::HalfOpen => node.opened.notified().await,
            Phase::Open { until } => {
                sleep(until.saturating_sub(node.started.elapsed())).await;
                if !node.state().breaker.start_probe(node.started.elapsed()) {
                    continue;
                }
                let probed = probe(&node).await;
                let now = node.started.elapsed();
                let mut state = node.state();
                match probed {
                    Ok(connection) => {
                        state.connection = Some(connection);
                        state.epoch += 1;
                        state.breaker.probe_answered();
                    }
                    Err(cause) => {
                        let random = std::hash::BuildHasher::hash_one(&jitter, attempt).to_le_bytes()[0];
                        state.breaker.probe_failed(cause, now, random);
                    }
                }
                drop(state);
                node.shared.notify();
            }
        }
    }
}

/// Makes one attempt: connect, probe with the script's text (which also puts it into Redis' cache), then as real calls
/// are sent.
async fn probe(node: &Inner) -> Result<BatchedConnection, Cause> {
    let (settings, probe) = (&node.shared.settings, node.shared.probe);
    let call = probe.number(node.probe);
    let info = match &node.endpoint {
        Endpoint::Fixed(info) => info.clone(),
        Endpoint::Sentinel {
            sentinels,
            name,
            master,
        } => sentinel::master(&node.shared, sentinels, name, master).await?,
    };
    let connect = async {
        let mut connection = connect(info, node.shared.tls.clone(), settings.connect_timeout).await?;
        let value = match call.with_text() {
            Some(whole) => send(&mut connection, &whole).await?,
            None => send(&mut connection, call.cmd()).await?,
        };
        Ok::<_, RedisError>((connection, value))
    };
    let connected = timeout(settings.connect_timeout, connect).await;
    let (connection, value) = connected.map_err(|_| Cause::Timeout)?.map_err(|error| cause(&error))?;
    if !(probe.is_answer)(&value) {
        return Err(Cause::Unexpected);
    }
    let connection = BatchedConnection::new(connection, settings.in_flight_max, settings.budget);
    let permit = connection.try_acquire().ok_or(Cause::Unexpected)?;
    let again = permit.send(call, Instant::now()).await;
    again.map_err(|error| cause(&error))?;
    Ok(connection)
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
