//! The measures that every report shows, in one pass over ranked comments.
//!
//! Point estimates and resampled ones come from the same function, so that an interval is always about the number that
//! it stands beside.

pub use super::measure::Measure;

/// Bins of the calibration error and of the reliability diagram.
pub const CALIBRATION_BINS: usize = 15;

/// One comment as the measures see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The label that people gave.
    pub spam: bool,
    /// The model's probability of spam, in [0, 1].
    pub probability: f64,
    /// Near-duplicates share a group and are drawn together when intervals are made.
    pub group: u32,
}

/// One value a measure. A measure that the comments cannot say (there is no spam among them) is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values([f64; Measure::ALL.len()]);

impl Values {
    /// The value of one measure.
    pub fn get(&self, measure: Measure) -> Option<f64> {
        Some(self.0[measure as usize]).filter(|value| !value.is_nan())
    }
}

/// Comments in falling order of probability.
#[derive(Debug, Clone)]
pub struct Ranked {
    items: Vec<Item>,
    n_groups: usize,
}

/// A comment's place in the ranking, with what does not change when comments are drawn anew.
#[derive(Debug, Clone, Copy)]
struct Item {
    probability: f64,
    log_loss: f64,
    spam: bool,
    group: u32,
}

impl Ranked {
    /// Ranks comments; those of equal probability stay tied.
    pub fn new(outcomes: &[Outcome]) -> Self {
        let mut items: Vec<Item> = outcomes
            .iter()
            .map(|outcome| {
                // The clip is scikit-learn's: a certain error costs 36 nats and not infinity.
                let truth = if outcome.spam {
                    outcome.probability
                } else {
                    1.0 - outcome.probability
                };
                let log_loss = -truth.max(f64::EPSILON).ln();
                Item {
                    probability: outcome.probability,
                    log_loss,
                    spam: outcome.spam,
                    group: outcome.group,
                }
            })
            .collect();
        items.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let n_groups = items.iter().map(|item| item.group as usize + 1).max().unwrap_or(0);
        Self { items, n_groups }
    }

    /// The number of groups: all groups are below this.
    pub const fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Every measure over the comments as they are.
    pub fn values(&self) -> Values {
        self.weighted(|_| 1.0)
    }

    /// Every measure over comments drawn with repetition: `times[group]` says how often.
    pub(super) fn resampled(&self, times: &[u32]) -> Values {
        self.weighted(|item| f64::from(times[item.group as usize]))
    }

    /// The share of spam caught at the cut that blocks at most `ham_rate` of ham. `None` without both labels.
    pub fn caught_at(&self, ham_rate: f64) -> Option<f64> {
        let curve = self.steps();
        let last = curve.last().copied().unwrap_or_default();
        let cut = curve
            .iter()
            .take_while(|step| step.ham as f64 <= affordable(ham_rate, last.ham as f64))
            .last();
        (last.spam > 0 && last.ham > 0).then(|| cut.map_or(0.0, |step| step.spam as f64 / last.spam as f64))
    }

    /// The two counts of a counted share: the part and the whole. `None` for measures that are no such share.
    pub(super) fn counts(&self, measure: Measure) -> Option<(usize, usize)> {
        let n_spam = self.items.iter().filter(|item| item.spam).count();
        let n_ham = self.items.len() - n_spam;
        let from_half = &self.items[..self.items.partition_point(|item| item.probability >= 0.5)];
        let caught = from_half.iter().filter(|item| item.spam).count();
        let blocked = from_half.len() - caught;
        match measure {
            Measure::Accuracy => Some((caught + n_ham - blocked, self.items.len())),
            Measure::SpamCaught => Some((caught, n_spam)),
            Measure::HamBlocked => Some((blocked, n_ham)),
            Measure::Precision => Some((caught, from_half.len())),
            _ => None,
        }
    }

    /// The counts of spam and ham at or above each distinct probability, from the highest down.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let (mut spam, mut ham) = (0, 0);
        for block in self.blocks() {
            let n_spam = block.iter().filter(|item| item.spam).count();
            spam += n_spam;
            ham += block.len() - n_spam;
            steps.push(Step {
                threshold: block[0].probability,
                spam,
                ham,
            });
        }
        steps
    }

    fn blocks(&self) -> impl Iterator<Item = &[Item]> {
        self.items.chunk_by(|a, b| a.probability == b.probability)
    }

    fn weighted(&self, weight: impl Fn(&Item) -> f64) -> Values {
        let (mut spam, mut ham) = (0.0, 0.0);
        for item in &self.items {
            if item.spam {
                spam += weight(item);
            } else {
                ham += weight(item);
            }
        }
        let (mut tp, mut fp) = (0.0, 0.0); // spam and ham at or above the probability reached
        let (mut caught, mut blocked) = (0.0, 0.0); // the same at 0.5
        let (mut caught_tenth, mut caught_one) = (0.0, 0.0);
        let (mut ranked, mut precision_sum, mut squares, mut logs) = (0.0, 0.0, 0.0, 0.0);
        let mut bins = [(0.0, 0.0); CALIBRATION_BINS]; // (Σ probability, spam)
        for block in self.blocks() {
            let p = block[0].probability;
            let (mut block_spam, mut block_ham) = (0.0, 0.0);
            for item in block {
                let w = weight(item);
                logs += w * item.log_loss;
                if item.spam { block_spam += w } else { block_ham += w }
            }
            if block_spam + block_ham == 0.0 {
                continue;
            }
            ranked += block_ham * (tp + 0.5 * block_spam);
            tp += block_spam;
            fp += block_ham;
            precision_sum += block_spam * tp / (tp + fp);
            squares += block_spam * (1.0 - p) * (1.0 - p) + block_ham * p * p;
            let bin = &mut bins[calibration_bin(p)];
            *bin = (bin.0 + p * (block_spam + block_ham), bin.1 + block_spam);
            if p >= 0.5 {
                (caught, blocked) = (tp, fp);
            }
            if fp <= affordable(0.001, ham) {
                caught_tenth = tp;
            }
            if fp <= affordable(0.01, ham) {
                caught_one = tp;
            }
        }
        let n = spam + ham;
        let both = |value: f64| if spam > 0.0 && ham > 0.0 { value } else { f64::NAN };
        let mut values = [f64::NAN; Measure::ALL.len()];
        let mut set = |measure: Measure, value: f64| values[measure as usize] = value;
        set(Measure::Accuracy, (caught + ham - blocked) / n);
        set(Measure::SpamCaught, caught / spam);
        set(Measure::HamBlocked, blocked / ham);
        set(Measure::Precision, caught / (caught + blocked));
        set(Measure::Mcc, both(mcc(caught, blocked, spam - caught, ham - blocked)));
        set(Measure::RocAuc, both(ranked / (spam * ham)));
        set(Measure::PrAuc, both(precision_sum / spam));
        set(Measure::Brier, squares / n);
        set(
            Measure::CalibrationError,
            bins.iter().map(|(sum, spam)| (sum - spam).abs()).sum::<f64>() / n,
        );
        set(Measure::LogLoss, logs / n);
        set(Measure::CaughtAtTenth, both(caught_tenth / spam));
        set(Measure::CaughtAtOne, both(caught_one / spam));
        Values(values)
    }
}

/// The counts at or above a threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Step {
    /// The probability from which on is counted.
    pub threshold: f64,
    /// Spam at or above it.
    pub spam: usize,
    /// Ham at or above it.
    pub ham: usize,
}

/// Matthews' correlation coefficient of a two-by-two table (B. Matthews 1975); 0 where a margin is empty.
pub fn mcc(true_spam: f64, false_spam: f64, false_ham: f64, true_ham: f64) -> f64 {
    let margins = (true_spam + false_spam) * (true_spam + false_ham) * (true_ham + false_spam) * (true_ham + false_ham);
    if margins == 0.0 {
        0.0
    } else {
        (true_spam * true_ham - false_spam * false_ham) / margins.sqrt()
    }
}

/// The equal-width bin of a probability; 1 is in the last.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a probability times 15 is small and not negative, and the cast saturates"
)]
pub fn calibration_bin(probability: f64) -> usize {
    ((probability * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1)
}

/// The amount of ham that a rate allows; the hair above keeps 0.001 · 3000 from costing a comment by rounding.
fn affordable(ham_rate: f64, ham: f64) -> f64 {
    ham_rate * ham * (1.0 + 1e-12)
}

#[cfg(test)]
mod tests;
