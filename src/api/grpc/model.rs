//! `ModelService`: says which model is at work, and takes up another.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::proto::model_service_server::ModelService;
use super::proto::{GetModelRequest, GetModelResponse, ReloadModelRequest, ReloadModelResponse};
use super::{auth, convert};
use crate::operations::Operations;

/// Implements `ModelService`.
#[derive(Debug)]
pub struct ModelServiceImpl {
    operations: Arc<Operations>,
}

impl ModelServiceImpl {
    /// Serves these operations.
    pub const fn new(operations: Arc<Operations>) -> Self {
        Self { operations }
    }
}

#[tonic::async_trait]
impl ModelService for ModelServiceImpl {
    async fn get_model(&self, _: Request<GetModelRequest>) -> Result<Response<GetModelResponse>, Status> {
        let Some(loaded) = self.operations.models.current() else {
            return Err(Status::failed_precondition("no model is loaded; start with --model F"));
        };
        let model = &loaded.model;
        let thresholds = model.thresholds();
        Ok(Response::new(GetModelResponse {
            version: model.version().to_owned(),
            card_json: model.card().to_json(),
            hold_at: thresholds.hold_at.get(),
            reject_at: thresholds.reject_at.map(crate::model::SpamProbability::get),
            loaded_at: Some(convert::timestamp(loaded.loaded_at)),
            last_reload_error: self
                .operations
                .models
                .last_error()
                .map(|error| error.to_string())
                .unwrap_or_default(),
            n_terms: u64::try_from(model.n_terms()).unwrap_or(u64::MAX),
        }))
    }

    async fn reload_model(
        &self,
        request: Request<ReloadModelRequest>,
    ) -> Result<Response<ReloadModelResponse>, Status> {
        auth::admin(&self.operations, &request)?;
        let reload = self
            .operations
            .models
            .reload()
            .await
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(ReloadModelResponse {
            version: reload.version,
            previous_version: reload.previous.unwrap_or_default(),
            changed: reload.changed,
        }))
    }
}
