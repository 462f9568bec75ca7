//! Disqus' export: `post` elements with `isSpam` and `isDeleted`, each naming its thread.
//!
//! A post that was marked as spam is deleted as well, so the mark of spam counts first. What is deleted without it was
//! deleted by its author or a moderator, for any reason. Posts that wait for approval carry `isApproved` in newer
//! exports only; in older ones they cannot be told from published ones.

use super::bytes::Input;
use super::xml::{self, Fields, Shape};
use super::{ImportError, Kind, PastComment, State, Take, known, moment};

const EXPORT: Shape = Shape {
    root: "disqus",
    expected: "a Disqus export: XML whose first element is <disqus>",
    record: "post",
    fields: &[
        "@id",
        "message",
        "createdAt",
        "isDeleted",
        "isSpam",
        "isApproved",
        "author/name",
        "author/url",
        "thread@id",
        "parent@id",
    ],
    context: &[],
};

/// Reads a Disqus export.
pub(super) fn read(input: Input, take: Take<'_>) -> Result<(), ImportError> {
    xml::records(input, &EXPORT, &mut |mut fields: Fields, n_read| {
        let mut field = |name| fields.remove(name).unwrap_or_default();
        let state = state(&field("isSpam"), &field("isDeleted"), &field("isApproved"));
        let comment = PastComment {
            id: known(&field("@id")),
            state,
            kind: Kind::Comment,
            content: field("message"),
            author_name: known(&field("author/name")),
            author_url: known(&field("author/url")),
            submitted_at: moment(&field("createdAt")),
            labeled_at: None,
            article_id: known(&field("thread@id")),
            parent_id: known(&field("parent@id")),
            source: None,
        };
        take(Ok(comment), n_read)
    })
}

fn state(spam: &str, deleted: &str, approved: &str) -> State {
    // A flag that is missing is not set; one that says something else is not understood.
    let flag = |text: &str, unset| match text.trim() {
        "" => Some(unset),
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    match (flag(spam, false), flag(deleted, false), flag(approved, true)) {
        (Some(true), _, _) => State::Spam,
        (Some(false), Some(true), _) => State::Removed,
        (Some(false), Some(false), Some(true)) => State::Approved,
        (Some(false), Some(false), Some(false)) => State::Pending,
        _ => State::Unknown,
    }
}
