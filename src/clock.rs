//! The only reader of time. Everything else is told what time it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in whole microseconds since the Unix epoch. Lua's numbers hold it exactly until the year 2255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies so many microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment as RFC 3339 writes it, to the second: `2026-11-23T19:30:00Z`.
    pub fn to_rfc3339(self) -> String {
        let seconds = i64::try_from(self.0 / 1_000_000).unwrap_or(i64::MAX);
        // Years beyond 9999 are no moments of a running service.
        time::OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
            .unwrap_or_default()
    }

    /// The moment `duration` later; the last representable one if there is none.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// Returns the time since `earlier`; zero if it was not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A source of time. Clones share it.
#[derive(Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is told otherwise.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that starts at `now` and moves only by [`Clock::advance`].
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(now.as_micros())))
    }

    /// The time. Read it once a request: on virtual machines it costs some 200 ns.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            // A clock set before 1970 reads as 1970: a wrong time must not stop the service.
            Self::System => Timestamp(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
            ),
            Self::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock on. The machine's clock does not take orders: nothing happens.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(micros) = self {
            let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Manual(_) => f.debug_tuple("Manual").field(&self.now()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Timestamp};
    use std::time::Duration;

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = Clock::manual(Timestamp::from_micros(5));
        let other = clock.clone();
        other.advance(Duration::from_micros(7));
        assert_eq!(clock.now(), Timestamp::from_micros(12));
    }

    #[test]
    fn a_moment_is_written_as_people_and_programs_read_it() {
        let leap_day = Timestamp::from_micros(1_709_210_096_999_999);
        assert_eq!(leap_day.to_rfc3339(), "2024-02-29T12:34:56Z");
        assert_eq!(Timestamp::from_micros(0).to_rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_micros(u64::MAX).to_rfc3339(), "");
    }

    #[test]
    fn since_is_never_negative() {
        let (a, b) = (Timestamp::from_micros(1), Timestamp::from_micros(3));
        assert_eq!(b.since(a), Duration::from_micros(2));
        assert_eq!(a.since(b), Duration::ZERO);
    }
}
