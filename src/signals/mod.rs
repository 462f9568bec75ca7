//! Cheap observations about a comment, made without the model: is the form filled in, did a program fill it in, what
//! does it link to, who and what stands on the site's lists, what sent it and from where.
//!
//! A signal says what is there; what follows from it is for `policy` to say. It never quotes the comment: its entries
//! are those that the site's own people wrote. Start reading in [`collect`].

mod client;
mod form;
mod history;
mod links;
mod lists;

use crate::comment::{Comment, Kind};
use crate::site::{Field, FieldSet, SitePolicy};
use crate::verdict::ReasonCode;

pub use form::is_blank;
pub use history::History;

/// One observation: the code it is reported by and the numbers that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The code of the observation.
    pub code: ReasonCode,
    /// Its numbers, by name.
    pub params: Vec<(&'static str, String)>,
}

impl Signal {
    fn bare(code: ReasonCode) -> Self {
        Self {
            code,
            params: Vec::new(),
        }
    }
}

/// Everything there is to observe about a comment on a site, in order of precedence. Fields that are `unknown` are not
/// missed.
pub fn collect(comment: &Comment, policy: &SitePolicy, unknown: FieldSet) -> Vec<Signal> {
    let required = policy.required.of(comment.author.trust).without(unknown);
    let required = if comment.kind.is_of_program() {
        required.without(AUTHOR_FIELDS.into_iter().collect())
    } else {
        required
    };
    let mut signals = form::faults(comment, required, &policy.lengths);
    if !comment.honeypot.expose().is_empty() {
        signals.push(Signal::bare(ReasonCode::HoneypotFilled));
    }
    let links = links::Links::of(comment, policy);
    lists::collect(comment, &links, &policy.lists, &mut signals);
    links.report(policy, &mut signals);
    signals.extend(form::too_fast(comment, policy.form_age_min));
    signals.extend(client::program(comment));
    signals.extend(unexpected_language(comment, policy));
    match comment.kind {
        Kind::Pingback => signals.push(Signal::bare(ReasonCode::KindPingback)),
        Kind::Trackback => signals.push(Signal::bare(ReasonCode::KindTrackback)),
        Kind::Comment | Kind::Reply | Kind::ForumPost | Kind::Review | Kind::ContactForm => {}
    }
    signals.extend(client::foreign_referrer(comment, policy));
    signals
}

/// A language, as the caller states it, that lies in none of those that the site expects.
fn unexpected_language(comment: &Comment, policy: &SitePolicy) -> Option<Signal> {
    let language = comment.language.as_ref().filter(|language| language.is_determined())?;
    let is_expected = policy.languages.is_empty() || policy.languages.iter().any(|range| language.is_within(range));
    (!is_expected).then(|| Signal {
        code: ReasonCode::LanguageUnexpected,
        params: vec![("language", language.as_str().to_owned())],
    })
}

/// The fields that a program which announces a link cannot fill in.
const AUTHOR_FIELDS: [Field; 3] = [Field::AuthorName, Field::AuthorEmail, Field::AuthorUrl];
