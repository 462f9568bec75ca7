//! `moderato model`: the versions of a model directory, and what a model says of itself.

mod render;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Subcommand;
use serde::Serialize;

use self::render::Listed;
use super::serve::load_model;
use super::{CommandResult, Exit, Failure, output};
use crate::artifact::{self, History, HistoryError, ModelDir, ModelDirError, Promotion, Target};
use crate::clock::Clock;

/// `moderato model …`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato model promote --model-dir models new.moderato --reason 'last month'   new.moderato is current now
  moderato model rollback --model-dir models                                    and now what was current before
  moderato model list --model-dir models
  moderato model diff --model-dir models                                        previous against current
  moderato model diff old.moderato new.moderato
  moderato model diff shipped new.moderato
  moderato model show                                                           the shipped model's card

A service that was started with --model-dir models takes up a promotion or a rollback within seconds, without a restart.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// List the versions that were ever current, the current one marked
    List {
        /// The model directory
        #[arg(long, value_name = "D")]
        model_dir: PathBuf,
        #[command(flatten)]
        out: Out,
    },
    /// Show what a model says of itself [default: the directory's current one, else the shipped one]
    Show {
        /// A model file; with --model-dir also a version, or the beginning of it
        #[arg(value_name = "MODEL")]
        model: Option<String>,
        /// The model directory
        #[arg(long, value_name = "D")]
        model_dir: Option<PathBuf>,
        #[command(flatten)]
        out: Out,
    },
    /// Make a model current: it is read and tried out first, and copied into the directory
    Promote {
        /// The model file, or `shipped`
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The model directory; it is made if it does not exist
        #[arg(long, value_name = "D")]
        model_dir: PathBuf,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        out: Out,
    },
    /// Make the version current that was so before the current one was promoted; again goes back further, at last to
    /// the shipped model
    Rollback {
        /// The model directory
        #[arg(long, value_name = "D")]
        model_dir: PathBuf,
        /// Go back to this version, or the beginning of it
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        out: Out,
    },
    /// Say what differs between two models: thresholds, measures, training data, terms, size
    Diff {
        /// The older one: a file, a version, `current` or `previous` [default: previous]
        #[arg(value_name = "A")]
        old: Option<String>,
        /// The newer one [default: current]
        #[arg(value_name = "B")]
        new: Option<String>,
        /// The model directory
        #[arg(long, value_name = "D")]
        model_dir: Option<PathBuf>,
        #[command(flatten)]
        out: Out,
    },
}

/// Why something is done.
#[derive(Debug, clap::Args)]
struct Why {
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// How results are printed.
#[derive(Debug, clap::Args)]
struct Out {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    match &args.command {
        ModelCommand::List { model_dir, out } => list(&ModelDir::new(model_dir), out),
        ModelCommand::Show { model, model_dir, out } => show(model.as_deref(), model_dir.as_deref(), out),
        ModelCommand::Promote {
            file,
            model_dir,
            why,
            out,
        } => {
            let promoted = ModelDir::new(model_dir).promote(file, why.reason.as_deref(), Clock::System.now());
            changed("promoted", promoted, out)
        }
        ModelCommand::Rollback {
            model_dir,
            to,
            why,
            out,
        } => {
            let dir = ModelDir::new(model_dir);
            let to = match to {
                None => None,
                Some(words) => Some(version(&dir, &history(&dir)?, words)?),
            };
            let target = to.as_deref().map_or(Target::Before, Target::Version);
            let rolled_back = dir.rollback(target, why.reason.as_deref(), Clock::System.now());
            changed("rolled back to", rolled_back, out)
        }
        ModelCommand::Diff {
            old,
            new,
            model_dir,
            out,
        } => {
            let dir = model_dir.as_deref().map(ModelDir::new);
            let old = file(dir.as_ref(), old.as_deref().unwrap_or("previous"))?;
            let new = file(dir.as_ref(), new.as_deref().unwrap_or("current"))?;
            let diff = artifact::diff(&old, &new).map_err(|error| Failure::new(Exit::Data, error))?;
            print(out, &diff, || render::diff(&diff))
        }
    }
}

/// Prints a result in the form that was asked for.
fn print<T: Serialize>(out: &Out, value: &T, text: impl FnOnce() -> String) -> CommandResult {
    let shown = match out.format {
        Format::Text => text(),
        Format::Json => serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Unexpected, error))?,
    };
    output::line(shown.trim_end())?;
    Ok(Exit::Ok)
}

fn list(dir: &ModelDir, out: &Out) -> CommandResult {
    let history = history(dir)?;
    let listed = Listed::new(dir, &history);
    print(out, &listed, || render::list(&listed))
}

fn show(model: Option<&str>, dir: Option<&Path>, out: &Out) -> CommandResult {
    let dir = dir.map(ModelDir::new);
    let path = match (model, &dir) {
        (None, None) => None,
        (words, dir) => Some(file(dir.as_ref(), words.unwrap_or("current"))?),
    };
    let model = load_model(path.as_deref())?;
    let shown = render::Shown::new(&model);
    print(out, &shown, || render::show(&shown))
}

/// What a promotion or rollback is reported as.
#[derive(Serialize)]
struct Changed<'a> {
    version: &'a str,
    previous: Option<&'a str>,
    changed: bool,
}

fn changed(what: &str, result: Result<Promotion, ModelDirError>, out: &Out) -> CommandResult {
    let Promotion {
        model,
        previous,
        changed,
    } = result.map_err(|error| Failure::new(exit_of(&error), error))?;
    let version = model.version();
    let previous = previous.as_deref();
    let shown = Changed {
        version,
        previous,
        changed,
    };
    print(out, &shown, || match previous {
        _ if !changed => format!("{version} is current already"),
        Some(previous) => format!("{what} {version}; before: {previous}"),
        None => format!("{what} {version}, the first model here"),
    })
}

const fn exit_of(error: &ModelDirError) -> Exit {
    match error {
        ModelDirError::Artifact(_)
        | ModelDirError::History(_)
        | ModelDirError::NothingBefore { .. }
        | ModelDirError::NeverCurrent { .. } => Exit::Data,
        ModelDirError::Lock { .. } => Exit::Config,
        ModelDirError::Save(_) => Exit::Unexpected,
    }
}

fn history(dir: &ModelDir) -> Result<History, Failure> {
    dir.history().map_err(|error| {
        let exit = match error {
            HistoryError::Read { .. } => Exit::Config,
            HistoryError::BadLine { .. } => Exit::Data,
        };
        Failure::new(exit, error)
    })
}

fn version(dir: &ModelDir, history: &History, words: &str) -> Result<String, Failure> {
    dir.resolve(history, words).ok_or_else(|| {
        let path = dir.path().display();
        let error = anyhow!("{words:?} names no version of {path}: moderato model list --model-dir {path}");
        Failure::new(Exit::Data, error)
    })
}

/// The file that these words mean: a file, or a version of the directory.
fn file(dir: Option<&ModelDir>, words: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(words);
    if words == artifact::SHIPPED || path.is_file() {
        return Ok(path);
    }
    let Some(dir) = dir else {
        // Loading will say what is wrong with the path, unless no path was meant.
        if matches!(words, "current" | "previous") {
            let error = anyhow!("name two model files, or say which directory's versions with --model-dir D");
            return Err(Failure::new(Exit::Usage, error));
        }
        return Ok(path);
    };
    Ok(dir.artifact(&version(dir, &history(dir)?, words)?))
}
