//! WordPress' export (WXR): RSS with `wp:comment` in each `item`.
//!
//! Tools → Export leaves spam out, whatever the version: `comment_approved <> 'spam'` in wp-admin/includes/export.php.
//! So a WXR teaches what readers write, and spam comes from `wp comment list --status=spam`.

use super::bytes::Input;
use super::xml::{self, Fields, Shape};
use super::{ImportError, Kind, PastComment, State, Take, known, moment};

const WXR: Shape = Shape {
    root: "rss",
    expected: "a WordPress export: XML whose first element is <rss>, or the JSON of wp comment list",
    record: "comment",
    fields: &[
        "comment_id",
        "comment_author",
        "comment_author_url",
        "comment_date_gmt",
        "comment_content",
        "comment_approved",
        "comment_type",
        "comment_parent",
    ],
    context: &["post_id"],
};

/// Reads a WXR file.
pub(super) fn read(input: Input, take: Take<'_>) -> Result<(), ImportError> {
    xml::records(input, &WXR, &mut |mut fields: Fields, n_read| {
        let mut field = |name| fields.remove(name).unwrap_or_default();
        let comment = PastComment {
            id: known(&field("comment_id")),
            state: state(&field("comment_approved")),
            kind: kind(&field("comment_type")),
            content: field("comment_content"),
            author_name: known(&field("comment_author")),
            author_url: known(&field("comment_author_url")),
            submitted_at: moment(&field("comment_date_gmt")),
            labeled_at: None,
            article_id: known(&field("post_id")),
            parent_id: known(&field("comment_parent")).filter(|id| id != "0"),
            source: None,
        };
        take(Ok(comment), n_read)
    })
}

/// `comment_approved`, as the database, WP-CLI and plug-ins write it.
pub(super) fn state(approved: &str) -> State {
    match approved.trim().to_ascii_lowercase().as_str() {
        "1" | "approve" | "approved" => State::Approved,
        "spam" => State::Spam,
        "0" | "hold" | "unapproved" => State::Pending,
        "trash" | "post-trashed" => State::Removed,
        _ => State::Unknown,
    }
}

/// `comment_type`: empty before WordPress 5.5; plug-ins keep their own things among the comments.
pub(super) fn kind(comment_type: &str) -> Kind {
    match comment_type.trim() {
        "" | "comment" | "review" => Kind::Comment,
        "pingback" | "trackback" => Kind::Pingback,
        _ => Kind::Other,
    }
}
