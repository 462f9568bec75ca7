//! `ModerationService`: from the wire to the house and back.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::proto::moderation_service_server::ModerationService;
use super::proto::{ModerateRequest, ModerateResponse};
use super::{convert, status};
use crate::moderator::Moderator;

/// The door to [`Moderator::moderate`].
#[derive(Debug)]
pub struct ModerationDoor {
    moderator: Arc<Moderator>,
    in_flight: Semaphore,
    in_flight_max: usize,
}

impl ModerationDoor {
    /// Lets in at most `in_flight_max` calls at once.
    pub fn new(moderator: Arc<Moderator>, in_flight_max: usize) -> Self {
        let in_flight_max = in_flight_max.min(Semaphore::MAX_PERMITS);
        Self {
            moderator,
            in_flight: Semaphore::new(in_flight_max),
            in_flight_max,
        }
    }
}

#[tonic::async_trait]
impl ModerationService for ModerationDoor {
    async fn moderate(&self, request: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Err(status::overloaded(self.in_flight_max));
        };
        let submission = convert::submission(request.into_inner()).map_err(status::invalid)?;
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
}
