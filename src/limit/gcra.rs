//! The arithmetic of a quota: the generic cell rate algorithm (GCRA), as ITU-T I.371 Annex A and ATM Forum TM 4.1
//! define it (the virtual-scheduling form). Everything is whole microseconds, so nothing rounds and Lua's numbers hold
//! it all.
//!
//! A quota's whole state is one number, the *theoretical arrival time* (TAT): when the quota would be at rest if
//! nothing else came. `level = TAT − now` is what is used up, in time; a grant adds one `interval` to it, and fits if
//! the level stays within `capacity = burst · interval`. From this follows the promise: in any window of length t at
//! most `burst + ⌊t / interval⌋` grants.
//!
//! The level is never read as more than `capacity`. So a clock that goes back takes grants away until it has caught up
//! by one capacity at most, never gives any, and a clock that jumps forward gives one full burst, as rest does.
//!
//! `take.lua` does the same sums; a property test holds the two together.

use std::time::Duration;

use super::{Mode, Outcome};
use crate::site::Quota;

/// The most time that one quota may span, 2^51 µs (71 years): TATs then stay below 2^53 until the year 2184, where
/// Lua's numbers end. A quota that asks for more gets shorter intervals.
const SPAN_MAX: u64 = 1 << 51;

/// A quota as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// Microseconds that give one grant back; at least 1.
    pub interval: u64,
    /// Microseconds of level that the quota holds: `burst · interval`.
    pub capacity: u64,
    /// True for a quota that is counted and never enforced.
    pub shadow: bool,
}

impl Meter {
    /// The numbers of a quota. A burst or an interval of zero counts as one.
    pub fn of(quota: &Quota) -> Self {
        let burst = u64::from(quota.burst.max(1));
        let micros = u64::try_from(quota.interval.as_micros()).unwrap_or(u64::MAX);
        let interval = micros.clamp(1, SPAN_MAX / burst);
        Self {
            interval,
            capacity: burst * interval,
            shadow: quota.shadow,
        }
    }

    /// The numbers of a quota of `rate` grants a second, and as many at once; zero counts as one.
    pub fn per_second(rate: u32) -> Self {
        let rate = u64::from(rate.max(1));
        let interval = 1_000_000_u64.div_ceil(rate);
        Self {
            interval,
            capacity: rate * interval,
            shadow: false,
        }
    }

    /// The level at `now`: what is used up, in microseconds, 0 to `capacity`.
    pub fn level(self, tat: u64, now: u64) -> u64 {
        tat.saturating_sub(now).min(self.capacity)
    }

    /// True if one more grant fits on this level.
    pub const fn fits(self, level: u64) -> bool {
        level + self.interval <= self.capacity
    }

    /// The answer that goes with a level.
    pub fn outcome(self, level: u64, exceeded: bool) -> Outcome {
        let free = self.capacity.saturating_sub(level);
        Outcome {
            remaining: u32::try_from(free / self.interval).unwrap_or(u32::MAX),
            retry_after: Duration::from_micros(self.interval.saturating_sub(free)),
            reset_after: Duration::from_micros(level),
            exceeded,
        }
    }
}

/// Acquires one grant from every quota or from none, at `now`. `tats` holds one state for each quota, zero if at rest;
/// it is changed by an acquisition that spends, and where the clock went back (see above), else not. A shadow quota is
/// charged when it has room and the others grant; it stops nothing. Outcomes come in the order of the quotas.
pub fn acquire(quotas: &[Quota], tats: &mut [u64], now: u64, mode: Mode) -> Vec<Outcome> {
    let asked = || quotas.iter().map(Meter::of);
    let granted = asked()
        .zip(tats.iter())
        .all(|(meter, tat)| meter.shadow || meter.fits(meter.level(*tat, now)));
    let outcomes = asked().zip(tats).map(|(meter, tat)| {
        let mut level = meter.level(*tat, now);
        let fits = meter.fits(level);
        if granted && fits {
            level += meter.interval;
        }
        if mode == Mode::Spend && (*tat > now + level || granted && fits) {
            *tat = now + level;
        }
        meter.outcome(level, !fits)
    });
    outcomes.collect()
}

/// True if an acquisition with these outcomes was granted: no enforced quota was exceeded.
pub fn granted(quotas: &[Quota], outcomes: &[Outcome]) -> bool {
    quotas
        .iter()
        .zip(outcomes)
        .all(|(quota, outcome)| quota.shadow || !outcome.exceeded)
}

#[cfg(test)]
mod tests {
    use super::{Meter, acquire, granted};
    use crate::limit::Mode::{Peek, Spend};
    use crate::site::Quota;
    use crate::verdict::Verdict;
    use proptest::prelude::*;
    use std::time::Duration;

    fn quota(burst: u32, interval: u64, shadow: bool) -> Quota {
        let name = format!("{burst}/{interval}");
        Quota {
            name: name.into(),
            burst,
            interval: Duration::from_micros(interval),
            effect: Verdict::Reject,
            shadow,
        }
    }

    /// Takes at each of the given times from one quota; says which were granted.
    fn grants(burst: u32, interval: u64, times: &[u64]) -> Vec<bool> {
        let quotas = [quota(burst, interval, false)];
        let mut tats = [0];
        times
            .iter()
            .map(|now| granted(&quotas, &acquire(&quotas, &mut tats, *now, Spend)))
            .collect()
    }

    #[test]
    fn a_burst_then_one_every_interval() {
        assert_eq!(
            grants(2, 10, &[100, 100, 100, 109, 110, 110, 119, 120]),
            [true, true, false, false, true, false, false, true]
        );
    }

    #[test]
    fn the_numbers_at_the_boundaries() {
        let quotas = [quota(3, 1_000, false)];
        let mut tats = [0];
        let first = acquire(&quotas, &mut tats, 5_000, Spend)[0];
        assert_eq!(
            (
                first.remaining,
                first.retry_after.as_micros(),
                first.reset_after.as_micros()
            ),
            (2, 0, 1_000)
        );
        acquire(&quotas, &mut tats, 5_000, Spend);
        let last = acquire(&quotas, &mut tats, 5_000, Spend)[0];
        assert_eq!(
            (
                last.remaining,
                last.retry_after.as_micros(),
                last.reset_after.as_micros()
            ),
            (0, 1_000, 3_000)
        );
        let refused = acquire(&quotas, &mut tats, 5_999, Spend)[0];
        assert!(refused.exceeded);
        assert_eq!(
            (
                refused.remaining,
                refused.retry_after.as_micros(),
                refused.reset_after.as_micros()
            ),
            (0, 1, 2_001)
        );
        assert!(!acquire(&quotas, &mut tats, 6_000, Spend)[0].exceeded);
    }

    #[test]
    fn all_or_none() {
        let quotas = [quota(5, 10, false), quota(1, 1_000, false)];
        let mut tats = [0, 0];
        acquire(&quotas, &mut tats, 100, Spend);
        let before = tats;
        let refused = acquire(&quotas, &mut tats, 105, Spend);
        assert_eq!((refused[0].exceeded, refused[1].exceeded), (false, true));
        assert_eq!(refused[0].remaining, 4, "a refused take shows the others as they are");
        assert_eq!(tats, before, "a refused take spends nothing");
    }

    #[test]
    fn a_shadow_quota_stops_nothing() {
        let quotas = [quota(3, 1_000, false), quota(1, 1_000, true)];
        let mut tats = [0, 0];
        assert!(!acquire(&quotas, &mut tats, 100, Spend)[1].exceeded);
        let second = acquire(&quotas, &mut tats, 100, Spend);
        assert_eq!(
            (second[0].exceeded, second[0].remaining, second[1].exceeded),
            (false, 1, true)
        );
        assert!(granted(&quotas, &second));
    }

    #[test]
    fn a_clock_that_goes_back_never_grants_and_heals() {
        let quotas = [quota(2, 10, false)];
        let mut tats = [0];
        acquire(&quotas, &mut tats, 1_000, Spend);
        let refused = acquire(&quotas, &mut tats, 500, Spend)[0];
        assert_eq!((refused.exceeded, refused.retry_after.as_micros()), (true, 10));
        assert!(
            !acquire(&quotas, &mut tats, 510, Spend)[0].exceeded,
            "what retry_after said holds"
        );
    }

    #[test]
    fn absurd_quotas_do_not_overflow() {
        let meter = Meter::of(&quota(1_000_000, u64::MAX, false));
        assert!(meter.capacity <= 1 << 51 && meter.interval > 0);
        assert_eq!(Meter::of(&quota(0, 0, false)).capacity, 1);
    }

    proptest! {
        /// The promise, in every window: at most burst + ⌊t / interval⌋.
        #[test]
        fn never_more_than_the_quota(
            burst in 1_u32..6, interval in 1_u64..50, steps in prop::collection::vec(0_u64..60, 1..120)
        ) {
            let times: Vec<u64> = steps.iter().scan(1_000, |at, step| { *at += step; Some(*at) }).collect();
            let granted: Vec<u64> =
                times.iter().zip(grants(burst, interval, &times)).filter(|(_, g)| *g).map(|(t, _)| *t).collect();
            for (i, first) in granted.iter().enumerate() {
                for (j, last) in granted.iter().enumerate().skip(i) {
                    prop_assert!((j - i + 1) as u64 <= u64::from(burst) + (last - first) / interval);
                }
            }
        }

        /// A refused request would be granted after `retry_after`, and not one microsecond earlier.
        #[test]
        fn retry_after_is_exact(burst in 1_u32..6, interval in 1_u64..50, steps in prop::collection::vec(0_u64..30, 1..60)) {
            let quotas = [quota(burst, interval, false)];
            let (mut tats, mut now) = ([0], 1_000);
            for step in steps {
                now += step;
                let outcome = acquire(&quotas, &mut tats, now, Spend)[0];
                let wait = u64::try_from(outcome.retry_after.as_micros()).unwrap();
                prop_assert!(!acquire(&quotas, &mut tats, now + wait, Peek)[0].exceeded);
                if wait > 0 {
                    prop_assert!(acquire(&quotas, &mut tats, now + wait - 1, Peek)[0].exceeded);
                }
            }
        }

        /// A look says what a take would, and changes nothing.
        #[test]
        fn peek_is_spend_without_spending(
            shape in prop::collection::vec((1_u32..5, 1_u64..40, any::<bool>()), 1..4),
            steps in prop::collection::vec(0_u64..30, 1..60)
        ) {
            let quotas: Vec<Quota> = shape.iter().map(|(b, i, s)| quota(*b, *i, *s)).collect();
            let (mut tats, mut now) = (vec![0; quotas.len()], 1_000);
            for step in steps {
                now += step;
                let before = tats.clone();
                let peeked = acquire(&quotas, &mut tats, now, Peek);
                prop_assert_eq!(&tats, &before);
                let spent = acquire(&quotas, &mut tats, now, Spend);
                prop_assert_eq!(peeked, spent.clone());
                prop_assert!(granted(&quotas, &spent) || tats == before);
            }
        }
    }
}
