//! Numbers as people read them.

use crate::eval::interval::Estimate;
use crate::eval::metrics::Measure;

/// A share in per cent with two decimals, or three where two would say that it is none or all.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let edge = percent.abs().min((100.0 - percent).abs());
    match percent {
        0.0 => "0 %".to_owned(),
        100.0 => "100 %".to_owned(),
        _ if edge < 0.01 => format!("{percent:.3} %"),
        _ => format!("{percent:.2} %"),
    }
}

/// A count with a comma at every thousand.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A measure's value in its own unit.
pub(super) fn value(measure: Measure, value: f64) -> String {
    if measure.is_share() {
        percent(value)
    } else {
        format!("{value:.4}")
    }
}

/// A measure's interval in its own unit.
pub(super) fn range(measure: Measure, estimate: Estimate) -> String {
    if measure.is_share() {
        percent_range(estimate)
    } else {
        format!("{:.4} – {:.4}", estimate.low, estimate.high)
    }
}

/// A share's interval in per cent.
pub(super) fn percent_range(estimate: Estimate) -> String {
    let low = percent(estimate.low);
    format!("{} – {}", low.trim_end_matches(" %"), percent(estimate.high))
}

/// A difference of a measure, with its sign; shares in percentage points.
pub(super) fn difference(measure: Measure, value: f64) -> String {
    if measure.is_share() {
        format!("{:+.2} pp", 100.0 * value)
    } else {
        format!("{value:+.4}")
    }
}

/// A spam probability, with the decimals that a threshold near 1 needs.
pub(super) fn probability(p: f64) -> String {
    let edge = p.min(1.0 - p);
    if edge == 0.0 || edge >= 0.01 {
        format!("{p:.3}")
    } else if edge >= 0.0001 {
        format!("{p:.5}")
    } else {
        format!("{p:.7}")
    }
}

/// A p-value.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// A value or a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_keep_the_decimals_that_matter() {
        for (share, expected) in [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.0002, "0.02 %"),
            (0.000_05, "0.005 %"),
            (0.0312, "3.12 %"),
            (0.5, "50.00 %"),
            (0.9998, "99.98 %"),
        ] {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn thousands_are_marked() {
        for (n, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), expected);
        }
    }

    #[test]
    fn thresholds_near_one_stay_apart() {
        assert_eq!(
            (probability(0.5), probability(0.9987), probability(0.999_998_8)),
            ("0.500".into(), "0.99870".into(), "0.9999988".into())
        );
    }
}
