//! Labels, questions after a decision, and forgetting: between the wire and the operations.

use std::sync::Arc;

use tonic::Status;
use tonic_types::FieldViolation;

use super::{convert, fields, proto, status};
use crate::operations::{Feedback, Forget, Operations};
use crate::record::{Cause, DecisionId, Entry, Label, LabelSource, Opinion};
use crate::sensitive::Sensitive;
use crate::site::SiteId;

/// The longest name of a reviewer, in bytes.
const REVIEWER_BYTES_MAX: usize = 256;

/// `SubmitFeedback`
pub(super) async fn submit(
    operations: &Operations,
    request: proto::SubmitFeedbackRequest,
) -> Result<proto::SubmitFeedbackResponse, Status> {
    let feedback = read_feedback(request).map_err(status::invalid)?;
    let result = operations.submit_feedback(feedback).await;
    let (id, labeled) = result.map_err(|refusal| status::feedback(&refusal))?;
    Ok(proto::SubmitFeedbackResponse {
        decision_id: id.to_string(),
        label: label_code(labeled.in_force.opinion).into(),
        labeled_at: Some(convert::timestamp(labeled.in_force.labeled_at)),
        applied: labeled.applied,
    })
}

fn read_feedback(request: proto::SubmitFeedbackRequest) -> Result<Feedback, Vec<FieldViolation>> {
    let mut violations = Vec::new();
    let proto::SubmitFeedbackRequest {
        decision_id,
        label,
        site,
        comment,
        labeled_at,
        reviewer,
        source,
    } = request;
    let opinion = opinion(label, &mut violations);
    if comment.is_none() && decision_id.is_empty() {
        let what = "is missing; name the decision, or send the comment in full";
        violations.push(FieldViolation::new("decision_id", what));
    }
    if comment.is_some() && site.is_empty() {
        let what = "is missing; a comment that is sent in full needs its site";
        violations.push(FieldViolation::new("site", what));
    }
    let decision = decision(&decision_id, &mut violations);
    let site = self::site(&site, &mut violations);
    let comment = comment.map(|comment| {
        let own_id = comment.id.clone();
        (convert::comment(comment, &mut violations), own_id)
    });
    if reviewer.len() > REVIEWER_BYTES_MAX {
        let what = format!("is {} bytes long; at most {REVIEWER_BYTES_MAX} fit", reviewer.len());
        violations.push(FieldViolation::new("reviewer", what));
    }
    let labeled_at = labeled_at.map(|at| fields::moment("labeled_at", at, &mut violations));
    let source = self::source(source, &mut violations);
    match opinion {
        Some(opinion) if violations.is_empty() => Ok(Feedback {
            decision,
            site,
            comment,
            opinion,
            labeled_at,
            reviewer: Some(reviewer)
                .filter(|reviewer| !reviewer.is_empty())
                .map(Sensitive::new),
            source,
        }),
        _ => Err(violations),
    }
}

/// `GetDecision`
pub(super) async fn get(
    operations: &Operations,
    request: proto::GetDecisionRequest,
) -> Result<proto::GetDecisionResponse, Status> {
    let proto::GetDecisionRequest { decision_id, site } = request;
    let mut violations = Vec::new();
    let id = fields::decision("decision_id", &decision_id, &mut violations);
    let site = self::site(&site, &mut violations);
    let Some(id) = id.filter(|_| violations.is_empty()) else {
        return Err(status::invalid(violations));
    };
    let result = operations.decision(id, site.as_ref()).await;
    result.map(entry).map_err(|refusal| status::feedback(&refusal))
}

fn entry(entry: Entry) -> proto::GetDecisionResponse {
    let Entry {
        record,
        label,
        expires_at,
    } = entry;
    let mut response = proto::GetDecisionResponse {
        decision_id: record.id.to_string(),
        site: record.site.as_str().to_owned(),
        decided_at: Some(convert::timestamp(record.decided_at)),
        expires_at: Some(convert::timestamp(expires_at)),
        ..Default::default()
    };
    if let Some(judged) = record.judged {
        response.verdict = convert::verdict(judged.verdict).into();
        response.spam_probability = judged.spam_probability;
        response.reasons = judged.causes.into_iter().map(reason).collect();
        response.model_version = judged.model_version;
        response.policy_version = judged.policy_version;
    }
    if let Some(Label {
        opinion,
        labeled_at,
        source,
        reviewer,
        received_at: _,
        first_received_at: _,
    }) = label
    {
        response.label = label_code(opinion).into();
        response.labeled_at = Some(convert::timestamp(labeled_at));
        response.source = source_code(source).into();
        response.reviewer = reviewer
            .map(|reviewer| hex::encode(reviewer.as_bytes()))
            .unwrap_or_default();
    }
    response
}

fn reason(cause: Cause) -> proto::Reason {
    let Cause {
        code,
        effect,
        message,
        shadow,
    } = cause;
    proto::Reason {
        code,
        effect: effect.map_or(proto::Verdict::Unspecified, convert::verdict).into(),
        moderator_message: message,
        shadow,
        ..Default::default()
    }
}

/// `ForgetAuthor`
pub(super) async fn forget(
    operations: &Arc<Operations>,
    request: proto::ForgetAuthorRequest,
) -> Result<proto::ForgetAuthorResponse, Status> {
    let forget = read_forget(request).map_err(status::invalid)?;
    let about_author = matches!(&forget, Forget::Site { name, email, .. } if name.is_some() || email.is_some());
    let forgotten = operations
        .forget(forget)
        .await
        .map_err(|refusal| status::feedback(&refusal))?;
    let note = if about_author && forgotten.n_records == 0 {
        "nothing was found by these pseudonyms; a site keeps them only with author_history = true, and what was kept \
         before the pseudonym key was changed is found while the previous key is given too; otherwise decisions are \
         found by their id or by their age"
    } else {
        ""
    };
    Ok(proto::ForgetAuthorResponse {
        decisions: forgotten.n_records,
        labels: forgotten.n_labels,
        model_versions: operations.models.trained_from(&forgotten.exports).await,
        exports: forgotten
            .exports
            .into_iter()
            .map(|export| proto::Export {
                sha256: export.sha256,
                exported_at: Some(convert::timestamp(export.at)),
            })
            .collect(),
        note: note.to_owned(),
    })
}

fn read_forget(request: proto::ForgetAuthorRequest) -> Result<Forget, Vec<FieldViolation>> {
    let proto::ForgetAuthorRequest {
        decision_id,
        site,
        author_name,
        author_email,
        decided_before,
    } = request;
    let mut violations = Vec::new();
    let id = decision(&decision_id, &mut violations);
    let before = decided_before.map(|at| fields::moment("decided_before", at, &mut violations));
    let given = |text: String| Some(text).filter(|text| !text.trim().is_empty()).map(Sensitive::new);
    let (name, email) = (given(author_name), given(author_email));
    let by_site = name.is_some() || email.is_some() || before.is_some();
    if decision_id.is_empty() && !by_site {
        let what = "is missing; name a decision, or a site with author_name, author_email or decided_before";
        violations.push(FieldViolation::new("decision_id", what));
    } else if !decision_id.is_empty() && by_site {
        let what = "stands beside other selections; ask for one of them at a time";
        violations.push(FieldViolation::new("decision_id", what));
    } else if by_site && site.is_empty() {
        let what = "is missing; authors and ages are those of a site";
        violations.push(FieldViolation::new("site", what));
    }
    let site = self::site(&site, &mut violations);
    match (id, site) {
        _ if !violations.is_empty() => Err(violations),
        (Some(id), _) => Ok(Forget::Decision(id)),
        (None, Some(site)) => Ok(Forget::Site {
            site,
            name,
            email,
            before,
        }),
        (None, None) => Err(violations),
    }
}

fn decision(text: &str, violations: &mut Vec<FieldViolation>) -> Option<DecisionId> {
    if text.is_empty() {
        return None;
    }
    fields::decision("decision_id", text, violations)
}

fn site(text: &str, violations: &mut Vec<FieldViolation>) -> Option<SiteId> {
    if text.is_empty() {
        return None;
    }
    let site = SiteId::new(text);
    site.map_err(|error| violations.push(FieldViolation::new("site", error.to_string())))
        .ok()
}

fn opinion(code: i32, violations: &mut Vec<FieldViolation>) -> Option<Opinion> {
    let known = match proto::Label::try_from(code) {
        Ok(proto::Label::Ham) => Some(Opinion::Ham),
        Ok(proto::Label::Spam) => Some(Opinion::Spam),
        Ok(proto::Label::Abuse) => Some(Opinion::Abuse),
        Ok(proto::Label::OffTopic) => Some(Opinion::OffTopic),
        Ok(proto::Label::Withdrawn) => Some(Opinion::Withdrawn),
        Ok(proto::Label::Unspecified) | Err(_) => None,
    };
    if known.is_none() {
        let what = "is none of LABEL_HAM, LABEL_SPAM, LABEL_ABUSE, LABEL_OFF_TOPIC, LABEL_WITHDRAWN";
        violations.push(FieldViolation::new("label", what));
    }
    known
}

const fn label_code(opinion: Opinion) -> proto::Label {
    match opinion {
        Opinion::Ham => proto::Label::Ham,
        Opinion::Spam => proto::Label::Spam,
        Opinion::Abuse => proto::Label::Abuse,
        Opinion::OffTopic => proto::Label::OffTopic,
        Opinion::Withdrawn => proto::Label::Withdrawn,
    }
}

fn source(code: i32, violations: &mut Vec<FieldViolation>) -> LabelSource {
    match proto::LabelSource::try_from(code) {
        Ok(proto::LabelSource::Unspecified | proto::LabelSource::Moderator) => LabelSource::Moderator,
        Ok(proto::LabelSource::AuthorAppeal) => LabelSource::AuthorAppeal,
        Ok(proto::LabelSource::Import) => LabelSource::Import,
        Err(_) => {
            violations.push(FieldViolation::new("source", format!("{code} is not a LabelSource")));
            LabelSource::Moderator
        }
    }
}

const fn source_code(source: LabelSource) -> proto::LabelSource {
    match source {
        LabelSource::Moderator => proto::LabelSource::Moderator,
        LabelSource::AuthorAppeal => proto::LabelSource::AuthorAppeal,
        LabelSource::Import => proto::LabelSource::Import,
    }
}
