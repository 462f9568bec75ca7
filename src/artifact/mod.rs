//! The model as a file, `models/<name>.moderato`; the versions in a model directory; the one at work.
//!
//! It must never hand out a half-loaded model, never panic on any bytes, never take more memory than the bytes justify,
//! and never leave a half-written file where a model stood. Start reading at [`mod@format`], for versions at
//! [`ModelDir`], for the model at work at [`ActiveModel`].

mod active;
mod counts;
mod diff;
mod directory;
mod file;
mod format;
mod history;
mod input;
mod terms;

pub use active::{ActiveModel, LoadedModel, Reload, ReloadError, Source};
pub use diff::{Diff, TermChange, TermCounts, diff};
pub use directory::{ModelDir, ModelDirError, Promotion, Target};
pub use file::{LoadModelError, SaveModelError, load, load_parts, save};
pub use format::{decode, encode};
pub use history::{Action, Entry, History, HistoryError};
pub use input::{FORMAT_VERSION, FormatError};

use std::path::Path;

use crate::model::SpamModel;

/// The model that this program was built with.
static EMBEDDED: &[u8] = include_bytes!("../../models/default.moderato");

/// The name of the model that this program was built with, wherever a model file is taken. A file that is really called
/// so is `./shipped`.
pub const SHIPPED: &str = "shipped";

/// The model that this program was built with.
///
/// # Errors
/// [`LoadModelError::Format`] if the program was built around something else.
pub fn embedded() -> Result<SpamModel, LoadModelError> {
    load(Path::new(SHIPPED))
}
