//! The published protocols: which comments train and which are tested, so that anyone can repeat a table.
//!
//! Three divide a collection of videos by `source` and by the order of the file. The fourth, `publication`, is
//! cross-validation over folds that hold whole groups of near-duplicates: [`from_assignment`], with the groups made
//! where training makes them. [`by_place`] leaves out one place in turn: how a model does where nobody trained it.

use std::collections::BTreeSet;

use crate::comment::{Label, Origin};

/// A way to divide a collection by source and order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Leave one source out: train on the others, test on it, in turn.
    Lovo,
    /// Per source and label, the first ⌊0.7·n⌋ in file order train one model, the rest of that source test it.
    Chrono,
    /// As [`Self::Chrono`], with the sources that are stored newest first turned round: from the third on.
    OldestFirst,
}

/// The comments that train a model and those that test it, as positions in the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The name of the part that is left out, for progress and reports.
    pub name: String,
    /// Positions of the comments to train on.
    pub train: Vec<usize>,
    /// Positions of the comments to test on.
    pub test: Vec<usize>,
}

/// Each source by itself: its first seven tenths train, the rest test. `reversed` says which sources are stored newest
/// first.
fn by_time(comments: &[(&str, Label)], reversed: impl Fn(usize) -> bool) -> Vec<Fold> {
    let fold = |(nth, source): (usize, &&str)| {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for label in [Label::Spam, Label::Ham] {
            let mut rows: Vec<usize> = (0..comments.len())
                .filter(|&i| comments[i] == (*source, label))
                .collect();
            if reversed(nth) {
                rows.reverse();
            }
            let cut = rows.len() * 7 / 10;
            test.extend(rows.split_off(cut));
            train.extend(rows);
        }
        Fold {
            name: (*source).to_owned(),
            train,
            test,
        }
    };
    sources(comments).iter().enumerate().map(fold).collect()
}

/// The folds of a protocol. `comments` are (source, label), in the order of the files and of their lines.
pub fn by_source(protocol: Protocol, comments: &[(&str, Label)]) -> Vec<Fold> {
    match protocol {
        Protocol::Lovo => {
            let sources = sources(comments);
            let position = |source: &str| sources.iter().position(|known| *known == source).unwrap_or(0);
            let assignment: Vec<usize> = comments.iter().map(|(source, _)| position(source)).collect();
            let mut folds = from_assignment(&assignment, sources.len());
            for (fold, source) in folds.iter_mut().zip(&sources) {
                fold.name = (*source).to_owned();
            }
            folds
        }
        // Files 03 to 05 of the collection are stored newest first: shared knowledge about that data, not a guess.
        Protocol::OldestFirst => by_time(comments, |nth| nth >= 2),
        Protocol::Chrono => by_time(comments, |_| false),
    }
}

/// Folds from a fold number for each comment.
pub fn from_assignment(assignment: &[usize], n_folds: usize) -> Vec<Fold> {
    let fold = |left_out: usize| {
        let (test, train) = (0..assignment.len()).partition(|&i| assignment[i] == left_out);
        Fold {
            name: format!("fold {} of {n_folds}", left_out + 1),
            train,
            test,
        }
    };
    (0..n_folds).map(fold).collect()
}

/// The place that a source belongs to: the longest of `prefixes` that it begins with, or else itself.
pub fn place<'a>(source: &'a str, prefixes: &'a [String]) -> &'a str {
    let begun = prefixes.iter().filter(|prefix| source.starts_with(prefix.as_str()));
    begun.max_by_key(|prefix| prefix.len()).map_or(source, String::as_str)
}

/// Folds that leave one place out each, by the places' names. `comments` are (source, origin); written comments train
/// every fold and are tested by none, and a place of nothing else has no fold.
pub fn by_place(comments: &[(&str, Origin)], prefixes: &[String]) -> Vec<Fold> {
    let left_out = |&(source, origin): &(&str, Origin)| match origin {
        Origin::Received => Some(place(source, prefixes).to_owned()),
        Origin::Written => None,
    };
    let places: Vec<Option<String>> = comments.iter().map(left_out).collect();
    let names: BTreeSet<&String> = places.iter().flatten().collect();
    let fold = |name: &String| {
        let (test, train) = (0..places.len()).partition(|&i| places[i].as_ref() == Some(name));
        Fold {
            name: name.clone(),
            train,
            test,
        }
    };
    names.into_iter().map(fold).collect()
}

/// Sources in the order of their names, which for the video collection is the order of its files.
fn sources<'a>(comments: &[(&'a str, Label)]) -> Vec<&'a str> {
    let mut sources: Vec<&str> = comments.iter().map(|(source, _)| *source).collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use Label::{Ham, Spam};

    fn videos() -> Vec<(&'static str, Label)> {
        let mut all = Vec::new();
        for source in ["v1", "v2", "v3"] {
            for _ in 0..10 {
                all.extend([(source, Spam), (source, Ham)]);
            }
        }
        all
    }

    #[test]
    fn each_source_is_left_out_once() {
        let folds = by_source(Protocol::Lovo, &videos());
        assert_eq!(
            folds.iter().map(|fold| fold.name.as_str()).collect::<Vec<_>>(),
            ["v1", "v2", "v3"]
        );
        assert_eq!(folds[1].test, (20..40).collect::<Vec<_>>());
        assert_eq!(folds[1].train.len(), 40);
    }

    #[test]
    fn each_place_is_left_out_once_and_written_comments_never_are() {
        use Origin::{Received, Written};
        let comments = [
            ("youtube02-b", Received),
            ("blog", Received),
            ("seed", Written),
            ("youtube01-a", Received),
            ("blog", Written),
        ];
        let prefixes = ["youtube".to_owned()];
        let fold = |name: &str, train: &[usize], test: &[usize]| Fold {
            name: name.to_owned(),
            train: train.to_vec(),
            test: test.to_vec(),
        };
        assert_eq!(
            by_place(&comments, &prefixes),
            [fold("blog", &[0, 2, 3, 4], &[1]), fold("youtube", &[1, 2, 4], &[0, 3])]
        );
        let names = |prefixes: &[String]| -> Vec<String> {
            by_place(&comments, prefixes)
                .into_iter()
                .map(|fold| fold.name)
                .collect()
        };
        assert_eq!(names(&[]), ["blog", "youtube01-a", "youtube02-b"]);
        assert!(by_place(&comments[2..3], &[]).is_empty());
    }

    #[test]
    fn the_longest_prefix_names_the_place() {
        let prefixes = ["you".to_owned(), "youtube0".to_owned()];
        assert_eq!(place("youtube01-psy", &prefixes), "youtube0");
        assert_eq!(place("young", &prefixes), "you");
        assert_eq!(place("blog", &prefixes), "blog");
    }

    #[test]
    fn the_first_seven_tenths_of_each_label_train() {
        let folds = by_source(Protocol::Chrono, &videos());
        assert_eq!(folds[2].train, [40, 42, 44, 46, 48, 50, 52, 41, 43, 45, 47, 49, 51, 53]);
        assert_eq!(folds[2].test, [54, 56, 58, 55, 57, 59]);
    }

    #[test]
    fn from_the_third_source_on_the_oldest_are_last_in_the_file() {
        let folds = by_source(Protocol::OldestFirst, &videos());
        assert_eq!(folds[1], by_source(Protocol::Chrono, &videos())[1]);
        assert_eq!(folds[2].test, [44, 42, 40, 45, 43, 41]);
    }

    #[test]
    fn seven_tenths_is_rounded_down() {
        let eleven: Vec<(&str, Label)> = vec![("v", Spam); 11];
        assert_eq!(by_source(Protocol::Chrono, &eleven)[0].train.len(), 7);
    }
}
