//! Records and labels as bytes, the same in files and in Redis: protobuf, so that a later version of moderato may add
//! fields and still read these. Field numbers are for ever.

use prost::Message;

use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::record::{Cause, DecisionId, Judged, Kept, Label, LabelSource, Opinion, Record};
use crate::site::SiteId;
use crate::verdict::Verdict;

#[derive(Clone, PartialEq, Message)]
struct RecordWire {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(string, tag = "2")]
    site: String,
    #[prost(fixed64, tag = "3")]
    decided_at_micros: u64,
    #[prost(message, optional, tag = "4")]
    judged: Option<JudgedWire>,
    #[prost(bytes = "vec", optional, tag = "5")]
    features: Option<Vec<u8>>,
    #[prost(string, optional, tag = "6")]
    text: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    authors: Vec<Vec<u8>>,
    #[prost(fixed64, optional, tag = "8")]
    submitted_at_micros: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "9")]
    shown: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct JudgedWire {
    /// The verdict's number by [`verdict_number`].
    #[prost(uint32, tag = "1")]
    verdict: u32,
    #[prost(message, repeated, tag = "2")]
    causes: Vec<CauseWire>,
    #[prost(double, optional, tag = "3")]
    spam_probability: Option<f64>,
    #[prost(string, tag = "4")]
    model_version: String,
    #[prost(string, tag = "5")]
    policy_version: String,
}

#[derive(Clone, PartialEq, Message)]
struct CauseWire {
    #[prost(string, tag = "1")]
    code: String,
    /// The effect's number; 0 is for information.
    #[prost(uint32, tag = "2")]
    effect: u32,
    #[prost(string, tag = "3")]
    message: String,
    #[prost(bool, tag = "4")]
    shadow: bool,
}

#[derive(Clone, PartialEq, Message)]
struct LabelWire {
    #[prost(uint32, tag = "1")]
    opinion: u32,
    #[prost(fixed64, tag = "2")]
    labeled_at_micros: u64,
    #[prost(fixed64, tag = "3")]
    received_at_micros: u64,
    #[prost(fixed64, tag = "4")]
    first_received_at_micros: u64,
    #[prost(bytes = "vec", optional, tag = "5")]
    reviewer: Option<Vec<u8>>,
    #[prost(uint32, tag = "6")]
    source: u32,
}

/// A record as bytes.
pub(super) fn encode_record(record: &Record) -> Vec<u8> {
    let Record {
        id,
        site,
        decided_at,
        submitted_at,
        judged,
        kept,
        authors,
        shown,
    } = record;
    let (features, text) = match kept {
        Kept::Nothing => (None, None),
        Kept::Features(bytes) => (Some(bytes.clone()), None),
        Kept::Text(text) => (None, Some(text.clone())),
    };
    let wire = RecordWire {
        id: id.as_bytes().to_vec(),
        site: site.as_str().to_owned(),
        decided_at_micros: decided_at.as_micros(),
        judged: judged.as_ref().map(judged_wire),
        features,
        text,
        authors: authors.iter().map(|key| key.as_bytes().to_vec()).collect(),
        submitted_at_micros: submitted_at.map(Timestamp::as_micros),
        shown: shown.map(|digest| digest.to_vec()),
    };
    wire.encode_to_vec()
}

fn judged_wire(judged: &Judged) -> JudgedWire {
    let Judged {
        verdict,
        causes,
        spam_probability,
        model_version,
        policy_version,
    } = judged;
    let cause = |cause: &Cause| {
        let Cause {
            code,
            effect,
            message,
            shadow,
        } = cause;
        CauseWire {
            code: code.clone(),
            effect: effect.map_or(0, verdict_number),
            message: message.clone(),
            shadow: *shadow,
        }
    };
    JudgedWire {
        verdict: verdict_number(*verdict),
        causes: causes.iter().map(cause).collect(),
        spam_probability: *spam_probability,
        model_version: model_version.clone(),
        policy_version: policy_version.clone(),
    }
}

/// The record in these bytes, or `None` if there is none.
pub(super) fn decode_record(bytes: &[u8]) -> Option<Record> {
    let RecordWire {
        id,
        site,
        decided_at_micros,
        judged,
        features,
        text,
        authors,
        submitted_at_micros,
        shown,
    } = RecordWire::decode(bytes).ok()?;
    let judged = match judged {
        Some(wire) => Some(Judged {
            verdict: verdict(wire.verdict)?,
            causes: wire.causes.into_iter().map(cause).collect::<Option<_>>()?,
            spam_probability: wire.spam_probability,
            model_version: wire.model_version,
            policy_version: wire.policy_version,
        }),
        None => None,
    };
    Some(Record {
        id: DecisionId::new(id.try_into().ok()?),
        site: SiteId::new(&site).ok()?,
        decided_at: Timestamp::from_micros(decided_at_micros),
        submitted_at: submitted_at_micros.map(Timestamp::from_micros),
        judged,
        kept: match (features, text) {
            (Some(features), _) => Kept::Features(features),
            (None, Some(text)) => Kept::Text(text),
            (None, None) => Kept::Nothing,
        },
        authors: authors.into_iter().map(key).collect::<Option<_>>()?,
        shown: match shown {
            Some(digest) => Some(digest.try_into().ok()?),
            None => None,
        },
    })
}

fn cause(wire: CauseWire) -> Option<Cause> {
    Some(Cause {
        code: wire.code,
        effect: if wire.effect == 0 {
            None
        } else {
            Some(verdict(wire.effect)?)
        },
        message: wire.message,
        shadow: wire.shadow,
    })
}

/// A label as bytes.
pub(super) fn encode_label(label: &Label) -> Vec<u8> {
    let Label {
        opinion,
        labeled_at,
        received_at,
        first_received_at,
        reviewer,
        source,
    } = label;
    let wire = LabelWire {
        opinion: opinion_number(*opinion),
        labeled_at_micros: labeled_at.as_micros(),
        received_at_micros: received_at.as_micros(),
        first_received_at_micros: first_received_at.as_micros(),
        reviewer: reviewer.map(|key| key.as_bytes().to_vec()),
        source: source_number(*source),
    };
    wire.encode_to_vec()
}

/// The label in these bytes, or `None` if there is none.
pub(super) fn decode_label(bytes: &[u8]) -> Option<Label> {
    let LabelWire {
        opinion,
        labeled_at_micros,
        received_at_micros,
        first_received_at_micros,
        reviewer,
        source,
    } = LabelWire::decode(bytes).ok()?;
    Some(Label {
        opinion: Opinion::ALL
            .into_iter()
            .find(|known| opinion_number(*known) == opinion)?,
        labeled_at: Timestamp::from_micros(labeled_at_micros),
        received_at: Timestamp::from_micros(received_at_micros),
        first_received_at: Timestamp::from_micros(first_received_at_micros),
        reviewer: match reviewer {
            Some(bytes) => Some(key(bytes)?),
            None => None,
        },
        source: LabelSource::ALL
            .into_iter()
            .find(|known| source_number(*known) == source)?,
    })
}

fn key(bytes: Vec<u8>) -> Option<AuthorKey> {
    bytes.try_into().ok().map(AuthorKey::new)
}

const fn verdict_number(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Approve => 1,
        Verdict::Hold => 2,
        Verdict::Reject => 3,
    }
}

fn verdict(number: u32) -> Option<Verdict> {
    let all = [Verdict::Approve, Verdict::Hold, Verdict::Reject];
    all.into_iter().find(|known| verdict_number(*known) == number)
}

const fn opinion_number(opinion: Opinion) -> u32 {
    match opinion {
        Opinion::Ham => 1,
        Opinion::Spam => 2,
        Opinion::Abuse => 3,
        Opinion::OffTopic => 4,
        Opinion::Withdrawn => 5,
    }
}

const fn source_number(source: LabelSource) -> u32 {
    match source {
        LabelSource::Moderator => 1,
        LabelSource::AuthorAppeal => 2,
        LabelSource::Import => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::testing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(record in testing::records(), label in testing::labels()) {
            prop_assert_eq!(decode_record(&encode_record(&record)), Some(record));
            prop_assert_eq!(decode_label(&encode_label(&label)), Some(label));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
            let _ = (decode_record(&bytes), decode_label(&bytes));
        }
    }
}
