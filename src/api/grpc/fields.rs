//! Fields that several messages have, read from the wire: each says what is wrong with it under its own path.

use tonic_types::FieldViolation;

use crate::clock::Timestamp;
use crate::comment::LanguageTag;
use crate::record::DecisionId;

/// A language tag; `None` if the field is empty or wrong.
pub(super) fn language(text: &str, violations: &mut Vec<FieldViolation>) -> Option<LanguageTag> {
    if text.is_empty() {
        return None;
    }
    LanguageTag::new(text)
        .map_err(|error| violations.push(FieldViolation::new("comment.language", error.to_string())))
        .ok()
}

/// The name of a decision; `None` if it is wrong.
pub(super) fn decision(field: &str, text: &str, violations: &mut Vec<FieldViolation>) -> Option<DecisionId> {
    let id = DecisionId::parse(text);
    if id.is_none() {
        let what = "is not 32 hexadecimal digits, as decision_id of an answer is";
        violations.push(FieldViolation::new(field, what));
    }
    id
}

/// A moment, in whole microseconds; 1970 if it is wrong.
pub(super) fn moment(field: &str, at: prost_types::Timestamp, violations: &mut Vec<FieldViolation>) -> Timestamp {
    let seconds = u64::try_from(at.seconds).ok().filter(|&seconds| seconds < 1 << 38);
    let nanos = u64::try_from(at.nanos).ok().filter(|&nanos| nanos < 1_000_000_000);
    let micros = seconds
        .zip(nanos)
        .map(|(seconds, nanos)| seconds * 1_000_000 + nanos / 1_000);
    if micros.is_none() {
        violations.push(FieldViolation::new(field, "is not a moment after 1970"));
    }
    Timestamp::from_micros(micros.unwrap_or_default())
}
