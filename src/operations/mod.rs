//! Serves what operators and moderators ask for beside judging: policies and models are replaced while calls run,
//! labels are taken, decisions are looked up and forgotten, counts and problems are reported.
//!
//! It must never judge: what a label or another policy changes is seen by the next submission. Start reading at
//! [`Operations`].

mod feedback;
mod models;
mod policies;
mod statistics;
mod status;

use std::sync::Arc;

use crate::artifact::ActiveModel;
use crate::clock::Clock;
use crate::feedback::Recorder;
use crate::limit::Limiter;
use crate::privacy::Pseudonymizer;
use crate::site::Sites;
use crate::statistics::Statistics;
use crate::telemetry::Metrics;

pub use feedback::{Feedback, FeedbackRefusal, Forget, author_keys_of_all};
pub use models::Models;
pub use policies::Policies;
pub use statistics::{Asked, Rate, Report, SiteDay};
pub use status::{ModelStatus, Problem, Status};

pub(crate) use feedback::{shown, unredacted};

/// The parts of [`Operations`].
#[derive(Debug)]
pub struct Parts {
    /// Every site's policy.
    pub sites: Arc<Sites>,
    /// The spam model at work, and where others come from.
    pub models: ActiveModel,
    /// Counts the authors' quotas.
    pub limiter: Limiter,
    /// Makes pseudonyms.
    pub pseudonymizer: Pseudonymizer,
    /// Tells the time.
    pub clock: Clock,
    /// Counts decisions.
    pub metrics: Metrics,
    /// Remembers decisions, if a store is configured.
    pub recorder: Option<Recorder>,
}

/// The state of the service that judging and operating share. One for the process.
#[derive(Debug)]
pub struct Operations {
    /// The sites' policies and the callers' keys.
    pub policies: Policies,
    /// The spam models.
    pub models: Models,
    pub(crate) limiter: Limiter,
    pub(crate) pseudonymizer: Pseudonymizer,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) recorder: Option<Recorder>,
    statistics: Statistics,
}

impl Operations {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            sites,
            models,
            limiter,
            pseudonymizer,
            clock,
            metrics,
            recorder,
        } = parts;
        let metrics = Arc::new(metrics);
        let operations = Self {
            policies: Policies::new(sites, Arc::clone(&metrics)),
            models: Models::new(models, clock.clone(), Arc::clone(&metrics)),
            statistics: Statistics::new(clock.now()),
            limiter,
            pseudonymizer,
            clock,
            metrics,
            recorder,
        };
        operations.models.show();
        operations
    }

    /// The limiter, for its state.
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// The store of decisions, for its upkeep and its end.
    pub const fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// The clock that decisions are dated by.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The metrics, for what happens beside decisions.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
