//! The store of decisions and of the labels that people gave them, which wait there until a model is trained again.
//!
//! Under each decision's name lies what training needs (hashed features, or redacted text where a site wants it), what
//! was decided and why, and the label in force; after a stated time it is forgotten by itself. [`FeedbackStore`] keeps
//! that in files of this process or in a Redis that replicas share, by one contract: a label that was acknowledged is
//! durable, a decision may be lost with the process.
//!
//! What this room must never do: keep a name, an address or a text as it was sent ([`Recorder`] redacts before anything
//! is kept), keep a decision waiting for a disk, or read a clock.
//!
//! Where to start reading: `recorder.rs` is the queue on the path of a comment, `file/` and `redis/` are the two
//! stores, `wire.rs` is the bytes that they share, `export.rs` the rows that training reads. `docs/feedback.md` is for
//! operators.

mod export;
mod exports;
mod file;
mod recorder;
mod redis;
#[cfg(test)]
pub(crate) mod testing;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::record::{DecisionId, Entry, Export, Forgotten, Label, Record, Selection, Stats};
use crate::redis::InvalidSettings;
use crate::verdict::Verdict;

pub use self::export::row;
pub use self::file::{FileStore, Opened, look, note_export};
pub use self::recorder::{Enqueued, LookedUp, Recorder, UnredactedDecision};
pub use self::redis::RedisStore;

/// Bounds on the size of a store and on the age of what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The time for which a decision without a label is kept.
    pub retention: Duration,
    /// The time for which a labeled decision is kept, from its label.
    pub label_retention: Duration,
    /// Decisions at most; beyond it, the next to expire go first.
    pub records_max: usize,
    /// Bytes on disk at most, at least half of which hold what is kept. In Redis the number of decisions alone bounds.
    pub bytes_max: u64,
    /// Bytes after which a new file is begun.
    pub segment_bytes: u64,
}

/// The outcome of labeling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labeled {
    /// The label in force now.
    pub in_force: Label,
    /// The verdict that moderato had given; `None` for history.
    pub verdict: Option<Verdict>,
    /// True if it is this one; a later one may be in force already.
    pub applied: bool,
}

/// Failures of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// The disk failed.
    #[error("use the feedback store in {dir}: {problem}")]
    Disk {
        /// The store's directory.
        dir: PathBuf,
        /// The system's message.
        problem: String,
    },
    /// Another process has the directory.
    #[error(
        "the feedback store in {dir} is in use by process {holder}: stop that first, or let it do it \
         (AdminService/ForgetAuthor)"
    )]
    InUse {
        /// The store's directory.
        dir: PathBuf,
        /// The process' number.
        holder: String,
    },
    /// Redis does not answer as it should.
    #[error("use the feedback store in Redis: {problem}")]
    Redis {
        /// The kind of failure and its remedy, in our words.
        problem: String,
    },
    /// The settings of Redis cannot be used.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The store was closed: the service is stopping.
    #[error("the feedback store is closed, for the service is stopping")]
    Closed,
}

impl FeedbackError {
    fn disk(dir: &Path, error: &std::io::Error) -> Self {
        Self::Disk {
            dir: dir.to_owned(),
            problem: error.to_string(),
        }
    }
}

/// A store of feedback in one of two places.
#[derive(Debug)]
pub enum FeedbackStore {
    /// Files of this process.
    File(FileStore),
    /// A Redis, shared by a fleet.
    Redis(Box<RedisStore>),
}

impl FeedbackStore {
    /// Remembers records; one that is known already stays as it is. They may be lost with the machine until the next
    /// label or [`FeedbackStore::tidy`].
    ///
    /// # Errors
    /// None of them may have been remembered.
    pub async fn remember(&self, records: Vec<Record>, now: Timestamp) -> Result<(), FeedbackError> {
        match self {
            Self::File(store) => store.remember(records).await,
            Self::Redis(store) => store.remember(records, now).await,
        }
    }

    /// Puts a label on a record, which is `full` if it is not known. `None`: it is not known. When this returns, the
    /// label is durable (in Redis: as durable as its settings make it).
    ///
    /// # Errors
    /// The label may or may not have been kept; sending it again does no harm.
    pub async fn label(
        &self,
        id: DecisionId,
        label: Label,
        full: Option<Record>,
    ) -> Result<Option<Labeled>, FeedbackError> {
        match self {
            Self::File(store) => store.label(id, label, full).await,
            Self::Redis(store) => store.label(id, label, full).await,
        }
    }

    /// Looks a decision up.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn get(&self, id: DecisionId, now: Timestamp) -> Result<Option<Entry>, FeedbackError> {
        match self {
            Self::File(store) => store.get(id, now).await,
            Self::Redis(store) => store.get(id, now).await,
        }
    }

    /// Forgets the selected decisions: when this returns, the store holds them nowhere any more.
    ///
    /// # Errors
    /// A part may be left; the same selection again forgets the rest.
    pub async fn forget(&self, selection: Selection) -> Result<Forgotten, FeedbackError> {
        match self {
            Self::File(store) => store.forget(selection).await,
            Self::Redis(store) => store.forget(&selection).await,
        }
    }

    /// The labeled entries, in the order of the decisions.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn labeled(&self, now: Timestamp) -> Result<Vec<Entry>, FeedbackError> {
        match self {
            Self::File(store) => store.labeled(now).await,
            Self::Redis(store) => store.labeled(now).await,
        }
    }

    /// Counts of records and labels by site, verdict and label.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn stats(&self, now: Timestamp) -> Result<Stats, FeedbackError> {
        match self {
            Self::File(store) => store.stats(now).await,
            Self::Redis(store) => store.stats(now).await,
        }
    }

    /// Notes that labeled rows were exported.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn note_export(&self, export: Export) -> Result<(), FeedbackError> {
        match self {
            Self::File(store) => store.note_export(&export),
            Self::Redis(store) => store.note_export(&export).await,
        }
    }

    /// Forgets expired decisions and syncs writes. Once a minute is right.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn tidy(&self, now: Timestamp) -> Result<(), FeedbackError> {
        match self {
            Self::File(store) => store.tidy(now).await,
            // Redis forgets by itself, and each write takes what is too old with it.
            Self::Redis(_) => Ok(()),
        }
    }

    /// Finishes the work that was asked for, and closes.
    pub async fn close(&self) {
        if let Self::File(store) = self {
            store.close().await;
        }
    }
}
