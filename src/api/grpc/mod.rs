//! The gRPC door: services, reflection, health, and the bounds that protect this process.
//!
//! It must never judge: what an author did wrong passes through as a fact. Start reading in [`router`], then
//! `service.rs` and `convert.rs`.

mod activity;
mod admin;
mod auth;
mod backlog;
mod convert;
mod deadline;
mod ending;
mod feedback;
mod model;
mod observe;
mod pressure;
mod service;
mod stats;
mod status;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::moderator::Moderator;
use crate::site::FieldSet;

pub use activity::Activity;
pub use admin::AdminDoor;
pub use model::ModelDoor;
pub use pressure::{CallBounds, Gate};
pub use service::ModerationDoor;
pub use stream::{StreamBounds, item_status, retry_delay};

use auth::Guarded;
use observe::Observed;
use pressure::Bounded;

/// The wire types, generated from `proto/moderato/v1/moderation.proto`.
pub mod proto {
    #![expect(
        clippy::doc_markdown,
        clippy::large_enum_variant,
        clippy::missing_errors_doc,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated from the proto, where every field is commented"
    )]
    tonic::include_proto!("moderato.v1");

    /// The descriptors of the same protos, as reflection serves them.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/moderato.v1.descriptors"));
}

use proto::admin_service_server::AdminServiceServer;
use proto::model_service_server::ModelServiceServer;
use proto::moderation_service_server::ModerationServiceServer;

/// The services' full names, as health and reflection know them.
pub const SERVICES: [&str; 3] = [
    "moderato.v1.ModerationService",
    "moderato.v1.ModelService",
    "moderato.v1.AdminService",
];

/// Judges one request in this process, without limits, exactly as the service would: the same reading of the request,
/// the same house, the same answer. Fields that are `unknown` are not asked for.
///
/// # Errors
/// As the RPC.
pub fn check(
    moderator: &Moderator,
    request: proto::ModerateRequest,
    unknown: FieldSet,
) -> Result<proto::ModerateResponse, tonic::Status> {
    let submission = convert::submission(request).map_err(status::invalid)?;
    let judgement = moderator
        .check(&submission, unknown)
        .map_err(|refusal| status::refused(&refusal))?;
    Ok(convert::response(judgement, submission.comment.content.expose()))
}

/// Bounds on what one process takes on.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest message read, in bytes.
    pub message_bytes_max: usize,
    /// On calls.
    pub calls: CallBounds,
    /// On streams of comments.
    pub streams: StreamBounds,
    /// Calls of one connection under way at once.
    pub calls_per_connection_max: u32,
    /// Bytes of a call's metadata.
    pub header_list_bytes_max: u32,
    /// How often a connection is asked whether it is still there.
    pub keep_alive_interval: Duration,
    /// How long it may take to answer that.
    pub keep_alive_timeout: Duration,
    /// When a connection is asked to close.
    pub connection_age_max: Duration,
}

/// Everything this door serves.
///
/// # Errors
/// If the embedded descriptors cannot be read, which a test would have found.
pub fn router<H: Health>(
    moderator: &Arc<Moderator>,
    bounds: Bounds,
    gate: &Gate,
    health: HealthServer<H>,
) -> Result<Router, tonic_reflection::server::Error> {
    let moderation = ModerationServiceServer::new(ModerationDoor::with_streams(
        Arc::clone(moderator),
        gate.streams(bounds.streams),
    ))
    .max_decoding_message_size(bounds.message_bytes_max);
    let model = ModelServiceServer::new(ModelDoor::new(Arc::clone(moderator)))
        .max_decoding_message_size(bounds.message_bytes_max);
    let admin = AdminServiceServer::new(AdminDoor::new(Arc::clone(moderator)))
        .max_decoding_message_size(bounds.message_bytes_max);
    // Older tools (grpcurl up to 1.8.6) ask for v1alpha only; the types of error details let them decode those.
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Server::builder()
        .max_concurrent_streams(bounds.calls_per_connection_max)
        .http2_max_header_list_size(bounds.header_list_bytes_max)
        .http2_keepalive_interval(Some(bounds.keep_alive_interval))
        .http2_keepalive_timeout(Some(bounds.keep_alive_timeout))
        .max_connection_age(bounds.connection_age_max)
        // Nothing that has begun lasts longer.
        .max_connection_age_grace(bounds.streams.age_max.max(bounds.calls.timeout))
        .add_service(gate.ending(health))
        .add_service(gate.ending(reflection().build_v1()?))
        .add_service(gate.ending(reflection().build_v1alpha()?))
        .add_service(ours(moderation, gate, moderator))
        .add_service(ours(model, gate, moderator))
        .add_service(ours(admin, gate, moderator)))
}

/// A service of ours with what stands before it, outermost first: every call is counted; strangers are turned away, so that
/// they take no caller's place; then what is too much.
fn ours<S>(service: S, gate: &Gate, moderator: &Arc<Moderator>) -> Observed<Guarded<Bounded<S>>> {
    Observed::new(Guarded::new(gate.bound(service), moderator), moderator)
}
