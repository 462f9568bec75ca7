//! What is judged: from flags or from a line of JSON.

use serde::Deserialize;

use super::Args;
use crate::api::grpc::proto;
use crate::site::{Field, FieldSet};

/// One comment to judge, with what is echoed.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) id: Option<serde_json::Value>,
    pub(super) label: Option<String>,
    pub(super) source: Option<String>,
    content: String,
    author_name: Option<String>,
    author_email: Option<String>,
    author_url: Option<String>,
    #[serde(default)]
    article_title: Option<String>,
    #[serde(default)]
    article_text: Option<String>,
    author_ip: Option<String>,
    site: Option<String>,
    #[serde(default)]
    article_hosts: Vec<String>,
    parent_content: Option<String>,
    /// Fields that nobody kept, so that one that is empty was not left empty.
    #[serde(skip)]
    unknown: FieldSet,
    #[serde(skip)]
    explain: bool,
}

/// A comment and its answer.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) input: Input,
    pub(super) answer: proto::ModerateResponse,
}

impl Input {
    pub(super) fn from_flags(args: &Args) -> Self {
        let given = [&args.author_name, &args.author_email, &args.author_url, &args.author_ip];
        let form = given.iter().any(|field| field.is_some());
        Self {
            id: None,
            label: None,
            source: None,
            content: args.content.clone().unwrap_or_default(),
            author_name: args.author_name.clone(),
            author_email: args.author_email.clone(),
            author_url: args.author_url.clone(),
            article_title: None,
            article_text: None,
            author_ip: args.author_ip.clone(),
            site: Some(args.site.clone()),
            article_hosts: Vec::new(),
            parent_content: None,
            unknown: if form { FieldSet::default() } else { author_fields() },
            explain: args.explain.is_some(),
        }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it: it is somebody's comment.
    pub(super) fn from_json(line: &str, args: &Args) -> Result<Self, String> {
        let mut input: Self = serde_json::from_str(line).map_err(|error| {
            use serde_json::error::Category;
            match error.classify() {
                Category::Data => "is not an object with a `content` text and known fields of the right types",
                Category::Syntax | Category::Eof | Category::Io => "is not JSON; each line is one object",
            }
            .to_owned()
        })?;
        let empty_name = input.author_name.as_ref().is_none_or(|name| name.trim().is_empty());
        let unknown = [
            (
                Field::AuthorName,
                input.author_name.is_none() || (input.author_email.is_none() && empty_name),
            ),
            (Field::AuthorEmail, input.author_email.is_none()),
            (Field::AuthorUrl, input.author_url.is_none()),
        ];
        input.unknown = unknown
            .into_iter()
            .filter_map(|(field, unknown)| unknown.then_some(field))
            .collect();
        input.explain = args.explain.is_some();
        input.site.get_or_insert_with(|| args.site.clone());
        Ok(input)
    }

    /// The request that stands for it. A running service cannot be told which fields are unknown: where the e-mail
    /// address is, the author is vouched for as signed in, whom a site asks for neither name nor e-mail.
    pub(super) fn request(&self, to_server: bool) -> proto::ModerateRequest {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let trust = if to_server && self.unknown.has(Field::AuthorEmail) {
            proto::AuthorTrust::Authenticated
        } else {
            proto::AuthorTrust::Unspecified
        };
        proto::ModerateRequest {
            site: text(&self.site),
            comment: Some(proto::Comment {
                content: self.content.clone(),
                author_name: text(&self.author_name),
                author_email: text(&self.author_email),
                author_url: self.author_url.clone(),
                article_title: text(&self.article_title),
                article_text: text(&self.article_text),
                author_ip: text(&self.author_ip),
                author_trust: trust.into(),
                article_hosts: self.article_hosts.clone(),
                parent_content: text(&self.parent_content),
                ..Default::default()
            }),
            action: proto::Action::Backfill.into(),
            explain: self.explain,
            dry_run: true,
            ..Default::default()
        }
    }

    /// Fields that are not asked for.
    pub(super) const fn unknown(&self) -> FieldSet {
        self.unknown
    }

    /// Whether only the text is judged.
    pub(super) fn only_text(&self) -> bool {
        self.unknown == author_fields()
    }
}

/// What an author types beside the comment.
fn author_fields() -> FieldSet {
    [Field::AuthorName, Field::AuthorEmail, Field::AuthorUrl]
        .into_iter()
        .collect()
}
