//! The service's counts by site and day, beside what people said of the decisions.

use std::collections::BTreeMap;

use super::{FeedbackRefusal, Operations};
use crate::clock::Timestamp;
use crate::eval::binomial;
use crate::record::{Entry, Opinion};
use crate::site::SiteId;
use crate::statistics::{Counts, DAYS_MAX, Day, OTHER, Statistics, StatisticsError};
use crate::verdict::{Decision, Verdict};

/// A question about the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// One site, or all.
    pub site: Option<String>,
    /// So many days, today among them, 1 to [`Asked::DAYS_MAX`].
    pub days: u32,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// By site and day.
    pub days: Vec<SiteDay>,
    /// Since when it is counted.
    pub since: Timestamp,
}

/// One site on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteDay {
    /// The site, or `(other)`.
    pub site: String,
    /// The day of UTC, such as `2026-11-23`.
    pub date: String,
    /// The decision.
    pub counts: Counts,
    /// The number of held comments a day that the site has people for.
    pub holds_budget: Option<u64>,
    /// The share of real comments among what was rejected and labeled.
    pub false_reject: Option<Rate>,
    /// The share of spam among what was approved and labeled.
    pub false_approve: Option<Rate>,
}

/// The rate at which people disagreed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The number of wrong ones.
    pub errors: u64,
    /// The number of labeled ones.
    pub labeled: u64,
    /// The exact binomial interval of 95 %, in [0, 1].
    pub interval: (f64, f64),
}

/// People's labels of one site's day.
#[derive(Default)]
struct Opinions {
    rejected: (u64, u64),
    approved: (u64, u64),
}

impl Opinions {
    fn add(&mut self, verdict: Verdict, opinion: Opinion) {
        let (tally, is_error) = match verdict {
            Verdict::Approve => (&mut self.approved, opinion == Opinion::Spam),
            Verdict::Reject => (&mut self.rejected, opinion == Opinion::Ham),
            Verdict::Hold => return,
        };
        tally.0 += u64::from(is_error);
        tally.1 += 1;
    }
}

fn rate((errors, labeled): (u64, u64)) -> Option<Rate> {
    (labeled > 0).then(|| Rate {
        errors,
        labeled,
        interval: binomial::interval(errors, labeled, 0.95),
    })
}

impl Asked {
    /// The most days that can be asked for.
    pub const DAYS_MAX: usize = DAYS_MAX;
}

impl Operations {
    /// Goes on counting where an earlier process stopped.
    #[must_use]
    pub fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Writes down what was counted, if there is a place for it. It waits for the disk.
    ///
    /// # Errors
    /// The disk.
    pub fn save_statistics(&self) -> Result<(), StatisticsError> {
        self.statistics.save()
    }

    /// Reports what was decided, and what people said of it.
    ///
    /// # Errors
    /// The feedback store cannot be read.
    pub async fn statistics(&self, asked: &Asked) -> Result<Report, FeedbackRefusal> {
        let now = self.clock.now();
        let first = Day::of(now).before(asked.days.saturating_sub(1));
        let labeled = match &self.recorder {
            Some(recorder) => recorder.labeled(now).await?,
            None => Vec::new(),
        };
        let mut opinions = self.opinions(&labeled, asked.site.as_deref(), first);
        let mut lines = BTreeMap::new();
        for line in self.statistics.report(asked.site.as_deref(), first) {
            lines.insert((line.site, line.day), line.counts);
        }
        // Labels may be of decisions of another replica, or of a process before this one.
        for key in opinions.keys() {
            lines.entry(key.clone()).or_default();
        }
        let days = lines.into_iter().map(|((site, day), counts)| {
            let said = opinions.remove(&(site.clone(), day)).unwrap_or_default();
            SiteDay {
                date: day.date(),
                counts,
                holds_budget: self.holds_budget(&site),
                false_reject: rate(said.rejected),
                false_approve: rate(said.approved),
                site,
            }
        });
        Ok(Report {
            days: days.collect(),
            since: self.statistics.since(),
        })
    }

    /// People's labels, by site and by the day of the decision.
    fn opinions(&self, labeled: &[Entry], wanted: Option<&str>, first: Day) -> BTreeMap<(String, Day), Opinions> {
        let mut opinions = BTreeMap::<_, Opinions>::new();
        for Entry { record, label, .. } in labeled {
            let (Some(label), Some(judged)) = (label, &record.judged) else {
                continue;
            };
            let site = self.policies.named(&record.site).map_or(OTHER, SiteId::as_str);
            let day = Day::of(record.sent_at());
            if day >= first && wanted.is_none_or(|wanted| wanted == site) && label.opinion != Opinion::Withdrawn {
                let said = opinions.entry((site.to_owned(), day)).or_default();
                said.add(judged.verdict, label.opinion);
            }
        }
        opinions
    }

    fn holds_budget(&self, site: &str) -> Option<u64> {
        let sites = self.policies.sites();
        let policy = match SiteId::new(site) {
            Ok(site) => sites.get(&site),
            Err(_) => sites.unnamed.as_ref(),
        };
        policy?.holds_per_day
    }

    /// Counts a decision on the day of `at`; one of the past beyond the days that are kept is counted nowhere.
    pub(crate) fn count(&self, site: &SiteId, decision: &Decision, replayed: bool, (at, now): (Timestamp, Timestamp)) {
        if Day::of(at).is_kept_on(Day::of(now)) {
            self.statistics
                .decided(self.policies.named(site), decision, replayed, at);
        }
    }
}
