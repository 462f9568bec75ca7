//! The counts as a file: JSON, written whole and put in place of the old one in one step.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use serde::{Deserialize, Serialize};

use super::{Counts, Day, Days, Statistics};
use crate::clock::Timestamp;
use crate::verdict::{ReasonCode, Verdict};

/// Raised whenever the layout changes.
const VERSION: u32 = 1;
const VERDICTS: [Verdict; 3] = [Verdict::Approve, Verdict::Hold, Verdict::Reject];

/// The reason why counts could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// The disk.
    #[error("use the statistics in {path}: {source}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is none of ours.
    #[error("read the statistics in {path}: {problem}; move the file away to begin anew")]
    Format {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBody {
    version: u32,
    since_us: u64,
    /// Site, then day.
    sites: BTreeMap<String, BTreeMap<u32, FileDay>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDay {
    approve: u64,
    hold: u64,
    reject: u64,
    replayed: u64,
    /// By code; codes that this version does not know are left out when it reads.
    reasons: BTreeMap<String, u64>,
}

impl Statistics {
    /// The counts in a file; none yet, from `now` on, if there is no file. They are written there again.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, StatisticsError> {
        let read = load(path, now)?;
        Ok(Self {
            file: Some(path.to_owned()),
            ..read
        })
    }

    /// Writes the counts, if there is a place for them: beside the old file first, and then over it.
    ///
    /// # Errors
    /// The disk.
    pub fn save(&self) -> Result<(), StatisticsError> {
        self.file.as_ref().map_or(Ok(()), |path| save(self, path))
    }
}

fn load(path: &Path, now: Timestamp) -> Result<Statistics, StatisticsError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Statistics::new(now)),
        Err(source) => {
            return Err(StatisticsError::Disk {
                path: path.to_owned(),
                source,
            });
        }
    };
    let format = |problem: String| StatisticsError::Format {
        path: path.to_owned(),
        problem,
    };
    let body: FileBody = serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
    if body.version != VERSION {
        return Err(format(format!(
            "it is of version {}, and {VERSION} is read here",
            body.version
        )));
    }
    let days = |days: BTreeMap<u32, FileDay>| -> Days {
        days.into_iter()
            .map(|(day, counts)| (Day(day), read(&counts)))
            .collect()
    };
    let sites = body
        .sites
        .into_iter()
        .map(|(site, of_site)| (site, Arc::new(Mutex::new(days(of_site)))));
    Ok(Statistics {
        sites: RwLock::new(sites.collect()),
        since: Timestamp::from_micros(body.since_us),
        file: None,
    })
}

fn save(statistics: &Statistics, path: &Path) -> Result<(), StatisticsError> {
    let mut sites = BTreeMap::<String, BTreeMap<u32, FileDay>>::new();
    for line in statistics.report(None, Day(0)) {
        let of_site = sites.entry(line.site).or_default();
        of_site.insert(line.day.0, written(&line.counts));
    }
    let body = FileBody {
        version: VERSION,
        since_us: statistics.since.as_micros(),
        sites,
    };
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut file, &body)?;
        file.flush()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| StatisticsError::Disk {
        path: path.to_owned(),
        source,
    })
}

fn read(day: &FileDay) -> Counts {
    let mut counts = Counts {
        verdicts: [day.approve, day.hold, day.reject],
        replayed: day.replayed,
        ..Counts::default()
    };
    for (place, code) in ReasonCode::ALL.iter().enumerate() {
        counts.reasons[place] = day.reasons.get(code.as_str()).copied().unwrap_or(0);
    }
    counts
}

fn written(counts: &Counts) -> FileDay {
    let [approve, hold, reject] = VERDICTS.map(|verdict| counts.of(verdict));
    FileDay {
        approve,
        hold,
        reject,
        replayed: counts.replayed,
        reasons: counts
            .reasons()
            .map(|(code, n)| (code.as_str().to_owned(), n))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::decision;
    use super::super::{Day, Statistics};
    use crate::clock::Timestamp;
    use crate::site::SiteId;
    use crate::verdict::{ReasonCode, Verdict};

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("statistics.json");
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let statistics = Statistics::open(&path, now).unwrap();
        let site = SiteId::new("gazette").unwrap();
        let held = decision(Verdict::Hold, &[ReasonCode::KindTrackback]);
        statistics.decided(Some(&site), &held, false, now);
        statistics.decided(None, &decision(Verdict::Approve, &[]), true, now);
        statistics.save().unwrap();
        statistics.save().unwrap();
        let read = Statistics::open(&path, Timestamp::from_micros(5)).unwrap();
        assert_eq!(read.report(None, Day(0)), statistics.report(None, Day(0)));
        assert_eq!(read.since(), now);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_file_is_a_beginning_and_another_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("statistics.json");
        assert!(
            Statistics::open(&path, Timestamp::from_micros(5))
                .unwrap()
                .report(None, Day(0))
                .is_empty()
        );
        for text in ["", "{}", "{\"version\":9,\"since_us\":1,\"sites\":{}}"] {
            std::fs::write(&path, text).unwrap();
            let error = Statistics::open(&path, Timestamp::from_micros(5))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("statistics.json") && error.contains("move the file away"),
                "{error}"
            );
        }
    }
}
