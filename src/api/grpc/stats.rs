//! Statistics ⇄ the wire.

use tonic_types::FieldViolation;

use super::{convert, proto};
use crate::moderator::{Asked, Report};
use crate::verdict::Verdict;

/// Days that are reported where nobody says how many.
const DAYS: u32 = 7;

/// Reads a request.
pub(super) fn asked(request: proto::GetStatsRequest) -> Result<Asked, Vec<FieldViolation>> {
    let proto::GetStatsRequest { site, days } = request;
    if days as usize > Asked::DAYS_MAX {
        let what = format!("{days} days are not kept; at most {}", Asked::DAYS_MAX);
        return Err(vec![FieldViolation::new("days", what)]);
    }
    Ok(Asked {
        site: Some(site).filter(|site| !site.is_empty()),
        days: if days == 0 { DAYS } else { days },
    })
}

/// Writes an answer.
pub(super) fn response(report: Report) -> proto::GetStatsResponse {
    let Report { lines, since } = report;
    let day = |(line, holds_budget): (crate::moderator::Line, Option<u64>)| proto::SiteDay {
        date: line.day.date(),
        approved: line.counts.of(Verdict::Approve),
        held: line.counts.of(Verdict::Hold),
        rejected: line.counts.of(Verdict::Reject),
        replayed: line.counts.replayed,
        reasons: line
            .counts
            .reasons()
            .map(|(code, n)| (code.as_str().to_owned(), n))
            .collect(),
        holds_budget,
        site: line.site,
    };
    proto::GetStatsResponse {
        days: lines.into_iter().map(day).collect(),
        since: Some(convert::timestamp(since)),
    }
}
