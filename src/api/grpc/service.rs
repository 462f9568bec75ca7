//! `ModerationService`: between the wire and the pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tonic::codegen::http;
use tonic::{Code, Request, Response, Status, Streaming};

use super::proto::moderation_service_server::ModerationService;
use super::proto::{
    GetDecisionRequest, GetDecisionResponse, GetStatsRequest, GetStatsResponse, ModerateRequest, ModerateResponse,
    ModerateStreamRequest, SubmitFeedbackRequest, SubmitFeedbackResponse,
};
use super::stream::{Answers, Judge, Streams};
use super::{auth, convert, feedback, stats, status};
use crate::pipeline::{self, Deps, Submission};
use crate::telemetry::{Call, Method};
use crate::transport::{Authenticator, CallGuard, Caller, Deadline};

/// Implements `ModerationService` by [`pipeline::moderate`].
#[derive(Debug)]
pub struct ModerationServiceImpl {
    deps: Arc<Deps>,
    authenticator: Arc<Authenticator>,
    streams: Streams,
}

impl ModerationServiceImpl {
    /// Serves single calls; its streams end at once.
    pub fn new(deps: Arc<Deps>, authenticator: Arc<Authenticator>) -> Self {
        Self::with_streams(deps, authenticator, Streams::closed())
    }

    /// The pipeline's dependencies.
    pub(super) const fn deps(&self) -> &Arc<Deps> {
        &self.deps
    }

    /// Serves single calls and streams.
    pub(super) const fn with_streams(deps: Arc<Deps>, authenticator: Arc<Authenticator>, streams: Streams) -> Self {
        Self {
            deps,
            authenticator,
            streams,
        }
    }
}

/// Reads a request of this caller, which has to be one for its site.
fn read(deps: &Deps, caller: &Caller, request: ModerateRequest, call: Option<Call>) -> Result<Submission, Status> {
    let mut submission = convert::submission(request).map_err(status::invalid)?;
    auth::site(&deps.operations, caller, &submission.site)?;
    submission.call = call;
    Ok(submission)
}

/// Judges what was read; what it waits for may take as long as `patience`.
pub(super) async fn judge(
    deps: &Deps,
    submission: &Submission,
    patience: Duration,
) -> Result<ModerateResponse, Status> {
    let judgment = pipeline::moderate(deps, submission, patience)
        .await
        .map_err(|refusal| status::refused(&refusal))?;
    Ok(convert::response(judgment, submission.comment.content.expose()))
}

/// The sender of a comment, as far as the request's head tells.
pub(super) struct Sender {
    caller: Caller,
    call: Option<Call>,
    deadline: Deadline,
}

impl Sender {
    /// The sender in these extensions.
    ///
    /// # Errors
    /// The caller was not authenticated.
    pub(super) fn of(extensions: &http::Extensions) -> Result<Self, Status> {
        Ok(Self {
            caller: auth::caller(extensions)?.clone(),
            call: extensions.get().cloned(),
            deadline: extensions
                .get()
                .map_or(Deadline(None), |guard: &CallGuard| guard.deadline),
        })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, or `PERMISSION_DENIED` for a site that is not the sender's.
    pub(super) fn read(&self, deps: &Deps, request: ModerateRequest) -> Result<Submission, Status> {
        read(deps, &self.caller, request, self.call.clone())
    }

    /// The time that one thing which the answer waits for may take from now on.
    pub(super) fn patience(&self) -> Duration {
        self.deadline.patience(Instant::now())
    }
}

/// Judges each item of this caller's stream on its own: its key may expire or be taken away meanwhile, and each item is
/// one call of its quota, the first by opening the stream, and has a span of its own.
fn judge_items(deps: Arc<Deps>, authenticator: Arc<Authenticator>, caller: Caller, call: Option<Call>) -> Judge {
    let has_begun = AtomicBool::new(false);
    Arc::new(move |request| {
        let is_first = !has_begun.swap(true, Ordering::Relaxed);
        let (deps, authenticator, caller) = (Arc::clone(&deps), Arc::clone(&authenticator), caller.clone());
        let item = call.as_ref().map(|call| deps.trace_item(call));
        Box::pin(async move {
            let admitted = if is_first {
                authenticator.renew(&caller)
            } else {
                authenticator.admit_again(&caller)
            };
            let judged = match admitted {
                Ok(caller) => match read(&deps, &caller, request, item.clone()) {
                    Ok(submission) => judge(&deps, &submission, Duration::MAX).await,
                    Err(status) => Err(status),
                },
                Err(denied) => Err(auth::refuse(&deps.operations, denied)),
            };
            if let Some(item) = item {
                let code = judged.as_ref().map_or_else(Status::code, |_| Code::Ok);
                deps.traced(&item, Method::ModerateStream, code as i32);
            }
            judged
        })
    })
}

#[tonic::async_trait]
impl ModerationService for ModerationServiceImpl {
    async fn moderate(&self, request: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        let sender = Sender::of(request.extensions())?;
        let submission = sender.read(&self.deps, request.into_inner())?;
        let response = judge(&self.deps, &submission, sender.patience()).await?;
        Ok(Response::new(response))
    }

    type ModerateStreamStream = Answers<Streaming<ModerateStreamRequest>>;

    async fn moderate_stream(
        &self,
        request: Request<Streaming<ModerateStreamRequest>>,
    ) -> Result<Response<Self::ModerateStreamStream>, Status> {
        let guard = request.extensions().get::<CallGuard>().cloned().unwrap_or_default();
        let deadline = guard.deadline.0;
        let caller = auth::caller(request.extensions())?.clone();
        let call = request.extensions().get::<Call>().cloned();
        let (deps, authenticator) = (Arc::clone(&self.deps), Arc::clone(&self.authenticator));
        let judge = judge_items(deps, authenticator, caller, call.clone());
        let deps = Arc::clone(&self.deps);
        // The stream counts as in flight for as long as it lasts.
        let ended = move |code| {
            drop(guard);
            if code != Code::Ok {
                deps.operations.metrics().failed(code as i32);
            }
            if let Some(call) = &call {
                deps.traced(call, Method::ModerateStream, code as i32);
            }
        };
        let answers = Answers::new(request.into_inner(), judge, self.streams.clone(), deadline, ended);
        Ok(Response::new(answers))
    }

    async fn get_stats(&self, request: Request<GetStatsRequest>) -> Result<Response<GetStatsResponse>, Status> {
        auth::stated_site_or_admin(&self.deps.operations, &request, &request.get_ref().site)?;
        let asked = stats::asked(request.into_inner()).map_err(status::invalid)?;
        let report = self.deps.operations.statistics(&asked).await;
        let report = report.map_err(|refusal| status::feedback(&refusal))?;
        Ok(Response::new(stats::response(report)))
    }

    async fn submit_feedback(
        &self,
        request: Request<SubmitFeedbackRequest>,
    ) -> Result<Response<SubmitFeedbackResponse>, Status> {
        auth::stated_site(&self.deps.operations, &request, &request.get_ref().site)?;
        let response = feedback::submit(&self.deps.operations, request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn get_decision(
        &self,
        request: Request<GetDecisionRequest>,
    ) -> Result<Response<GetDecisionResponse>, Status> {
        auth::stated_site(&self.deps.operations, &request, &request.get_ref().site)?;
        let response = feedback::get(&self.deps.operations, request.into_inner()).await?;
        Ok(Response::new(response))
    }
}
