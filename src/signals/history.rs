//! The author's history with the site, as far as the caller has said it.

use crate::clock::Timestamp;
use crate::comment::Author;
use crate::site::HistoryPolicy;

/// An author's standing with the site. What the caller did not send makes nobody known and nobody new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum History {
    /// Nothing that would move a threshold.
    #[default]
    Unremarkable,
    /// The site has approved several comments of the author.
    Known,
    /// The account has just been made, and the site has approved no comment of it.
    New,
}

impl History {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Unremarkable, Self::Known, Self::New];

    /// The standing of an author who sent a comment at `sent_at`. An account from the future is as new as one can be.
    ///
    /// The count is the caller's word, for anonymous authors too: only the caller can know whom it approved.
    pub fn of(author: &Author, policy: &HistoryPolicy, sent_at: Timestamp) -> Self {
        let is_fresh = |made_at| sent_at.since(made_at) < policy.new_account_age;
        match author.approved_count {
            Some(count) if count >= policy.known_count && policy.known_shift > 0.0 => Self::Known,
            Some(0) if policy.new_shift > 0.0 && author.created_at.is_some_and(is_fresh) => Self::New,
            _ => Self::Unremarkable,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::History;
    use crate::clock::Timestamp;
    use crate::comment::Author;
    use crate::site::HistoryPolicy;

    const POLICY: HistoryPolicy = HistoryPolicy {
        known_count: 3,
        known_shift: 1.0,
        new_account_age: Duration::from_secs(86_400),
        new_shift: 0.7,
        previous_labels: true,
    };

    fn of(approved_count: Option<u32>, made_seconds_ago: Option<u64>, policy: &HistoryPolicy) -> History {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let made_at = |ago: u64| Timestamp::from_micros(now.as_micros() - ago * 1_000_000);
        let author = Author {
            created_at: made_seconds_ago.map(made_at),
            approved_count,
            ..Author::default()
        };
        History::of(&author, policy, now)
    }

    #[test]
    fn standing_follows_the_count_and_the_age() {
        assert_eq!(of(Some(3), None, &POLICY), History::Known);
        assert_eq!(of(Some(3), Some(5), &POLICY), History::Known);
        assert_eq!(of(Some(2), Some(5), &POLICY), History::Unremarkable);
        assert_eq!(of(Some(0), Some(86_399), &POLICY), History::New);
        assert_eq!(of(Some(0), Some(86_400), &POLICY), History::Unremarkable);
    }

    #[test]
    fn what_is_unknown_adds_nothing() {
        for (count, age) in [(None, None), (None, Some(5)), (Some(0), None)] {
            assert_eq!(of(count, age, &POLICY), History::Unremarkable, "{count:?} {age:?}");
        }
    }

    #[test]
    fn a_shift_of_nothing_switches_it_off() {
        let off = HistoryPolicy {
            known_shift: 0.0,
            new_shift: 0.0,
            ..POLICY
        };
        assert_eq!(of(Some(9), None, &off), History::Unremarkable);
        assert_eq!(of(Some(0), Some(5), &off), History::Unremarkable);
    }

    #[test]
    fn an_account_from_the_future_is_new() {
        let author = Author {
            created_at: Some(Timestamp::from_micros(9)),
            approved_count: Some(0),
            ..Author::default()
        };
        assert_eq!(History::of(&author, &POLICY, Timestamp::from_micros(5)), History::New);
    }
}
