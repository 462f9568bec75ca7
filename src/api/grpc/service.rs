//! `ModerationService`: from the wire to the house and back.

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
use crate::moderator::{Moderator, Submission};
use crate::telemetry::{Call, Method};
use crate::transport::{Authenticator, CallGuard, Caller, Deadline};

/// The door to [`Moderator::moderate`].
#[derive(Debug)]
pub struct ModerationServiceImpl {
    moderator: Arc<Moderator>,
    authenticator: Arc<Authenticator>,
    streams: Streams,
}

impl ModerationServiceImpl {
    /// A door to this house for single calls; its streams end at once.
    pub fn new(moderator: Arc<Moderator>, authenticator: Arc<Authenticator>) -> Self {
        Self::with_streams(moderator, authenticator, Streams::closed())
    }

    /// The house.
    pub(super) const fn moderator(&self) -> &Arc<Moderator> {
        &self.moderator
    }

    /// A door to this house, with streams.
    pub(super) const fn with_streams(
        moderator: Arc<Moderator>,
        authenticator: Arc<Authenticator>,
        streams: Streams,
    ) -> Self {
        Self {
            moderator,
            authenticator,
            streams,
        }
    }
}

/// Reads a request of this caller, which has to be one for its site.
fn read(
    moderator: &Moderator,
    caller: &Caller,
    request: ModerateRequest,
    call: Option<Call>,
) -> Result<Submission, Status> {
    let mut submission = convert::submission(request).map_err(status::invalid)?;
    auth::site(moderator, caller, &submission.site)?;
    submission.call = call;
    Ok(submission)
}

/// Judges what was read; what it waits for may take as long as `patience`.
pub(super) async fn judge(
    moderator: &Moderator,
    submission: &Submission,
    patience: Duration,
) -> Result<ModerateResponse, Status> {
    let judgement = moderator
        .moderate(submission, patience)
        .await
        .map_err(|refusal| status::refused(&refusal))?;
    Ok(convert::response(judgement, submission.comment.content.expose()))
}

/// What is known of whoever sends a comment, from what came with the request.
pub(super) struct Sender {
    caller: Caller,
    call: Option<Call>,
    deadline: Deadline,
}

impl Sender {
    /// What is known from these extensions.
    ///
    /// # Errors
    /// Nobody let the caller in.
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
    /// What is wrong with it, or that the sender may not ask for its site.
    pub(super) fn read(&self, moderator: &Moderator, request: ModerateRequest) -> Result<Submission, Status> {
        read(moderator, &self.caller, request, self.call.clone())
    }

    /// How long one thing that the answer waits for may take from now on.
    pub(super) fn patience(&self) -> Duration {
        self.deadline.patience(Instant::now())
    }
}

/// Judges each item of this caller's stream on its own: its key may expire or be taken away meanwhile, and each item is
/// one call of its quota, the first by opening the stream, and has a span of its own.
fn judge_items(
    moderator: Arc<Moderator>,
    authenticator: Arc<Authenticator>,
    caller: Caller,
    call: Option<Call>,
) -> Judge {
    let has_begun = AtomicBool::new(false);
    Arc::new(move |request| {
        let is_first = !has_begun.swap(true, Ordering::Relaxed);
        let (moderator, authenticator, caller) = (Arc::clone(&moderator), Arc::clone(&authenticator), caller.clone());
        let item = call.as_ref().map(|call| moderator.trace_item(call));
        Box::pin(async move {
            let admitted = if is_first {
                authenticator.renew(&caller)
            } else {
                authenticator.admit_again(&caller)
            };
            let judged = match admitted {
                Ok(caller) => match read(&moderator, &caller, request, item.clone()) {
                    Ok(submission) => judge(&moderator, &submission, Duration::MAX).await,
                    Err(status) => Err(status),
                },
                Err(denied) => Err(auth::refuse(&moderator, denied)),
            };
            if let Some(item) = item {
                let code = judged.as_ref().map_or_else(Status::code, |_| Code::Ok);
                moderator.traced(&item, Method::ModerateStream, code as i32);
            }
            judged
        })
    })
}

#[tonic::async_trait]
impl ModerationService for ModerationServiceImpl {
    async fn moderate(&self, request: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        let sender = Sender::of(request.extensions())?;
        let submission = sender.read(&self.moderator, request.into_inner())?;
        let response = judge(&self.moderator, &submission, sender.patience()).await?;
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
        let (moderator, authenticator) = (Arc::clone(&self.moderator), Arc::clone(&self.authenticator));
        let judge = judge_items(moderator, authenticator, caller, call.clone());
        let moderator = Arc::clone(&self.moderator);
        // The stream holds its place for as long as it lasts.
        let ended = move |code| {
            drop(guard);
            if code != Code::Ok {
                moderator.metrics().failed(code as i32);
            }
            if let Some(call) = &call {
                moderator.traced(call, Method::ModerateStream, code as i32);
            }
        };
        let answers = Answers::new(request.into_inner(), judge, self.streams.clone(), deadline, ended);
        Ok(Response::new(answers))
    }

    async fn get_stats(&self, request: Request<GetStatsRequest>) -> Result<Response<GetStatsResponse>, Status> {
        auth::stated_site_or_admin(&self.moderator, &request, &request.get_ref().site)?;
        let asked = stats::asked(request.into_inner()).map_err(status::invalid)?;
        let report = self.moderator.statistics(&asked).await;
        let report = report.map_err(|refusal| status::feedback(&refusal))?;
        Ok(Response::new(stats::response(report)))
    }

    async fn submit_feedback(
        &self,
        request: Request<SubmitFeedbackRequest>,
    ) -> Result<Response<SubmitFeedbackResponse>, Status> {
        auth::stated_site(&self.moderator, &request, &request.get_ref().site)?;
        let response = feedback::submit(&self.moderator, request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn get_decision(
        &self,
        request: Request<GetDecisionRequest>,
    ) -> Result<Response<GetDecisionResponse>, Status> {
        auth::stated_site(&self.moderator, &request, &request.get_ref().site)?;
        let response = feedback::get(&self.moderator, request.into_inner()).await?;
        Ok(Response::new(response))
    }
}
