//! The quotas' and the model's part of the evidence, which a duplicate has in common with the first.

use super::replay::ReplayRecord;
use crate::policy::Velocity;

/// The answers of the limiter and of the model to one submission.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// The limiter's evidence.
    pub(super) velocity: Velocity,
    /// True if Redis was to be asked, and this process answered alone.
    pub(super) redis_away: bool,
    /// The score, and the decision that it is for.
    pub(super) record: ReplayRecord,
    /// True if the request was answered before, like this.
    pub(super) replayed: bool,
}
