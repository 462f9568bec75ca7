//! Counts of decisions by site and day: the numbers that a desk looks at in the morning.
//!
//! Counts only: no text, no author, not even a decision's name. In memory, bounded by sites and days; with a data
//! directory they are written there and survive a start. What this room must never do: wait for a disk while a comment
//! is judged, or read a clock. Start reading in [`Statistics`].

mod file;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::clock::Timestamp;
use crate::site::SiteId;
use crate::verdict::{Decision, ReasonCode, Verdict};

pub use file::StatisticsError;

/// Days that are kept, today among them.
pub const DAYS_MAX: usize = 35;
/// Sites that are counted by their own name; those beyond, and those that the configuration does not name, are
/// [`OTHER`].
const SITES_MAX: usize = 10_000;
/// The name of all sites that have none here; no site can be called like this.
pub const OTHER: &str = "(other)";
/// The number of reasons.
const N_REASONS: usize = ReasonCode::ALL.len();

/// A day of UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day that a moment lies in.
    pub fn of(now: Timestamp) -> Self {
        Self(u32::try_from(now.as_micros() / 86_400_000_000).unwrap_or(u32::MAX))
    }

    /// So many days earlier.
    #[must_use]
    pub const fn before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Returns true if the day is among those that are kept when it is `today`.
    pub const fn is_kept_on(self, today: Self) -> bool {
        (today.0.saturating_sub(self.0) as usize) < DAYS_MAX
    }

    /// Year, month and day: proleptic Gregorian, by Howard Hinnant's `civil_from_days`.
    pub fn date(self) -> String {
        let z = u64::from(self.0) + 719_468;
        let (era, doe) = (z / 146_097, z % 146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// The decisions on one site on one day, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Approved, held, rejected.
    verdicts: [u64; 3],
    /// By the place of the code in [`ReasonCode::ALL`].
    reasons: [u64; N_REASONS],
    /// Answers given again, which are counted nowhere else.
    pub replayed: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            verdicts: [0; 3],
            reasons: [0; N_REASONS],
            replayed: 0,
        }
    }
}

impl Counts {
    /// The number of comments with this verdict.
    pub const fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }

    /// The number of comments.
    pub fn total(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    /// The reasons that came up, in the order of precedence; of one comment there may be several.
    pub fn reasons(&self) -> impl Iterator<Item = (ReasonCode, u64)> {
        ReasonCode::ALL.into_iter().zip(self.reasons).filter(|(_, n)| *n > 0)
    }

    fn decided(&mut self, decision: &Decision) {
        self.verdicts[decision.verdict as usize] += 1;
        for reason in &decision.reasons {
            self.reasons[reason.code as usize] += 1;
        }
    }
}

/// One site's days, oldest first.
type Days = VecDeque<(Day, Counts)>;

/// The counts of one process.
#[derive(Debug)]
pub struct Statistics {
    sites: RwLock<BTreeMap<String, Arc<Mutex<Days>>>>,
    since: Timestamp,
    /// The file that they are kept in, if any.
    file: Option<PathBuf>,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The site, or [`OTHER`].
    pub site: String,
    /// The day.
    pub day: Day,
    /// The counts.
    pub counts: Counts,
}

impl Statistics {
    /// Nothing counted yet.
    pub const fn new(since: Timestamp) -> Self {
        Self {
            sites: RwLock::new(BTreeMap::new()),
            since,
            file: None,
        }
    }

    /// Since when it is counted.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Counts a decision on a site; `None` is a site that the configuration does not name.
    pub fn decided(&self, site: Option<&SiteId>, decision: &Decision, replayed: bool, now: Timestamp) {
        let days = self.days(site.map_or(OTHER, SiteId::as_str));
        let mut days = lock(&days);
        let counts = at(&mut days, Day::of(now));
        if replayed {
            counts.replayed += 1;
        } else {
            counts.decided(decision);
        }
    }

    /// Reports the counts from `first` on, of one site or of all, by site and day.
    pub fn report(&self, site: Option<&str>, first: Day) -> Vec<Line> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = sites.iter().filter(|(name, _)| site.is_none_or(|site| site == *name));
        wanted
            .flat_map(|(name, days)| {
                let days: Vec<_> = lock(days).iter().filter(|(day, _)| *day >= first).cloned().collect();
                days.into_iter().map(|(day, counts)| Line {
                    site: name.clone(),
                    day,
                    counts,
                })
            })
            .collect()
    }

    fn days(&self, name: &str) -> Arc<Mutex<Days>> {
        let known = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(days) = known.get(name) {
            return Arc::clone(days);
        }
        let is_full = known.len() >= SITES_MAX;
        drop(known);
        let name = if is_full { OTHER } else { name };
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sites.entry(name.to_owned()).or_default())
    }
}

/// The counts of a day, which is mostly the last one.
fn at(days: &mut Days, day: Day) -> &mut Counts {
    let place = days.iter().rposition(|(known, _)| *known <= day);
    let place = match place {
        Some(place) if days[place].0 == day => place,
        // A clock that was set back counts where it points to, unless that is forgotten.
        before => {
            let place = before.map_or(0, |place| place + 1);
            days.insert(place, (day, Counts::default()));
            place
        }
    };
    let too_many = days.len().saturating_sub(DAYS_MAX).min(place);
    days.drain(..too_many);
    &mut days[place - too_many].1
}

fn lock(days: &Mutex<Days>) -> MutexGuard<'_, Days> {
    days.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{DAYS_MAX, Day, OTHER, Statistics};
    use crate::clock::Timestamp;
    use crate::site::SiteId;
    use crate::verdict::{Decision, Handling, Reason, ReasonCode, Verdict};

    pub(super) fn decision(verdict: Verdict, codes: &[ReasonCode]) -> Decision {
        let reason = |code: &ReasonCode| Reason {
            code: *code,
            effect: Some(verdict),
            handling: Handling::Queue,
            params: Vec::new(),
            shadow: false,
        };
        Decision {
            verdict,
            handling: Handling::Queue,
            spam_probability: None,
            reasons: codes.iter().map(reason).collect(),
            quotas: Vec::new(),
            retry_after: None,
            not_evaluated: Vec::new(),
            degraded: Vec::new(),
        }
    }

    fn day(n: u64) -> Timestamp {
        Timestamp::from_micros(n * 86_400_000_000 + 5)
    }

    #[test]
    fn codes_are_counted_at_their_place() {
        for (place, code) in ReasonCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, place);
        }
    }

    #[test]
    fn dates() {
        for (n, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_723, "2024-01-01"),
            (20_780, "2026-11-23"),
        ] {
            assert_eq!(Day::of(day(n)).date(), date);
        }
    }

    #[test]
    fn decisions_are_counted_by_site_and_day() {
        let statistics = Statistics::new(day(1));
        let site = SiteId::new("gazette").unwrap();
        let held = decision(Verdict::Hold, &[ReasonCode::ListModerated, ReasonCode::LinksTooMany]);
        statistics.decided(Some(&site), &held, false, day(1));
        statistics.decided(Some(&site), &held, true, day(1));
        statistics.decided(Some(&site), &decision(Verdict::Approve, &[]), false, day(2));
        statistics.decided(None, &decision(Verdict::Reject, &[]), false, day(2));
        let lines = statistics.report(None, Day::of(day(0)));
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (line.site.as_str(), line.day, line.counts.total(), line.counts.replayed))
            .collect();
        assert_eq!(
            seen,
            [
                (OTHER, Day::of(day(2)), 1, 0),
                ("gazette", Day::of(day(1)), 1, 1),
                ("gazette", Day::of(day(2)), 1, 0)
            ]
        );
        let reasons: Vec<_> = lines[1].counts.reasons().collect();
        assert_eq!(reasons, [(ReasonCode::ListModerated, 1), (ReasonCode::LinksTooMany, 1)]);
        assert_eq!(statistics.report(Some("gazette"), Day::of(day(2))).len(), 1);
    }

    #[test]
    fn old_days_are_forgotten_and_a_clock_may_go_back() {
        let statistics = Statistics::new(day(1));
        let site = SiteId::new("gazette").unwrap();
        let approved = decision(Verdict::Approve, &[]);
        for n in 100..200 {
            statistics.decided(Some(&site), &approved, false, day(n));
        }
        statistics.decided(Some(&site), &approved, false, day(180));
        statistics.decided(Some(&site), &approved, false, day(3));
        let lines = statistics.report(None, Day::of(day(0)));
        assert!(lines.len() <= DAYS_MAX + 1);
        assert!(
            lines
                .iter()
                .any(|line| line.day == Day::of(day(180)) && line.counts.total() == 2)
        );
        assert!(lines.windows(2).all(|pair| pair[0].day < pair[1].day));
    }
}
