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

mod link;

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisError, Script};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use self::link::{Link, Place};
use super::{Bounds, FeedbackError, Labeled, exports, wire};
use crate::clock::Timestamp;
use crate::deployment::Deployment;
use crate::record::{DecisionId, Entry, Export, Forgotten, Label, Record, Selection, Stats};
use crate::verdict::Verdict;

/// How many parts the decisions are in.
const N_PARTITIONS: u8 = 64;

/// Decisions that are read together.
const PAGE: usize = 256;

/// Exports that are noted at most; the oldest goes.
const EXPORTS_MAX: isize = 1_000;

const EXPORTS: &str = "moderato:1:{f}:exports";

/// How to reach Redis, and for how long to wait.
#[derive(Clone)]
pub struct RedisFeedbackSettings {
    /// Where it is; the forms are in `docs/limits.md`.
    pub url: String,
    /// The longest that one attempt to connect may take.
    pub connect_timeout: Duration,
    /// The longest that an answer may take. Nobody's comment waits for it.
    pub answer_timeout: Duration,
    /// The authorities that may sign Redis' certificate, PEM; the usual public ones unless set.
    pub tls_roots: Option<Vec<u8>>,
    /// The certificate and key that we show to Redis, PEM; none unless set.
    pub tls_identity: Option<(Vec<u8>, Vec<u8>)>,
    /// How much is kept, and for how long.
    pub bounds: Bounds,
}

impl std::fmt::Debug for RedisFeedbackSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisFeedbackSettings")
            .field("url", &crate::deployment::redact(&self.url))
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// The store in Redis.
pub struct RedisStore {
    place: Place,
    bounds: Bounds,
    remember: Arc<Script>,
    label: Script,
    forget: Script,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// What a decision's hash holds.
type Fields = (Option<Vec<u8>>, Option<Vec<u8>>, Option<u64>);

impl RedisStore {
    /// Reads the settings; connects when first asked.
    ///
    /// # Errors
    /// If the URL cannot be understood. A Redis that is not there is no error.
    pub fn new(settings: RedisFeedbackSettings) -> Result<Self, FeedbackError> {
        let RedisFeedbackSettings {
            url,
            connect_timeout,
            answer_timeout,
            tls_roots,
            tls_identity,
            bounds,
        } = settings;
        let deployment = Deployment::parse(&url).map_err(|error| FeedbackError::Url {
            url: error.url,
            problem: error.problem,
        })?;
        let client_tls = tls_identity.map(|(client_cert, client_key)| redis::ClientTlsConfig {
            client_cert,
            client_key,
        });
        let tls = (tls_roots.is_some() || client_tls.is_some()).then_some(redis::TlsCertificates {
            client_tls,
            root_cert: tls_roots,
        });
        Ok(Self {
            place: Place {
                deployment,
                tls,
                connect_timeout,
                answer_timeout,
                link: Mutex::new(None),
            },
            bounds,
            remember: Arc::new(Script::new(include_str!("remember.lua"))),
            label: Script::new(include_str!("label.lua")),
            forget: Script::new(include_str!("forget.lua")),
        })
    }

    pub(super) async fn remember(&self, records: Vec<Record>, now: Timestamp) -> Result<(), FeedbackError> {
        let at_most = self.bounds.records_max.div_ceil(usize::from(N_PARTITIONS));
        let one = |record: &Record| {
            let expires_at = record.decided_at.after(self.bounds.retention);
            let partition = partition(record.id);
            let keys = [index(partition), decision(record.id)];
            let times = [millis(expires_at), left(expires_at, now), millis(now)];
            let arguments = (record.id.to_string(), wire::encode_record(record), verdict_code(record));
            (keys, times, arguments, prefix(partition))
        };
        // All at once: their slots differ, and one round trip each would be slow.
        let calls: Vec<_> = records.iter().map(one).collect();
        self.place
            .ask(async |link| {
                let mut asked = JoinSet::new();
                for (keys, [expires_at, left, now], (id, record, verdict), prefix) in calls {
                    let (script, mut link) = (Arc::clone(&self.remember), link.clone());
                    asked.spawn(async move {
                        let mut call = script.key(&keys[0]);
                        call.key(&keys[1]).arg(id).arg(expires_at).arg(left);
                        call.arg(record).arg(verdict).arg(now).arg(at_most).arg(prefix);
                        call.invoke_async::<()>(&mut link).await
                    });
                }
                // A task fails only if it panics, which these do not.
                while let Some(answer) = asked.join_next().await {
                    answer.unwrap_or(Ok(()))?;
                }
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
        let now = label.received_at;
        let expires_at = now.after(self.bounds.label_retention);
        let mut call = self.label.key(index(partition(id)));
        call.key(decision(id)).arg(id.to_string());
        call.arg(millis(expires_at)).arg(left(expires_at, now));
        call.arg(full.as_ref().map(wire::encode_record).unwrap_or_default());
        call.arg(full.as_ref().map(verdict_code).unwrap_or_default())
            .arg(millis(now));
        call.arg(wire::encode_label(&label))
            .arg(padded(label.labeled_at))
            .arg(padded(label.received_at));
        let answer: Vec<redis::Value> = self.place.ask(async |link| call.invoke_async(link).await).await?;
        read_labeled(&answer)
    }

    pub(super) async fn get(&self, id: DecisionId, now: Timestamp) -> Result<Option<Entry>, FeedbackError> {
        let mut command = redis::cmd("HMGET");
        command.arg(decision(id)).arg(&["r", "l", "f"]);
        let fields: Fields = self.place.ask(async |link| command.query_async(link).await).await?;
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
            let mut call = self.forget.key(index(partition(id)));
            call.key(decision(id)).arg(id.to_string());
            let n: u64 = self.place.ask(async |link| call.invoke_async(link).await).await?;
            forgotten.n_records += n;
            forgotten.n_labels += if entry.label.is_some() { n } else { 0 };
            labels.extend(entry.label.map(|label| (entry.record.site, label)));
        }
        let mut command = redis::cmd("LRANGE");
        command.arg(EXPORTS).arg(0).arg(-1);
        let lines: Vec<String> = self.place.ask(async |link| command.query_async(link).await).await?;
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
        let mut push = redis::cmd("RPUSH");
        push.arg(EXPORTS).arg(exports::line(export));
        let mut trim = redis::cmd("LTRIM");
        trim.arg(EXPORTS).arg(-EXPORTS_MAX).arg(-1);
        let mut expire = redis::cmd("PEXPIRE");
        expire.arg(EXPORTS).arg(duration(self.bounds.label_retention));
        self.place
            .ask(async |link| {
                for command in [push, trim, expire] {
                    command.exec_async(link).await?;
                }
                Ok(())
            })
            .await
    }

    /// Hands over every decision, partition after partition.
    async fn each(&self, see: &mut (dyn FnMut(Entry) + Send)) -> Result<(), FeedbackError> {
        for partition in 0..N_PARTITIONS {
            let mut range = redis::cmd("ZRANGE");
            range.arg(index(partition)).arg(0).arg(-1);
            let ids: Vec<String> = self.place.ask(async |link| range.query_async(link).await).await?;
            for page in ids.chunks(PAGE) {
                for fields in self
                    .place
                    .ask(async |link| read_page(link, partition, page).await)
                    .await?
                {
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

/// All of one slot, so one pipeline does in a cluster too.
async fn read_page(link: &mut Link, partition: u8, ids: &[String]) -> Result<Vec<Fields>, RedisError> {
    let mut pipeline = redis::pipe();
    for id in ids {
        pipeline
            .cmd("HMGET")
            .arg(format!("{}{id}", prefix(partition)))
            .arg(&["r", "l", "f"]);
    }
    pipeline.query_async(link).await
}

fn read_label(bytes: &[u8], first: Option<u64>) -> Option<Label> {
    let label = wire::decode_label(bytes)?;
    Some(Label {
        first_received_at: first.map_or(label.first_received_at, Timestamp::from_micros),
        ..label
    })
}

fn read_labeled(answer: &[redis::Value]) -> Result<Option<Labeled>, FeedbackError> {
    use redis::Value::{BulkString, Int};
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
