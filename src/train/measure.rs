//! The measures on the card, and the texts by which the model tests itself.

use crate::comment::{Example, Label, Origin};
use crate::eval::metrics;
use crate::model::{InvalidParts, Metrics, Parts, Reading, SelfTest, SpamModel, SpamProbability};

/// Texts that pass through every part of the reading. Our own words.
const SELF_TESTS: [&str; 5] = [
    "Thank you, this was a pleasure to read. I don't agree with all of it, but 2 of 3 points are well made!",
    "CHECK OUT my new ch4nnel!!! https://www.example.com/watch?v=1 s u b s c r i b e please, mail me@example.org",
    "<a href=\"http://shop.example.co.uk/cheap\">cheap pills</a> [url=http://b.example]b[/url] &amp; frее vіdео",
    "Сегодня хорошая погода, не правда ли? Ｆｕｌｌ ｗｉｄｔｈ и v\u{200b}i\u{200b}deo.",
    "水を飲む。 맑은 하늘. ขอบคุณ",
];

/// The self-tests of a model, with its answers.
pub(super) fn self_tests(parts: &Parts) -> Result<Vec<SelfTest>, InvalidParts> {
    let model = SpamModel::new(parts.clone(), String::new())?;
    let answer = |text: &&str| SelfTest {
        content: (*text).to_owned(),
        log_odds: model.explain(&Reading::of(text)).log_odds,
    };
    Ok(SELF_TESTS.iter().map(answer).collect())
}

/// Out-of-fold measures. Out of fold are the probabilities; whether evidence is thin is judged by the model itself,
/// which has seen the comments' words, since no fold's model is kept whole. So fewer are thin here than among new
/// comments.
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub(super) fn metrics(examples: &[&Example], out_of_fold: &[f64], parts: &Parts) -> Result<Metrics, InvalidParts> {
    let model = SpamModel::new(parts.clone(), String::new())?;
    let thresholds = model.thresholds();
    let mut cells = [[0_u32; 2]; 2];
    let mut bins = [(0.0_f64, 0.0_f64); 15];
    let mut brier = 0.0;
    // By label: rejected, held, all.
    let mut verdicts = [[0_u32; 3]; 2];
    let received = |(example, _): &(&&Example, &f64)| example.origin == Origin::Received;
    let n = examples
        .iter()
        .filter(|example| example.origin == Origin::Received)
        .count()
        .max(1) as f64;
    for (example, &z) in examples.iter().zip(out_of_fold).filter(received) {
        let p = SpamProbability::from_log_odds(z);
        let spam = usize::from(example.label == Label::Spam);
        let truth = spam as f64;
        cells[spam][usize::from(p.get() >= 0.5)] += 1;
        brier += (p.get() - truth).powi(2);
        let bin = &mut bins[metrics::calibration_bin(p.get())];
        bin.0 += p.get();
        bin.1 += truth;
        let rejected = thresholds.reject_at.is_some_and(|at| p >= at) && !model.assess_example(example).thin;
        verdicts[spam][0] += u32::from(rejected);
        verdicts[spam][1] += u32::from(!rejected && p >= thresholds.hold_at);
        verdicts[spam][2] += 1;
    }
    let share = |spam: usize, part: u32| f64::from(part) / f64::from(verdicts[spam][2].max(1));
    let [[true_ham, false_spam], [false_ham, true_spam]] = cells.map(|row| row.map(f64::from));
    Ok(Metrics {
        mcc: metrics::mcc(true_spam, false_spam, false_ham, true_ham),
        brier: brier / n,
        calibration_error: bins.iter().map(|(p, y)| (p - y).abs()).sum::<f64>() / n,
        spam_rejected: share(1, verdicts[1][0]),
        spam_rejected_or_held: share(1, verdicts[1][0] + verdicts[1][1]),
        ham_held: share(0, verdicts[0][1]),
        ham_rejected: share(0, verdicts[0][0]),
    })
}
