//! Reads a comment as people and bots write it, and names what stands in it.
//!
//! A comment is cleaned ([`clean`]: entities, compatibility letters, invisible characters, look-alikes), its links and
//! markup are found ([`links`], [`markup`]), its words are cut ([`stream`]), and every view's terms are handed to a
//! [`Sink`] as 32-bit hashes ([`terms`]). What is undone is counted, because readers do not write іn mіxed sсrірts.
//!
//! What may be kept of a comment is made here too: [`redact()`] takes out what is personal, and [`Features`] are what
//! reading leaves of it.
//!
//! This room must never fail on any text, never keep any text, and never know what a term is worth. Scoring and
//! explaining read through the same code, so that an explanation is of the very terms that were scored.
//! Start reading at [`terms::emit`].

pub mod clean;
mod deobfuscate;
mod features;
mod form;
mod hash;
mod idn_links;
mod letters;
mod links;
mod markup;
mod redact;
mod shape;
mod signs;
mod stream;
mod terms;
mod view;
mod visible_links;
mod words;

pub(crate) use features::may_name_a_person;
pub use features::{Features, InvalidFeatures};
pub use form::{Article, Form, emit_article, emit_form};
pub use links::Hosts;
pub use redact::{Persona, redact};
pub(crate) use signs::{NUMBER_OF_SIGNS, SIGN};
pub use stream::Scratch;
pub use terms::{Places, emit, emit_with_places};
pub use view::{N_VIEWS, Sink, Sort, TEXT_VIEWS, VIEWS, View};
pub use visible_links::{Link, Seen, seen};
pub use words::{fold, has_unspaced};

/// The version of this reading. A model holds the one that it was trained with, and is refused if [`n_views_of`] does
/// not know it.
pub const READING_VERSION: u32 = 4;

/// The number of views of a reading's version. Each version reads what the one before it read in the same way, and
/// more: version 2 the text alone, version 3 the form and the article, version 4 the signs of an offer.
pub const fn n_views_of(version: u32) -> Option<usize> {
    match version {
        2 => Some(7),
        3 => Some(12),
        4 => Some(N_VIEWS),
        _ => None,
    }
}
