//! A report as text for a terminal, as JSON for programs, and as one page for people. Pure: strings in, strings out.

mod charts;
mod figures;
mod frame;
mod html;
mod markup;
mod tables;
mod text;

use crate::eval::report::Report;

pub use html::html;
pub use text::{Color, text};

/// The report as indented JSON. Its field names are stable.
///
/// # Errors
/// Only if the serializer fails, which these plain structs give it no reason to.
pub fn json(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report)
}
