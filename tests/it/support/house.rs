//! A house inside the test: real gRPC on a free port, a clock that stands still, any configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use moderato::api::grpc::Bounds;
use moderato::api::grpc::proto::ModerateRequest;
use moderato::api::grpc::proto::ModerateResponse;
use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::artifact;
use moderato::clock::{Clock, Timestamp};
use moderato::config;
use moderato::limit::{Limiter, MemorySettings};
use moderato::moderator::{LoadedModel, Moderator};
use moderato::privacy::Pseudonymizer;
use moderato::server::{self, Listeners};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

/// A running house.
pub struct House {
    pub clock: Clock,
    pub address: SocketAddr,
    client: ModerationServiceClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), server::ServerError>>,
}

impl House {
    /// Starts one with these settings over the defaults, and the shipped model.
    pub async fn start(settings: &str) -> Self {
        let memory = MemorySettings {
            subjects_max: 1_000,
            requests_max: 1_000,
        };
        Self::start_with(settings, Limiter::memory(memory), true).await
    }

    /// Starts one with a limiter of the test's own, with or without a model.
    pub async fn start_with(settings: &str, limiter: Limiter, with_model: bool) -> Self {
        let config = config::parse(settings, Path::new("test.toml")).unwrap();
        let clock = Clock::manual(Timestamp::from_micros(1_700_000_000_000_000));
        let model = with_model.then(|| LoadedModel {
            model: artifact::embedded().unwrap(),
            loaded_at: clock.now(),
        });
        let pseudonymizer = Pseudonymizer::new(&[7; 32]);
        let moderator = Moderator::new(config.sites, model, limiter, pseudonymizer, clock.clone(), [3; 16]);
        let bounds = Bounds {
            message_bytes_max: config.message_bytes_max,
            in_flight_max: config.in_flight_max,
        };
        let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = listeners.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(async move {
            let ready = |_: &[SocketAddr]| ready.send(()).unwrap();
            server::run(
                Arc::new(moderator),
                bounds,
                listeners,
                config.drain_timeout,
                ready,
                shutdown,
            )
            .await
        });
        is_ready.await.unwrap();
        let client = ModerationServiceClient::connect(format!("http://{address}"))
            .await
            .unwrap();
        Self {
            clock,
            address,
            client,
            stop: Some(stop),
            task,
        }
    }

    /// Judges one comment.
    pub async fn moderate(&self, request: ModerateRequest) -> Result<ModerateResponse, Status> {
        self.client
            .clone()
            .moderate(request)
            .await
            .map(tonic::Response::into_inner)
    }

    /// A client.
    pub fn client(&self) -> ModerationServiceClient<Channel> {
        self.client.clone()
    }

    /// Stops it and waits until it has.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        drop(self.client);
        self.task.await.unwrap().unwrap();
    }
}
