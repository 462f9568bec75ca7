//! A running service, asked over gRPC.

use std::time::Duration;

use anyhow::Context;
use tonic::transport::{Channel, Endpoint};

use crate::api::grpc::proto;
use crate::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use crate::cli::{Exit, Failure};

/// How long one comment may take; a terminal waits longer than a backend should.
const DEADLINE: Duration = Duration::from_secs(10);

/// A connection, with the runtime that drives it.
pub(in crate::cli) struct Remote {
    runtime: tokio::runtime::Runtime,
    client: ModerationServiceClient<Channel>,
}

impl Remote {
    pub(in crate::cli) fn connect(url: &str) -> Result<Self, Failure> {
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let endpoint = Endpoint::from_shared(with_scheme)
            .with_context(|| format!("--server {url} is not an address, such as http://127.0.0.1:50051"))
            .map_err(|error| Failure::new(Exit::Usage, error))?
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the runtime")
            .map_err(|error| Failure::new(Exit::Unexpected, error))?;
        let channel = runtime
            .block_on(endpoint.connect())
            .with_context(|| format!("no service answers at {url}; is `moderato serve` running there?"))
            .map_err(|error| Failure::new(Exit::Unreachable, error))?;
        Ok(Self {
            runtime,
            client: ModerationServiceClient::new(channel),
        })
    }

    pub(super) fn judge(&mut self, request: proto::ModerateRequest) -> Result<proto::ModerateResponse, tonic::Status> {
        self.runtime
            .block_on(self.client.moderate(request))
            .map(tonic::Response::into_inner)
    }
    pub(in crate::cli) fn stats(
        &mut self,
        request: proto::GetStatsRequest,
    ) -> Result<proto::GetStatsResponse, tonic::Status> {
        self.runtime
            .block_on(self.client.get_stats(request))
            .map(tonic::Response::into_inner)
    }
}
