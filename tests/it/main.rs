//! The integration tests: one binary, so that everything is linked once.
//!
//! `support` starts real things on free ports: the built `moderato` command, a harness with a clock of its own. Each
//! other file holds one concern.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that finds something else than it expects has to stop"
)]

mod access;
mod architecture;
mod cases;
mod cli;
mod config_files;
mod deploy;
mod desk;
mod evaluate;
mod feedback;
mod feedback_kill;
mod feedback_privacy;
mod feedback_store;
mod fleet;
mod grpc;
mod hostile;
mod import;
mod limiter;
mod limiter_aftermath;
mod limiter_causes;
mod limiter_cluster;
mod limiter_faults;
mod limiter_fleet;
mod limiter_flood;
mod limiter_script;
mod models;
mod ops;
mod pressure;
mod privacy;
mod prose;
mod quality;
mod reload;
mod retrain;
mod rotation;
mod stats;
mod stream;
mod stream_access;
mod support;
mod tls;
mod traces;
mod train;
