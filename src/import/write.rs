//! A comment as a line of the training format.

use serde::Serialize;

use super::PastComment;
use crate::comment::Label;

/// A line, as training reads it. There is no field for an e-mail or a network address.
#[derive(Serialize)]
struct Line<'a> {
    label: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    author_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author_url: Option<&'a str>,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labeled_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    article_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
}

/// The comment as a line of JSON, without its end. `source` is used where the comment has none; `with_author` keeps the
/// name and website that the author gave.
///
/// # Errors
/// Only if the serializer fails, which text gives it no reason to.
pub fn line(comment: &PastComment, label: Label, source: &str, with_author: bool) -> serde_json::Result<String> {
    let PastComment {
        id,
        state: _,
        kind: _,
        content,
        author_name,
        author_url,
        submitted_at,
        labeled_at,
        article_id,
        parent_id,
        source: own_source,
    } = comment;
    serde_json::to_string(&Line {
        label: label.as_str(),
        content,
        author_name: author_name.as_deref().filter(|_| with_author),
        author_url: author_url.as_deref().filter(|_| with_author),
        source: own_source.as_deref().unwrap_or(source),
        submitted_at: submitted_at.as_deref(),
        labeled_at: labeled_at.as_deref(),
        id: id.as_deref(),
        article_id: article_id.as_deref(),
        parent_id: parent_id.as_deref(),
    })
}
