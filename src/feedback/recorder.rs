//! The queue between the path of a comment and the store, which never makes a comment wait.
//!
//! A decision is put into the queue as it is, and one task redacts it, reads its features and hands it to the store. If
//! the queue is full the decision is not remembered; that is counted, and the answer says `feedback.store` in
//! `degraded`. A reader waits until the decisions queued before are in the store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{FeedbackError, FeedbackStore, Labeled};
use crate::clock::{Clock, Timestamp};
use crate::comment::AuthorKey;
use crate::record::{DecisionId, Entry, Forgotten, Judged, Kept, Label, Record, Selection};
use crate::sensitive::Sensitive;
use crate::site::{Keep, SiteId};
use crate::text::{Features, Persona, Scratch, redact};

/// Decisions that are written together at most.
const BATCH: usize = 64;

/// Bytes of a comment that is redacted on the async workers: that takes no longer than a few answers, and wakes no
/// other thread. A longer one goes to the blocking pool.
const BRIEF_BYTES_MAX: usize = 2_048;

/// The time that a comment waits for the decision before it, at most.
const LOOK_UP_MAX: Duration = Duration::from_millis(100);

/// Bytes that are kept of a longer text: its features are as many as its characters.
const TEXT_BYTES_MAX: usize = 8_192;

/// A decision as it was made, with the text as it was sent. It lives in memory only.
#[derive(Debug)]
pub struct UnredactedDecision {
    /// The decision's id.
    pub id: DecisionId,
    /// The publication.
    pub site: SiteId,
    /// The time of the decision.
    pub decided_at: Timestamp,
    /// The time at which a comment of the past was sent; `None` for any other.
    pub submitted_at: Option<Timestamp>,
    /// The verdict with its reasons; `None` for history.
    pub judged: Option<Judged>,
    /// The part of texts that the site keeps.
    pub keep: Keep,
    /// The text.
    pub content: Sensitive<String>,
    /// Hosts that the article links to.
    pub article_hosts: Vec<String>,
    /// The author's name, to be taken out of the text.
    pub name: Sensitive<String>,
    /// The author's other accounts, to be taken out of the text.
    pub accounts: Vec<Sensitive<String>>,
    /// Keyed pseudonyms, where the site wants author history.
    pub authors: Vec<AuthorKey>,
    /// A keyed hash of what readers would see of it.
    pub shown: Option<[u8; 16]>,
}

/// The outcome of queuing a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// The decision will be remembered.
    Queued,
    /// The decision will not be remembered: the queue is full, or the store has failed.
    Dropped,
}

/// The outcome of looking up the decision before a comment.
#[derive(Debug, Clone, PartialEq)]
pub enum LookedUp {
    /// The decision is remembered.
    Found(Box<Entry>),
    /// The decision is not remembered.
    Unknown,
    /// The store failed, or took too long.
    StoreAway,
}

enum Job {
    Remember(Box<UnredactedDecision>),
    /// A request for an answer once everything queued before is in the store.
    Flush(oneshot::Sender<()>),
}

/// A store with a queue in front of it.
#[derive(Debug)]
pub struct Recorder {
    store: Arc<FeedbackStore>,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// True while the last write succeeded.
    is_well: AtomicBool,
    /// The number of decisions that were not remembered.
    n_dropped: AtomicU64,
}

impl Recorder {
    /// Starts the task; needs a running tokio runtime. At most `queue_max` decisions wait.
    pub fn start(store: FeedbackStore, queue_max: usize, clock: Clock) -> Self {
        let store = Arc::new(store);
        let state = Arc::new(State {
            is_well: AtomicBool::new(true),
            n_dropped: AtomicU64::new(0),
        });
        let (queue, queued) = mpsc::channel(queue_max.max(1));
        let task = tokio::spawn(write(Arc::clone(&store), queued, Arc::clone(&state), clock));
        Self {
            store,
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(task)),
            state,
        }
    }

    /// Puts a decision into the queue, without waiting.
    pub fn remember(&self, raw: UnredactedDecision) -> Enqueued {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = queue.as_ref().map(|queue| queue.try_send(Job::Remember(Box::new(raw))));
        drop(queue);
        if !matches!(sent, Some(Ok(()))) {
            self.state.n_dropped.fetch_add(1, Ordering::Relaxed);
            return Enqueued::Dropped;
        }
        // It is tried all the same while the store fails: that is how it is found well again.
        if self.is_well() {
            Enqueued::Queued
        } else {
            Enqueued::Dropped
        }
    }

    /// True while the last write succeeded.
    pub fn is_well(&self) -> bool {
        self.state.is_well.load(Ordering::Relaxed)
    }

    /// The number of decisions that were not remembered since the start.
    pub fn n_dropped(&self) -> u64 {
        self.state.n_dropped.load(Ordering::Relaxed)
    }

    /// Labels a decision as [`FeedbackStore::label`] does, once the queue is written; a comment sent in full is
    /// redacted first.
    ///
    /// # Errors
    /// Fails as the store does.
    pub async fn label(
        &self,
        id: DecisionId,
        label: Label,
        full: Option<UnredactedDecision>,
    ) -> Result<Option<Labeled>, FeedbackError> {
        self.flush().await;
        let full = match full {
            Some(raw) => recorded(vec![raw]).await.pop(),
            None => None,
        };
        self.store.label(id, label, full).await
    }

    /// Looks a decision up as [`FeedbackStore::get`] does, once the queue is written.
    ///
    /// # Errors
    /// Fails as the store does.
    pub async fn get(&self, id: DecisionId, now: Timestamp) -> Result<Option<Entry>, FeedbackError> {
        self.flush().await;
        self.store.get(id, now).await
    }

    /// Looks up the decision before a comment, as [`Recorder::get`] does, within `patience` and within 100 ms, a third
    /// of what callers are told to wait.
    pub async fn look_up(&self, id: DecisionId, now: Timestamp, patience: Duration) -> LookedUp {
        match tokio::time::timeout(patience.min(LOOK_UP_MAX), self.get(id, now)).await {
            Ok(Ok(Some(entry))) => LookedUp::Found(Box::new(entry)),
            Ok(Ok(None)) => LookedUp::Unknown,
            Ok(Err(error)) => {
                tracing::warn!("a previous decision was not looked up: failed to {error}");
                LookedUp::StoreAway
            }
            Err(_) => LookedUp::StoreAway,
        }
    }

    /// Gives the labeled entries as [`FeedbackStore::labeled`] does, once the queue is written.
    ///
    /// # Errors
    /// Fails as the store does.
    pub async fn labeled(&self, now: Timestamp) -> Result<Vec<Entry>, FeedbackError> {
        self.flush().await;
        self.store.labeled(now).await
    }

    /// Forgets decisions as [`FeedbackStore::forget`] does, once the queue is written.
    ///
    /// # Errors
    /// Fails as the store does.
    pub async fn forget(&self, selection: Selection) -> Result<Forgotten, FeedbackError> {
        self.flush().await;
        self.store.forget(selection).await
    }

    /// Tidies the store as [`FeedbackStore::tidy`] does.
    ///
    /// # Errors
    /// Fails as the store does.
    pub async fn tidy(&self, now: Timestamp) -> Result<(), FeedbackError> {
        self.store.tidy(now).await
    }

    /// The store, for questions that need not wait for the queue.
    pub fn store(&self) -> &FeedbackStore {
        &self.store
    }

    /// Writes the queue, and closes the store.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It neither panics nor is it aborted; if it were, there would be nothing left to write.
            let _ = task.await;
        }
        self.store.close().await;
    }

    async fn flush(&self) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (done, is_done) = oneshot::channel();
        if let Some(queue) = queue
            && queue.send(Job::Flush(done)).await.is_ok()
        {
            // Without an answer the task has ended, and so there is nothing queued.
            let _ = is_done.await;
        }
    }
}

/// Runs the task: batch after batch, until nobody can queue any more.
async fn write(store: Arc<FeedbackStore>, mut queued: mpsc::Receiver<Job>, state: Arc<State>, clock: Clock) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queued.recv_many(&mut jobs, BATCH).await > 0 {
        let (mut raws, mut waiting) = (Vec::new(), Vec::new());
        for job in jobs.drain(..) {
            match job {
                Job::Remember(raw) => raws.push(*raw),
                Job::Flush(done) => waiting.push(done),
            }
        }
        if !raws.is_empty() {
            let n = raws.len() as u64;
            let records = recorded(raws).await;
            let result = store.remember(records, clock.now()).await;
            let was_well = state.is_well.swap(result.is_ok(), Ordering::Relaxed);
            match result {
                Err(error) => {
                    state.n_dropped.fetch_add(n, Ordering::Relaxed);
                    if was_well {
                        tracing::error!("decisions are not remembered, and cannot be labeled: failed to {error}");
                    }
                }
                Ok(()) if !was_well => tracing::info!("decisions are remembered again"),
                Ok(()) => {}
            }
        }
        // Whoever has gone away meanwhile does not mind.
        for done in waiting {
            let _ = done.send(());
        }
    }
}

/// Redacts decisions and reads their features. No call waits behind more than one brief comment.
async fn recorded(raws: Vec<UnredactedDecision>) -> Vec<Record> {
    let (brief, long): (Vec<UnredactedDecision>, Vec<UnredactedDecision>) = raws.into_iter().partition(is_brief);
    let mut scratch = Scratch::default();
    let mut records = Vec::with_capacity(brief.len() + long.len());
    for raw in brief {
        records.push(record(raw, &mut scratch));
        tokio::task::yield_now().await;
    }
    if !long.is_empty() {
        let work = move || -> Vec<Record> { long.into_iter().map(|raw| record(raw, &mut scratch)).collect() };
        // It fails only if reading panics, and reading never fails on any text.
        records.extend(tokio::task::spawn_blocking(work).await.unwrap_or_default());
    }
    records
}

fn is_brief(raw: &UnredactedDecision) -> bool {
    let accounts = raw.accounts.iter().map(|account| account.expose().len());
    raw.content.expose().len() + raw.name.expose().len() + accounts.sum::<usize>() <= BRIEF_BYTES_MAX
}

fn record(raw: UnredactedDecision, scratch: &mut Scratch) -> Record {
    let UnredactedDecision {
        id,
        site,
        decided_at,
        submitted_at,
        judged,
        keep,
        content,
        article_hosts,
        name,
        accounts,
        authors,
        shown,
    } = raw;
    let accounts: Vec<&str> = accounts.iter().map(|account| account.expose().as_str()).collect();
    let persona = Persona {
        name: name.expose(),
        accounts: &accounts,
    };
    // Cut after it was redacted: half an address is recognized by nobody.
    let redacted = redact(content.expose(), &persona);
    let text = beginning(&redacted);
    let kept = match keep {
        Keep::Nothing => Kept::Nothing,
        _ if text.trim().is_empty() => Kept::Nothing,
        Keep::Text => Kept::Text(text.to_owned()),
        Keep::Features => Kept::Features(Features::read(text, &article_hosts, scratch).to_bytes()),
    };
    Record {
        id,
        site,
        decided_at,
        submitted_at,
        judged,
        kept,
        authors,
        // Nothing is nothing, also of a hash.
        shown: shown.filter(|_| keep != Keep::Nothing),
    }
}

/// The beginning of a text that is kept, cut between characters.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}
