//! `moderato feedback`: what people labeled.

mod forget;
mod open;
mod rows;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CommandResult, Exit, Failure, output};
use crate::clock::Clock;
use crate::record::{Export, Stats};
use crate::site::SiteId;
use crate::verdict::Verdict;

pub(super) use open::{Place, site, store};
pub(super) use rows::labeled;

/// `moderato feedback …`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato feedback stats --data-dir D                         how much was labeled, against what was decided
  moderato feedback export --data-dir D > labels.jsonl         rows for `moderato train --data labels.jsonl`
  moderato feedback forget --data-dir D --decision b12f55aa301ae3b047ebd417c5042d0a
  moderato feedback forget --redis URL --site gazette --older-than 90d

`stats` and `export` may run beside the service. `forget` on a data directory needs it for itself: a running service
forgets by AdminService/ForgetAuthor.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: FeedbackCommand,
}

#[derive(Debug, Subcommand)]
enum FeedbackCommand {
    /// Count labels against verdicts
    Stats(StatsArgs),
    /// Print labeled decisions as rows for training
    Export(ExportArgs),
    /// Remove decisions and their labels
    Forget(forget::Args),
}

#[derive(Debug, clap::Args)]
#[command(mut_group("place", |place| place.required(true)))]
struct StatsArgs {
    #[command(flatten)]
    place: Place,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, clap::Args)]
#[command(mut_group("place", |place| place.required(true)))]
struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// Only of this site
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    match &args.command {
        FeedbackCommand::Stats(args) => stats(args),
        FeedbackCommand::Export(args) => export(args),
        FeedbackCommand::Forget(args) => forget::run(args),
    }
}

fn stats(args: &StatsArgs) -> CommandResult {
    let stats = args.place.look(Clock::System.now(), &mut |_| Ok(()))?;
    if args.format == Format::Text {
        output::line(text(&stats).trim_end())?;
    } else {
        let cells = stats.cells.iter().map(|(site, verdict, opinion, n)| {
            let verdict = verdict.map(Verdict::as_str);
            json!({"site": site.as_str(), "verdict": verdict, "label": opinion.map(crate::record::Opinion::as_str), "n": n})
        });
        let cells: Vec<Value> = cells.collect();
        let whole =
            json!({"decisions": stats.n_records, "labels": stats.n_labels, "bytes": stats.bytes, "cells": cells});
        output::line(&whole.to_string())?;
    }
    Ok(Exit::Ok)
}

/// A table for each site: verdicts down, labels across.
fn text(stats: &Stats) -> String {
    let mut text = format!(
        "{} decisions remembered, {} of them labeled; {} bytes\n",
        stats.n_records, stats.n_labels, stats.bytes
    );
    let mut sites: BTreeMap<&SiteId, Vec<_>> = BTreeMap::new();
    for (site, verdict, opinion, n) in &stats.cells {
        sites.entry(site).or_default().push((*verdict, *opinion, *n));
    }
    let columns = crate::record::Opinion::ALL.map(Some).into_iter().chain([None]);
    let columns: Vec<_> = columns.collect();
    for (site, cells) in sites {
        text.push_str(&format!("\n{:<20}", site.as_str()));
        for opinion in &columns {
            text.push_str(&format!(
                "{:>11}",
                opinion.map_or("unlabeled", |opinion| opinion.as_str())
            ));
        }
        for verdict in [Some(Verdict::Approve), Some(Verdict::Hold), Some(Verdict::Reject), None] {
            text.push_str(&format!(
                "\n  {:<18}",
                verdict.map_or("not judged here", Verdict::as_str)
            ));
            for opinion in &columns {
                let n: u64 = cells
                    .iter()
                    .filter(|cell| (cell.0, cell.1) == (verdict, *opinion))
                    .map(|cell| cell.2)
                    .sum();
                text.push_str(&format!("{n:>11}"));
            }
        }
        text.push('\n');
    }
    text
}

fn export(args: &ExportArgs) -> CommandResult {
    let site = args.site.as_deref().map(open::site).transpose()?;
    let mut sink: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(std::io::BufWriter::new(std::fs::File::create(path).map_err(
            |error| Failure::new(Exit::Data, anyhow::anyhow!("write {}: {error}", path.display())),
        )?)),
        None => output::bulk(),
    };
    let mut n = 0_u64;
    let mut digest = Sha256::new();
    let mut put = |bytes: &[u8]| -> Result<(), Failure> {
        digest.update(bytes);
        sink.write_all(bytes).map_err(output::failed)
    };
    if args.format == Format::Json {
        put(b"[")?;
    }
    let left = labeled(&args.place, site.as_ref(), &mut |row, _| {
        let separator = if args.format == Format::Json && n > 0 {
            ",\n"
        } else {
            ""
        };
        let line = match args.format {
            Format::Json => format!("{separator}{row}"),
            Format::Jsonl => format!("{row}\n"),
            Format::Text => {
                let field = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
                let fields = ["decision_id", "labeled_at", "label", "verdict", "source", "site"].map(field);
                format!("{}\n", fields.join("  "))
            }
        };
        n += 1;
        put(line.as_bytes())
    })?;
    if args.format == Format::Json {
        put(b"]\n")?;
    }
    sink.flush().map_err(output::failed)?;
    let export = Export {
        sha256: hex::encode(digest.finalize()),
        at: left.at,
        site,
    };
    if args.format != Format::Text {
        args.place.note_export(export)?;
    }
    output::note(&format!("{n} labeled decisions exported"));
    left.note();
    Ok(Exit::Ok)
}
