//! Records and labels at random, for tests of this room.

use proptest::option;
use proptest::prelude::*;

use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::record::{Cause, DecisionId, Judged, Kept, Label, LabelSource, Opinion, Record};
use crate::site::SiteId;
use crate::verdict::Verdict;

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Verdict::Approve), Just(Verdict::Hold), Just(Verdict::Reject)]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0..1_u64 << 50).prop_map(Timestamp::from_micros)
}

fn judged() -> impl Strategy<Value = Judged> {
    let cause = ("[a-z.]{1,9}", option::of(verdict()), "\\PC{0,9}", any::<bool>());
    let cause = cause.prop_map(|(code, effect, message, shadow)| Cause {
        code,
        effect,
        message,
        shadow,
    });
    let causes = proptest::collection::vec(cause, 0..3);
    let parts = (
        verdict(),
        causes,
        option::of(0.0..=1.0),
        "[0-9a-f]{0,12}",
        "[0-9a-f]{0,12}",
    );
    parts.prop_map(
        |(verdict, causes, spam_probability, model_version, policy_version)| Judged {
            verdict,
            causes,
            spam_probability,
            model_version,
            policy_version,
        },
    )
}

/// A random record.
pub(crate) fn records() -> impl Strategy<Value = Record> {
    let kept = prop_oneof![
        Just(Kept::Nothing),
        any::<Vec<u8>>().prop_map(Kept::Features),
        "\\PC{0,20}".prop_map(Kept::Text),
    ];
    let authors = proptest::collection::vec(any::<[u8; 16]>().prop_map(AuthorKey::new), 0..3);
    let parts = (
        any::<[u8; 16]>(),
        "[a-z]{1,5}",
        moment(),
        option::of(moment()),
        option::of(judged()),
        kept,
        authors,
        option::of(any::<[u8; 16]>()),
    );
    parts.prop_map(
        |(id, site, decided_at, submitted_at, judged, kept, authors, shown)| Record {
            id: DecisionId::new(id),
            site: SiteId::new(&site).unwrap(),
            decided_at,
            submitted_at,
            judged,
            kept,
            authors,
            shown,
        },
    )
}

/// A random label.
pub(crate) fn labels() -> impl Strategy<Value = Label> {
    let reviewer = option::of(any::<[u8; 16]>().prop_map(AuthorKey::new));
    let opinion = proptest::sample::select(&Opinion::ALL[..]);
    let source = proptest::sample::select(&LabelSource::ALL[..]);
    let parts = (opinion, moment(), moment(), moment(), reviewer, source);
    parts.prop_map(
        |(opinion, labeled_at, received_at, first_received_at, reviewer, source)| Label {
            opinion,
            labeled_at,
            received_at,
            first_received_at,
            reviewer,
            source,
        },
    )
}
