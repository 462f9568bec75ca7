//! A caller's deadline, from the header that gRPC carries it in.

use std::time::Duration;

use tokio::time::Instant;
use tonic::codegen::http::HeaderMap;

/// The time before the caller's deadline at which answering stops, so that the caller still receives the reason.
const MARGIN: Duration = Duration::from_millis(1);

/// The time at which the caller stops waiting, if it named one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadline(pub Option<Instant>);

impl Deadline {
    /// The deadline of a request that came at `now`.
    pub fn of(headers: &HeaderMap, now: Instant) -> Self {
        let patience = headers.get("grpc-timeout").and_then(|value| parse(value.as_bytes()));
        Self(patience.and_then(|patience| now.checked_add(patience.saturating_sub(MARGIN))))
    }

    /// The time that one dependency of this call may take: half of what is left, so that its absence can be answered.
    pub fn patience(self, now: Instant) -> Duration {
        let left = |deadline: Instant| deadline.saturating_duration_since(now) / 2;
        self.0.map_or(Duration::MAX, left)
    }
}

/// Reads `grpc-timeout`: at most eight digits and a unit. What is not so is no deadline.
fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadline, parse};
    use std::time::Duration;
    use tokio::time::Instant;
    use tonic::codegen::http::HeaderMap;

    #[test]
    fn every_unit_is_read_and_nonsense_is_no_deadline() {
        let read = |text: &str| parse(text.as_bytes());
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("4S"), Some(Duration::from_secs(4)));
        assert_eq!(read("300m"), Some(Duration::from_millis(300)));
        assert_eq!(read("5u"), Some(Duration::from_micros(5)));
        assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for nonsense in ["", "S", "5", "123456789S", "-1S", "1.5S", "1s", "+1S", "1 S"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert!(read("99999999H").is_some());
    }

    #[test]
    fn half_of_what_is_left_may_be_waited() {
        let (mut headers, now) = (HeaderMap::new(), Instant::now());
        assert_eq!(Deadline::of(&headers, now).patience(now), Duration::MAX);
        headers.insert("grpc-timeout", "41m".parse().unwrap());
        let deadline = Deadline::of(&headers, now);
        assert_eq!(deadline.patience(now), Duration::from_millis(20));
        assert_eq!(deadline.patience(now + Duration::from_secs(1)), Duration::ZERO);
    }
}
