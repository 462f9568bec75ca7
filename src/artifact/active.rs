//! The model at work: read by every request without waiting, replaced while they run.
//!
//! A request takes one snapshot ([`ActiveModel::current`]) and judges by it from beginning to end. A reload reads,
//! checks and tries out the new model beside the old one, and replaces it only then; whatever is wrong with the new
//! one, the old one goes on, and [`ActiveModel::last_error`] says why. Everything but the two readers blocks on the
//! disk.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use super::directory::ModelDir;
use super::file::{self, LoadModelError};
use crate::clock::Timestamp;
use crate::model::{Card, SpamModel};

/// A model at work.
#[derive(Debug)]
pub struct LoadedModel {
    /// The model.
    pub model: SpamModel,
    /// The moment at which this process loaded it.
    pub loaded_at: Timestamp,
}

/// A source of models.
#[derive(Debug)]
pub enum Source {
    /// The program itself; its model never changes.
    BuiltIn,
    /// A file, which is read again only when somebody says so.
    File(PathBuf),
    /// A model directory, whose current version is followed. As long as nothing was promoted there, the built-in model
    /// is used.
    Directory(ModelDir),
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// The version at work now.
    pub version: String,
    /// The version at work before.
    pub previous: Option<String>,
    /// True if another version is at work now.
    pub changed: bool,
}

/// The reason why no other model is at work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// There is nothing to load from.
    #[error("the model is the built-in one, which cannot be reloaded: start with --model-dir D or --model F")]
    NoSource,
    /// The model that is there cannot be used.
    #[error("{problem}; version {at_work} stays at work")]
    Refused {
        /// The problem.
        problem: String,
        /// The version that goes on.
        at_work: String,
    },
}

/// Says whether a file is still the one that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    version: String,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// The model at work, and where it comes from.
#[derive(Debug)]
pub struct ActiveModel {
    source: Source,
    current: ArcSwapOption<LoadedModel>,
    last_error: ArcSwapOption<String>,
    /// The mark of what was refused last. Held while a model is loaded, so that one attempt never overtakes another.
    refused: Mutex<Option<Mark>>,
}

impl ActiveModel {
    /// A model that stays, or none at all.
    pub fn fixed(model: Option<LoadedModel>) -> Self {
        Self {
            source: Source::BuiltIn,
            current: ArcSwapOption::from_pointee(model),
            last_error: ArcSwapOption::empty(),
            refused: Mutex::new(None),
        }
    }

    /// Loads the first model. If the current version of a directory cannot be used, the newest usable one that was
    /// current before is taken, and [`ActiveModel::last_error`] says so: a service that starts with yesterday's model
    /// is better than none.
    ///
    /// # Errors
    /// There is no model that can be used.
    pub fn start(source: Source, now: Timestamp) -> Result<Self, LoadModelError> {
        let mut refusal = None;
        let model = match &source {
            Source::BuiltIn => super::embedded(),
            Source::File(path) => file::load(path),
            Source::Directory(dir) => match dir.load_current() {
                Err(LoadModelError::Empty { .. }) => super::embedded(),
                Err(error) => match earlier(dir) {
                    Some(model) => {
                        refusal = Some((words(&error), mark(dir)));
                        Ok(model)
                    }
                    None => Err(error),
                },
                loaded => loaded,
            },
        }?;
        let at_work = model.version().to_owned();
        let mut live = Self::fixed(Some(LoadedModel { model, loaded_at: now }));
        live.source = source;
        if let Some((problem, mark)) = refusal {
            let error = ReloadError::Refused { problem, at_work };
            live.last_error.store(Some(Arc::new(error.to_string())));
            live.refused = Mutex::new(mark);
        }
        Ok(live)
    }

    /// The model at work. Take it once a request.
    pub fn current(&self) -> Option<Arc<LoadedModel>> {
        self.current.load_full()
    }

    /// The versions whose cards are meant: the one at work, and of a directory all that were current once and can still
    /// be read. It reads them all.
    pub fn versions_where(&self, is_meant: &dyn Fn(&Card) -> bool) -> BTreeSet<String> {
        let mut versions = BTreeSet::new();
        let mut look = |model: &SpamModel| {
            if is_meant(model.card()) {
                versions.insert(model.version().to_owned());
            }
        };
        if let Some(loaded) = self.current() {
            look(&loaded.model);
        }
        if let Source::Directory(dir) = &self.source
            && let Ok(history) = dir.history()
        {
            let models = history
                .versions()
                .into_iter()
                .filter_map(|version| dir.load(version).ok());
            models.for_each(|model| look(&model));
        }
        versions
    }

    /// The reason why the last attempt to load another model failed, if it did.
    pub fn last_error(&self) -> Option<Arc<String>> {
        self.last_error.load_full()
    }

    /// Loads what is there now, whether it has changed or not.
    ///
    /// # Errors
    /// There is nothing to load from, or it cannot be used; the model at work goes on.
    pub fn reload(&self, now: Timestamp) -> Result<Reload, ReloadError> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match &self.source {
            Source::BuiltIn => return Err(ReloadError::NoSource),
            Source::File(path) => file::load(path),
            Source::Directory(dir) => match dir.load_current() {
                // Nothing is current there: whatever is at work stays.
                Err(LoadModelError::Empty { .. }) => return Ok(self.unchanged()),
                loaded => loaded,
            },
        };
        match loaded {
            Ok(model) => {
                *refused = None;
                self.last_error.store(None);
                if self.version().as_deref() == Some(model.version()) {
                    return Ok(self.unchanged());
                }
                let version = model.version().to_owned();
                let previous = self.version();
                self.current
                    .store(Some(Arc::new(LoadedModel { model, loaded_at: now })));
                Ok(Reload {
                    version,
                    previous,
                    changed: true,
                })
            }
            Err(error) => {
                if let Source::Directory(dir) = &self.source {
                    *refused = mark(dir);
                }
                let error = ReloadError::Refused {
                    problem: words(&error),
                    at_work: self.version().unwrap_or_else(|| "none".to_owned()),
                };
                self.last_error.store(Some(Arc::new(error.to_string())));
                Err(error)
            }
        }
    }

    /// Looks whether a model directory has another current version, and loads it. `None` if there is nothing new: no
    /// promotion, or still the one that was refused. Cheap enough for every second.
    pub fn poll(&self, now: Timestamp) -> Option<Result<Reload, ReloadError>> {
        let Source::Directory(dir) = &self.source else {
            return None;
        };
        let history = match dir.history() {
            Ok(history) => history,
            Err(error) => {
                // Said once, and again when it is something else.
                let before = self.last_error();
                let told = self.reload(now);
                let same = before.as_deref().is_some_and(|before| before.contains(&words(&error)));
                return (!same).then_some(told);
            }
        };
        let current = history.current()?;
        if self.version().as_deref() == Some(current) {
            // What could not be loaded was rolled back: all is well again.
            return self.last_error().map(|_| self.reload(now));
        }
        let known = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_known = known.is_some() && known == mark(dir);
        (!is_known).then(|| self.reload(now))
    }

    fn version(&self) -> Option<String> {
        self.current().map(|loaded| loaded.model.version().to_owned())
    }

    fn unchanged(&self) -> Reload {
        let version = self.version();
        Reload {
            version: version.clone().unwrap_or_default(),
            previous: version,
            changed: false,
        }
    }
}

/// The newest usable version among those that rolling back would go through.
fn earlier(dir: &ModelDir) -> Option<SpamModel> {
    let history = dir.history().ok()?;
    let path_back = history.path_back();
    path_back
        .iter()
        .rev()
        .skip(1)
        .find_map(|version| dir.load(version).ok())
}

/// The mark of the directory's current version, as it stands on the disk.
fn mark(dir: &ModelDir) -> Option<Mark> {
    let version = dir.history().ok()?.current()?.to_owned();
    let about = std::fs::metadata(dir.artifact(&version)).ok();
    Some(Mark {
        bytes: about.as_ref().map_or(0, std::fs::Metadata::len),
        modified: about.and_then(|about| about.modified().ok()),
        version,
    })
}

/// An error with its causes.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[path = "active_tests.rs"]
mod tests;
