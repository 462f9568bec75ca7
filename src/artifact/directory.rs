//! A model directory: artifacts named for their content, and the history that says which one is current.
//!
//! ```text
//! D/286f8312c98e.moderato   an artifact; its name is the beginning of its digest, so it never changes
//! D/history.jsonl           what was current, when, why; its last line is the current version
//! D/.lock                   held while a version is made current
//! ```
//!
//! Both kinds of file are replaced as a whole (temporary file, sync, read back, rename), the artifact first: whoever
//! reads the directory at any moment, or after a power cut, finds the old version or the new one, and a whole artifact
//! for either. Versions that are not current may be deleted or copied by hand.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::SHIPPED;
use super::file::{self, LoadModelError, SaveModelError};
use super::history::{Action, Entry, History, HistoryError, is_version};
use crate::clock::Timestamp;
use crate::model::SpamModel;

const HISTORY: &str = "history.jsonl";
const LOCK: &str = ".lock";

/// The reason why a version was not made current. What was current still is.
#[derive(Debug, thiserror::Error)]
pub enum ModelDirError {
    /// The artifact cannot be used.
    #[error("refuse to make it current")]
    Artifact(#[from] LoadModelError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The directory cannot be written.
    #[error(transparent)]
    Save(#[from] SaveModelError),
    /// The directory cannot be locked.
    #[error("lock the model directory {path}: {source}")]
    Lock {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Nothing was current before.
    #[error("there is nothing to roll back to in {path}: {found}; promote another model")]
    NothingBefore {
        /// The directory.
        path: PathBuf,
        /// The state of its history.
        found: &'static str,
    },
    /// The version was never current.
    #[error("version {version} was never current in {path}: moderato model list --model-dir {path}")]
    NeverCurrent {
        /// The directory.
        path: PathBuf,
        /// The stated limit.
        version: String,
    },
}

/// The target of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The version that was current before the current one was promoted.
    Before,
    /// This version, which was current once.
    Version(&'a str),
}

/// The result of a promotion or a rollback.
#[derive(Debug)]
pub struct Promotion {
    /// The model that is current now.
    pub model: SpamModel,
    /// The version that was current before it.
    pub previous: Option<String>,
    /// True if that is a change.
    pub changed: bool,
}

/// A directory of model versions.
#[derive(Debug, Clone)]
pub struct ModelDir {
    path: PathBuf,
}

impl ModelDir {
    /// The directory at this path, which need not exist before the first promotion.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a version's artifact.
    pub fn artifact(&self, version: &str) -> PathBuf {
        self.path.join(format!("{version}.moderato"))
    }

    /// The history: which version was current, when and why. It is empty for a directory in which nothing was promoted
    /// yet.
    ///
    /// # Errors
    /// The history cannot be read, or holds what this program does not write.
    pub fn history(&self) -> Result<History, HistoryError> {
        let path = self.path.join(HISTORY);
        match fs::read_to_string(&path) {
            Ok(text) => History::parse(&text, &path),
            // An empty directory is a beginning; one that is not there is a mistake, which serving must not pass over.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => Ok(History::default()),
            Err(source) => Err(HistoryError::Read { path, source }),
        }
    }

    /// Loads a version.
    ///
    /// # Errors
    /// Its artifact is missing, damaged, for another program, or another version under this name.
    pub fn load(&self, version: &str) -> Result<SpamModel, LoadModelError> {
        let path = self.artifact(version);
        let (model, _) = file::load_file(&path)?;
        if model.version() != version {
            let found = model.version().to_owned();
            return Err(LoadModelError::OtherVersion { path, found });
        }
        Ok(model)
    }

    /// Loads the current version.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub fn load_current(&self) -> Result<SpamModel, LoadModelError> {
        self.load(&self.current()?)
    }

    /// The version that is current.
    ///
    /// # Errors
    /// There is none, or the history cannot be read.
    pub fn current(&self) -> Result<String, LoadModelError> {
        let current = self.history()?.current().map(str::to_owned);
        current.ok_or_else(|| LoadModelError::Empty {
            path: self.path.clone(),
        })
    }

    /// Makes the model in a file current. The file is read and tried out first; the directory is made if need be.
    ///
    /// # Errors
    /// [`ModelDirError`]; what was current still is.
    pub fn promote(&self, file: &Path, reason: Option<&str>, now: Timestamp) -> Result<Promotion, ModelDirError> {
        let (model, bytes) = file::load_file(file)?;
        let lock_error = |source| self.lock_error(source);
        fs::create_dir_all(&self.path).map_err(lock_error)?;
        let _held = self.lock()?;
        let history = self.history()?;
        self.store(&model, &bytes)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        self.make_current(history, model, Action::Promote, reason, name, now)
    }

    /// Makes a version current again. Its artifact is tried out first. Before the first version that was promoted, the
    /// shipped model was at work: that is gone back to, and copied into the directory.
    ///
    /// # Errors
    /// [`ModelDirError`]; what was current still is.
    pub fn rollback(&self, to: Target<'_>, reason: Option<&str>, now: Timestamp) -> Result<Promotion, ModelDirError> {
        // Nothing is locked, and no lock made, where there is no history.
        self.history()?;
        let _held = self.lock()?;
        let history = self.history()?;
        let version = match to {
            Target::Version(version) if history.versions().contains(&version) => version.to_owned(),
            Target::Version(version) => {
                return Err(ModelDirError::NeverCurrent {
                    path: self.path.clone(),
                    version: version.to_owned(),
                });
            }
            Target::Before => match history.path_back().as_slice() {
                [.., before, _] => (*before).to_owned(),
                [first] => {
                    let (shipped, bytes) = file::load_file(Path::new(SHIPPED))?;
                    if shipped.version() == *first {
                        return Err(self.nothing_before("the current model is the shipped one"));
                    }
                    self.store(&shipped, &bytes)?;
                    return self.make_current(
                        history,
                        shipped,
                        Action::Rollback,
                        reason,
                        Some(SHIPPED.to_owned()),
                        now,
                    );
                }
                [] => return Err(self.nothing_before("nothing was promoted yet, and the shipped model is at work")),
            },
        };
        let model = self.load(&version)?;
        self.make_current(history, model, Action::Rollback, reason, None, now)
    }

    /// The version that these words mean: `current`, `previous`, or the digits of a version, or the beginning of them.
    pub fn resolve(&self, history: &History, words: &str) -> Option<String> {
        match words {
            "current" => history.current().map(str::to_owned),
            "previous" => match history.path_back().as_slice() {
                [.., before, _] => Some((*before).to_owned()),
                _ => None,
            },
            _ => {
                let versions = history.versions();
                let mut meant = versions.iter().filter(|version| version.starts_with(words));
                let only = meant.next().filter(|_| meant.next().is_none() && words.len() >= 4);
                only.map(|version| (*version).to_owned())
                    .or_else(|| (is_version(words) && self.artifact(words).is_file()).then(|| words.to_owned()))
            }
        }
    }

    /// Puts a model's artifact into the directory. The same content may be there already; if it was damaged since, this
    /// mends it.
    fn store(&self, model: &SpamModel, bytes: &[u8]) -> Result<(), SaveModelError> {
        let artifact = self.artifact(model.version());
        if fs::read(&artifact).ok().as_deref() != Some(bytes) {
            file::replace(&artifact, bytes)?;
        }
        Ok(())
    }

    fn nothing_before(&self, found: &'static str) -> ModelDirError {
        ModelDirError::NothingBefore {
            path: self.path.clone(),
            found,
        }
    }

    fn make_current(
        &self,
        mut history: History,
        model: SpamModel,
        action: Action,
        reason: Option<&str>,
        file: Option<String>,
        now: Timestamp,
    ) -> Result<Promotion, ModelDirError> {
        let previous = history.current().map(str::to_owned);
        let changed = previous.as_deref() != Some(model.version());
        if changed {
            history.entries.push(Entry {
                at: now.to_rfc3339(),
                action,
                version: model.version().to_owned(),
                previous: previous.clone(),
                reason: reason.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")),
                file,
            });
            let path = self.path.join(HISTORY);
            let text = history.to_text().map_err(|error| SaveModelError::Write {
                path: path.clone(),
                source: error.into(),
            })?;
            file::replace(&path, text.as_bytes())?;
        }
        Ok(Promotion {
            model,
            previous,
            changed,
        })
    }

    /// Waits until nobody else changes the directory. The lock ends with the handle, and with the process at the
    /// latest.
    fn lock(&self) -> Result<File, ModelDirError> {
        let open = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.join(LOCK));
        let lock = open.map_err(|source| self.lock_error(source))?;
        lock.lock().map_err(|source| self.lock_error(source))?;
        Ok(lock)
    }

    fn lock_error(&self, source: io::Error) -> ModelDirError {
        ModelDirError::Lock {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
