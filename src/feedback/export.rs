//! Labeled decisions as rows for training: JSON, one object each.

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::record::{Entry, Kept};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The row of a labeled entry; `None` if it has no label. `content` is there where the site keeps text, `features` (see
/// [`crate::text::Features::from_bytes`], in base64) otherwise.
pub fn row(entry: &Entry) -> Option<Value> {
    let Entry { record, label, .. } = entry;
    let label = label.as_ref()?;
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
    put("decision_id", json!(record.id.to_string()));
    put("label", json!(label.opinion.as_str()));
    match &record.kept {
        Kept::Text(text) => put("content", json!(text)),
        Kept::Features(bytes) => put("features", json!(STANDARD_NO_PAD.encode(bytes))),
        // There was no text, which is not the same as not knowing it.
        Kept::Nothing => put("content", json!("")),
    };
    put("site", json!(record.site.as_str()));
    put("labeled_at", json!(rfc3339(label.labeled_at)));
    put("source", json!(label.source.as_str()));
    if let Some(reviewer) = &label.reviewer {
        put("reviewer", json!(hex::encode(reviewer.as_bytes())));
    }
    put("submitted_at", json!(rfc3339(record.sent_at())));
    if let Some(judged) = &record.judged {
        put("verdict", json!(judged.verdict.as_str()));
        put("spam_probability", json!(judged.spam_probability));
        put("model_version", json!(judged.model_version));
    }
    Some(Value::Object(row))
}

/// A moment as RFC 3339 in UTC, to the microsecond. The days are counted as Howard Hinnant's `civil_from_days` does.
fn rfc3339(at: Timestamp) -> String {
    let (seconds, micros) = (at.as_micros() / 1_000_000, at.as_micros() % 1_000_000);
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days of eras of 400 years that begin on 1 March of the year 0.
    let z = days + 719_468;
    let (era, day) = (z / 146_097, z % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let d = day_of_year - (153 * month + 2) / 5 + 1;
    let m = if month < 10 { month + 3 } else { month - 9 };
    let y = year + era * 400 + u64::from(m <= 2);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{y:04}-{m:02}-{d:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        // From `date -u -d @N`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_micros(seconds * 1_000_000)), text);
        }
    }
}
