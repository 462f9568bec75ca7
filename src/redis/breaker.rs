//! A circuit breaker, which says when to stop sending to a Redis and when to probe it. Pure: the time is passed in.
//!
//! ```text
//! Closed    every call is sent. A time-out costs 2 points, an answer gives 1 back; at 10 points, or at once when Redis
//!           is certainly unusable (refused, cut, full, read-only, …): Open
//! Open      no call is sent. Once `until` has passed: HalfOpen
//! HalfOpen  no call is sent, one probe is under way. It succeeds: Closed. It fails: Open, for twice as long as before,
//!           50 to 400 ms, give or take a quarter, so that replicas do not come back in step
//! ```
//!
//! A probe says little about calls: it asks for one key, alone. So a wait that has grown is forgotten only after 100
//! calls were answered; a breaker that opens again before that waits as if the probe had failed, and does not flap.

use std::time::Duration;

use super::cause::Cause;

/// The points that a time-out costs; an answer gives back one.
const TIMEOUT_POINTS: u32 = 2;

/// The points at which the breaker opens: five time-outs in a row, or in the long run more than one in three.
const POINTS_MAX: u32 = 10;

/// The first wait before a probe.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// The longest wait before a probe, without its jitter: a Redis that returns is found within half a second.
const WAIT_MAX: Duration = Duration::from_millis(400);

/// Answers to calls after a probe that show that Redis is truly back.
const PROOF: u32 = 100;

/// The phase of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Calls are sent.
    Closed,
    /// No call is sent; a probe is due at `until`.
    Open {
        /// A time on the caller's monotonic clock.
        until: Duration,
    },
    /// No call is sent; a probe is under way.
    HalfOpen,
}

/// A circuit breaker. Times are durations since any fixed start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    phase: Phase,
    cause: Cause,
    points: u32,
    wait: Duration,
    /// Answers that are still to come before a failure counts as a new one.
    unproven: u32,
}

impl Breaker {
    /// A breaker before the first connection: open, with a probe due at once.
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Open { until: Duration::ZERO },
            cause: Cause::Connecting,
            points: 0,
            wait: WAIT_MIN,
            unproven: PROOF,
        }
    }

    /// The phase now.
    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// True if calls may be sent.
    pub(super) fn admits(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The reason for not being closed; `None` if it is.
    pub(super) fn cause(&self) -> Option<Cause> {
        (!self.admits()).then_some(self.cause)
    }

    /// Notes that a call was answered.
    pub(super) fn answered(&mut self) {
        self.points = self.points.saturating_sub(1);
        self.unproven = self.unproven.saturating_sub(1);
        if self.unproven == 0 {
            self.wait = WAIT_MIN;
        }
    }

    /// Notes that a call was not answered in time. True if this opened the breaker.
    pub(super) fn timed_out(&mut self, now: Duration) -> bool {
        self.points += TIMEOUT_POINTS;
        self.points >= POINTS_MAX && self.failed(Cause::Timeout, now)
    }

    /// Notes that a call failed in a way that the next would too. True if this opened the breaker. The first probe is
    /// due at once, or after the wait that has grown if fewer than 100 calls were answered since the last one.
    pub(super) fn failed(&mut self, cause: Cause, now: Duration) -> bool {
        let opens = self.admits();
        if opens {
            self.cause = cause;
            self.phase = Phase::Open { until: now };
            if self.unproven > 0 {
                self.phase = Phase::Open { until: now + self.wait };
                self.grow();
            }
        }
        opens
    }

    /// Starts a probe if one is due.
    pub(super) fn start_probe(&mut self, now: Duration) -> bool {
        let due = matches!(self.phase, Phase::Open { until } if until <= now);
        if due {
            self.phase = Phase::HalfOpen;
        }
        due
    }

    /// Notes that the probe was answered in time.
    pub(super) fn probe_answered(&mut self) {
        self.phase = Phase::Closed;
        self.points = 0;
        self.unproven = PROOF;
    }

    /// Notes that the probe failed. `jitter`, 0 to 255, places the next one.
    pub(super) fn probe_failed(&mut self, cause: Cause, now: Duration, jitter: u8) {
        self.cause = cause;
        self.phase = Phase::Open {
            until: now + self.wait * (384 + u32::from(jitter)) / 512,
        };
        self.grow();
    }

    fn grow(&mut self) {
        self.wait = (self.wait * 2).min(WAIT_MAX);
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, Cause, PROOF, Phase};
    use std::time::Duration;

    const NOW: Duration = Duration::from_secs(7);

    fn closed() -> Breaker {
        let mut breaker = Breaker::new();
        assert!(breaker.start_probe(NOW));
        breaker.probe_answered();
        (0..PROOF).for_each(|_| breaker.answered());
        breaker
    }

    #[test]
    fn it_starts_open_and_a_probe_closes_it() {
        let mut breaker = Breaker::new();
        assert_eq!(breaker.cause(), Some(Cause::Connecting));
        assert!(
            breaker.start_probe(Duration::ZERO) && !breaker.start_probe(NOW),
            "one probe at a time"
        );
        breaker.probe_answered();
        assert!(breaker.admits() && breaker.cause().is_none());
    }

    #[test]
    fn five_timeouts_in_a_row_open_it() {
        let mut breaker = closed();
        assert!((0..4).all(|_| !breaker.timed_out(NOW)));
        assert!(breaker.timed_out(NOW), "the fifth opens");
        assert!(!breaker.timed_out(NOW), "later ones do not open it again");
        assert_eq!(breaker.cause(), Some(Cause::Timeout));
    }

    #[test]
    fn one_timeout_in_three_does_not() {
        let mut breaker = closed();
        for _ in 0..1_000 {
            assert!(!breaker.timed_out(NOW));
            breaker.answered();
            breaker.answered();
        }
    }

    #[test]
    fn what_is_certain_opens_it_at_once() {
        let mut breaker = closed();
        assert!(breaker.failed(Cause::ReadOnly, NOW));
        assert_eq!(breaker.phase(), Phase::Open { until: NOW });
    }

    #[test]
    fn probes_come_ever_later_up_to_half_a_second() {
        let mut breaker = closed();
        breaker.failed(Cause::Refused, NOW);
        let (mut now, mut waits) = (NOW, Vec::new());
        for jitter in [128, 0, 255, 128, 128, 255] {
            assert!(breaker.start_probe(now));
            breaker.probe_failed(Cause::Refused, now, jitter);
            let Phase::Open { until } = breaker.phase() else {
                panic!("open")
            };
            assert!(!breaker.start_probe(until - Duration::from_nanos(1)));
            waits.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(waits, [50, 75, 249, 400, 400, 499]);
    }
    #[test]
    fn a_redis_that_answers_probes_and_fails_takes_is_asked_ever_later() {
        let (mut breaker, mut now, mut waits) = (closed(), NOW, Vec::new());
        for _ in 0..6 {
            assert!(breaker.failed(Cause::WrongKind, now));
            let Phase::Open { until } = breaker.phase() else {
                panic!("open")
            };
            waits.push((until - now).as_millis());
            now = until;
            assert!(breaker.start_probe(now));
            breaker.probe_answered();
            (1..PROOF).for_each(|_| breaker.answered());
        }
        assert_eq!(waits, [0, 50, 100, 200, 400, 400]);
        breaker.answered();
        assert!(breaker.failed(Cause::WrongKind, now));
        assert_eq!(breaker.phase(), Phase::Open { until: now }, "it was truly back");
    }

    #[test]
    fn an_overloaded_redis_is_asked_ever_later_too() {
        let (mut breaker, mut now, mut opened) = (closed(), NOW, Vec::new());
        // It answers a lone probe, and of the takes none in time, for ten seconds.
        while now < NOW + Duration::from_secs(10) {
            while !breaker.timed_out(now) {}
            opened.push(now);
            let Phase::Open { until } = breaker.phase() else {
                panic!("open")
            };
            now = until;
            assert!(breaker.start_probe(now));
            breaker.probe_answered();
        }
        assert!(opened.len() < 40, "{} times", opened.len());
    }
}
