//! Days of dates, and how much evidence is worth at its age.

/// The day of a date or time in RFC 3339, counted from 1970-01-01; the time of day and its zone are left alone.
pub(super) fn day(text: &str) -> Option<i32> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        if all { digits.parse::<i32>().ok() } else { None }
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let dashes = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let ends = text.get(10..11).is_none_or(|next| matches!(next, "T" | "t" | " "));
    if !dashes || !ends || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from civil (H. Hinnant): years begin in March, so that the odd day is the last.
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The weight on the day `now` of evidence from `then`, if it loses half of its weight in every half-life.
pub(super) fn worth(then: i32, now: i32, half_life_days: f64) -> f64 {
    0.5_f64.powf(f64::from(now.saturating_sub(then).max(0)) / half_life_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_calendars_do() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29T12:00:00Z", Some(11_016)),
            ("2000-03-01T00:00:00+02:00", Some(11_017)),
            ("2026-11-23 19:00:00", Some(20_780)),
            ("2026-13-01", None),
            ("23.11.2026", None),
            ("2026-11-231", None),
            ("", None),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
    }

    #[test]
    fn half_is_left_after_a_half_life() {
        assert!((worth(0, 90, 90.0) - 0.5).abs() < 1e-12);
        assert!((worth(90, 0, 90.0) - 1.0).abs() < 1e-12);
    }
}
