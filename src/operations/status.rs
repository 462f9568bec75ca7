//! The state of the service, for operators: whether it can do its work, and what is wrong.

use super::Operations;
use crate::clock::Timestamp;
use crate::limit::RedisState;

/// The state of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The model at work, if there is one.
    pub model: Option<ModelStatus>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// The model at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStatus {
    /// Its version.
    pub version: String,
    /// The moment at which this process loaded it.
    pub loaded_at: Timestamp,
    /// The time since then, in seconds.
    pub loaded_seconds_ago: u64,
}

/// Something that is wrong. The codes of what is degraded are those of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// There is no model.
    NoModel,
    /// Another model should be at work, and cannot be used.
    ModelRefused {
        /// The reason.
        error: String,
    },
    /// Another configuration should be at work, and cannot be used.
    ConfigRefused {
        /// Everything that is wrong with it.
        error: String,
    },
    /// Redis is away; this process counts alone.
    RedisAway {
        /// The cause, as a code.
        cause: &'static str,
    },
    /// A part of the Redis cluster is away; its authors are counted by this process alone.
    RedisPartlyAway {
        /// The cause for one of the parts, as a code.
        cause: &'static str,
    },
    /// Decisions are not remembered.
    Feedback,
}

impl Problem {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoModel => "classifier.model",
            Self::ModelRefused { .. } => "model.refused",
            Self::ConfigRefused { .. } => "config.refused",
            Self::RedisAway { .. } | Self::RedisPartlyAway { .. } => "rate_limit.redis",
            Self::Feedback => "feedback.store",
        }
    }

    /// Returns true if calls should go elsewhere while it lasts. A Redis that is away does not: without it the service
    /// goes on, and says so in every answer.
    pub const fn blocks(&self) -> bool {
        matches!(self, Self::NoModel)
    }

    /// The problem and the remedy in words.
    pub fn message(&self) -> String {
        match self {
            Self::NoModel => "no model is loaded: every comment is held; start with --model F".to_owned(),
            Self::ModelRefused { error } => {
                format!("another model was refused: {error}; promote a whole one, or roll back")
            }
            Self::ConfigRefused { error } => {
                format!("the changed configuration is refused, and an older one is at work: {error}")
            }
            Self::RedisAway { cause } => {
                format!("Redis is away ({cause}): this process counts the quotas alone")
            }
            Self::RedisPartlyAway { cause } => {
                format!("a part of the Redis cluster is away ({cause}): this process counts its authors alone")
            }
            Self::Feedback => "the feedback store fails: decisions are not remembered, and the log says why".to_owned(),
        }
    }
}

impl Status {
    /// Returns true if calls may be sent here.
    pub fn is_ready(&self) -> bool {
        !self.problems.iter().any(Problem::blocks)
    }
}

impl Operations {
    /// The state of the service now.
    pub fn status(&self) -> Status {
        let model = self.models.current().map(|loaded| ModelStatus {
            version: loaded.model.version().to_owned(),
            loaded_at: loaded.loaded_at,
            loaded_seconds_ago: self.clock.now().since(loaded.loaded_at).as_secs(),
        });
        let no_model = model.is_none().then_some(Problem::NoModel);
        let refused = self.models.last_error().map(|error| Problem::ModelRefused {
            error: error.to_string(),
        });
        let configuration = self.policies.refused().map(|error| Problem::ConfigRefused {
            error: error.to_string(),
        });
        let redis = self.limiter.states().and_then(|states| match *states.borrow() {
            RedisState::Up => None,
            RedisState::Partly { cause } => Some(Problem::RedisPartlyAway { cause: cause.code() }),
            RedisState::Away { cause } => Some(Problem::RedisAway { cause: cause.code() }),
        });
        let fails = self.recorder.as_ref().is_some_and(|recorder| !recorder.is_well());
        let feedback = fails.then_some(Problem::Feedback);
        Status {
            model,
            problems: no_model
                .into_iter()
                .chain(refused)
                .chain(configuration)
                .chain(redis)
                .chain(feedback)
                .collect(),
        }
    }
}
