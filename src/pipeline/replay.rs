//! The record of a request, so that its repetition gets the same answer from any replica: the decision's name, what the
//! model said, how the author stood, what was said before, and whether quotas were asked. Nothing of the comment,
//! nothing of its author.

use super::subject::QuotaScope;
use crate::model::{Assessment, SpamProbability, Thresholds};
use crate::policy::{Classifier, Previous};
use crate::signals::History;

/// Raised whenever the layout changes; a record of another version is not read.
const VERSION: u8 = 3;

/// The remembered part of an answer; the rest follows from it, from the quotas' outcomes and from the policy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReplayRecord {
    pub(super) decision_id: [u8; 16],
    pub(super) scope: QuotaScope,
    pub(super) history: History,
    pub(super) previous: Previous,
    pub(super) classifier: Classifier,
    pub(super) model_version: String,
}

impl ReplayRecord {
    /// The record as bytes: version, decision id, the quotas' scope, the author's history, the previous
    /// decision, kind of classifier fact, its numbers, the model's version.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        bytes.extend(self.decision_id);
        bytes.push(self.scope as u8);
        bytes.push(self.history as u8);
        let place = Previous::ALL.into_iter().position(|known| known == self.previous);
        bytes.push(place.and_then(|place| u8::try_from(place).ok()).unwrap_or_default());
        match self.classifier {
            Classifier::Off => bytes.push(0),
            Classifier::NoText => bytes.push(1),
            Classifier::Unavailable => bytes.push(2),
            Classifier::Scored(assessment, thresholds) => {
                bytes.push(3 | u8::from(assessment.thin) << 2 | u8::from(thresholds.reject_at.is_some()) << 3);
                let reject_at = thresholds.reject_at.map_or(0.0, SpamProbability::get);
                for number in [
                    assessment.probability.get(),
                    assessment.evidence,
                    thresholds.hold_at.get(),
                    reject_at,
                ] {
                    bytes.extend(number.to_le_bytes());
                }
            }
        }
        bytes.extend(self.model_version.as_bytes());
        bytes
    }

    /// The record in these bytes, or `None` if they are not one of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (decision_id, rest) = rest.split_first_chunk::<16>()?;
        let (scope, rest) = rest.split_first()?;
        let (history, rest) = rest.split_first()?;
        let (previous, rest) = rest.split_first()?;
        let (kind, mut rest) = rest.split_first()?;
        if *version != VERSION {
            return None;
        }
        let scope = QuotaScope::from_byte(*scope)?;
        let history = History::ALL.into_iter().find(|known| *known as u8 == *history)?;
        let previous = *Previous::ALL.get(usize::from(*previous))?;
        let mut number = || -> Option<f64> {
            let (first, others) = rest.split_first_chunk::<8>()?;
            rest = others;
            Some(f64::from_le_bytes(*first)).filter(|number| (0.0..=1.0).contains(number))
        };
        let classifier = match kind & 3 {
            0 => Classifier::Off,
            1 => Classifier::NoText,
            2 => Classifier::Unavailable,
            _ => {
                let probability = SpamProbability::new(number()?);
                let assessment = Assessment {
                    probability,
                    evidence: number()?,
                    thin: kind & 4 != 0,
                };
                let hold_at = SpamProbability::new(number()?);
                let reject_at = Some(SpamProbability::new(number()?)).filter(|_| kind & 8 != 0);
                Classifier::Scored(assessment, Thresholds { hold_at, reject_at })
            }
        };
        let model_version = String::from_utf8(rest.to_vec()).ok()?;
        Some(Self {
            decision_id: *decision_id,
            scope,
            history,
            previous,
            classifier,
            model_version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{QuotaScope, ReplayRecord};
    use crate::model::{Assessment, SpamProbability, Thresholds};
    use crate::policy::{Classifier, Previous};
    use crate::signals::History;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(p in 0.0..=1.0f64, e in 0.0..=1.0f64, h in 0.0..=1.0f64,
                                       r in proptest::option::of(0.0..=1.0f64), thin: bool, id: [u8; 16], kind in 0..4, scope in 0..4_u8,
                                       history in proptest::sample::select(&History::ALL[..]),
                                       previous in proptest::sample::select(&Previous::ALL[..])) {
            let scored = Classifier::Scored(
                Assessment { probability: SpamProbability::new(p), evidence: e, thin },
                Thresholds { hold_at: SpamProbability::new(h), reject_at: r.map(SpamProbability::new) },
            );
            let classifier =
                [Classifier::Off, Classifier::NoText, Classifier::Unavailable, scored][usize::try_from(kind).unwrap()];
            let scope = QuotaScope::from_byte(scope).unwrap();
            let record = ReplayRecord { decision_id: id, scope, history, previous, classifier, model_version: "0123456789ab".to_owned() };
            prop_assert_eq!(ReplayRecord::decode(&record.encode()), Some(record));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
            let _ = ReplayRecord::decode(&bytes);
        }
    }
}
