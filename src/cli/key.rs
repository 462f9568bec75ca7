//! `moderato key`: new secrets.

use clap::Subcommand;

use super::{CommandResult, Exit, Failure, output};
use crate::config;
use crate::site::{KeyHash, SiteId};

/// `moderato key …`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  export MODERATO_PSEUDONYM_KEY=$(moderato key new)
  moderato key new --site gazette --name backend --expires 2027-12-31
  moderato key new --admin

For a caller, the first line is the key, which only the caller should have; the second is its entry for the list
`keys` of [site.<id>] (or of [defaults], for all sites), or for access.admin_keys. The caller sends the key as
`authorization: Bearer KEY`.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Print a new random secret: 32 bytes in hexadecimal; with --site or --admin a caller's key and its entry
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    /// A key for who calls for this site
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// A key for administrative calls
    #[arg(long, conflicts_with = "site")]
    admin: bool,
    /// Whose key it is, to be noted in the entry
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The key's last day (UTC), as YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    expires: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let KeyCommand::New(new) = &args.command;
    if new.site.is_none() && !new.admin {
        if new.name.is_some() || new.expires.is_some() {
            let what = "--name and --expires are for callers' keys: say --site SITE or --admin, too";
            return Err(Failure::new(Exit::Usage, anyhow::anyhow!(what)));
        }
        let key = config::new_key().map_err(|error| Failure::new(Exit::Unexpected, error))?;
        output::line(&key)?;
        return Ok(Exit::Ok);
    }
    if let Some(Err(error)) = new.site.as_deref().map(SiteId::new) {
        return Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("--site: the site's name {error}"),
        ));
    }
    let key = config::new_caller_key().map_err(|error| Failure::new(Exit::Unexpected, error))?;
    let entry = config::key_entry(KeyHash::of(&key), new.name.as_deref(), new.expires.as_deref());
    let entry = entry.map_err(|error| Failure::new(Exit::Usage, error))?;
    output::line(&key)?;
    output::line(&entry)?;
    let list = new
        .site
        .as_ref()
        .map_or_else(|| "access.admin_keys".to_owned(), |site| format!("site.{site}.keys"));
    output::note(&format!(
        "the first line is for the caller alone; the second goes into {list} of the configuration"
    ));
    Ok(Exit::Ok)
}
