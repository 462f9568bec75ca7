//! `moderato key`: new secrets.

use clap::Subcommand;

use super::{CommandResult, Exit, Failure, output};
use crate::config;

/// `moderato key …`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  export MODERATO_PSEUDONYM_KEY=$(moderato key new)")]
pub(super) struct Args {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Print a new random secret of 32 bytes, in hexadecimal
    New,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    match args.command {
        KeyCommand::New => {
            let key = config::new_key().map_err(|error| Failure::new(Exit::Unexpected, error))?;
            output::line(&key)?;
            Ok(Exit::Ok)
        }
    }
}
