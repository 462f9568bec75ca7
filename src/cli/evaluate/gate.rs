//! `--gate`: may this model take the baseline's place?

use std::path::PathBuf;

use super::scoring::Answers;
use super::{Failure, share};
use crate::cli::Exit;
use crate::eval::Scored;
use crate::eval::gate::{self, Gate, Promised, Set, Tolerances};
use crate::model::SpamModel;
use crate::train::corpus;
use crate::train::split;

/// The gate's settings.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The gate (exit 5 if this model is worse than the baseline by more than is allowed)")]
pub(super) struct GateArgs {
    /// Judge whether this model may take the baseline's place
    #[arg(long, requires = "baseline")]
    gate: bool,
    /// The newest decisions, which have to pass by themselves, too
    #[arg(long, value_name = "F", num_args = 1.., requires = "gate")]
    newest: Vec<PathBuf>,
    /// How much more ham may be rejected, as a share [default: 0.0005]
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "gate")]
    allow_ham_rejected: Option<f64>,
    /// How much more ham may be held or rejected [default: 0.005]
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "gate")]
    allow_ham_held: Option<f64>,
    /// How much less spam may be rejected [default: 0.03]
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "gate")]
    allow_spam_rejected: Option<f64>,
    /// How much less spam may be rejected or held [default: 0.01]
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "gate")]
    allow_spam_caught: Option<f64>,
    /// How much greater the calibration error may be [default: 0.01]
    #[arg(long, value_name = "ERROR", value_parser = share, requires = "gate")]
    allow_calibration_error: Option<f64>,
}

impl GateArgs {
    fn tolerances(&self) -> Tolerances {
        let usual = Tolerances::default();
        Tolerances {
            ham_rejected: self.allow_ham_rejected.unwrap_or(usual.ham_rejected),
            ham_held: self.allow_ham_held.unwrap_or(usual.ham_held),
            spam_rejected: self.allow_spam_rejected.unwrap_or(usual.spam_rejected),
            spam_caught: self.allow_spam_caught.unwrap_or(usual.spam_caught),
            calibration_error: self.allow_calibration_error.unwrap_or(usual.calibration_error),
        }
    }
}

/// What both models say of the held-out comments, the baseline first.
pub(super) struct HeldOut<'a> {
    pub(super) models: [&'a SpamModel; 2],
    pub(super) scored: [&'a [Scored<'a>]; 2],
    pub(super) seed: u64,
    pub(super) skip_bad: bool,
    pub(super) show_text: bool,
}

/// Judges, if that was asked for.
pub(super) fn judge(args: &GateArgs, held_out: &HeldOut<'_>) -> Result<Option<Gate>, Failure> {
    if !args.gate {
        return Ok(None);
    }
    let newest = corpus::read(&args.newest, held_out.skip_bad).map_err(|error| Failure::new(Exit::Data, error))?;
    let groups = split::groups(&newest.examples);
    let doing = ["scoring the newest, baseline", "scoring the newest"];
    let answers = [0, 1].map(|i| Answers::of_model(held_out.models[i], &newest.examples, doing[i]));
    let scored = answers.map(|answers| answers.scored(&newest.examples, &groups));
    let mut sets = vec![Set {
        name: "held out",
        new: held_out.scored[1],
        old: held_out.scored[0],
    }];
    if !newest.examples.is_empty() {
        sets.push(Set {
            name: "newest",
            new: &scored[1],
            old: &scored[0],
        });
    }
    Ok(Some(gate::judge(
        &sets,
        held_out.models.map(promised),
        &args.tolerances(),
        held_out.seed,
        held_out.show_text,
    )))
}

fn promised(model: &SpamModel) -> Option<Promised> {
    model.card().promise.as_ref().map(|promise| Promised {
        target: promise.target,
        confidence: promise.confidence,
    })
}
