//! The protocols of the service. They translate between the wire and the moderator, and decide nothing.

pub mod grpc;
pub mod ops;
