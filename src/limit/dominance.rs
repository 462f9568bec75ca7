//! Detects an address that makes up more than a fifth of a site's comments. It is most likely a proxy's, and every
//! reader behind it shares one count: an operator must hear of it.
//!
//! Counting every address would take memory for each; the Space-Saving sketch (Metwally, Agrawal, El Abbadi 2005) finds
//! the frequent ones with a fixed number of counters. A counter may be too high by what it took over from the one it
//! replaced; what is reported is the lower bound, so there is no false alarm from the sketch itself. Counts are halved
//! when the window is full, so that the past fades.
//!
//! Pure: who reports, and how often, is the caller's to say.

use crate::comment::AuthorKey;

/// Counters for each site. An address with a fifth of the comments is in the sketch with any number above five; with so
/// many its count is off by at most a 32nd of the window.
const COUNTERS: usize = 32;

/// Comments after which all counts are halved: shares are of the last one or two thousand.
const WINDOW: u32 = 2_048;

/// Comments before anything is said: one of three comments is a third.
const ENOUGH: u32 = 100;

/// The comments of one site by address: about a kilobyte.
#[derive(Debug, Clone, Default)]
pub struct Dominance {
    counters: Vec<Counter>,
    total: u32,
    dominant: Option<AuthorKey>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    address: AuthorKey,
    count: u32,
    /// The part of `count` that may belong to others.
    excess: u32,
}

/// The change that one more comment made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// No change.
    None,
    /// An address now makes up more than a fifth.
    Began {
        /// A lower bound of its share, 21 to 100.
        percent: u32,
    },
    /// No address does any more.
    Ended,
}

impl Dominance {
    /// Counts a comment from an address.
    pub fn observe(&mut self, address: AuthorKey) -> Change {
        self.count(address);
        self.total += 1;
        if self.total >= WINDOW {
            self.halve();
        }
        let before = self.dominant;
        // Not the one that comes and goes at the line: it begins above a fifth and ends below a sixth.
        self.dominant = match before {
            Some(known) if self.least(known) * 6 >= self.total => Some(known),
            _ if self.total < ENOUGH => None,
            _ => self
                .counters
                .iter()
                .find(|c| (c.count - c.excess) * 5 > self.total)
                .map(|c| c.address),
        };
        match (before, self.dominant) {
            (None, Some(address)) => Change::Began {
                percent: self.least(address) * 100 / self.total.max(1),
            },
            (Some(_), None) => Change::Ended,
            _ => Change::None,
        }
    }

    /// True while one address makes up more than a fifth.
    pub const fn is_dominated(&self) -> bool {
        self.dominant.is_some()
    }

    fn count(&mut self, address: AuthorKey) {
        if let Some(counter) = self.counters.iter_mut().find(|counter| counter.address == address) {
            counter.count += 1;
        } else if self.counters.len() < COUNTERS {
            self.counters.push(Counter {
                address,
                count: 1,
                excess: 0,
            });
        } else if let Some(least) = self.counters.iter_mut().min_by_key(|counter| counter.count) {
            *least = Counter {
                address,
                count: least.count + 1,
                excess: least.count,
            };
        }
    }

    fn halve(&mut self) {
        self.total /= 2;
        for counter in &mut self.counters {
            (counter.count, counter.excess) = (counter.count / 2, counter.excess.div_ceil(2).min(counter.count / 2));
        }
        self.counters.retain(|counter| counter.count > 0);
    }

    /// The number of comments that certainly belong to an address.
    fn least(&self, address: AuthorKey) -> u32 {
        self.counters
            .iter()
            .find(|c| c.address == address)
            .map_or(0, |c| c.count - c.excess)
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Dominance};
    use crate::comment::AuthorKey;

    fn address(n: u32) -> AuthorKey {
        AuthorKey::new(u128::from(n).to_le_bytes())
    }

    /// `n` comments, of which one in `every` is from one address, the others each from a new one.
    fn observe(site: &mut Dominance, n: u32, every: u32) -> Vec<Change> {
        let comment = |i: u32| {
            if i.is_multiple_of(every) {
                address(0)
            } else {
                address(1_000 + i)
            }
        };
        (0..n)
            .map(|i| site.observe(comment(i)))
            .filter(|change| *change != Change::None)
            .collect()
    }

    #[test]
    fn a_quarter_is_told_once() {
        let mut site = Dominance::default();
        let changes = observe(&mut site, 20_000, 4);
        assert!(
            matches!(changes[..], [Change::Began { percent: 21..=26 }]),
            "{changes:?}"
        );
        assert!(site.is_dominated());
    }

    #[test]
    fn a_seventh_is_not_told() {
        assert_eq!(observe(&mut Dominance::default(), 20_000, 7), []);
    }

    #[test]
    fn few_comments_say_nothing() {
        assert_eq!(observe(&mut Dominance::default(), 99, 1), []);
    }

    #[test]
    fn it_ends() {
        let mut site = Dominance::default();
        assert!(matches!(
            observe(&mut site, 5_000, 2)[..],
            [Change::Began { percent: 50.. }]
        ));
        assert_eq!(observe(&mut site, 10_000, 50), [Change::Ended]);
        assert!(!site.is_dominated());
    }

    #[test]
    fn thirty_regulars_of_equal_weight_dominate_nothing() {
        let mut site = Dominance::default();
        let changes: Vec<Change> = (0..20_000).map(|i| site.observe(address(i % 30))).collect();
        assert!(changes.iter().all(|change| *change == Change::None));
    }

    #[test]
    fn a_flood_of_new_addresses_takes_no_more_memory() {
        let mut site = Dominance::default();
        observe(&mut site, 100_000, 100_001);
        assert!(site.counters.len() <= super::COUNTERS);
    }
}
