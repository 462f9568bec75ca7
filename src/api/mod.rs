//! The doors. They translate between the wire and the house, and know nothing else.

pub mod grpc;
pub mod ops;
