//! The gRPC door: services, reflection, health, and the bounds that protect this process.
//!
//! It must never judge: what an author did wrong passes through as a fact. Start reading in [`router`], then
//! `service.rs` and `convert.rs`.

mod admin;
mod auth;
mod bound;
mod convert;
mod feedback;
mod model;
mod observe;
mod service;
mod stats;
mod status;

use std::sync::Arc;

use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::moderator::Moderator;
use crate::site::FieldSet;

pub use admin::AdminDoor;
pub use bound::InFlight;
pub use model::ModelDoor;
pub use service::ModerationDoor;

use observe::Observed;

/// The wire types, generated from `proto/moderato/v1/moderation.proto`.
pub mod proto {
    #![expect(
        clippy::doc_markdown,
        clippy::missing_errors_doc,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated from the proto, where every field is commented"
    )]
    tonic::include_proto!("moderato.v1");

    /// The descriptors of the same protos, as reflection serves them.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/moderato.v1.descriptors"));
}

use auth::Guarded;
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
    /// Calls under way at once.
    pub in_flight_max: usize,
}

/// Everything this door serves.
///
/// # Errors
/// If the embedded descriptors cannot be read, which a test would have found.
pub fn router<H: Health>(
    moderator: &Arc<Moderator>,
    bounds: Bounds,
    in_flight: &InFlight,
    health: HealthServer<H>,
) -> Result<Router, tonic_reflection::server::Error> {
    let moderation = ModerationServiceServer::new(ModerationDoor::new(Arc::clone(moderator)))
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
        .tcp_nodelay(true)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(Observed::new(
            Guarded::new(in_flight.bound(moderation), moderator),
            moderator,
        ))
        .add_service(Observed::new(Guarded::new(model, moderator), moderator))
        .add_service(Observed::new(Guarded::new(admin, moderator), moderator)))
}
