//! gRPC: services, reflection, health, and the bounds that protect this process.
//!
//! It must never judge: what an author did wrong passes through as a fact. Start reading in [`Services`], then
//! `service.rs` and `convert.rs`.

mod admin;
mod auth;
mod convert;
mod endpoint;
mod feedback;
mod fields;
mod instrument;
mod model;
mod router;
mod service;
mod stats;
mod status;
mod stream;

use crate::pipeline::{self, Deps};
use crate::site::FieldSet;
use crate::transport::CallBounds;

pub use admin::AdminServiceImpl;
pub use model::ModelServiceImpl;
pub use router::{ConnectionServices, ResponseFuture, Services};
pub use service::ModerationServiceImpl;
pub use status::rejections;
pub use stream::{StreamBounds, item_status, retry_delay};

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

/// The services' full names, as health and reflection know them.
pub const SERVICES: [&str; 3] = [
    "moderato.v1.ModerationService",
    "moderato.v1.ModelService",
    "moderato.v1.AdminService",
];

/// Judges one request in this process, without limits, exactly as the service would: the same reading of the request,
/// the same pipeline, the same answer. Fields that are `unknown` are not asked for.
///
/// # Errors
/// As the RPC.
pub fn check(
    deps: &Deps,
    request: proto::ModerateRequest,
    unknown: FieldSet,
) -> Result<proto::ModerateResponse, tonic::Status> {
    let submission = convert::submission(request).map_err(status::invalid)?;
    let judgment = pipeline::check(deps, &submission, unknown).map_err(|refusal| status::refused(&refusal))?;
    Ok(convert::response(judgment, submission.comment.content.expose()))
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
}
