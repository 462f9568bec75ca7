//! Splits by group: near-duplicates never straddle one.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::near_duplicates;
use crate::comment::{Example, Label};

/// The fold, below `n_folds`, of every example: stratified by label and source, whole groups of near-duplicates only.
pub fn group_folds(examples: &[Example], n_folds: usize, seed: u64) -> Vec<usize> {
    let groups = groups(examples);
    let mut sources: Vec<&str> = examples.iter().map(|example| example.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let strata: Vec<usize> = examples
        .iter()
        .map(|example| {
            let source = sources.binary_search(&example.source.as_str()).unwrap_or(0);
            2 * source + usize::from(example.label == Label::Spam)
        })
        .collect();
    deal(&groups, &strata, n_folds, seed)
}

/// The group of near-duplicates of every example, numbered from 0: what an evaluation draws together.
pub fn groups(examples: &[Example]) -> Vec<usize> {
    near_duplicates::groups(examples)
}

/// Deals whole groups to folds, largest first and else in an order that the seed decides, each to the fold that has
/// least of what the group holds.
pub(super) fn deal(groups: &[usize], strata: &[usize], n_folds: usize, seed: u64) -> Vec<usize> {
    let n_folds = n_folds.max(1);
    let n_strata = strata.iter().max().map_or(0, |last| last + 1);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut totals = vec![0.0_f64; n_strata];
    for (i, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(i);
        totals[strata[i]] += 1.0;
    }
    let mut order: Vec<(usize, Vec<usize>)> = members.into_iter().collect();
    order.sort_by_key(|(group, rows)| {
        (
            std::cmp::Reverse(rows.len()),
            xxh3_64_with_seed(&group.to_le_bytes(), seed),
        )
    });
    let mut filled = vec![vec![0.0_f64; n_strata]; n_folds];
    let mut fold_of = vec![0; groups.len()];
    for (_, rows) in order {
        let load = |fold: &Vec<f64>| rows.iter().map(|&i| fold[strata[i]] / totals[strata[i]]).sum::<f64>();
        let mut fold = 0;
        for other in 1..n_folds {
            if load(&filled[other]) < load(&filled[fold]) {
                fold = other;
            }
        }
        for i in rows {
            filled[fold][strata[i]] += 1.0;
            fold_of[i] = fold;
        }
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_whole_and_strata_are_spread() {
        let groups: Vec<usize> = (0..100).map(|i| if i < 10 { 0 } else { i }).collect();
        let strata: Vec<usize> = (0..100).map(|i| usize::from(i >= 50)).collect();
        let folds = deal(&groups, &strata, 5, 1);
        assert!(folds[..10].iter().all(|&fold| fold == folds[0]));
        for stratum in 0..2 {
            for fold in 0..5 {
                let n = (0..100).filter(|&i| strata[i] == stratum && folds[i] == fold).count();
                assert_eq!(n, 10, "stratum {stratum} fold {fold}");
            }
        }
        assert_eq!(folds, deal(&groups, &strata, 5, 1));
        assert_ne!(folds, deal(&groups, &strata, 5, 2));
    }
}
