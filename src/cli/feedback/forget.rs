//! `moderato feedback forget`: by decision, by author, by site and age.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Format, Place, open};
use crate::artifact;
use crate::cli::{CommandResult, Exit, Failure, output};
use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::operations::author_keys_of_all;
use crate::record::{DecisionId, Export, Selection};
use crate::sensitive::Sensitive;

/// `moderato feedback forget …`
#[derive(Debug, clap::Args)]
#[command(mut_group("place", |place| place.required(true)))]
#[group(id = "selection", required = true, multiple = true, args = ["decision", "author_name", "author_email", "older_than"])]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Forget this decision
    #[arg(long, value_name = "ID", conflicts_with_all = ["site", "author_name", "author_email", "older_than"])]
    decision: Option<String>,
    /// The site that the following is about
    #[arg(long, value_name = "ID", required_unless_present = "decision")]
    site: Option<String>,
    /// Forget the decisions on an author of this name (where the site keeps author history)
    #[arg(long, value_name = "NAME")]
    author_name: Option<String>,
    /// Forget the decisions on an author of this e-mail address (where the site keeps author history)
    #[arg(long, value_name = "EMAIL")]
    author_email: Option<String>,
    /// Forget only what was decided longer ago than this, such as 90d
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// Artifacts, or directories of them: say which of these models were trained from what is forgotten
    #[arg(long, value_name = "PATH")]
    models: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let selection = selection(args, Clock::System.now())?;
    let by_author = matches!(&selection, Selection::Site { authors, .. } if !authors.is_empty());
    let forgotten = args.place.with_store(async |store| store.forget(selection).await)?;
    let versions = versions(&args.models, &forgotten.exports)?;
    if args.format == Format::Text {
        output::line(&format!(
            "forgotten: {} decisions, {} of them labeled",
            forgotten.n_records, forgotten.n_labels
        ))?;
        for export in &forgotten.exports {
            output::line(&format!("was in an export with SHA-256 {}", export.sha256))?;
        }
        for version in &versions {
            output::line(&format!("model {version} was trained from such an export"))?;
        }
    } else {
        let exports: Vec<_> = forgotten.exports.iter().map(|export| &export.sha256).collect();
        let whole = json!({
            "decisions": forgotten.n_records, "labels": forgotten.n_labels,
            "exports": exports, "model_versions": versions,
        });
        output::line(&whole.to_string())?;
    }
    if by_author && forgotten.n_records == 0 {
        output::note(
            "nothing was found by these pseudonyms; a site keeps them only with author_history = true, and they are found only \
             under the pseudonym key of their time: give that one as MODERATO_PSEUDONYM_KEY_PREVIOUS",
        );
    }
    Ok(Exit::Ok)
}

fn selection(args: &Args, now: Timestamp) -> Result<Selection, Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, anyhow::anyhow!(what));
    if let Some(id) = &args.decision {
        let id = DecisionId::parse(id);
        return id
            .map(Selection::Decision)
            .ok_or_else(|| usage("--decision: is not 32 hexadecimal digits".to_owned()));
    }
    let site = open::site(args.site.as_deref().unwrap_or_default())?;
    let before = match &args.older_than {
        Some(age) => {
            let age = config::duration("--older-than", age).map_err(usage)?;
            Some(Timestamp::from_micros(0).after(now.since(Timestamp::from_micros(0)).saturating_sub(age)))
        }
        None => None,
    };
    let sensitive = |text: &Option<String>| text.clone().map(Sensitive::new);
    let (name, email) = (sensitive(&args.author_name), sensitive(&args.author_email));
    let authors = if name.is_some() || email.is_some() {
        author_keys_of_all(&args.place.pseudonymizer()?, &site, name.as_ref(), email.as_ref())
    } else {
        Vec::new()
    };
    if authors.is_empty() && before.is_none() {
        // Blank names would select everybody.
        return Err(usage("--author-name, --author-email: are empty".to_owned()));
    }
    Ok(Selection::Site { site, authors, before })
}

/// The versions of the models that were trained from any of the exports.
fn versions(paths: &[PathBuf], exports: &[Export]) -> Result<BTreeSet<String>, Failure> {
    let mut versions = BTreeSet::new();
    for path in paths.iter().flat_map(|path| artifacts(path)) {
        let model = artifact::load(&path).map_err(|error| Failure::new(Exit::Data, error))?;
        let card = model.card();
        if exports
            .iter()
            .any(|export| card.data.iter().any(|file| file.sha256 == export.sha256))
        {
            versions.insert(model.version().to_owned());
        }
    }
    Ok(versions)
}

fn artifacts(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return vec![path.to_owned()];
    };
    let is_artifact = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "moderato");
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_artifact)
        .collect()
}
