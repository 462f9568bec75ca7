//! `AdminService`: what changes what is kept. It takes an administrator's key.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::proto::admin_service_server::AdminService;
use super::proto::{ForgetAuthorRequest, ForgetAuthorResponse};
use super::{auth, feedback};
use crate::moderator::Moderator;

/// The door for those who run the service.
#[derive(Debug)]
pub struct AdminServiceImpl {
    moderator: Arc<Moderator>,
}

impl AdminServiceImpl {
    /// A door to this house.
    pub const fn new(moderator: Arc<Moderator>) -> Self {
        Self { moderator }
    }
}

#[tonic::async_trait]
impl AdminService for AdminServiceImpl {
    async fn forget_author(
        &self,
        request: Request<ForgetAuthorRequest>,
    ) -> Result<Response<ForgetAuthorResponse>, Status> {
        auth::admin(&self.moderator, &request)?;
        let response = feedback::forget(&self.moderator, request.into_inner()).await?;
        Ok(Response::new(response))
    }
}
