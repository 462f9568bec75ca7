//! Taking up another model while requests run. It is loaded beside the one at work and replaces it at once; requests
//! under way go on with the snapshot that they took.

use std::sync::Arc;

use super::Moderator;
use crate::artifact::{Reload, ReloadError};

impl Moderator {
    /// Loads the model that is there now.
    ///
    /// # Errors
    /// It cannot be used; the model at work stays.
    pub async fn reload_model(self: &Arc<Self>) -> Result<Reload, ReloadError> {
        let house = Arc::clone(self);
        let attempt = tokio::task::spawn_blocking(move || {
            let outcome = house.models.reload(house.clock.now());
            house.tell(&outcome);
            outcome
        });
        attempt.await.unwrap_or_else(|error| {
            Err(ReloadError::Refused {
                problem: format!("loading ended early: {error}"),
                at_work: self.model_version(),
            })
        })
    }

    /// Looks whether another model was promoted, and loads it.
    pub async fn follow_model(self: &Arc<Self>) {
        let house = Arc::clone(self);
        let look = tokio::task::spawn_blocking(move || {
            if let Some(outcome) = house.models.poll(house.clock.now()) {
                house.tell(&outcome);
            }
        });
        if let Err(error) = look.await {
            tracing::error!(%error, "looking for a promoted model ended early");
        }
    }

    /// Says what came of an attempt, in the log and the metrics.
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
        self.show_model();
    }

    /// Shows in the metrics which model is at work, and whether another was refused.
    pub(super) fn show_model(&self) {
        if let Some(loaded) = self.models.current() {
            let refused = self.models.last_error().is_some();
            self.metrics.model(loaded.model.version(), refused);
        }
    }
}
