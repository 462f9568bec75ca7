//! Feedback in a directory of this process: append-only segments, written by one thread.
//!
//! The thread takes the questions that have come in meanwhile as one batch, writes it at once, and syncs it once if
//! there is a label in it: so a label is on the disk when it is acknowledged, and many cost as little as one. A lock
//! file keeps a second process out; the operating system lets go of it when the process ends, however it ends.

mod log;
mod segment;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use self::log::{Access, Log};
use super::{Bounds, FeedbackError, Labeled, exports};
use crate::clock::Timestamp;
use crate::record::{DecisionId, Entry, Export, Forgotten, Label, Record, Selection, Stats};

/// The folder within the data directory.
const FOLDER: &str = "feedback";

/// Questions that wait for the thread at most; a later one waits for room.
const QUEUE: usize = 256;

/// Questions that are answered by one sync at most.
const BATCH: usize = 1024;

type Answer = Box<dyn FnOnce(Result<(), FeedbackError>) + Send>;

struct Question {
    /// True if the answer may be given only once it is on the disk.
    durable: bool,
    ask: Box<dyn FnOnce(&mut Log) -> Answer + Send>,
}

/// The store in one directory.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    questions: Mutex<Option<mpsc::Sender<Question>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    opened: Opened,
}

/// The findings of opening a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// Bytes of a frame that was being written when the process died, cut off.
    pub torn_bytes: u64,
    /// Damaged bytes, passed over.
    pub damaged_bytes: u64,
}

impl FileStore {
    /// Opens the store in a data directory, makes it if there is none, and starts its thread. `nonce` is random.
    ///
    /// # Errors
    /// The directory cannot be read or written, or another process has it.
    pub fn open(data_dir: &Path, bounds: Bounds, nonce: [u8; 16], now: Timestamp) -> Result<Self, FeedbackError> {
        let dir = data_dir.join(FOLDER);
        let failed = |error: &std::io::Error| FeedbackError::disk(&dir, error);
        std::fs::create_dir_all(&dir).map_err(|error| failed(&error))?;
        let lock = lock(&dir)?;
        let log = Log::open(&dir, bounds, nonce, Access::Write, now).map_err(|error| failed(&error))?;
        let opened = opened(&log);
        let (questions, asked) = mpsc::channel(QUEUE);
        let reopen = {
            let dir = dir.clone();
            move || Log::open(&dir, bounds, nonce, Access::Write, now)
        };
        let own = dir.clone();
        let thread = std::thread::Builder::new()
            .name("feedback".to_owned())
            .spawn(move || {
                work(asked, log, &own, &reopen);
                // Not left to the drop: a process that is just being started may hold a copy of the handle.
                let _ = lock.unlock();
            })
            .map_err(|error| failed(&error))?;
        Ok(Self {
            dir,
            questions: Mutex::new(Some(questions)),
            thread: Mutex::new(Some(thread)),
            opened,
        })
    }

    /// The findings of opening.
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// Remembers records; they are in the hands of the operating system when this returns, and synced with the next
    /// label or [`FileStore::tidy`].
    pub(super) async fn remember(&self, records: Vec<Record>) -> Result<(), FeedbackError> {
        self.ask(false, move |log| {
            records.iter().for_each(|record| log.remember(record));
            Ok(())
        })
        .await
    }

    pub(super) async fn label(
        &self,
        id: DecisionId,
        label: Label,
        full: Option<Record>,
    ) -> Result<Option<Labeled>, FeedbackError> {
        self.ask(true, move |log| Ok(log.label(id, label, full.as_ref()))).await
    }

    pub(super) async fn get(&self, id: DecisionId, now: Timestamp) -> Result<Option<Entry>, FeedbackError> {
        self.ask(false, move |log| log.get(id, now)).await
    }

    pub(super) async fn forget(&self, selection: Selection) -> Result<Forgotten, FeedbackError> {
        let exports = read_exports(&self.dir)?;
        self.ask(true, move |log| {
            let (mut forgotten, labels) = log.forget(&selection)?;
            forgotten.exports = exports::with_any(exports, &labels);
            Ok(forgotten)
        })
        .await
    }

    pub(super) async fn stats(&self, now: Timestamp) -> Result<Stats, FeedbackError> {
        self.ask(false, move |log| Ok(log.stats(now))).await
    }

    pub(super) async fn tidy(&self, now: Timestamp) -> Result<(), FeedbackError> {
        self.ask(true, move |log| {
            log.expire(now);
            Ok(())
        })
        .await
    }

    /// The labeled entries.
    pub(super) async fn labeled(&self, now: Timestamp) -> Result<Vec<Entry>, FeedbackError> {
        self.ask(false, move |log| {
            log.commit(false)?;
            let mut entries = Vec::new();
            log.each_labeled(now, &mut |entry| entries.push(entry))?;
            Ok(entries)
        })
        .await
    }

    /// Lets the thread finish the questions that wait, sync, and end.
    pub(super) async fn close(&self) {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has said so on standard error.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }

    pub(super) fn note_export(&self, export: &Export) -> Result<(), FeedbackError> {
        note(&self.dir, export)
    }

    async fn ask<T: Send + 'static>(
        &self,
        durable: bool,
        work: impl FnOnce(&mut Log) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, FeedbackError> {
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let questions = questions.ok_or(FeedbackError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let dir = self.dir.clone();
        let ask = Box::new(move |log: &mut Log| {
            let result = work(log).map_err(|error| FeedbackError::disk(&dir, &error));
            // Nobody waits any more where the caller went away; the work is done all the same.
            Box::new(move |committed: Result<(), FeedbackError>| drop(answer.send(committed.and(result)))) as Answer
        });
        let sent = questions.send(Question { durable, ask }).await;
        sent.map_err(|_| FeedbackError::Closed)?;
        answered.await.map_err(|_| FeedbackError::Closed)?
    }
}

/// Runs the thread: batch after batch, until nobody can ask any more.
fn work(mut asked: mpsc::Receiver<Question>, mut log: Log, dir: &Path, reopen: &dyn Fn() -> std::io::Result<Log>) {
    let mut broken = false;
    while let Some(first) = asked.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = asked.try_recv()
        {
            batch.push(next);
        }
        if broken {
            // What is in memory may not be what is on the disk: start from that, behind whatever was half written.
            if let Ok(fresh) = reopen() {
                log = fresh;
                broken = false;
            }
        }
        let durable = batch.iter().any(|question| question.durable);
        let answers: Vec<Answer> = batch.into_iter().map(|question| (question.ask)(&mut log)).collect();
        let committed = if broken {
            Err(std::io::Error::other(
                "an earlier write failed, and the store cannot be opened again",
            ))
        } else {
            log.commit(durable)
        };
        broken |= committed.is_err();
        let committed = committed.map_err(|error| FeedbackError::disk(dir, &error));
        answers.into_iter().for_each(|answer| answer(committed.clone()));
        broken |= !broken && log.tend().is_err();
    }
    // The last decisions, which nobody waits for.
    let _ = log.commit(true);
}

/// The labeled entries of a data directory that another process may be writing to, and its statistics.
///
/// # Errors
/// The directory cannot be read.
pub fn look(
    data_dir: &Path,
    bounds: Bounds,
    now: Timestamp,
    see: &mut dyn FnMut(Entry),
) -> Result<Stats, FeedbackError> {
    let dir = data_dir.join(FOLDER);
    // A segment may be moved away between listing and opening it.
    let mut last = None;
    for _ in 0..8 {
        match Log::open(&dir, bounds, [0; 16], Access::Read, now) {
            Ok(log) => {
                log.each_labeled(now, see)
                    .map_err(|error| FeedbackError::disk(&dir, &error))?;
                return Ok(log.stats(now));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && dir.exists() => last = Some(error),
            Err(error) => return Err(FeedbackError::disk(&dir, &error)),
        }
    }
    let error = last.unwrap_or_else(|| std::io::ErrorKind::NotFound.into());
    Err(FeedbackError::disk(&dir, &error))
}

/// Notes an export, also while another process writes to the store.
///
/// # Errors
/// The directory cannot be written.
pub fn note_export(data_dir: &Path, export: &Export) -> Result<(), FeedbackError> {
    note(&data_dir.join(FOLDER), export)
}

fn note(dir: &Path, export: &Export) -> Result<(), FeedbackError> {
    let append = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("exports.jsonl"))?;
        // One write of one short line: appends of two processes do not mix.
        file.write_all(format!("{}\n", exports::line(export)).as_bytes())?;
        file.sync_all()
    };
    append().map_err(|error| FeedbackError::disk(dir, &error))
}

fn read_exports(dir: &Path) -> Result<Vec<Export>, FeedbackError> {
    match std::fs::read_to_string(dir.join("exports.jsonl")) {
        Ok(text) => Ok(text.lines().filter_map(exports::parse).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FeedbackError::disk(dir, &error)),
    }
}

fn opened(log: &Log) -> Opened {
    Opened {
        torn_bytes: log.flaws.torn,
        damaged_bytes: log.flaws.damaged,
    }
}

/// Locks the directory for this process.
fn lock(dir: &Path) -> Result<File, FeedbackError> {
    let path = dir.join("lock");
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
    };
    let mut file = open().map_err(|error| FeedbackError::disk(dir, &error))?;
    if file.try_lock().is_err() {
        let mut holder = String::new();
        // It is for the message only.
        let _ = file.read_to_string(&mut holder);
        return Err(FeedbackError::InUse {
            dir: dir.to_owned(),
            holder: holder.trim().to_owned(),
        });
    }
    let holder = format!("{}\n", std::process::id());
    let noted = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
    noted.map_err(|error| FeedbackError::disk(dir, &error))?;
    Ok(file)
}
