//! A harness inside the test: real gRPC on a free port, a clock that stands still, any configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use moderato::api::grpc::proto::ModerateRequest;
use moderato::api::grpc::proto::ModerateResponse;
use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::artifact::{self, ActiveModel, LoadedModel};
use moderato::clock::{Clock, Timestamp};
use moderato::config;
use moderato::feedback::{FeedbackStore, Recorder};
use moderato::limit::{Limiter, MemorySettings};
use moderato::operations::{Operations, Parts};
use moderato::pipeline::Deps;
use moderato::privacy::Pseudonymizer;
use moderato::server::{self, Listeners, Server, ServerError};
use moderato::telemetry::{Events, Metrics, Traces};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

/// A running harness.
pub(crate) struct Harness {
    pub(crate) clock: Clock,
    pub(crate) address: SocketAddr,
    client: ModerationServiceClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServerError>>,
}

impl Harness {
    /// Starts one with these settings over the defaults, and the shipped model.
    pub(crate) async fn start(settings: &str) -> Self {
        let memory = MemorySettings {
            subjects_max: 1_000,
            replay_bytes_max: 100_000,
        };
        Self::start_with(settings, Limiter::memory(&memory), true).await
    }

    /// Starts one that remembers decisions in this store.
    pub(crate) async fn start_remembering(settings: &str, store: FeedbackStore) -> Self {
        let memory = MemorySettings {
            subjects_max: 1_000,
            replay_bytes_max: 100_000,
        };
        Self::start_whole(settings, Limiter::memory(&memory), true, Some(store)).await
    }

    /// Starts one with a limiter of the test's own, with or without a model.
    pub(crate) async fn start_with(settings: &str, limiter: Limiter, with_model: bool) -> Self {
        Self::start_whole(settings, limiter, with_model, None).await
    }

    /// Starts one with all of it the test's own.
    pub(crate) async fn start_whole(
        settings: &str,
        limiter: Limiter,
        with_model: bool,
        store: Option<FeedbackStore>,
    ) -> Self {
        let config = config::parse(settings, Path::new("test.toml")).unwrap();
        let clock = Clock::manual(Timestamp::from_micros(1_700_000_000_000_000));
        let model = with_model.then(|| LoadedModel {
            model: artifact::embedded().unwrap(),
            loaded_at: clock.now(),
        });
        let (bounds, connections) = server::bounds(&config);
        let operations = Operations::new(Parts {
            metrics: Metrics::off(&config.sites),
            recorder: store.map(|store| Recorder::start(store, config.feedback.queue_max, clock.clone())),
            sites: Arc::new(config.sites),
            models: ActiveModel::fixed(model),
            limiter,
            pseudonymizer: Pseudonymizer::new(&[7; 32]),
            clock: clock.clone(),
        });
        let deps = Deps::new(Arc::new(operations), Events::OBJECTIONS, Traces::Off, [3; 16]);
        let grpc = Listeners::bind("--listen", &["127.0.0.1:0".parse().unwrap()])
            .await
            .unwrap();
        let address = grpc.addresses()[0];
        let server = Server {
            deps: Arc::new(deps),
            bounds,
            connections,
            grpc,
            ops: None,
            reload: None,
            drain_timeout: config.drain_timeout,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(server.run(|| ready.send(()).unwrap(), shutdown));
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
    pub(crate) async fn moderate(&self, request: ModerateRequest) -> Result<ModerateResponse, Status> {
        self.client
            .clone()
            .moderate(request)
            .await
            .map(tonic::Response::into_inner)
    }

    /// A connection.
    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// A client.
    pub(crate) fn client(&self) -> ModerationServiceClient<Channel> {
        self.client.clone()
    }

    /// Stops it and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        drop(self.client);
        self.task.await.unwrap().unwrap();
    }
}
