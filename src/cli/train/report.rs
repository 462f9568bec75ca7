//! What `train` prints when it is done.

use super::from::Verdict;
use super::{Args, Format};
use crate::cli::{Failure, output};
use crate::model::{Card, SpamModel};
use crate::train::corpus::FileSummary;
use crate::train::{TrainReport, Trained};

/// Prints why nothing was written.
pub(super) fn refuse(args: &Args, verdict: &Verdict) -> Result<(), Failure> {
    if args.format == Format::Json {
        let report = serde_json::json!({ "model": null, "gate": verdict.to_json() });
        return output::line(&format!("{report:#}"));
    }
    let mut lines = vec!["nothing was written: the new model is worse than the one it went on from".to_owned()];
    lines.extend(verdict.lines());
    lines.push(
        "look at what is new; --force REASON writes the model all the same, with the reason in its card".to_owned(),
    );
    output::line(&lines.join("\n"))
}

/// Prints what was learned, from which files, and how it compares with the model that it went on from.
pub(super) fn print(
    args: &Args,
    files: &[FileSummary],
    trained: &Trained,
    model: &SpamModel,
    verdict: Option<&Verdict>,
) -> Result<(), Failure> {
    let TrainReport {
        no_promise,
        fusion_converged,
        n_kept_for_certification,
        certifying,
    } = &trained.report;
    let card = model.card();
    if args.format == Format::Json {
        let report = serde_json::json!({
            "model": args.out,
            "version": model.version(),
            "n_terms": model.n_terms(),
            "n_bad_lines": files.iter().map(|file| file.n_bad).sum::<u64>(),
            "n_blank": files.iter().map(|file| file.n_blank).sum::<u64>(),
            "n_neither": files.iter().map(|file| file.n_neither).sum::<u64>(),
            "n_kept_for_certification": n_kept_for_certification,
            "certifying": {
                "n_used": certifying.n_used,
                "n_copies": certifying.n_copies,
                "n_seen": certifying.n_seen,
            },
            "fusion_converged": fusion_converged,
            "no_promise": no_promise.as_ref().map(ToString::to_string),
            "gate": verdict.map(Verdict::to_json),
            "card": card,
        });
        output::line(&format!("{report:#}"))
    } else {
        let mut lines = vec![text_report(args, files, trained, model)];
        lines.extend(verdict.map(Verdict::lines).unwrap_or_default());
        output::line(&lines.join("\n"))
    }
}

fn text_report(args: &Args, files: &[FileSummary], trained: &Trained, model: &SpamModel) -> String {
    let card = model.card();
    let Card {
        training,
        metrics,
        thresholds,
        promise,
        ..
    } = card;
    let mut lines = vec![format!(
        "{}  version {}, {} terms",
        args.out.display(),
        model.version(),
        model.n_terms()
    )];
    for file in files {
        let mut line = format!("  {}: {} comments, {} spam", file.name, file.n_examples, file.n_spam);
        for (n, what) in [
            (file.n_bad, "bad lines skipped"),
            (file.n_blank, "without text left out"),
            (file.n_neither, "labeled neither spam nor ham left out"),
        ] {
            if n > 0 {
                line.push_str(&format!(", {n} {what}"));
            }
        }
        lines.push(line);
    }
    lines.push(format!(
        "learned from {} comments in {} groups of near-duplicates: {} clusters of spam, {} of ham, {} views",
        training.n_examples,
        training.n_groups,
        training.n_clusters_spam,
        training.n_clusters_ham,
        training.views.len()
    ));
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    lines.push(format!(
        "out of fold: MCC {:.3}, calibration error {:.4}; spam {} rejected, {} rejected or held; ham {} held, {} rejected \
         (whether evidence is thin is judged by the final model, so the shares of rejected are somewhat high)",
        metrics.mcc,
        metrics.calibration_error,
        percent(metrics.spam_rejected),
        percent(metrics.spam_rejected_or_held),
        percent(metrics.ham_held),
        percent(metrics.ham_rejected)
    ));
    lines.push(format!("hold_at {:.4}", thresholds.hold_at));
    match (promise, thresholds.reject_at, trained.report.no_promise) {
        (Some(promise), Some(reject_at), _) => lines.push(format!(
            "reject_at {reject_at:.4}: at most {} of readers rejected, with confidence {}; certified on {}, {} of {} rejected",
            percent(promise.target),
            promise.confidence,
            promise.holds_for,
            promise.missed,
            promise.support
        )),
        (_, _, Some(no_promise)) => lines.push(format!("no reject band: {no_promise}")),
        _ => {}
    }
    let certifying = trained.report.certifying;
    if certifying.n_copies + certifying.n_seen > 0 {
        lines.push(format!(
            "certifying readers' comments: {} used; left out {} near-duplicates of others and {} of training data",
            certifying.n_used, certifying.n_copies, certifying.n_seen
        ));
    }
    if !trained.report.fusion_converged {
        lines.push("the fusion did not reach its optimum: the labels may be separable, or too few".to_owned());
    }
    lines.join("\n")
}
