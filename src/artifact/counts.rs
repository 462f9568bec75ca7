//! The part of an artifact that only training reads: [`Evidence`].
//!
//! ```text
//! 4   day of the newest label, i32; the lowest of all if there is none
//! 1   number of rounds
//! …   view of each term, two a byte, low bits first
//!     for each round:
//! 1   number of clusters
//! …   label of each cluster, one byte: 1 is spam
//! 8   base log-odds, f64
//! …   factors, f64 each
//!     for each cluster:
//! …   terms that are counted, one bit each
//! …   their counts, one byte each: a level
//! ```
//!
//! A count is kept as the nearest of 255 levels: in quarters up to 4, whole up to 32, and by steps of 6 % beyond.

use super::input::{FormatError, Input};
use crate::model::{Evidence, Round};
use crate::text::N_VIEWS;

const UNDATED: i32 = i32::MIN;

/// The counts that can be kept, ascending, 0 first.
#[expect(clippy::cast_possible_truncation, reason = "counts")]
fn levels() -> [f32; 256] {
    let mut levels = [0.0; 256];
    let mut last = 0.0_f64;
    for level in &mut levels[1..] {
        last = match last {
            x if x < 4.0 => x + 0.25,
            x if x < 32.0 => x + 1.0,
            x => x * 1.06,
        };
        *level = last as f32;
    }
    levels
}

/// The level nearest to a count.
fn level(levels: &[f32; 256], count: f32) -> u8 {
    let above = levels.partition_point(|&level| level < count).min(255);
    let nearest = match above.checked_sub(1) {
        Some(below) if count - levels[below] < levels[above] - count => below,
        _ => above,
    };
    u8::try_from(nearest).unwrap_or(u8::MAX)
}

/// As bytes.
pub(super) fn put(out: &mut Vec<u8>, evidence: &Evidence) {
    let levels = levels();
    out.extend_from_slice(&evidence.as_of.unwrap_or(UNDATED).to_le_bytes());
    let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    out.push(byte(evidence.rounds.len()));
    out.extend(
        evidence
            .view_of
            .chunks(2)
            .map(|two| two[0] | two.get(1).map_or(0, |view| view << 4)),
    );
    for round in &evidence.rounds {
        let n_clusters = round.is_spam.len();
        out.push(byte(n_clusters));
        out.extend(round.is_spam.iter().map(|&spam| u8::from(spam)));
        out.extend_from_slice(&round.base_log_odds.to_le_bytes());
        round
            .factors
            .iter()
            .for_each(|factor| out.extend_from_slice(&factor.to_le_bytes()));
        for cluster in 0..n_clusters {
            let coded = || {
                round
                    .counts
                    .iter()
                    .skip(cluster)
                    .step_by(n_clusters)
                    .map(|&n| level(&levels, n))
            };
            let codes: Vec<u8> = coded().collect();
            out.extend(codes.chunks(8).map(|eight| {
                eight
                    .iter()
                    .enumerate()
                    .fold(0, |bits, (i, &code)| bits | u8::from(code > 0) << i)
            }));
            out.extend(codes.into_iter().filter(|&code| code > 0));
        }
    }
}

/// Reads what [`put`] wrote, for so many terms of a reading with so many views.
pub(super) fn get(bytes: &[u8], n_terms: usize, n_views: usize) -> Result<Evidence, FormatError> {
    let mut input = Input { bytes, at: 0 };
    let levels = levels();
    let as_of = i32::from_le_bytes(input.array("the day of the counts")?);
    let n_rounds = input.array::<1>("the number of rounds")?[0];
    let views = input.take(n_terms.div_ceil(2), "the terms' views")?;
    let view_of = (0..n_terms)
        .map(|i| views[i / 2] >> (4 * (i % 2)) & 0xf)
        .collect::<Vec<u8>>();
    let wrong = FormatError::Terms {
        expected: n_terms as u64,
        found: 0,
    };
    if view_of.iter().any(|&view| usize::from(view) >= N_VIEWS) {
        return Err(wrong);
    }
    let mut evidence = Evidence {
        as_of: (as_of != UNDATED).then_some(as_of),
        view_of,
        rounds: Vec::new(),
    };
    for _ in 0..n_rounds {
        let n_clusters = usize::from(input.array::<1>("the number of clusters")?[0]);
        let is_spam: Vec<bool> = input
            .take(n_clusters, "the labels of the clusters")?
            .iter()
            .map(|&n| n == 1)
            .collect();
        if !is_spam.contains(&true) || !is_spam.contains(&false) {
            return Err(wrong);
        }
        let base_log_odds = f64::from_le_bytes(input.array("a round's base log-odds")?);
        let mut factors = Vec::new();
        for _ in 0..n_views * n_clusters {
            factors.push(f64::from_le_bytes(input.array("a factor")?));
        }
        // Views that an older reading did not have say nothing.
        factors.resize(N_VIEWS * n_clusters, 0.0);
        // A bit stands for each term and cluster, so at most 32 times the bytes are asked for.
        let mut marks = Vec::new();
        let mut cells = Vec::new();
        for _ in 0..n_clusters {
            let bits = input.take(n_terms.div_ceil(8), "which terms are counted")?;
            let n = bits.iter().map(|bits| bits.count_ones() as usize).sum();
            marks.push(bits);
            cells.push(input.take(n, "the counts")?.iter());
        }
        let mut counts = Vec::with_capacity(n_terms * n_clusters);
        for term in 0..n_terms {
            for (bits, codes) in marks.iter().zip(&mut cells) {
                let code = if bits[term / 8] >> (term % 8) & 1 == 1 {
                    codes.next()
                } else {
                    None
                };
                counts.push(levels[usize::from(code.copied().unwrap_or(0))]);
            }
        }
        if !base_log_odds.is_finite() || factors.iter().any(|factor| !factor.is_finite()) {
            return Err(wrong);
        }
        evidence.rounds.push(Round {
            is_spam,
            base_log_odds,
            factors,
            counts,
        });
    }
    let surplus = bytes.len() - input.at;
    if surplus > 0 {
        return Err(FormatError::Terms {
            expected: n_terms as u64,
            found: (n_terms + surplus) as u64,
        });
    }
    Ok(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_counts_are_kept_as_they_are_and_large_ones_nearly() {
        let levels = levels();
        assert!(levels.is_sorted() && levels[255] > 1e6, "{}", levels[255]);
        let kept = |count: f32| levels[usize::from(level(&levels, count))];
        for n in 0..=32 {
            assert_eq!(kept(n as f32), n as f32);
        }
        for count in [0.1, 0.3, 2.6, 47.0, 1_234.0, 250_000.0] {
            assert!(
                (kept(count) - count).abs() <= (count * 0.03).max(0.125),
                "{count} as {}",
                kept(count)
            );
        }
        assert_eq!(kept(1e9), levels[255]);
    }
}
