//! `moderato stats`: what a running service has decided, by site and day.

use anyhow::anyhow;

use super::check::remote::{Credentials, Remote};
use super::{CommandResult, Exit, Failure, output};
use crate::api::grpc::proto;

/// What a running service has decided, by site and day
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato stats --server http://127.0.0.1:50051
  moderato stats --server http://127.0.0.1:50051 --site gazette --days 30 --format json")]
pub(super) struct Args {
    /// The running service
    #[arg(long, value_name = "URL")]
    server: String,
    #[command(flatten)]
    credentials: Credentials,
    /// One site [default: all; a key that is not an administrator's has to name its own]
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// So many days of UTC, today among them; at most 35
    #[arg(long, value_name = "N", default_value_t = 7)]
    days: u32,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How statistics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people.
    Text,
    /// One array.
    Json,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let request = proto::GetStatsRequest {
        site: args.site.clone().unwrap_or_default(),
        days: args.days,
    };
    let answer = Remote::connect(&args.server, &args.credentials)?
        .stats(request)
        .map_err(|status| {
            let exit = match status.code() {
                tonic::Code::InvalidArgument => Exit::Usage,
                tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Exit::Unreachable,
                _ => Exit::Unexpected,
            };
            Failure::new(
                exit,
                anyhow!("no statistics from {}: {}", args.server, status.message()),
            )
        })?;
    match args.format {
        Format::Text => text(&answer.days)?,
        Format::Json => {
            let days: Vec<_> = answer.days.iter().map(json).collect();
            output::line(&serde_json::Value::from(days).to_string())?;
        }
    }
    Ok(Exit::Ok)
}

fn text(days: &[proto::SiteDay]) -> Result<(), Failure> {
    if days.is_empty() {
        return output::line("nothing was judged on these days");
    }
    let width = days.iter().map(|day| day.site.len()).max().unwrap_or(0).max(4);
    output::line(&format!(
        "{:<width$}  {:<10}  {:>8}  {:>8}  {:>8}  {:>8}  {:>14}  {:>20}  {:>20}  reasons",
        "site",
        "day",
        "comments",
        "approved",
        "held",
        "rejected",
        "held of budget",
        "wrongly rejected",
        "wrongly approved"
    ))?;
    for day in days {
        let budget = match day.holds_budget {
            Some(budget) => format!("{} %", 100 * day.held / budget.max(1)),
            None => "-".to_owned(),
        };
        let reasons: Vec<_> = sorted(day).iter().map(|(code, n)| format!("{code} {n}")).collect();
        output::line(&format!(
            "{:<width$}  {:<10}  {:>8}  {:>8}  {:>8}  {:>8}  {budget:>14}  {:>20}  {:>20}  {}",
            day.site,
            day.date,
            day.approved + day.held + day.rejected,
            day.approved,
            day.held,
            day.rejected,
            rate(day.false_reject.as_ref()),
            rate(day.false_approve.as_ref()),
            reasons.join(", ")
        ))?;
    }
    Ok(())
}

/// Errors among what was labeled, with the interval: `1 of 40 (0.1-13 %)`.
fn rate(rate: Option<&proto::ErrorRate>) -> String {
    rate.map_or_else(
        || "-".to_owned(),
        |rate| {
            let (low, high) = (100.0 * rate.low, 100.0 * rate.high);
            format!("{} of {} ({low:.1}-{high:.1} %)", rate.errors, rate.labeled)
        },
    )
}

/// The reasons, the commonest first.
fn sorted(day: &proto::SiteDay) -> Vec<(&str, u64)> {
    let mut reasons: Vec<_> = day.reasons.iter().map(|(code, n)| (code.as_str(), *n)).collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    reasons
}

fn json(day: &proto::SiteDay) -> serde_json::Value {
    let reasons: serde_json::Map<_, _> = sorted(day)
        .into_iter()
        .map(|(code, n)| (code.to_owned(), n.into()))
        .collect();
    serde_json::json!({
        "site": day.site,
        "date": day.date,
        "approved": day.approved,
        "held": day.held,
        "rejected": day.rejected,
        "replayed": day.replayed,
        "holds_budget": day.holds_budget,
        "false_reject": day.false_reject.as_ref().map(rate_json),
        "false_approve": day.false_approve.as_ref().map(rate_json),
        "reasons": reasons,
    })
}

fn rate_json(rate: &proto::ErrorRate) -> serde_json::Value {
    serde_json::json!({ "errors": rate.errors, "labeled": rate.labeled, "low": rate.low, "high": rate.high })
}
