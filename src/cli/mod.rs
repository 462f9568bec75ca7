//! The command line: one file for each subcommand, which glues rooms together and speaks to a person.
//!
//! Results go to standard output, errors and progress to standard error; colors only on a terminal.

mod check;
mod evaluate;
mod exit;
mod feedback;
mod import;
mod key;
mod model;
mod output;
mod serve;
mod stats;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use exit::{CommandResult, Exit, Failure};

/// Comment moderation with reasons: spam filtering by naive Bayes, author rate limits, required fields.
#[derive(Debug, Parser)]
#[command(name = "moderato", version = version(), propagate_version = true, subcommand_required = true)]
#[command(after_help = "Examples:
  moderato serve                              run the service on 127.0.0.1:50051, nothing else needed
  moderato check --content 'Nice article!'    judge one comment here and now
  moderato train --data mine.jsonl --out mine.moderato
  moderato evaluate --model mine.moderato --data other.jsonl")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Args),
    /// Judge comments without limits, from flags, a file or standard input
    Check(check::Args),
    /// Learn a spam model from labeled comments
    Train(train::Args),
    /// Measure a model on labeled comments, or the way of training by a published protocol
    Evaluate(evaluate::Args),
    /// What a running service has decided, by site and day
    Stats(stats::Args),
    /// What people labeled: count it, export it for training, forget it
    Feedback(feedback::Args),
    /// Turn an export of past moderation into training data
    Import(import::Args),
    /// List, show, compare, promote and roll back the versions of a model directory
    Model(model::Args),
    /// Make secrets
    Key(key::Args),
}

/// Lets nobody but this user read what is written from here on: comments, and what people said of them.
fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// The command without the environment variables that are set and empty, as compose files leave what nobody has filled
/// in: they are as if they were not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|arg| {
            if is_empty(&arg) {
                arg.env(None::<&'static str>)
            } else {
                arg
            }
        })
        .mut_subcommands(without_empty_variables)
}

/// Parses the command line, runs the command, reports what went wrong.
pub fn main() -> ExitCode {
    // redis' TLS leaves the choice of a provider to us; a second installation would only say that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = without_empty_variables(Cli::command());
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors that are none; clap's own code for usage is our 2.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = error.print();
            return exit.into();
        }
    };
    if matches!(
        cli.command,
        Command::Serve(_) | Command::Import(_) | Command::Feedback(_)
    ) {
        keep_files_private();
    }
    let result = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Feedback(args) => feedback::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Key(args) => key::run(&args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::error(&failure.error);
            failure.exit.into()
        }
    }
}

/// The version with the commit it was built from, where that is known.
const fn version() -> &'static str {
    if env!("MODERATO_COMMIT").is_empty() {
        env!("CARGO_PKG_VERSION")
    } else {
        concat!(env!("CARGO_PKG_VERSION"), " (", env!("MODERATO_COMMIT"), ")")
    }
}
