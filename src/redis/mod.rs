//! One way to a Redis: a single process, a master that sentinels name, or a cluster, plain or with TLS.
//!
//! [`RedisClient`] sends a [`Call`] to the process that holds its key and gives the answer, or the [`Failure`], within
//! a time budget. It knows nothing of what is asked: limits and feedback bring their own scripts, commands and probe.
//!
//! This room never makes a request connect, retry or wait for a probe: a Redis that is away is found by a circuit
//! breaker and brought back by a background task. It never shows a password, a key or an argument in an error.
//!
//! Where to start reading: `client.rs` is the public face, `node.rs` one Redis process with its breaker, `batch.rs` the
//! pipeline of one connection, `router.rs`, `slots.rs` and `topology.rs` the cluster, `target.rs` the forms of the URL.

mod batch;
mod breaker;
mod call;
mod cause;
mod client;
mod connection;
mod error;
mod node;
mod router;
mod sentinel;
mod shared;
mod slots;
mod target;
mod tls;
mod topology;

pub use self::call::{Call, Probe, Script};
pub use self::cause::Cause;
pub use self::client::RedisClient;
pub use self::error::{Failure, InvalidSettings};
pub use self::node::InFlight;
pub use self::router::RedisState;
pub use self::shared::{RedisCounters, RedisSettings};
pub use self::target::redact;
