//! Statistics ⇄ the wire.

use tonic_types::FieldViolation;

use super::{convert, proto};
use crate::operations::{Asked, Rate, Report, SiteDay};
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
    let Report { days, since } = report;
    proto::GetStatsResponse {
        days: days.into_iter().map(day).collect(),
        since: Some(convert::timestamp(since)),
    }
}

fn day(day: SiteDay) -> proto::SiteDay {
    let SiteDay {
        site,
        date,
        counts,
        holds_budget,
        false_reject,
        false_approve,
    } = day;
    proto::SiteDay {
        site,
        date,
        approved: counts.of(Verdict::Approve),
        held: counts.of(Verdict::Hold),
        rejected: counts.of(Verdict::Reject),
        replayed: counts.replayed,
        reasons: counts
            .reasons()
            .map(|(code, n)| (code.as_str().to_owned(), n))
            .collect(),
        holds_budget,
        false_reject: false_reject.map(rate),
        false_approve: false_approve.map(rate),
    }
}

const fn rate(rate: Rate) -> proto::ErrorRate {
    let Rate {
        errors,
        labeled,
        interval: (low, high),
    } = rate;
    proto::ErrorRate {
        errors,
        labeled,
        low,
        high,
    }
}
