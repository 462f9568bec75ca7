//! Labeled decisions as rows for training, for whoever wants them.

use serde_json::Value;

use super::open::Place;
use crate::cli::{Failure, output};
use crate::clock::{Clock, Timestamp};
use crate::feedback;
use crate::record::{Entry, Kept, Label};
use crate::site::SiteId;
use crate::text::Features;

/// What there is to say when all rows were handed over.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Left {
    /// When that was: every label among them came before.
    pub(in crate::cli) at: Timestamp,
    /// Labeled decisions that were left out.
    n_stale: u64,
}

impl Left {
    /// Says what was left out.
    pub(in crate::cli) fn note(self) {
        if self.n_stale > 0 {
            output::note(&format!(
                "{} left out: their features were read by another version of moderato",
                self.n_stale
            ));
        }
    }
}

/// Hands over the row of each labeled decision, with its label, in the store's order.
///
/// # Errors
/// The store cannot be read; or what `see` said.
pub(in crate::cli) fn labeled(
    place: &Place,
    site: Option<&SiteId>,
    see: &mut dyn FnMut(&Value, &Label) -> Result<(), Failure>,
) -> Result<Left, Failure> {
    let mut n_stale = 0;
    place.look(Clock::System.now(), &mut |entry| {
        if site.is_some_and(|site| *site != entry.record.site) {
            return Ok(());
        }
        if is_stale(&entry) {
            n_stale += 1;
            return Ok(());
        }
        match (feedback::row(&entry), &entry.label) {
            (Some(row), Some(label)) => see(&row, label),
            _ => Ok(()),
        }
    })?;
    Ok(Left {
        // Now, not before: a label that came in while the store was read may be among them, and forgetting must name
        // them.
        at: Clock::System.now(),
        n_stale,
    })
}

/// Features that this version cannot read teach nothing.
fn is_stale(entry: &Entry) -> bool {
    matches!(&entry.record.kept, Kept::Features(bytes) if Features::from_bytes(bytes).is_err())
}
