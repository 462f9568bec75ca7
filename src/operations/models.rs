//! Takes up another model while requests run. It is loaded beside the one at work and replaces it at once; requests
//! under way go on with the snapshot that they took.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::artifact::{ActiveModel, LoadedModel, Reload, ReloadError};
use crate::clock::Clock;
use crate::record::Export;
use crate::telemetry::Metrics;

/// The spam model at work and its successors. Clones share them.
#[derive(Debug, Clone)]
pub struct Models {
    live: Arc<ActiveModel>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Models {
    pub(super) fn new(live: ActiveModel, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            live: Arc::new(live),
            clock,
            metrics,
        }
    }

    /// The model at work, as of now.
    pub fn current(&self) -> Option<Arc<LoadedModel>> {
        self.live.current()
    }

    /// The reason why another model is not at work, if one was refused.
    pub fn last_error(&self) -> Option<Arc<String>> {
        self.live.last_error()
    }

    /// Loads the model that is there now.
    ///
    /// # Errors
    /// It cannot be used; the model at work stays.
    pub async fn reload(&self) -> Result<Reload, ReloadError> {
        let models = self.clone();
        let attempt = tokio::task::spawn_blocking(move || {
            let outcome = models.live.reload(models.clock.now());
            models.tell(&outcome);
            outcome
        });
        attempt.await.unwrap_or_else(|error| {
            Err(ReloadError::Refused {
                problem: format!("loading ended early: {error}"),
                at_work: self.version(),
            })
        })
    }

    /// Looks whether another model was promoted, and loads it.
    pub async fn follow(&self) {
        let models = self.clone();
        let look = tokio::task::spawn_blocking(move || {
            if let Some(outcome) = models.live.poll(models.clock.now()) {
                models.tell(&outcome);
            }
        });
        if let Err(error) = look.await {
            tracing::error!(%error, "looking for a promoted model ended early");
        }
    }

    /// The versions of the model at work, and of those in its directory, that were trained from any of these exports.
    pub async fn trained_from(&self, exports: &[Export]) -> Vec<String> {
        if exports.is_empty() {
            return Vec::new();
        }
        let live = Arc::clone(&self.live);
        let exports: BTreeSet<String> = exports.iter().map(|export| export.sha256.clone()).collect();
        let look = tokio::task::spawn_blocking(move || {
            let seen = |card: &crate::model::Card| card.data.iter().any(|file| exports.contains(&file.sha256));
            live.versions_where(&seen)
        });
        match look.await {
            Ok(versions) => versions.into_iter().collect(),
            Err(error) => {
                tracing::error!(%error, "looking which models were trained from an export ended early");
                Vec::new()
            }
        }
    }

    /// Reports the outcome of an attempt in the log and the metrics.
    fn tell(&self, outcome: &Result<Reload, ReloadError>) {
        match outcome {
            Ok(reload) if reload.changed => {
                tracing::info!(
                    model_version = reload.version,
                    previous = reload.previous,
                    "another model is at work"
                );
            }
            Ok(reload) => tracing::info!(model_version = reload.version, "the model at work is the current one"),
            Err(ReloadError::NoSource) => return,
            Err(error) => {
                tracing::error!(%error, "the model was not replaced");
                self.metrics.model_refused();
            }
        }
        self.show();
    }

    /// Shows in the metrics which model is at work, and whether another was refused.
    pub(super) fn show(&self) {
        if let Some(loaded) = self.current() {
            let refused = self.last_error().is_some();
            self.metrics.model(loaded.model.version(), refused);
        }
    }

    /// The version of the model at work; empty if there is none.
    fn version(&self) -> String {
        let version = |loaded: Arc<LoadedModel>| loaded.model.version().to_owned();
        self.current().map(version).unwrap_or_default()
    }
}
