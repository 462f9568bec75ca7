//! Bytes to model and back.
//!
//! ```text
//! 8   magic "MODERATO"
//! 4   format version            little-endian, as all numbers
//! 4   length of the card
//! …   the card, JSON
//! 8   base log-odds, f64
//! 4   weight step, f32
//! 4   number of terms
//! 4   length of the upper halves
//! …   upper halves of the hashes, ascending: the difference to the one before, and how many terms have it; 7 bits a
//!     byte, low bits first
//! …   lower halves of the hashes, u16 each, ascending within an upper half
//! …   weights, i16 each, in steps
//! …   seen in ham: one bit each
//! 4   length of the evidence; 0 if there is none
//! …   evidence, which only training reads: see `counts`
//! 16  XXH3 of everything before, 128 bits, high bits first
//! ```
//!
//! Loading a million terms is a matter of milliseconds: halves of hashes are read without a guess where the next one
//! begins, and the checksum, which is to find damage and not forgery, costs less than reading the bytes does.
//!
//! Versions 1 and 2 are read too. Their hashes were one list of differences; they ended with a SHA-256 of
//! 32 bytes, whose beginning is their version; and version 1 held no evidence.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_128;

use super::counts;
use super::input::{FORMAT_VERSION, FormatError, Input, WITHOUT_EVIDENCE};
use super::terms::{Hashes, Terms};
use crate::model::{Card, InvalidParts, Parts, SpamModel, Term, Weight};
use crate::text::{READING_VERSION, n_views_of};

const MAGIC: &[u8; 8] = b"MODERATO";
/// The last version that listed hashes by their differences.
const BY_DIFFERENCES: u32 = 2;
/// Digits of the digest that name a version.
const VERSION_DIGITS: usize = 12;

/// The model's bytes. The same parts give the same bytes.
///
/// # Errors
/// [`FormatError::TooLarge`] for a model of 4 GiB, [`FormatError::Card`] for a card that is no JSON.
pub fn encode(parts: &Parts) -> Result<Vec<u8>, FormatError> {
    let card = serde_json::to_vec(&parts.card).map_err(|e| card_error(&e))?;
    let length = |n: usize, part| u32::try_from(n).map_err(|_| FormatError::TooLarge { part });
    let mut out = Vec::with_capacity(64 + card.len() + 6 * parts.terms.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&length(card.len(), "the card")?.to_le_bytes());
    out.extend_from_slice(&card);
    out.extend_from_slice(&parts.base_log_odds.to_le_bytes());
    out.extend_from_slice(&parts.weight_step.to_le_bytes());
    out.extend_from_slice(&length(parts.terms.len(), "the list of terms")?.to_le_bytes());
    let hashes = Hashes::of(parts.terms.iter().map(|term| term.hash));
    out.extend_from_slice(&length(hashes.upper.len(), "the list of terms")?.to_le_bytes());
    out.extend_from_slice(&hashes.upper);
    out.extend_from_slice(&hashes.lower);
    for term in &parts.terms {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "fewer than 32,768 steps; the cast saturates"
        )]
        let steps = (term.weight / parts.weight_step).round() as i16;
        out.extend_from_slice(&steps.to_le_bytes());
    }
    for eight in parts.terms.chunks(8) {
        let bits = eight
            .iter()
            .enumerate()
            .fold(0, |bits, (i, term)| bits | u8::from(term.in_ham) << i);
        out.push(bits);
    }
    let mut evidence = Vec::new();
    if let Some(known) = &parts.evidence {
        counts::put(&mut evidence, known);
    }
    out.extend_from_slice(&length(evidence.len(), "the evidence")?.to_le_bytes());
    out.extend_from_slice(&evidence);
    let digest = Checksum::Fast.of(&out);
    out.extend_from_slice(&digest);
    Ok(out)
}

/// The model that the bytes are.
///
/// # Errors
/// [`FormatError`], saying what was expected and what was found.
pub fn decode(bytes: &[u8]) -> Result<SpamModel, FormatError> {
    let Stored {
        card,
        scale,
        body,
        version,
        ..
    } = open(bytes)?;
    Ok(SpamModel::of_terms(card, scale, &body.terms(), version)?)
}

/// True if the evidence is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// To go on from it.
    Read,
    /// A model that only weighs comments does without.
    Skip,
}

/// The parts that the bytes hold, and their version.
pub(super) fn decode_parts(bytes: &[u8], evidence: Evidence) -> Result<(Parts, String), FormatError> {
    let Stored {
        card,
        scale,
        body,
        known,
        version,
    } = open(bytes)?;
    let evidence = if known.is_empty() || evidence == Evidence::Skip {
        None
    } else if let Some(n_views) = n_views_of(card.reading) {
        Some(counts::get(known, body.n_terms, n_views)?)
    } else {
        // Counts of other views: what they say is not what they would seem to say.
        let (expected, found) = (READING_VERSION, card.reading);
        return Err(InvalidParts::Reading { expected, found }.into());
    };
    let (base_log_odds, weight_step) = scale;
    let term = |(hash, worth): (u32, Weight)| Term {
        hash,
        weight: f32::from(worth.steps) * weight_step,
        in_ham: worth.in_ham,
    };
    let parts = Parts {
        card,
        base_log_odds,
        weight_step,
        terms: body.terms().map(term).collect(),
        evidence,
    };
    Ok((parts, version))
}

/// The sections of an artifact, checked but not yet read one by one.
struct Stored<'a> {
    card: Card,
    /// Base log-odds and weight step.
    scale: (f64, f32),
    body: Body<'a>,
    /// The evidence, or nothing.
    known: &'a [u8],
    version: String,
}

/// The terms' bytes, as many as they should be.
struct Body<'a> {
    n_terms: usize,
    hashes: Hashes<'a>,
    weights: &'a [u8],
    marks: &'a [u8],
}

impl Body<'_> {
    fn terms(&self) -> Terms<'_> {
        Terms::new(&self.hashes, self.weights, self.marks)
    }
}

/// The checksum that an artifact ends with.
#[derive(Debug, Clone, Copy)]
enum Checksum {
    Fast,
    Sha256,
}

impl Checksum {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Fast => xxh3_128(bytes).to_be_bytes().to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    const fn len(self) -> usize {
        match self {
            Self::Fast => 16,
            Self::Sha256 => 32,
        }
    }
}

/// The format's version and the bytes behind it, up to the checksum, which is right.
fn verified(bytes: &[u8]) -> Result<(u32, Input<'_>, String), FormatError> {
    let mut input = Input { bytes, at: 0 };
    let magic = input.take(MAGIC.len(), "the magic").map_err(|_| not_a_model(bytes))?;
    if magic != MAGIC {
        return Err(not_a_model(bytes));
    }
    let format = input.u32("the format version")?;
    if !(WITHOUT_EVIDENCE..=FORMAT_VERSION).contains(&format) {
        return Err(FormatError::OtherVersion { found: format });
    }
    let checksum = if format <= BY_DIFFERENCES {
        Checksum::Sha256
    } else {
        Checksum::Fast
    };
    // The whole is checked before any of it is believed.
    let body_len = bytes
        .len()
        .checked_sub(checksum.len())
        .filter(|&n| n >= input.at)
        .ok_or(FormatError::Truncated {
            part: "a checksum",
            expected: checksum.len() as u64,
            found: (bytes.len() - input.at) as u64,
        })?;
    let (body, stated) = bytes.split_at(body_len);
    let name = |digest: &[u8]| hex::encode(&digest[..VERSION_DIGITS / 2]);
    let digest = checksum.of(body);
    if digest != stated {
        return Err(FormatError::Checksum {
            expected: name(stated),
            found: name(&digest),
        });
    }
    input.bytes = body;
    Ok((format, input, name(&digest)))
}

fn open(bytes: &[u8]) -> Result<Stored<'_>, FormatError> {
    let (format, mut input, version) = verified(bytes)?;
    let card_len = input.u32("the card's length")? as usize;
    let card: Card = serde_json::from_slice(input.take(card_len, "the card")?).map_err(|e| card_error(&e))?;
    let base_log_odds = f64::from_le_bytes(input.array("the base log-odds")?);
    let weight_step = f32::from_le_bytes(input.array("the weight step")?);
    let n_terms = input.u32("the number of terms")? as usize;
    let wrong = |found: usize| FormatError::Terms {
        expected: n_terms as u64,
        found: found as u64,
    };
    let listed_len = input.u32("the length of the hashes")? as usize;
    let listed = input.take(listed_len, "the hashes")?;
    let hashes = if format <= BY_DIFFERENCES {
        Hashes::from_differences(listed, n_terms).map_err(wrong)?
    } else {
        let lower = input.take(n_terms.saturating_mul(2), "the lower halves of the hashes")?;
        Hashes {
            upper: Cow::Borrowed(listed),
            lower: Cow::Borrowed(lower),
        }
    };
    let weights = input.take(n_terms.saturating_mul(2), "the weights")?;
    let marks = input.take(n_terms.div_ceil(8), "the ham marks")?;
    let known = if format == WITHOUT_EVIDENCE {
        &[][..]
    } else {
        let len = input.u32("the length of the evidence")? as usize;
        input.take(len, "the evidence")?
    };
    let surplus = input.bytes.len() - input.at;
    if surplus > 0 {
        return Err(wrong(n_terms + surplus));
    }
    let found = hashes.count();
    if found != Some(n_terms) {
        return Err(wrong(found.unwrap_or(0)));
    }
    Ok(Stored {
        card,
        scale: (base_log_odds, weight_step),
        body: Body {
            n_terms,
            hashes,
            weights,
            marks,
        },
        known,
        version,
    })
}

fn card_error(error: &serde_json::Error) -> FormatError {
    FormatError::Card {
        line: error.line(),
        column: error.column(),
    }
}

fn not_a_model(bytes: &[u8]) -> FormatError {
    let found = match bytes {
        [] => "an empty file".to_owned(),
        [b'{', ..] => "what looks like JSON".to_owned(),
        _ => format!(
            "{} bytes that begin with 0x{}",
            bytes.len(),
            hex::encode(&bytes[..bytes.len().min(8)])
        ),
    };
    FormatError::NotAModel { found }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
