//! Exact binomial tails, and the Clopper–Pearson bounds that follow from them.
//!
//! Own code and not a library's, for a measured reason: statrs 0.19 sums its continued fraction to a fixed depth over a
//! Lanczos gamma and is right to 10⁻⁹ at n = 100,000, where these sums agree with scipy to 10⁻¹¹ (the oracle test).
//! The point probabilities are Loader's saddle-point form (C. Loader, "Fast and Accurate Computation of Binomial
//! Probabilities", 2000), which never subtracts large log-gammas from each other.

use std::f64::consts::PI;

/// P(X ≤ `k`) for X binomial with `n` trials of probability `p` in [0, 1].
pub fn at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    if (k as f64) < n as f64 * p {
        lower_sum(k, n, p)
    } else {
        1.0 - upper_sum(k + 1, n, p)
    }
}

/// P(X ≥ `k`) for X binomial with `n` trials of probability `p` in [0, 1].
pub fn at_least(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k as f64 > n as f64 * p {
        upper_sum(k, n, p)
    } else {
        1.0 - lower_sum(k - 1, n, p)
    }
}

/// The largest share that `k` in `n` leaves open: an upper bound on the true share that holds with `confidence`
/// (one-sided; C. Clopper & E. Pearson, Biometrika 26, 1934). 1 where nothing was counted.
pub fn upper_bound(k: u64, n: u64, confidence: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    // The bound is the share at which seeing so few is just still believable. P(X ≤ k) falls as the share rises.
    bisect(|p| at_most(k, n, p) > 1.0 - confidence)
}

/// The smallest share that `k` in `n` leaves open, one-sided, with `confidence`. 0 where nothing was counted.
pub fn lower_bound(k: u64, n: u64, confidence: f64) -> f64 {
    if k == 0 || n == 0 {
        return 0.0;
    }
    bisect(|p| at_least(k.min(n), n, p) < 1.0 - confidence)
}

/// The two-sided exact interval for a share of `k` in `n`: each side errs with half of what `confidence` leaves.
pub fn interval(k: u64, n: u64, confidence: f64) -> (f64, f64) {
    let side = 1.0 - (1.0 - confidence) / 2.0;
    (lower_bound(k, n, side), upper_bound(k, n, side))
}

/// Finds the point in [0, 1] where a condition that holds at first stops to hold.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Halving reaches the spacing of f64 around 10⁻⁵ in 70 steps; below that no bound is of interest.
    for _ in 0..70 {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Σ P(X = j) for j ≤ k, largest term first; only called below the mean, where the terms fall as j does.
fn lower_sum(k: u64, n: u64, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let mut term = exactly(k, n, p);
    let mut sum = term;
    for j in (1..=k).rev() {
        term *= j as f64 / ((n - j + 1) as f64 * odds);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum.min(1.0)
}

/// Σ P(X = j) for j ≥ k, largest term first; only called above the mean, where the terms fall as j rises.
fn upper_sum(k: u64, n: u64, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let mut term = exactly(k, n, p);
    let mut sum = term;
    for j in k..n {
        term *= (n - j) as f64 * odds / (j + 1) as f64;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum.min(1.0)
}

/// P(X = k), by Loader's saddle-point form.
fn exactly(k: u64, n: u64, p: f64) -> f64 {
    let (k, n) = (k as f64, n as f64);
    if p <= 0.0 || p >= 1.0 {
        return f64::from((p <= 0.0 && k == 0.0) || (p >= 1.0 && k == n));
    }
    if k == 0.0 {
        return (n * (-p).ln_1p()).exp();
    }
    if k == n {
        return (n * p.ln()).exp();
    }
    let log = stirling_error(n)
        - stirling_error(k)
        - stirling_error(n - k)
        - deviance(k, n * p)
        - deviance(n - k, n * (1.0 - p));
    log.exp() / (2.0 * PI * k * (1.0 - k / n)).sqrt()
}

/// ln n! less Stirling's approximation of it: exact sums below 16, the asymptotic series from there.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let mut log_factorial = 0.0;
        let mut i = 2.0;
        while i <= n {
            log_factorial += f64::ln(i);
            i += 1.0;
        }
        return log_factorial - (0.5 * (2.0 * PI * n).ln() + n * n.ln() - n);
    }
    let nn = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / nn) / nn) / nn) / nn) / n
}

/// x ln(x/m) + m − x, without the cancellation near x = m.
fn deviance(x: f64, m: f64) -> f64 {
    let d = x - m;
    if d.abs() < 0.1 * (x + m) {
        // With v = (x − m)/(x + m): a power series in v that converges at once this near to the mean.
        let v = d / (x + m);
        let mut sum = d * v;
        let mut power = 2.0 * x * v;
        let mut odd = 3.0;
        loop {
            power *= v * v;
            let next = sum + power / odd;
            if next == sum {
                return sum;
            }
            sum = next;
            odd += 2.0;
        }
    }
    x * (x / m).ln() - d
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// scipy 1.x, `scipy.stats.binom.cdf(k, n, p)`: see tests/oracle/metrics.py.
    #[test]
    fn tails_are_scipys() {
        for case in crate::eval::oracle::expected()["binomial_cdf"].as_array().unwrap() {
            let at = |i: usize| case[i].as_f64().unwrap();
            let found = at_most(case[0].as_u64().unwrap(), case[1].as_u64().unwrap(), at(2));
            assert!((found / at(3) - 1.0).abs() < 1e-11, "{case}: {found:e}");
        }
    }

    #[test]
    fn bounds_are_scipys() {
        for case in crate::eval::oracle::expected()["clopper_pearson"].as_array().unwrap() {
            let at = |i: usize| case[i].as_f64().unwrap();
            let (low, high) = interval(case[0].as_u64().unwrap(), case[1].as_u64().unwrap(), at(2));
            // scipy stops its root search at 2·10⁻¹².
            assert!((low - at(3)).abs() < 1e-11, "{case}: {low:e}");
            assert!((high - at(4)).abs() < 1e-11, "{case}: {high:e}");
        }
    }

    proptest! {
        #[test]
        fn tails_complement((n, k) in (1u64..5000).prop_flat_map(|n| (Just(n), 0..n)), p in 0.0f64..=1.0) {
            prop_assert!((at_most(k, n, p) + at_least(k + 1, n, p) - 1.0).abs() < 1e-12);
        }

        #[test]
        fn bounds_rise_with_misses_and_fall_with_support(
            (n, k) in (2u64..5000).prop_flat_map(|n| (Just(n), 0..n - 1)),
            extra in 1u64..500,
        ) {
            let bound = upper_bound(k, n, 0.95);
            prop_assert!(bound > k as f64 / n as f64 && bound <= 1.0);
            prop_assert!(upper_bound(k + 1, n, 0.95) > bound);
            prop_assert!(upper_bound(k, n + extra, 0.95) < bound);
            prop_assert!(upper_bound(k, n, 0.99) > bound);
            prop_assert!(lower_bound(k, n, 0.95) <= k as f64 / n as f64);
        }
    }
}
