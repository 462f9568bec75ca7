use linfa_bayes::NaiveBayes;
use ndarray::array;

use super::*;
use crate::train::clusters::Clusters;

/// scikit-learn 1.9.1's `MultinomialNB` on the same counts, by `tests/oracle/multinomial_nb.py`.
#[test]
fn log_probabilities_are_those_of_scikit_learn() {
    let counts = array![
        [3.0, 0.0, 1.0, 7.0, 2.0],
        [0.0, 5.0, 2.0, 1.0, 1.0],
        [4.0, 4.0, 0.0, 0.0, 9.0]
    ];
    let expected = [
        [
            -1.488_077_055_429_833,
            -3.433_987_204_485_146,
            -2.335_374_915_817_036,
            -0.725_937_003_382_936,
            -1.824_549_292_051_046,
        ],
        [
            -3.135_494_215_929_15,
            -0.737_598_943_130_779,
            -1.526_056_303_495_049,
            -2.036_881_927_261_04,
            -2.036_881_927_261_04,
        ],
        [
            -1.466_337_068_793_427,
            -1.466_337_068_793_427,
            -3.663_561_646_129_646,
            -3.663_561_646_129_646,
            -0.719_122_666_963_206,
        ],
    ];
    let learned = log_probabilities(counts, 0.5).unwrap();
    for (row, expected) in learned.iter().zip(expected) {
        for (a, b) in row.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }
    let first: f64 = [0, 2, 3].iter().map(|&term: &usize| learned[0][term]).sum();
    assert!((first - -4.549_388_974_629_805).abs() < 1e-12);
}

#[test]
fn what_is_read_back_is_the_textbook_s_formula() {
    let rows = log_probabilities(array![[3.0, 0.0, 1.0], [0.0, 5.0, 2.0]], 1.0).unwrap();
    assert!((rows[0][0] - (4.0_f64 / 7.0).ln()).abs() < 1e-12);
    assert!((rows[1][0] - (1.0_f64 / 10.0).ln()).abs() < 1e-12);
}

/// A small corpus of counts: 60 terms of two views in comments of three clusters, from a fixed recurrence.
fn sample() -> (Features, Clusters, Counts) {
    let mut state = 7_u32;
    let mut next = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % n
    };
    let mut features = Features {
        vocabulary: (0..60).collect(),
        view_of: (0..60).map(|term| u8::from(term >= 40)).collect(),
        offsets: vec![0],
        ..Features::default()
    };
    let mut clusters = Clusters {
        of: Vec::new(),
        is_spam: vec![false, false, true],
    };
    for _ in 0..50 {
        let mut terms: Vec<u32> = (0..12).map(|_| next(30) + next(31)).collect();
        terms.sort_unstable();
        terms.dedup();
        features.terms.extend(terms);
        features.offsets.push(features.terms.len());
        features.n_distinct.push([12; N_VIEWS]);
        clusters.of.push(u8::try_from(next(3)).unwrap());
    }
    let counts = Counts::of(&features, &clusters, 0..50);
    (features, clusters, counts)
}

#[test]
fn distinct_columns_fit_as_all_columns_do_and_as_the_closed_form_does() {
    let (features, _, counts) = sample();
    let fitted = weights(&features, &counts, 0.7).unwrap();
    let closed = Weights::closed_form(&features, &counts, None, 0.7);
    for (a, b) in fitted.cells.iter().zip(&closed.cells) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    // All columns of the first view, by linfa.
    let seen: Vec<usize> = (0..40)
        .filter(|&t| counts.cells[t * 3..t * 3 + 3].iter().any(|&n| n > 0.0))
        .collect();
    let mut rows = Array2::zeros((4, seen.len()));
    for (column, &term) in seen.iter().enumerate() {
        for cluster in 0..3 {
            rows[[cluster, column]] = f64::from(counts.cells[term * 3 + cluster]);
            rows[[3, column]] += rows[[cluster, column]];
        }
    }
    let all = log_probabilities(rows, 0.7).unwrap();
    for (column, &term) in seen.iter().enumerate() {
        for cluster in 0..3 {
            let expected = all[cluster][column] - all[3][column];
            assert!((f64::from(fitted.cells[term * 3 + cluster]) - expected).abs() < 1e-6);
        }
    }
}

/// A comment's sparse sum of weights is the difference of linfa's own joint log-likelihoods of the dense comment.
#[test]
fn sparse_sums_are_the_dense_differences() {
    let counts = array![[3.0, 0.0, 1.0, 7.0, 2.0], [0.0, 5.0, 2.0, 1.0, 1.0]];
    let learned = log_probabilities(counts.clone(), 0.5).unwrap();
    let model = fit(counts, 0.5).unwrap();
    for document in 0..32_u32 {
        let dense: Vec<f64> = (0..5).map(|term| f64::from(document >> term & 1)).collect();
        let sparse: f64 = (0..5).map(|t| dense[t] * (learned[1][t] - learned[0][t])).sum();
        let row = Array2::from_shape_vec((1, 5), dense).unwrap();
        let joint = model.joint_log_likelihood(row.view());
        let difference = joint[&1][0] - joint[&0][0];
        assert!((sparse - difference).abs() < 1e-9, "{sparse} {difference}");
    }
}

/// Other tests fit meanwhile, so where standard error leads is asked between two fits.
#[cfg(target_os = "linux")]
#[test]
fn fits_at_the_same_time_leave_standard_error_where_it_was() {
    let leads_to = || {
        let _turn = turn();
        std::fs::read_link("/proc/self/fd/2").unwrap()
    };
    let before = leads_to();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    log_probabilities(array![[9.0, 1.0], [1.0, 9.0]], 1.0).unwrap();
                }
            });
        }
    });
    assert_eq!(leads_to(), before);
}
