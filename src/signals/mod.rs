//! Cheap observations about a comment, made without the model: is the form filled in, did a program fill it in.
//!
//! A signal says what is there; what follows from it is for `policy` to say. Start reading in [`collect`].

mod form;

use crate::comment::Comment;
use crate::site::{FieldSet, SitePolicy};
use crate::verdict::ReasonCode;

pub use form::is_blank;

/// One observation: the code it is reported by and the numbers that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// What was observed.
    pub code: ReasonCode,
    /// Its numbers, by name.
    pub params: Vec<(&'static str, String)>,
}

/// Everything there is to observe about a comment on a site, in order of precedence. Fields that are `unknown` are not
/// missed.
pub fn collect(comment: &Comment, policy: &SitePolicy, unknown: FieldSet) -> Vec<Signal> {
    let required = policy.required.of(comment.author.trust).without(unknown);
    let mut signals = form::faults(comment, required, &policy.lengths);
    if !comment.honeypot.expose().is_empty() {
        signals.push(Signal {
            code: ReasonCode::HoneypotFilled,
            params: Vec::new(),
        });
    }
    signals
}
