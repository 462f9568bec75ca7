//! `ModerationService`: from the wire to the house and back.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::proto::moderation_service_server::ModerationService;
use super::proto::{
    GetDecisionRequest, GetDecisionResponse, GetStatsRequest, GetStatsResponse, ModerateRequest, ModerateResponse,
    SubmitFeedbackRequest, SubmitFeedbackResponse,
};
use super::{auth, convert, feedback, stats, status};
use crate::moderator::Moderator;
use crate::telemetry::Call;

/// The door to [`Moderator::moderate`].
#[derive(Debug)]
pub struct ModerationDoor {
    moderator: Arc<Moderator>,
}

impl ModerationDoor {
    /// A door to this house.
    pub const fn new(moderator: Arc<Moderator>) -> Self {
        Self { moderator }
    }
}

#[tonic::async_trait]
impl ModerationService for ModerationDoor {
    async fn moderate(&self, request: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        let caller = auth::caller(&request)?.clone();
        let call = request.extensions().get::<Call>().cloned();
        let mut submission = convert::submission(request.into_inner()).map_err(status::invalid)?;
        auth::site(&self.moderator, &caller, &submission.site)?;
        submission.call = call;
        let judgement = self
            .moderator
            .moderate(&submission)
            .await
            .map_err(|refusal| status::refused(&refusal))?;
        Ok(Response::new(convert::response(
            judgement,
            submission.comment.content.expose(),
        )))
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
