//! Translates between the wire and the pipeline. Personal fields are wrapped here, on the way in; everything the
//! calling program did wrong is collected here, and what the author did wrong passes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use prost::Message;
use tonic_types::FieldViolation;

use super::{fields, proto};
use crate::clock::Timestamp;
use crate::comment::{Action, Author, Comment, Kind, Trust};
use crate::model::{Contribution, Explanation};
use crate::pipeline::{Explained, Judgment, RequestId, Submission};
use crate::policy::{self, Summary};
use crate::sensitive::Sensitive;
use crate::site::{InvalidSiteId, SiteId};
use crate::verdict::{Handling, QuotaState, Reason, Verdict};

/// The longest request id, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The most contributions that an explanation lists; the rest is given as a sum.
const CONTRIBUTIONS_MAX: usize = 12;

/// Reads a request, or says everything that is wrong with it.
pub(super) fn submission(request: proto::ModerateRequest) -> Result<Submission, Vec<FieldViolation>> {
    let mut violations = Vec::new();
    let request_id = request_id(&request, &mut violations);
    // Exhaustive, so that a new field is not forgotten here.
    let proto::ModerateRequest {
        site,
        comment,
        action,
        request_id: _,
        previous_decision_id,
        explain,
        dry_run,
    } = request;
    let site = SiteId::new(&site)
        .map_err(|error| violations.push(site_violation(error)))
        .ok();
    let action = self::action(action, &mut violations);
    let previous = if previous_decision_id.is_empty() {
        None
    } else {
        fields::decision("previous_decision_id", &previous_decision_id, &mut violations)
    };
    let comment = match comment {
        Some(comment) => Some(self::comment(comment, &mut violations)),
        None => {
            violations.push(FieldViolation::new("comment", "is missing"));
            None
        }
    };
    match (site, comment) {
        (Some(site), Some(comment)) if violations.is_empty() => Ok(Submission {
            site,
            comment,
            action,
            request: request_id,
            previous,
            explain,
            dry_run,
            call: None,
        }),
        _ => Err(violations),
    }
}

fn site_violation(error: InvalidSiteId) -> FieldViolation {
    FieldViolation::new("site", error.to_string())
}

fn request_id(request: &proto::ModerateRequest, violations: &mut Vec<FieldViolation>) -> Option<RequestId> {
    if request.request_id.is_empty() {
        return None;
    }
    if request.request_id.len() > REQUEST_ID_BYTES_MAX {
        let what = format!(
            "is {} bytes long; at most {REQUEST_ID_BYTES_MAX} fit",
            request.request_id.len()
        );
        violations.push(FieldViolation::new("request_id", what));
    }
    // A call that timed out may be repeated as a recheck. The encoding of a message is canonical: fields in order, no
    // maps.
    let body = proto::ModerateRequest {
        action: 0,
        ..request.clone()
    };
    Some(RequestId {
        id: request.request_id.clone(),
        body: body.encode_to_vec(),
    })
}

fn action(action: i32, violations: &mut Vec<FieldViolation>) -> Action {
    match proto::Action::try_from(action) {
        Ok(proto::Action::Unspecified | proto::Action::Submit) => Action::Submit,
        Ok(proto::Action::Edit) => Action::Edit,
        Ok(proto::Action::Recheck) => Action::Recheck,
        Ok(proto::Action::Backfill) => Action::Backfill,
        Err(_) => {
            violations.push(FieldViolation::new("action", format!("{action} is not an Action")));
            Action::Submit
        }
    }
}

pub(super) fn comment(comment: proto::Comment, violations: &mut Vec<FieldViolation>) -> Comment {
    let proto::Comment {
        id: _,
        content,
        author_name,
        author_email,
        author_url,
        author_ip,
        author_id,
        author_trust,
        permalink,
        article_id,
        parent_id,
        form_age,
        kind,
        user_agent,
        referrer,
        author_created_at,
        author_approved_count,
        article_title,
        article_text,
        article_hosts,
        parent_content,
        submitted_at,
        language,
        honeypot,
    } = comment;
    let author = Author {
        name: Sensitive::new(author_name),
        email: Sensitive::new(author_email),
        url: author_url.map(Sensitive::new),
        address: address(&author_ip, violations),
        id: Sensitive::new(author_id),
        trust: trust(author_trust, violations),
        created_at: author_created_at.map(|at| fields::moment("comment.author_created_at", at, violations)),
        approved_count: author_approved_count,
    };
    Comment {
        content: Sensitive::new(content),
        author,
        kind: self::kind(kind, violations),
        submitted_at: submitted_at.map(|at| fields::moment("comment.submitted_at", at, violations)),
        article: if article_id.is_empty() {
            permalink.clone()
        } else {
            article_id
        },
        permalink,
        parent_id,
        // Below zero where the author's clock stepped back meanwhile: then it is not known.
        form_age: form_age.and_then(|age| Duration::try_from(age).ok()),
        article_title,
        article_text,
        article_hosts: article_hosts.iter().map(|host| host.trim().to_lowercase()).collect(),
        parent_content: Sensitive::new(parent_content),
        honeypot: Sensitive::new(honeypot),
        language: fields::language(&language, violations),
        user_agent: user_agent.map(Sensitive::new),
        referrer: Sensitive::new(referrer),
    }
}

fn address(text: &str, violations: &mut Vec<FieldViolation>) -> Option<Sensitive<IpAddr>> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse().ok().map(Sensitive::new);
    if parsed.is_none() {
        // The value stays out of the message: it may be a reader's address with a port behind it.
        let what = "is not an IPv4 or IPv6 address; pass the reader's own address, without a port";
        violations.push(FieldViolation::new("comment.author_ip", what));
    }
    parsed
}

fn kind(kind: i32, violations: &mut Vec<FieldViolation>) -> Kind {
    use proto::CommentKind as Wire;
    match Wire::try_from(kind) {
        Ok(Wire::Unspecified | Wire::Comment) => Kind::Comment,
        Ok(Wire::Reply) => Kind::Reply,
        Ok(Wire::ForumPost) => Kind::ForumPost,
        Ok(Wire::Review) => Kind::Review,
        Ok(Wire::ContactForm) => Kind::ContactForm,
        Ok(Wire::Pingback) => Kind::Pingback,
        Ok(Wire::Trackback) => Kind::Trackback,
        Err(_) => {
            violations.push(FieldViolation::new(
                "comment.kind",
                format!("{kind} is not a CommentKind"),
            ));
            Kind::Comment
        }
    }
}

fn trust(trust: i32, violations: &mut Vec<FieldViolation>) -> Trust {
    match proto::AuthorTrust::try_from(trust) {
        Ok(proto::AuthorTrust::Unspecified) => Trust::Anonymous,
        Ok(proto::AuthorTrust::Authenticated) => Trust::Authenticated,
        Ok(proto::AuthorTrust::Trusted) => Trust::Trusted,
        Ok(proto::AuthorTrust::Staff) => Trust::Staff,
        Err(_) => {
            violations.push(FieldViolation::new(
                "comment.author_trust",
                format!("{trust} is not an AuthorTrust"),
            ));
            Trust::Anonymous
        }
    }
}

/// Writes an answer; `content` is what the explanation's offsets point into.
pub(super) fn response(judgment: Judgment, content: &str) -> proto::ModerateResponse {
    let Judgment {
        decision_id,
        decision,
        model_version,
        policy_version,
        replayed,
        explanation,
    } = judgment;
    proto::ModerateResponse {
        decision_id,
        verdict: verdict(decision.verdict).into(),
        handling: handling(decision.handling).into(),
        spam_probability: decision.spam_probability,
        reasons: decision
            .reasons
            .iter()
            .map(|reason| self::reason(reason, decision.handling))
            .collect(),
        quotas: decision.quotas.into_iter().map(quota).collect(),
        retry_after: decision.retry_after.map(duration),
        not_evaluated: decision
            .not_evaluated
            .iter()
            .map(|code| code.as_str().to_owned())
            .collect(),
        degraded: decision.degraded.iter().map(|code| code.as_str().to_owned()).collect(),
        model_version,
        policy_version,
        replayed,
        explanation: explanation.map(|explained| self::explanation(explained, content)),
    }
}

pub(super) const fn verdict(verdict: Verdict) -> proto::Verdict {
    match verdict {
        Verdict::Approve => proto::Verdict::Approve,
        Verdict::Hold => proto::Verdict::Hold,
        Verdict::Reject => proto::Verdict::Reject,
    }
}

const fn handling(handling: Handling) -> proto::Handling {
    match handling {
        Handling::Publish => proto::Handling::Publish,
        Handling::Queue => proto::Handling::Queue,
        Handling::ReturnToAuthor => proto::Handling::ReturnToAuthor,
        Handling::RetryLater => proto::Handling::RetryLater,
        Handling::Quarantine => proto::Handling::Quarantine,
    }
}

fn reason(reason: &Reason, handling: Handling) -> proto::Reason {
    proto::Reason {
        code: reason.code.as_str().to_owned(),
        effect: reason.effect.map_or(proto::Verdict::Unspecified, verdict).into(),
        author_message: policy::author_message(reason, handling),
        moderator_message: policy::moderator_message(reason),
        field: policy::field(reason.code).to_owned(),
        params: reason
            .params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<HashMap<_, _>>(),
        shadow: reason.shadow,
    }
}

fn quota(quota: QuotaState) -> proto::QuotaState {
    let QuotaState {
        name,
        limit,
        remaining,
        retry_after,
        reset_after,
        exceeded,
        effect: _,
        shadow,
    } = quota;
    proto::QuotaState {
        name: name.to_string(),
        limit,
        remaining,
        retry_after: Some(duration(retry_after)),
        reset_after: Some(duration(reset_after)),
        exceeded,
        shadow,
    }
}

fn explanation(explained: Explained, content: &str) -> proto::Explanation {
    let Explanation {
        base_log_odds,
        log_odds,
        contributions,
        evidence,
    } = explained.explanation;
    let Summary { sentence, parts } = explained.summary;
    let (listed, others) = contributions.split_at(contributions.len().min(CONTRIBUTIONS_MAX));
    proto::Explanation {
        base_log_odds,
        log_odds,
        contributions: listed
            .iter()
            .map(|contribution| self::contribution(contribution, content))
            .collect(),
        // From +0: the sum of nothing is -0 in Rust, which the wire does not keep.
        other_log_odds: others.iter().fold(0.0, |sum, contribution| sum + contribution.log_odds),
        evidence,
        sentence,
        parts: parts.into_iter().map(explanation_part).collect(),
    }
}

fn explanation_part(part: policy::Part) -> proto::ExplanationPart {
    let policy::Part {
        kind,
        log_odds,
        share,
        phrases,
        shapes,
    } = part;
    proto::ExplanationPart {
        kind: kind.as_str().to_owned(),
        share,
        log_odds,
        phrases,
        shapes,
    }
}

fn contribution(contribution: &Contribution, content: &str) -> proto::Contribution {
    let span = contribution
        .span
        .as_ref()
        .filter(|span| content.get((*span).clone()).is_some());
    let offset = |at: usize| u32::try_from(at).ok();
    proto::Contribution {
        view: contribution.view.to_owned(),
        term: contribution.term.clone(),
        log_odds: contribution.log_odds,
        start: span.and_then(|span| offset(span.start)),
        end: span.and_then(|span| offset(span.end)),
        message: policy::contribution_message(contribution),
    }
}

/// A moment on the wire.
pub(super) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    prost_types::Timestamp {
        seconds: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0),
    }
}

/// A duration on the wire. Ours end at a year, far below what the wire can hold.
fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}
