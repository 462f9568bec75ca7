//! Routes each call to its service, through instrumentation, authentication and load shedding.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, Service, StdError, http};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::auth::{Authenticated, AuthenticatedFuture};
use super::endpoint::{Generated, Moderation};
use super::instrument::{Instrumented, InstrumentedFuture};
use super::proto::admin_service_server::AdminServiceServer;
use super::proto::model_service_server::ModelServiceServer;
use super::proto::moderation_service_server::ModerationServiceServer;
use super::stream::Streams;
use super::{AdminServiceImpl, Bounds, ModelServiceImpl, ModerationServiceImpl, proto, status};
use crate::pipeline::Deps;
use crate::transport::{Activity, Admission, AdmissionFuture, Authenticator, DrainOnShutdown, LoadShed};

/// All gRPC services of the process. Clones share them.
#[derive(Debug, Clone)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    moderation: Ours<Moderation>,
    model: Ours<Generated<ModelServiceServer<ModelServiceImpl>>>,
    admin: Ours<Generated<AdminServiceServer<AdminServiceImpl>>>,
    /// Health and reflection; and what nobody has heard of is `UNIMPLEMENTED`.
    others: Routes,
}

/// A service of ours behind its layers, outermost first: every call is counted; callers without a valid key are denied,
/// so that they take no caller's permit; then the excess is refused.
type Ours<S> = Instrumented<Authenticated<LoadShed<S>>>;

impl Services {
    /// The services of these dependencies, behind this admission. Streams end once `stopped` is true.
    ///
    /// # Errors
    /// If the embedded descriptors cannot be read, which a test would have found.
    pub fn new<H: Health>(
        deps: &Arc<Deps>,
        bounds: Bounds,
        admission: &Admission,
        stopped: &watch::Receiver<bool>,
        health: HealthServer<H>,
    ) -> Result<Self, tonic_reflection::server::Error> {
        let operations = &deps.operations;
        let sites = Arc::clone(operations);
        let clock = operations.clock().clone();
        let authenticator = Arc::new(Authenticator::new(clock, move || sites.policies.sites()));
        // Twice as many as there may be calls that wait for a processor: items wait for Redis too, and are few enough
        // to keep no reader waiting for long.
        let items_max = bounds.calls.backlog_max.saturating_mul(2);
        let streams = Streams::new(bounds.streams, items_max, stopped.clone());
        let service = ModerationServiceImpl::with_streams(Arc::clone(deps), Arc::clone(&authenticator), streams);
        let moderation = Moderation::new(service, bounds.message_bytes_max);
        let model = ModelServiceServer::new(ModelServiceImpl::new(Arc::clone(operations)))
            .max_decoding_message_size(bounds.message_bytes_max);
        let admin = AdminServiceServer::new(AdminServiceImpl::new(Arc::clone(operations)))
            .max_decoding_message_size(bounds.message_bytes_max);
        // Older tools (grpcurl up to 1.8.6) ask for v1alpha only; the types of error details let them decode those.
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let others = Routes::new(drained(health, stopped))
            .add_service(drained(reflection().build_v1()?, stopped))
            .add_service(drained(reflection().build_v1alpha()?, stopped));
        let guards = Guards {
            admission,
            deps,
            authenticator: &authenticator,
        };
        Ok(Self(Arc::new(Inner {
            moderation: guards.of(moderation),
            model: guards.of(Generated(model)),
            admin: guards.of(Generated(admin)),
            others: others.prepare(),
        })))
    }

    /// The services for the calls of one connection.
    pub fn of(&self, activity: Activity) -> ConnectionServices {
        ConnectionServices {
            services: self.clone(),
            activity,
        }
    }
}

/// The layers before each service of ours.
struct Guards<'a> {
    admission: &'a Admission,
    deps: &'a Arc<Deps>,
    authenticator: &'a Arc<Authenticator>,
}

impl Guards<'_> {
    fn of<S>(&self, service: S) -> Ours<S> {
        let guarded = Authenticated::new(self.admission.shed(service), &self.deps.operations, self.authenticator);
        Instrumented::new(guarded, self.deps)
    }
}

fn drained<S>(service: S, stopped: &watch::Receiver<bool>) -> DrainOnShutdown<S> {
    DrainOnShutdown::new(service, stopped.clone(), status::stopping())
}

impl<S: NamedService> NamedService for DrainOnShutdown<S> {
    const NAME: &'static str = S::NAME;
}

/// All services, for the calls of one connection.
#[derive(Debug)]
pub struct ConnectionServices {
    services: Services,
    activity: Activity,
}

impl ConnectionServices {
    /// Answers a call. It is admitted or refused at once, before anything else is done for it; the work is done by the
    /// future.
    pub fn call<B>(&self, mut request: http::Request<B>) -> ResponseFuture<B>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<StdError> + Send,
    {
        request.extensions_mut().insert(self.activity.clone());
        let Inner {
            moderation,
            model,
            admin,
            others,
        } = &*self.services.0;
        ResponseFuture(match service(request.uri().path()) {
            ModerationServiceServer::<ModerationServiceImpl>::NAME => Routed::Ours(moderation.clone().call(request)),
            ModelServiceServer::<ModelServiceImpl>::NAME => Routed::Ours(model.clone().call(request)),
            AdminServiceServer::<AdminServiceImpl>::NAME => Routed::Ours(admin.clone().call(request)),
            _ => Routed::Others(Box::pin(others.clone().call(request))),
        })
    }
}

/// The name of the service in a path: `/service/method`.
fn service(path: &str) -> &str {
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    named.map_or("", |(service, _)| service)
}

/// The answer to a call, to be awaited.
pub struct ResponseFuture<B>(Routed<B>);

enum Routed<B> {
    /// The future of a service of ours.
    Ours(InstrumentedFuture<AuthenticatedFuture<AdmissionFuture<B>, B>>),
    /// The future of another service.
    Others(BoxFuture<http::Response<Body>, Infallible>),
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Future for ResponseFuture<B> {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Routed::Ours(answer) => Pin::new(answer).poll(context),
            Routed::Others(answer) => Pin::new(answer).poll(context),
        }
    }
}

impl<B> fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
