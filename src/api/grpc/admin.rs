//! `AdminService`: changes what is kept. It takes an administrator's key.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::proto::admin_service_server::AdminService;
use super::proto::{ForgetAuthorRequest, ForgetAuthorResponse};
use super::{auth, feedback};
use crate::operations::Operations;

/// Implements `AdminService`.
#[derive(Debug)]
pub struct AdminServiceImpl {
    operations: Arc<Operations>,
}

impl AdminServiceImpl {
    /// Serves these operations.
    pub const fn new(operations: Arc<Operations>) -> Self {
        Self { operations }
    }
}

#[tonic::async_trait]
impl AdminService for AdminServiceImpl {
    async fn forget_author(
        &self,
        request: Request<ForgetAuthorRequest>,
    ) -> Result<Response<ForgetAuthorResponse>, Status> {
        auth::admin(&self.operations, &request)?;
        let response = feedback::forget(&self.operations, request.into_inner()).await?;
        Ok(Response::new(response))
    }
}
