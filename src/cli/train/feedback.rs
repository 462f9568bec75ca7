//! `train --feedback`: what moderators labeled, straight from the store.

use std::cmp::Reverse;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::cli::feedback::{self, Place};
use crate::cli::{Exit, Failure, output};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::record::{Export, Opinion};
use crate::train::corpus::Source;

/// What the rows are called in reports and in the card.
const NAME: &str = "feedback";

/// Whether to learn from a store, and from which.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Labeled decisions")]
#[group(skip)]
pub(super) struct Args {
    /// Learn from the labeled decisions in a store, as `feedback export` would print them: --data-dir or --redis
    /// names it
    #[arg(long, requires = "place")]
    feedback: bool,
    #[command(flatten)]
    place: Place,
    /// With --feedback: only of this site
    #[arg(long, value_name = "ID", requires = "feedback")]
    site: Option<String>,
}

/// The rows of a store, and the note that is due once a model has them.
pub(super) struct Rows {
    /// As `feedback export` writes them.
    pub(super) source: Source,
    /// See [`Args::note`].
    pub(super) export: Export,
}

/// A row before it is known whether it counts.
struct Row {
    line: String,
    opinion: Opinion,
    labeled_at: Timestamp,
    reviewer: Option<AuthorKey>,
}

impl Args {
    /// Reads the store, if that is asked for. `reviewer_cap`: of one reviewer's labels of one kind, the newest so many.
    ///
    /// # Errors
    /// The store cannot be read, or holds nothing to learn from.
    pub(super) fn rows(&self, reviewer_cap: Option<usize>) -> Result<Option<Rows>, Failure> {
        if !self.feedback {
            if self.place.is_named() {
                output::note("without --feedback nothing is read from --data-dir or --redis");
            }
            return Ok(None);
        }
        let site = self.site.as_deref().map(feedback::site).transpose()?;
        let mut rows = Vec::new();
        let left = feedback::labeled(&self.place, site.as_ref(), &mut |row, label| {
            rows.push(Row {
                line: format!("{row}\n"),
                opinion: label.opinion,
                labeled_at: label.labeled_at,
                reviewer: label.reviewer,
            });
            Ok(())
        })?;
        left.note();
        if !rows.iter().any(|row| teaches(row.opinion)) {
            let problem = "train --feedback: the store holds no decision that is labeled ham or spam";
            return Err(Failure::new(Exit::Data, anyhow::anyhow!(problem)));
        }
        if let Some(cap) = reviewer_cap {
            let n = rows.len();
            rows = capped(rows, cap);
            if rows.len() < n {
                output::note(&format!(
                    "{} labels do not count: more of one kind from one reviewer than --reviewer-cap",
                    n - rows.len()
                ));
            }
        }
        let lines: String = rows.into_iter().map(|row| row.line).collect();
        Ok(Some(Rows {
            export: Export {
                sha256: hex::encode(Sha256::digest(&lines)),
                at: left.at,
                site,
            },
            source: Source::Rows {
                name: NAME.to_owned(),
                lines: lines.into_bytes(),
            },
        }))
    }

    /// Notes in the store that a model has these rows, as an export is noted, so that `feedback forget` names the
    /// model.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(super) fn note(&self, export: Export) -> Result<(), Failure> {
        self.place.note_export(export)
    }
}

const fn teaches(opinion: Opinion) -> bool {
    matches!(opinion, Opinion::Ham | Opinion::Spam)
}

/// Of each reviewer the newest `cap` of each label that teaches, in the order they came in.
fn capped(mut rows: Vec<Row>, cap: usize) -> Vec<Row> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&i| Reverse((rows[i].labeled_at, i)));
    let mut counts: HashMap<(AuthorKey, bool), usize> = HashMap::new();
    let mut kept = vec![true; rows.len()];
    for i in order {
        let row = &rows[i];
        let Some(reviewer) = row.reviewer.filter(|_| teaches(row.opinion)) else {
            continue;
        };
        let n = counts.entry((reviewer, row.opinion == Opinion::Spam)).or_default();
        kept[i] = *n < cap;
        *n += 1;
    }
    let mut kept = kept.into_iter();
    rows.retain(|_| kept.next().unwrap_or(true));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reviewer_says_only_so_much_and_the_newest_first() {
        let row = |reviewer: u8, opinion, second: u64| Row {
            line: format!("{second}"),
            opinion,
            labeled_at: Timestamp::from_micros(second * 1_000_000),
            reviewer: (reviewer > 0).then(|| AuthorKey::new([reviewer; 16])),
        };
        let mut rows: Vec<Row> = [5, 1, 4, 2, 3].map(|second| row(1, Opinion::Spam, second)).into();
        rows.extend([6, 7, 8].map(|second| row(1, Opinion::Abuse, second)));
        rows.extend([row(1, Opinion::Ham, 9), row(2, Opinion::Spam, 10)]);
        rows.extend([11, 12, 13].map(|second| row(0, Opinion::Spam, second)));
        let kept: Vec<String> = capped(rows, 2).into_iter().map(|row| row.line).collect();
        assert_eq!(kept, ["5", "4", "6", "7", "8", "9", "10", "11", "12", "13"]);
    }
}
