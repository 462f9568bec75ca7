//! `[feedback]`: how much is remembered, and for how long.

use std::time::Duration;

use super::raw;

/// The bounds on what is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackConfig {
    /// The time that a decision is kept.
    pub retention: Duration,
    /// The time that a labeled decision is kept, from its label.
    pub label_retention: Duration,
    /// Decisions at most.
    pub decisions_max: usize,
    /// Bytes of files at most.
    pub bytes_max: u64,
    /// Decisions that may wait to be written.
    pub queue_max: usize,
    /// True if Redis remembers where there is no data directory.
    pub redis: bool,
}

/// Files smaller than this would consist of headers.
const BYTES_MIN: u64 = 1 << 20;

pub(super) fn resolve(merged: &raw::Merged<'_>, problems: &mut Vec<String>) -> Option<FeedbackConfig> {
    let raw: raw::Feedback = merged.section("feedback", problems)?;
    let retention = raw::duration("feedback.retention", &raw.retention, problems);
    let label_retention = raw::duration("feedback.label_retention", &raw.label_retention, problems);
    let mut at_least = |key: &str, value: u64, least: u64| {
        if value < least {
            problems.push(format!("feedback.{key}: is {value}; at least {least} is needed"));
        }
        value
    };
    let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Some(FeedbackConfig {
        decisions_max: count(at_least("decisions_max", raw.decisions_max, 1)),
        bytes_max: at_least("bytes_max", raw.bytes_max, BYTES_MIN),
        queue_max: count(at_least("queue_max", raw.queue_max, 1)),
        retention: retention?,
        label_retention: label_retention?,
        redis: raw.redis,
    })
}
