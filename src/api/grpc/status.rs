//! The gRPC statuses of the calling program's mistakes. Their texts hold what operators and programs wrote, never what
//! an author typed.

use std::time::Duration;

use tonic::body::Body;
use tonic::codegen::http;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::operations::FeedbackRefusal;
use crate::pipeline::Refusal;
use crate::transport::{Denied, Rejections};

/// The moment at which callers that were turned away for overload may come back: so many ms and up to as many more,
/// each of them at another time.
const RETRY_DELAY_MS: u32 = 100;

/// `INVALID_ARGUMENT` with every violation.
pub(super) fn invalid(violations: Vec<FieldViolation>) -> Status {
    let fields: Vec<_> = violations
        .iter()
        .map(|v| format!("{} {}", v.field, v.description))
        .collect();
    let message = format!("invalid request: {}", fields.join("; "));
    Status::with_error_details(
        Code::InvalidArgument,
        message,
        ErrorDetails::with_bad_request(violations),
    )
}

/// The status of a refusal of the pipeline.
pub(super) fn refused(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::UnknownSite(_) => Status::not_found(format!(
            "{refusal}: add a [site.<id>] section, or set service.allow_unknown_sites = true"
        )),
        Refusal::RequestIdReused => {
            let what = "was used within the last 10 minutes with another body; each comment needs an id of its own";
            invalid(vec![FieldViolation::new("request_id", what)])
        }
        Refusal::FromTheFuture => {
            let what = "lies in the future: more than a day ahead of this service's clock";
            invalid(vec![FieldViolation::new("comment.submitted_at", what)])
        }
    }
}

/// A caller that is not admitted. The texts are constant, and the same for what is not there and what is another's.
pub(super) fn denied(denied: Denied) -> Status {
    let message = denied.to_string();
    match denied {
        Denied::Unauthenticated => Status::unauthenticated(message),
        Denied::OtherSite | Denied::NotAdmin => Status::permission_denied(message),
        Denied::TooManyCalls { retry_after } => {
            let details = ErrorDetails::with_retry_info(Some(retry_after));
            Status::with_error_details(Code::ResourceExhausted, message, details)
        }
    }
}

/// A refusal of feedback.
pub(super) fn feedback(refusal: &FeedbackRefusal) -> Status {
    match refusal {
        FeedbackRefusal::NoStore => Status::failed_precondition(refusal.to_string()),
        FeedbackRefusal::NotFound(_) => Status::not_found(refusal.to_string()),
        FeedbackRefusal::UnknownSite(_) => Status::not_found(format!(
            "{refusal}: add a [site.<id>] section, or set service.allow_unknown_sites = true"
        )),
        FeedbackRefusal::OtherSite(_) => invalid(vec![FieldViolation::new("site", "is not the decision's")]),
        FeedbackRefusal::FromTheFuture => {
            let what = "lies in the future: more than 5 minutes ahead of this service's clock";
            invalid(vec![FieldViolation::new("labeled_at", what)])
        }
        // What failed is for the log; whoever calls can only try again.
        FeedbackRefusal::Store(error) => {
            tracing::error!("feedback was not taken: failed to {error}");
            Status::unavailable("the feedback store failed; send it again later, which does no harm")
        }
    }
}

/// The answers to calls that come when too many are in flight, each with another time to retry at, to calls whose
/// deadline, or ours, has passed, and to calls whose caller has gone.
pub fn rejections() -> Rejections {
    // 37 goes through all residues of 100.
    let delays = (0..RETRY_DELAY_MS).map(|n| RETRY_DELAY_MS + n * 37 % RETRY_DELAY_MS);
    let overloaded = delays.map(|delay| {
        head(Status::with_error_details(
            Code::ResourceExhausted,
            "too many calls are under way (service.in_flight_max, pressure.backlog_max); keep the comment and try again",
            ErrorDetails::with_retry_info(Some(Duration::from_millis(delay.into()))),
        ))
    });
    let too_late = "the call was not answered within its deadline, or pressure.call_timeout";
    let cancelled = "the caller went away before its message was complete";
    Rejections::new(
        overloaded.collect(),
        head(Status::deadline_exceeded(too_late)),
        head(Status::cancelled(cancelled)),
    )
}

/// An answer that is this status, without its empty body.
fn head(status: Status) -> http::Response<()> {
    status.into_http::<Body>().map(drop)
}

/// The trailers that streams without an end of their own end with when the process stops.
pub(super) fn stopping() -> http::HeaderMap {
    head(Status::unavailable("the service is stopping"))
        .into_parts()
        .0
        .headers
}
