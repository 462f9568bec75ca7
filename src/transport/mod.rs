//! Connections and the calls on them, below every protocol: listening, TLS, closing what is idle, and refusing what is
//! more than this process keeps up with.
//!
//! The room knows no message and no status of an RPC: a protocol hands over the answers that it gives to refused calls
//! ([`Rejections`]), and gets each call with its caller ([`Authenticator`]), its place and its deadline
//! ([`CallGuard`]). Start reading in [`serve`], then [`Admission`].

mod activity;
mod admission;
mod authentication;
mod body;
mod bounds;
mod connection;
mod deadline;
mod draining;
mod idle;
mod listener;
mod overload;
mod refusal;
mod tls;

pub use activity::Activity;
pub use admission::{Admission, AdmissionFuture, AdmittedCall, CallGuard, Endpoint, LoadShed};
pub use authentication::{Authenticator, Caller, Denied};
pub use body::TimedBody;
pub use bounds::{CallBounds, ConnectionBounds};
pub use connection::serve;
pub use deadline::Deadline;
pub use draining::DrainOnShutdown;
pub use idle::IdleTimeout;
pub use listener::{AcceptedStream, Incoming};
pub use refusal::{Refusal, Rejections};
pub use tls::{Tls, TlsIncoming};
