//! Logistic regression with a ridge penalty, by Newton's method with step halving.
//!
//! Our own, for a few dozen inputs: linfa-logistic brings argmin and a second copy of half of its dependencies, and
//! stops by a tolerance on the loss, where the explanation wants the optimum.

/// A fitted regression: `log-odds = intercept + Σ weights · inputs`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logistic {
    pub(super) intercept: f64,
    pub(super) weights: Vec<f64>,
    pub(super) converged: bool,
}

/// Newton steps at most.
const N_STEPS_MAX: usize = 50;
/// A gradient below this, per example, is the optimum.
const GRADIENT_MAX: f64 = 1e-9;

/// Fits `inputs` (row after row, `n_inputs` each) to labels. The penalty is
/// `ridge / 2 · |weights|²`, on inputs as they are; the intercept is free.
pub(super) fn fit(inputs: &[f32], n_inputs: usize, labels: &[bool], ridge: f64) -> Logistic {
    let n = n_inputs + 1;
    #[expect(clippy::cast_precision_loss, reason = "row counts")]
    let total = labels.len() as f64;
    let mut weights = vec![0.0; n];
    let mut loss = penalized_loss(inputs, n_inputs, labels, ridge, &weights);
    let mut converged = false;
    for _ in 0..N_STEPS_MAX {
        let (gradient, hessian) = derivatives(inputs, n_inputs, labels, ridge, &weights);
        if gradient.iter().all(|g| g.abs() <= GRADIENT_MAX * total) {
            converged = true;
            break;
        }
        let Some(step) = solve(hessian, gradient, n) else { break };
        let mut scale = 1.0;
        let mut better = None;
        while scale > 1e-6 {
            let next: Vec<f64> = weights.iter().zip(&step).map(|(w, s)| w - scale * s).collect();
            let next_loss = penalized_loss(inputs, n_inputs, labels, ridge, &next);
            if next_loss < loss {
                better = Some((next, next_loss));
                break;
            }
            scale /= 2.0;
        }
        let Some((next, next_loss)) = better else {
            // No step improves: as good as the arithmetic allows.
            converged = true;
            break;
        };
        (weights, loss) = (next, next_loss);
    }
    let intercept = weights.pop().unwrap_or(0.0);
    Logistic {
        intercept,
        weights,
        converged,
    }
}

fn log_odds(row: &[f32], weights: &[f64]) -> f64 {
    let n = row.len();
    row.iter().zip(weights).map(|(&x, w)| f64::from(x) * w).sum::<f64>() + weights[n]
}

fn penalized_loss(inputs: &[f32], n_inputs: usize, labels: &[bool], ridge: f64, weights: &[f64]) -> f64 {
    let mut loss = ridge / 2.0 * weights[..n_inputs].iter().map(|w| w * w).sum::<f64>();
    for (row, &spam) in inputs.chunks_exact(n_inputs).zip(labels) {
        let z = log_odds(row, weights);
        let z = if spam { -z } else { z };
        loss += z.max(0.0) + (-z.abs()).exp().ln_1p();
    }
    loss
}

/// Gradient and Hessian (full, row after row).
fn derivatives(inputs: &[f32], n_inputs: usize, labels: &[bool], ridge: f64, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let n = n_inputs + 1;
    let mut gradient: Vec<f64> = weights.iter().map(|w| ridge * w).collect();
    gradient[n_inputs] = 0.0;
    let mut hessian = vec![0.0; n * n];
    // Blocks keep the inner loop in f32 without losing digits over many rows.
    let mut block = vec![0.0_f32; n * n];
    let mut row = vec![0.0_f32; n];
    for (b, rows) in inputs.chunks(n_inputs * 256).enumerate() {
        block.fill(0.0);
        for (i, values) in rows.chunks_exact(n_inputs).enumerate() {
            let i = b * 256 + i;
            let p = 1.0 / (1.0 + (-log_odds(values, weights)).exp());
            let error = p - f64::from(u8::from(labels[i]));
            row[..n_inputs].copy_from_slice(values);
            row[n_inputs] = 1.0;
            for (g, &x) in gradient.iter_mut().zip(&row) {
                *g += error * f64::from(x);
            }
            #[expect(clippy::cast_possible_truncation, reason = "a weight in [0, 1/4]")]
            let mass = (p * (1.0 - p)) as f32;
            if mass > 1e-7 {
                for (k, &x) in row.iter().enumerate() {
                    let scaled = mass * x;
                    for (h, &y) in block[k * n..k * n + k + 1].iter_mut().zip(&row) {
                        *h += scaled * y;
                    }
                }
            }
        }
        for (h, &x) in hessian.iter_mut().zip(&block) {
            *h += f64::from(x);
        }
    }
    for i in 0..n {
        for k in 0..i {
            hessian[k * n + i] = hessian[i * n + k];
        }
        hessian[i * n + i] += if i < n_inputs { ridge } else { 1e-9 };
    }
    (gradient, hessian)
}

/// Solves `matrix · x = right` for a positive definite matrix by Cholesky's decomposition.
pub(super) fn solve(mut matrix: Vec<f64>, mut right: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for i in 0..n {
        for k in 0..=i {
            let dot: f64 = (0..k).map(|m| matrix[i * n + m] * matrix[k * n + m]).sum();
            let rest = matrix[i * n + k] - dot;
            if i == k {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                matrix[i * n + i] = rest.sqrt();
            } else {
                matrix[i * n + k] = rest / matrix[k * n + k];
            }
        }
    }
    for i in 0..n {
        let dot: f64 = (0..i).map(|m| matrix[i * n + m] * right[m]).sum();
        right[i] = (right[i] - dot) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|m| matrix[m * n + i] * right[m]).sum();
        right[i] = (right[i] - dot) / matrix[i * n + i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cholesky_solves() {
        let x = solve(vec![4.0, 2.0, 2.0, 3.0], vec![10.0, 9.0], 2).unwrap();
        assert!((x[0] - 1.5).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12, "{x:?}");
        assert!(solve(vec![0.0], vec![1.0], 1).is_none());
    }

    #[test]
    fn the_optimum_has_no_gradient() {
        let inputs: Vec<f32> = (0..60).map(|i| (i * 37 % 23) as f32 / 10.0 - 1.0).collect();
        let labels: Vec<bool> = (0..30).map(|i| i % 3 == 0).collect();
        let fitted = fit(&inputs, 2, &labels, 1.0);
        assert!(fitted.converged);
        let weights: Vec<f64> = fitted.weights.iter().copied().chain([fitted.intercept]).collect();
        let (gradient, _) = derivatives(&inputs, 2, &labels, 1.0, &weights);
        assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn separable_data_stay_finite() {
        let fitted = fit(&[-1.0, 1.0], 1, &[false, true], 0.1);
        assert!(fitted.weights[0].is_finite() && fitted.weights[0] > 0.0);
    }
}
