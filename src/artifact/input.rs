//! Reads the bytes of a model piece by piece, and says what is wrong with them.

use crate::model::InvalidParts;

/// The version of the format that this program writes; it reads those before, too.
pub const FORMAT_VERSION: u32 = 3;
/// The version that held no evidence.
pub(super) const WITHOUT_EVIDENCE: u32 = 1;

/// The reason why bytes are not a model, or a model not bytes.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The bytes begin otherwise.
    #[error("expected a moderato model, which begins with \"MODERATO\", found {found}")]
    NotAModel {
        /// The finding, in words.
        found: String,
    },
    /// Another version of the format.
    #[error(
        "expected a format version from {WITHOUT_EVIDENCE} to {FORMAT_VERSION}, found {found}: train the model again with this program"
    )]
    OtherVersion {
        /// The finding.
        found: u32,
    },
    /// The bytes end early.
    #[error("expected {part} of {expected} bytes, found {found}: the file is cut short")]
    Truncated {
        /// The part that was being read.
        part: &'static str,
        /// The number of bytes it has.
        expected: u64,
        /// The number of them.
        found: u64,
    },
    /// The checksum is another.
    #[error("expected checksum {expected}, found {found}: the file is damaged")]
    Checksum {
        /// The beginning of the digest that the file states.
        expected: String,
        /// The beginning of the digest of its bytes.
        found: String,
    },
    /// The card cannot be read.
    #[error("expected a card this program knows, found another (line {line}, column {column} of it)")]
    Card {
        /// The line in the card.
        line: usize,
        /// The column in the line.
        column: usize,
    },
    /// The terms cannot be read.
    #[error("expected {expected} terms, found {found}")]
    Terms {
        /// The number that the file states.
        expected: u64,
        /// The number that it holds.
        found: u64,
    },
    /// The parts do not make a model.
    #[error(transparent)]
    Parts(#[from] InvalidParts),
    /// Too large to be written.
    #[error("{part} of the model is too large for the format")]
    TooLarge {
        /// The part.
        part: &'static str,
    },
}

pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, n: usize, part: &'static str) -> Result<&'a [u8], FormatError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..n).ok_or(FormatError::Truncated {
            part,
            expected: n as u64,
            found: rest.len() as u64,
        })?;
        self.at += n;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], FormatError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, part)?);
        Ok(array)
    }

    pub(super) fn u32(&mut self, part: &'static str) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array(part)?))
    }
}
