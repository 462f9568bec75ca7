//! The history of a model directory: which version was current, when, and why; one JSON object a line, oldest first,
//! never changed afterwards.
//!
//! The last line *is* the current version: there is no second place that could say otherwise.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SHIPPED;

/// Digits of a version.
const VERSION_DIGITS: usize = 12;

/// The reason why a history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The directory or its history cannot be read.
    #[error("read the model directory's {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A line is not one that this program writes.
    #[error("read {path} line {line}: {problem}; the lines before it are whole: mend or remove it by hand")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The problem.
        problem: String,
    },
}

/// An operator's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A model was made current.
    Promote,
    /// A model that was current before was made current again.
    Rollback,
}

impl Action {
    /// The action as the history spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// One line: from this moment on, this version was current. Fields that a later program adds are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The moment, RFC 3339.
    pub at: String,
    /// The action.
    pub action: Action,
    /// The version that became current: the first 12 hexadecimal digits of its digest.
    pub version: String,
    /// The version that was current until then.
    pub previous: Option<String>,
    /// The reason, as the operator stated it.
    pub reason: Option<String>,
    /// The name of the file that was promoted, without its folder.
    pub file: Option<String>,
}

/// The whole history of a model directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
}

impl History {
    /// Reads the lines of the file at `path`, which is named in errors only.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, HistoryError> {
        let entry = |(index, line): (usize, &str)| {
            let bad = |problem: String| HistoryError::BadLine {
                path: path.to_owned(),
                line: index + 1,
                problem,
            };
            let entry: Entry = serde_json::from_str(line)
                .map_err(|e| bad(format!("not an entry of a history (column {})", e.column())))?;
            // A version names a file: nothing else may come from this line into a path.
            if !is_version(&entry.version) {
                return Err(bad("`version` is not 12 hexadecimal digits".to_owned()));
            }
            Ok(entry)
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        Ok(Self {
            entries: lines.map(entry).collect::<Result<_, _>>()?,
        })
    }

    /// The file's text.
    pub(super) fn to_text(&self) -> Result<String, serde_json::Error> {
        let lines: Result<Vec<String>, _> = self.entries.iter().map(serde_json::to_string).collect();
        Ok(lines?.join("\n") + "\n")
    }

    /// The version that is current.
    pub fn current(&self) -> Option<&str> {
        self.entries.last().map(|entry| entry.version.as_str())
    }

    /// The versions that rolling back goes through: the current one last, before it what was current when it was
    /// promoted, and so on; behind the first stands the shipped model. What was rolled back is not among them, so that
    /// two rollbacks go two steps back.
    pub fn path_back(&self) -> Vec<&str> {
        let mut path: Vec<&str> = Vec::new();
        for entry in &self.entries {
            let version = entry.version.as_str();
            let known = path.iter().rposition(|&before| before == version);
            match (entry.action, known) {
                (Action::Rollback, Some(at)) => path.truncate(at + 1),
                // Nothing lies behind the model of the program.
                (Action::Rollback, None) if entry.file.as_deref() == Some(SHIPPED) => path = vec![version],
                _ if path.last() == Some(&version) => {}
                _ => path.push(version),
            }
        }
        path
    }

    /// The versions that were ever current, in the order in which they first were.
    pub fn versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !versions.contains(&entry.version.as_str()) {
                versions.push(&entry.version);
            }
        }
        versions
    }
}

/// Returns true if this can name a version.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == VERSION_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(steps: &[(Action, char)]) -> History {
        let entry = |&(action, letter): &(Action, char)| Entry {
            at: "2026-11-23T19:00:00Z".to_owned(),
            action,
            version: letter.to_string().repeat(12),
            previous: None,
            reason: Some("why not".to_owned()),
            file: None,
        };
        History {
            entries: steps.iter().map(entry).collect(),
        }
    }

    fn check(steps: &[(Action, char)], path_back: &str) {
        let history = history(steps);
        let letters: String = history.path_back().iter().filter_map(|v| v.chars().next()).collect();
        assert_eq!(letters, path_back, "{steps:?}");
        assert_eq!(history.path_back().last().copied(), history.current());
    }

    #[test]
    fn rolling_back_goes_back_and_never_in_circles() {
        use Action::{Promote as P, Rollback as R};
        check(&[], "");
        check(&[(P, 'a')], "a");
        check(&[(P, 'a'), (P, 'b')], "ab");
        check(&[(P, 'a'), (P, 'b'), (R, 'a')], "a");
        check(&[(P, 'a'), (P, 'b'), (R, 'a'), (P, 'c')], "ac");
        check(&[(P, 'a'), (P, 'b'), (P, 'c'), (R, 'b'), (R, 'a')], "a");
        check(&[(P, 'a'), (P, 'b'), (P, 'a')], "aba");
        check(&[(P, 'a'), (P, 'b'), (R, 'a'), (R, 'b')], "ab");
    }

    #[test]
    fn what_was_written_is_read_again() {
        let written = history(&[(Action::Promote, 'a'), (Action::Rollback, 'b')]);
        assert_eq!(
            History::parse(&written.to_text().unwrap(), Path::new("history.jsonl")).unwrap(),
            written
        );
    }

    #[test]
    fn a_bad_line_is_named_and_no_path_comes_from_it() {
        let mut written = history(&[(Action::Promote, 'a'), (Action::Promote, 'b')]);
        written.entries[1].version = "../../../etc".to_owned();
        for text in [written.to_text().unwrap(), "\n{\"at\":".to_owned()] {
            let error = History::parse(&text, Path::new("d/history.jsonl"))
                .unwrap_err()
                .to_string();
            assert!(error.contains("d/history.jsonl line 2"), "{error}");
        }
    }
}
