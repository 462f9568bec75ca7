//! `ModerationService`: from the wire to the house and back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::deadline::Deadline;
use super::pressure::Held;
use super::proto::moderation_service_server::ModerationService;
use super::proto::{ModerateRequest, ModerateResponse, ModerateStreamRequest};
use super::stream::{Answers, Judge, Streams};
use super::{convert, status};
use crate::moderator::Moderator;
use crate::telemetry::Call;

/// The door to [`Moderator::moderate`].
#[derive(Debug)]
pub struct ModerationDoor {
    moderator: Arc<Moderator>,
    streams: Streams,
}

impl ModerationDoor {
    /// A door to this house for single calls; its streams end at once.
    pub fn new(moderator: Arc<Moderator>) -> Self {
        Self::with_streams(moderator, Streams::closed())
    }

    /// A door to this house, with streams.
    pub(super) const fn with_streams(moderator: Arc<Moderator>, streams: Streams) -> Self {
        Self { moderator, streams }
    }
}

/// Judges one request; what it waits for may take as long as `patience`.
async fn judge(
    moderator: &Moderator,
    request: ModerateRequest,
    call: Option<Call>,
    patience: Duration,
) -> Result<ModerateResponse, Status> {
    let mut submission = convert::submission(request).map_err(status::invalid)?;
    submission.call = call;
    let judgement = moderator
        .moderate(&submission, patience)
        .await
        .map_err(|refusal| status::refused(&refusal))?;
    Ok(convert::response(judgement, submission.comment.content.expose()))
}

#[tonic::async_trait]
impl ModerationService for ModerationDoor {
    async fn moderate(&self, request: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        let deadline = request.extensions().get::<Deadline>();
        let patience = deadline.map_or(Duration::MAX, |deadline| deadline.patience(Instant::now()));
        let call = request.extensions().get::<Call>().cloned();
        judge(&self.moderator, request.into_inner(), call, patience)
            .await
            .map(Response::new)
    }

    type ModerateStreamStream = Answers<Streaming<ModerateStreamRequest>>;

    async fn moderate_stream(
        &self,
        request: Request<Streaming<ModerateStreamRequest>>,
    ) -> Result<Response<Self::ModerateStreamStream>, Status> {
        let deadline = request.extensions().get::<Deadline>().and_then(|deadline| deadline.0);
        let held = request.extensions().get::<Held>().cloned().unwrap_or_default();
        let (moderator, call) = (Arc::clone(&self.moderator), request.extensions().get::<Call>().cloned());
        let judge: Judge = Arc::new(move |request| {
            let (moderator, call) = (Arc::clone(&moderator), call.clone());
            Box::pin(async move { judge(&moderator, request, call, Duration::MAX).await })
        });
        let answers = Answers::new(request.into_inner(), judge, self.streams.clone(), deadline, held);
        Ok(Response::new(answers))
    }
}
