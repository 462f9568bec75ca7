//! What the house counts, and what it says of that.

use super::{Judgement, Moderator, Submission};
use crate::clock::Timestamp;
use crate::site::SiteId;
use crate::statistics::{DAYS_MAX, Day, Line};

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// One site, or all.
    pub site: Option<String>,
    /// So many days, today among them, 1 to [`DAYS_MAX`].
    pub days: u32,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By site and day, with the held comments a day that the site has people for.
    pub lines: Vec<(Line, Option<u64>)>,
    /// Since when it is counted.
    pub since: Timestamp,
}

impl Asked {
    /// The most days that can be asked for.
    pub const DAYS_MAX: usize = DAYS_MAX;
}

impl Moderator {
    /// What was decided.
    pub fn report(&self, asked: &Asked) -> Report {
        let first = Day::of(self.clock.now()).before(asked.days.saturating_sub(1));
        let lines = self.statistics.report(asked.site.as_deref(), first);
        let budget = |line: &Line| {
            let policy = match SiteId::new(&line.site) {
                Ok(site) => self.sites.get(&site),
                Err(_) => self.sites.unnamed.as_ref(),
            };
            policy?.holds_per_day
        };
        Report {
            lines: lines
                .into_iter()
                .map(|line| {
                    let budget = budget(&line);
                    (line, budget)
                })
                .collect(),
            since: self.statistics.since(),
        }
    }

    pub(super) fn count(&self, submission: &Submission, judgement: &Judgement, now: Timestamp) {
        let site = Some(&submission.site).filter(|site| self.sites.named.contains_key(*site));
        self.statistics
            .decided(site, &judgement.decision, judgement.replayed, now);
    }
}
