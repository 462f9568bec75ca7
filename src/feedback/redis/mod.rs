//! Feedback in Redis, shared by a fleet. A decision is one hash with an expiry of its own; it lies in one of 64
//! partitions, each of which has a sorted set of its decisions by when they expire. A partition lies in one slot of a
//! cluster, so a script may touch a decision and its index together.
//!
//! ```text
//! moderato:1:{f<partition>}:d:<decision id>   one decision, with its label; partition is 00 to 3f
//! moderato:1:{f<partition>}:i                 the partition's decisions
//! moderato:1:{f}:exports                      what was exported
//! ```
//!
//! No streams: one could not take a single decision out of a stream by time, by label or by author.

mod connection;

use std::sync::LazyLock;
use std::time::Duration;

use redis::Value;

use self::connection::Connection;
use super::{Bounds, FeedbackError, Labeled, exports, wire};
use crate::clock::Timestamp;
use crate::record::{DecisionId, Entry, Export, Forgotten, Label, Record, Selection, Stats};
use crate::redis::{Call, RedisSettings, Script};
use crate::verdict::Verdict;

static REMEMBER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("remember.lua")));
static LABEL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("label.lua")));
static FORGET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("forget.lua")));

/// The number of parts that decisions are in.
const N_PARTITIONS: u8 = 64;

/// Decisions that are asked for together.
const PAGE: usize = 256;

/// Exports noted at most; the oldest goes.
const EXPORTS_MAX: usize = 1_000;

/// The key of the list of exports.
const EXPORTS: &str = "moderato:1:{f}:exports";

/// The store in Redis.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    bounds: Bounds,
}

/// The fields of a decision's hash: record, label, time of the first label.
type Fields = (Option<Vec<u8>>, Option<Vec<u8>>, Option<u64>);

impl RedisStore {
    /// Checks the settings; connects when first asked. The budget is the longest that an answer may take: no comment
    /// waits for it, so seconds are right.
    ///
    /// # Errors
    /// If the URL or a certificate cannot be read. A Redis that is not there is no error.
    pub fn new(redis: RedisSettings, bounds: Bounds) -> Result<Self, FeedbackError> {
        let connection = Connection::new(redis)?;
        Ok(Self { connection, bounds })
    }

    pub(super) async fn remember(&self, records: Vec<Record>, now: Timestamp) -> Result<(), FeedbackError> {
        let at_most = self.bounds.records_max.div_ceil(usize::from(N_PARTITIONS)).to_string();
        let call = |record: &Record| {
            let expires_at = record.decided_at.after(self.bounds.retention);
            let partition = partition(record.id);
            let args = [
                record.id.to_string().into_bytes(),
                text(millis(expires_at)),
                text(left(expires_at, now)),
                wire::encode_record(record),
                verdict_code(record).into(),
                text(millis(now)),
                at_most.clone().into_bytes(),
                prefix(partition).into_bytes(),
            ];
            script(&REMEMBER, record.id, &args)
        };
        // All at once: one round trip each would be slow.
        let calls = records.iter().map(call).collect();
        self.connection.ask_all::<Value>(calls).await.map(drop)
    }

    pub(super) async fn label(
        &self,
        id: DecisionId,
        label: Label,
        full: Option<Record>,
    ) -> Result<Option<Labeled>, FeedbackError> {
        let now = label.received_at;
        let expires_at = now.after(self.bounds.label_retention);
        let args = [
            id.to_string().into_bytes(),
            text(millis(expires_at)),
            text(left(expires_at, now)),
            full.as_ref().map(wire::encode_record).unwrap_or_default(),
            full.as_ref().map(verdict_code).unwrap_or_default().into(),
            text(millis(now)),
            wire::encode_label(&label),
            padded(label.labeled_at).into_bytes(),
            padded(label.received_at).into_bytes(),
        ];
        let answer: Vec<Value> = self.connection.ask(script(&LABEL, id, &args)).await?;
        read_labeled(&answer)
    }

    pub(super) async fn get(&self, id: DecisionId, now: Timestamp) -> Result<Option<Entry>, FeedbackError> {
        let fields: Fields = self.connection.ask(fields(decision(id))).await?;
        Ok(self.entry(fields).filter(|entry| entry.expires_at > now))
    }

    pub(super) async fn forget(&self, selection: &Selection) -> Result<Forgotten, FeedbackError> {
        let mut forgotten = Forgotten::default();
        let mut labels = Vec::new();
        let mut meant = Vec::new();
        match selection {
            Selection::Decision(id) => meant.extend(self.get(*id, Timestamp::from_micros(0)).await?),
            Selection::Site { .. } => {
                let has = |entry: &Entry| {
                    let record = &entry.record;
                    selection.has(record.id, &record.site, record.decided_at, &record.authors)
                };
                self.each(&mut |entry| meant.extend(Some(entry).filter(has))).await?;
            }
        }
        for entry in meant {
            let id = entry.record.id;
            let call = script(&FORGET, id, &[id.to_string().into_bytes()]);
            let n: u64 = self.connection.ask(call).await?;
            forgotten.n_records += n;
            forgotten.n_labels += if entry.label.is_some() { n } else { 0 };
            labels.extend(entry.label.map(|label| (entry.record.site, label)));
        }
        let call = Call::command("LRANGE", EXPORTS.to_owned(), &[b"0", b"-1"]);
        let lines: Vec<String> = self.connection.ask(call).await?;
        let exports = lines.iter().filter_map(|line| exports::parse(line)).collect();
        forgotten.exports = exports::with_any(exports, &labels);
        Ok(forgotten)
    }

    pub(super) async fn labeled(&self, now: Timestamp) -> Result<Vec<Entry>, FeedbackError> {
        let mut entries = Vec::new();
        let wanted = |entry: &Entry| entry.label.is_some() && entry.expires_at > now;
        self.each(&mut |entry| entries.extend(Some(entry).filter(wanted)))
            .await?;
        entries.sort_by_key(|entry| (entry.record.decided_at, entry.record.id));
        Ok(entries)
    }

    pub(super) async fn stats(&self, now: Timestamp) -> Result<Stats, FeedbackError> {
        let mut stats = Stats::default();
        let mut cells = std::collections::BTreeMap::new();
        let see = &mut |entry: Entry| {
            if entry.expires_at <= now {
                return;
            }
            let opinion = entry.label.as_ref().map(|label| label.opinion);
            let verdict = entry.record.judged.as_ref().map(|judged| judged.verdict);
            stats.n_records += 1;
            stats.n_labels += u64::from(opinion.is_some());
            stats.bytes += wire::encode_record(&entry.record).len() as u64;
            *cells.entry((entry.record.site, verdict, opinion)).or_default() += 1;
        };
        self.each(see).await?;
        stats.cells = cells
            .into_iter()
            .map(|((site, verdict, opinion), n)| (site, verdict, opinion, n))
            .collect();
        Ok(stats)
    }

    pub(super) async fn note_export(&self, export: &Export) -> Result<(), FeedbackError> {
        let key = || EXPORTS.to_owned();
        let lives = text(duration(self.bounds.label_retention));
        for call in [
            Call::command("RPUSH", key(), &[exports::line(export).as_bytes()]),
            Call::command("LTRIM", key(), &[format!("-{EXPORTS_MAX}").as_bytes(), b"-1"]),
            Call::command("PEXPIRE", key(), &[&lives]),
        ] {
            self.connection.ask::<Value>(call).await?;
        }
        Ok(())
    }

    /// Hands over every decision, partition after partition.
    async fn each(&self, see: &mut (dyn FnMut(Entry) + Send)) -> Result<(), FeedbackError> {
        for partition in 0..N_PARTITIONS {
            let range = Call::command("ZRANGE", index(partition), &[b"0", b"-1"]);
            let ids: Vec<String> = self.connection.ask(range).await?;
            for page in ids.chunks(PAGE) {
                let calls = page.iter().map(|id| fields(prefix(partition) + id)).collect();
                for fields in self.connection.ask_all(calls).await? {
                    self.entry(fields).into_iter().for_each(&mut *see);
                }
            }
        }
        Ok(())
    }

    fn entry(&self, (record, label, first): Fields) -> Option<Entry> {
        let record = wire::decode_record(&record?)?;
        let label = label.and_then(|bytes| read_label(&bytes, first));
        let expires_at = match &label {
            Some(label) => label.received_at.after(self.bounds.label_retention),
            None => record.decided_at.after(self.bounds.retention),
        };
        Some(Entry {
            record,
            label,
            expires_at,
        })
    }
}

/// A script's call on one decision and its partition's index, which lie in one slot.
fn script(script: &'static Script, id: DecisionId, args: &[Vec<u8>]) -> Call {
    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    Call::script(script, [Some(index(partition(id))), Some(decision(id))], &args)
}

/// The question for [`Fields`].
fn fields(key: String) -> Call {
    Call::command("HMGET", key, &[b"r", b"l", b"f"])
}

fn read_label(bytes: &[u8], first: Option<u64>) -> Option<Label> {
    let label = wire::decode_label(bytes)?;
    Some(Label {
        first_received_at: first.map_or(label.first_received_at, Timestamp::from_micros),
        ..label
    })
}

fn read_labeled(answer: &[Value]) -> Result<Option<Labeled>, FeedbackError> {
    use Value::{BulkString, Int};
    let [
        Int(what @ (1 | 2)),
        BulkString(label),
        BulkString(first),
        BulkString(verdict),
    ] = answer
    else {
        return match answer {
            [Int(0)] => Ok(None),
            _ => Err(unexpected()),
        };
    };
    let first = std::str::from_utf8(first).ok().and_then(|first| first.parse().ok());
    let verdicts = [Verdict::Approve, Verdict::Hold, Verdict::Reject];
    Ok(Some(Labeled {
        in_force: read_label(label, first).ok_or_else(unexpected)?,
        verdict: verdicts.into_iter().find(|known| known.as_str().as_bytes() == verdict),
        applied: *what == 1,
    }))
}

fn unexpected() -> FeedbackError {
    FeedbackError::Redis {
        problem: "it holds something that this version of moderato did not write".to_owned(),
    }
}

fn verdict_code(record: &Record) -> &'static str {
    record.judged.as_ref().map_or("", |judged| judged.verdict.as_str())
}

const fn partition(id: DecisionId) -> u8 {
    id.as_bytes()[0] % N_PARTITIONS
}

fn prefix(partition: u8) -> String {
    format!("moderato:1:{{f{partition:02x}}}:d:")
}

fn decision(id: DecisionId) -> String {
    format!("{}{id}", prefix(partition(id)))
}

fn index(partition: u8) -> String {
    format!("moderato:1:{{f{partition:02x}}}:i")
}

/// A number as an argument.
fn text(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

const fn millis(at: Timestamp) -> u64 {
    at.as_micros() / 1_000
}

fn duration(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Milliseconds until then, at least one: zero would be for ever, or never.
fn left(until: Timestamp, now: Timestamp) -> u64 {
    duration(until.since(now))
}

/// Microseconds as text that compares as numbers do.
fn padded(at: Timestamp) -> String {
    format!("{:020}", at.as_micros())
}
