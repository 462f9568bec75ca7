//! The homes that feedback can have, for tests that hold for each of them.

use std::path::Path;
use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::comment::AuthorKey;
use moderato::feedback::{Bounds, FeedbackStore, FileStore, RedisStore};
use moderato::record::{DecisionId, Judged, Kept, Label, LabelSource, Opinion, Record};
use moderato::redis::RedisSettings;
use moderato::site::SiteId;
use moderato::verdict::Verdict;
use tempfile::TempDir;

use super::redis::RedisServer;

pub(crate) const DAY: u64 = 86_400_000_000;

/// Room enough for every test, in files so small that they are rotated and merged all the time.
pub(crate) const BOUNDS: Bounds = Bounds {
    retention: Duration::from_secs(14 * 86_400),
    label_retention: Duration::from_secs(365 * 86_400),
    records_max: 100_000,
    bytes_max: 64 << 20,
    segment_bytes: 2_000,
};

/// Where feedback lives, and what has to be kept for it.
pub(crate) enum Home {
    File(TempDir),
    Redis(RedisServer),
}

impl Home {
    /// One of each kind.
    pub(crate) async fn all() -> Vec<Self> {
        vec![
            Self::File(tempfile::tempdir().unwrap()),
            Self::Redis(RedisServer::start().await),
        ]
    }

    /// A store there; a second one sees what the first kept, once that is closed.
    pub(crate) fn open(&self, bounds: Bounds, now: Timestamp) -> FeedbackStore {
        match self {
            Self::File(dir) => FeedbackStore::File(open_file(dir.path(), bounds, now)),
            Self::Redis(server) => redis(server.url(), bounds),
        }
    }

    /// Everything that is written there, as one heap of bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::File(dir) => {
                // One that is merged away meanwhile is not there any more.
                let files = std::fs::read_dir(dir.path().join("feedback")).unwrap();
                files
                    .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default())
                    .collect()
            }
            Self::Redis(server) => {
                let keys: Vec<String> = server.ask(&["KEYS", "*"]).unwrap();
                let dump = |key: &String| -> Vec<u8> {
                    let kind: String = server.ask(&["TYPE", key]).unwrap();
                    let parts: Vec<Vec<u8>> = match kind.as_str() {
                        "hash" => server.ask(&["HGETALL", key]),
                        "zset" => server.ask(&["ZRANGE", key, "0", "-1"]),
                        "list" => server.ask(&["LRANGE", key, "0", "-1"]),
                        _ => server.ask(&["GET", key]).map(|value: Vec<u8>| vec![value]),
                    }
                    .unwrap();
                    [key.as_bytes().to_vec(), parts.concat()].concat()
                };
                keys.iter().flat_map(dump).collect()
            }
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Redis(_) => "redis",
        }
    }
}

pub(crate) fn open_file(dir: &Path, bounds: Bounds, now: Timestamp) -> FileStore {
    FileStore::open(dir, bounds, [7; 16], now).unwrap()
}

pub(crate) fn redis(url: String, bounds: Bounds) -> FeedbackStore {
    let settings = RedisSettings {
        budget: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        ..RedisSettings::new(url)
    };
    FeedbackStore::Redis(Box::new(RedisStore::new(settings, bounds).unwrap()))
}

pub(crate) fn site(name: &str) -> SiteId {
    SiteId::new(name).unwrap()
}

/// A name by number, spread over all partitions.
pub(crate) fn id(n: u32) -> DecisionId {
    let mut bytes = [0xd1; 16];
    bytes[0] = (n % 251) as u8;
    bytes[1..5].copy_from_slice(&n.to_be_bytes());
    DecisionId::new(bytes)
}

/// A decision by number, with a text that names the number.
pub(crate) fn record(n: u32, at: Timestamp) -> Record {
    Record {
        id: id(n),
        site: site("gazette"),
        decided_at: at,
        submitted_at: None,
        judged: Some(Judged {
            verdict: Verdict::Hold,
            causes: Vec::new(),
            spam_probability: Some(0.75),
            model_version: "0123456789ab".to_owned(),
            policy_version: "ba9876543210".to_owned(),
        }),
        kept: Kept::Text(format!("<text {n}>{}", "x".repeat(n as usize % 200))),
        authors: vec![AuthorKey::new([(n % 7) as u8; 16])],
        shown: Some([(n % 251) as u8; 16]),
    }
}

/// What somebody said at a moment, received at that moment.
pub(crate) fn label(opinion: Opinion, at: Timestamp) -> Label {
    Label {
        opinion,
        labeled_at: at,
        received_at: at,
        first_received_at: at,
        reviewer: Some(AuthorKey::new([9; 16])),
        source: LabelSource::Moderator,
    }
}
