//! One Redis process: its connection, its breaker, and the task that brings it back.
//!
//! A take asks if the breaker admits it and a place is free, waits at most the budget, and tells the breaker how it went.
//! Connecting and probing happen in the node's own task, never in a request; a probe is a real take under its own key, so
//! whatever would fail a take (a password, a permission, a full memory, a read-only replica) fails the probe too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, RedisError, Value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::error::{Failure, cause, failure};
use super::line::{Awaited, Line};
use super::script::{self, Call, Reply, reply};
use super::{Shared, sentinel};
use crate::limit::Cause;
use crate::limit::breaker::{Breaker, Phase};
use crate::limit::key::Layout;

/// One Redis process, and the task that keeps it connected; the task ends with the node.
pub(super) struct Node {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    shared: Arc<Shared>,
    place: Place,
    /// The number of the probe's key: one that lies in this node's slots.
    probe: u32,
    state: Mutex<State>,
    /// Told when the breaker opens.
    opened: Notify,
    started: Instant,
}

/// Where a node is.
#[derive(Clone)]
pub(super) enum Place {
    /// Always there.
    At(ConnectionInfo),
    /// Wherever the sentinels say; `master` lacks only its address.
    Sentinel {
        /// Whom to ask.
        sentinels: Vec<ConnectionInfo>,
        /// For whom.
        name: String,
        /// How to log in there.
        master: ConnectionInfo,
    },
}

struct State {
    breaker: Breaker,
    line: Option<Line>,
    /// Which connection it is: a failure of an earlier one says nothing about this one.
    epoch: u64,
}

impl Node {
    /// A node that begins to connect at once. Needs a running tokio runtime.
    pub(super) fn start(shared: Arc<Shared>, place: Place, probe: u32) -> Self {
        let state = State {
            breaker: Breaker::new(),
            line: None,
            epoch: 0,
        };
        let inner = Arc::new(Inner {
            shared,
            place,
            probe,
            state: Mutex::new(state),
            opened: Notify::new(),
            started: Instant::now(),
        });
        let task = tokio::spawn(supervise(Arc::clone(&inner)));
        Self { inner, task }
    }

    /// Asks once. The call is on its way when this returns.
    ///
    /// # Errors
    /// If it is not asked now: why.
    pub(super) fn ask(&self, call: Call) -> Result<Asked, Failure> {
        Inner::ask(&self.inner, call)
    }

    /// Where it is.
    pub(super) fn place(&self) -> &Place {
        &self.inner.place
    }

    /// The number of its probe's key.
    pub(super) fn probe_number(&self) -> u32 {
        self.inner.probe
    }

    /// Its connection, while it is up.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.inner.state().line.as_ref().map(Line::connection)
    }

    /// Why it is not asked; `None` while it is.
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

    fn ask(node: &Arc<Self>, call: Call) -> Result<Asked, Failure> {
        let counts = &node.shared.counts;
        let (seat, epoch) = {
            let state = node.state();
            if let Some(cause) = state.breaker.cause() {
                return Err(Failure::NotRun(cause));
            }
            let Some(line) = &state.line else {
                return Err(Failure::NotRun(Cause::Connecting));
            };
            (line.sit(), state.epoch)
        };
        let Some(seat) = seat else {
            add(&counts.shed);
            return Err(Failure::Shed);
        };
        add(&counts.asked);
        let since = Instant::now();
        Ok(Asked {
            node: Arc::clone(node),
            epoch,
            since,
            over: false,
            awaited: seat.send(call.into_command(), since),
        })
    }

    fn record(&self, result: &Result<Reply, Failure>, epoch: u64) {
        let counts = &self.shared.counts;
        let now = self.started.elapsed();
        let mut state = self.state();
        if state.epoch != epoch {
            return;
        }
        let opened = match result {
            Ok(_) => {
                add(&counts.answered);
                state.breaker.answered();
                false
            }
            Err(Failure::InDoubt(Cause::Timeout)) => {
                add(&counts.timed_out);
                state.breaker.timed_out(now)
            }
            Err(Failure::NotRun(cause) | Failure::InDoubt(cause)) => state.breaker.failed(*cause, now),
            Err(Failure::Moved) if self.shared.layout == Layout::Single => state.breaker.failed(Cause::WrongKind, now),
            Err(Failure::Moved) => {
                self.shared.news();
                false
            }
            Err(Failure::Shed) => false,
        };
        if opened {
            state.line = None;
            drop(state);
            add(&counts.opened);
            self.opened.notify_one();
            self.shared.news();
        }
    }
}

/// A question under way. If its caller goes away before it is over (a client's deadline, shorter than the budget), the
/// breaker would never hear of a Redis that does not answer: half of the budget without an answer counts as a time-out.
///
/// Kept small, as all that a call holds while it waits: by the time it goes on, others have pushed it out of the
/// processor's caches.
pub(super) struct Asked {
    node: Arc<Inner>,
    epoch: u64,
    since: Instant,
    over: bool,
    awaited: Awaited,
}

impl Asked {
    /// Waits for the answer, at most the budget, or `patience` if that is less.
    pub(super) async fn answer(&mut self, patience: Duration) -> Result<Reply, Failure> {
        let budget = self.node.shared.settings.budget;
        // The line itself keeps to the budget, with one timer for many calls.
        let answer = if patience < budget {
            // Boxed, or every call that waits would be larger for it.
            Box::pin(timeout(patience, &mut self.awaited)).await
        } else {
            Ok((&mut self.awaited).await)
        };
        let result = match answer {
            Err(_) => Err(Failure::InDoubt(Cause::Timeout)),
            Ok(Err(error)) => Err(failure(&error)),
            Ok(Ok(value)) => read(&value).ok_or(Failure::InDoubt(Cause::Unexpected)),
        };
        // If the caller was less patient than the budget, that is judged when this is dropped.
        if patience >= budget || !matches!(result, Err(Failure::InDoubt(Cause::Timeout))) {
            self.over = true;
            self.node.record(&result, self.epoch);
        }
        result
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.over && self.since.elapsed() >= self.node.shared.settings.budget / 2 {
            self.node.record(&Err(Failure::InDoubt(Cause::Timeout)), self.epoch);
        }
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
                    Ok(line) => {
                        state.line = Some(line);
                        state.epoch += 1;
                        state.breaker.probe_answered();
                    }
                    Err(cause) => {
                        let random = std::hash::BuildHasher::hash_one(&jitter, attempt).to_le_bytes()[0];
                        state.breaker.probe_failed(cause, now, random);
                    }
                }
                drop(state);
                node.shared.news();
            }
        }
    }
}

/// One attempt: connect, run a probe with the script's text (which also loads it), then one under a take's conditions.
async fn probe(node: &Inner) -> Result<Line, Cause> {
    let settings = &node.shared.settings;
    add(&node.shared.counts.probed);
    let call = Call::probe(node.probe).into_command();
    let info = match &node.place {
        Place::At(info) => info.clone(),
        Place::Sentinel {
            sentinels,
            name,
            master,
        } => sentinel::master(&node.shared, sentinels, name, master).await?,
    };
    let connect = async {
        let mut connection = connect(info, node.shared.tls.clone(), settings.connect_timeout).await?;
        let value = send(&mut connection, &script::with_text(&call)).await?;
        Ok::<_, RedisError>((connection, value))
    };
    let connected = timeout(settings.connect_timeout, connect).await;
    let (connection, value) = connected.map_err(|_| Cause::Timeout)?.map_err(|error| cause(&error))?;
    read(&value).ok_or(Cause::Unexpected)?;
    let line = Line::new(connection, settings.in_flight_max, settings.budget);
    let seat = line.sit().ok_or(Cause::Unexpected)?;
    let again = seat.send(call, Instant::now()).await;
    again.map_err(|error| cause(&error))?;
    Ok(line)
}

/// Opens a connection. Its own response time-out is off: whoever calls has one.
pub(super) async fn connect(
    info: ConnectionInfo,
    tls: Option<redis::TlsCertificates>,
    limit: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(None);
    let client = match tls {
        Some(tls) => Client::build_with_tls(info, tls)?,
        None => Client::open(info)?,
    };
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Sends one command. The library hands an error of the server over as an answer: it becomes an error here.
pub(super) async fn send(connection: &mut MultiplexedConnection, command: &Cmd) -> Result<Value, RedisError> {
    connection.send_packed_command(command).await?.extract_error()
}

fn read(value: &Value) -> Option<Reply> {
    match value {
        Value::BulkString(bytes) => reply(bytes),
        _ => None,
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
