//! Wiring: from a configuration to a house behind its doors, and the life of that process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;

use crate::api::grpc::{self, Bounds};
use crate::moderator::Moderator;

/// What can go wrong between start and end.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}; {remedy}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The descriptors for reflection cannot be read.
    #[error("set up reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A listener failed.
    #[error("serve gRPC: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A task of the server ended before its time.
    #[error("a server task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Bound sockets, before anything is served.
#[derive(Debug)]
pub struct Listeners {
    listeners: Vec<TcpListener>,
}

impl Listeners {
    /// Binds every address; port 0 takes a free one.
    ///
    /// # Errors
    /// Names the first address that cannot be had.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, ServerError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let listener = TcpListener::bind(address).await.map_err(|source| {
                let remedy = remedy(&source);
                ServerError::Bind {
                    address,
                    source,
                    remedy,
                }
            })?;
            listeners.push(listener);
        }
        Ok(Self { listeners })
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another process has it: end that one, or choose another with --listen (port 0 takes a free one)"
        }
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one with --listen",
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address: choose one it has",
        _ => "choose another address with --listen",
    }
}

/// Serves until `shutdown` says so, then drains: health flips first, calls under way finish within `drain_timeout`.
/// `ready` is called once health is SERVING.
///
/// # Errors
/// A listener failed. Calls that did not finish in time are cut off, with a warning in the log.
pub async fn run(
    moderator: Arc<Moderator>,
    bounds: Bounds,
    listeners: Listeners,
    drain_timeout: Duration,
    ready: impl FnOnce(&[SocketAddr]),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let (stop, stopped) = watch::channel(false);
    let addresses = listeners.addresses();
    let mut doors = JoinSet::new();
    for listener in listeners.listeners {
        let router = grpc::router(&moderator, bounds, health.clone())?;
        let mut stopped = stopped.clone();
        let until = async move {
            // An error means that the sender is gone, which is the end as well.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        doors.spawn(router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), until));
    }
    let serving = if moderator.model().is_some() {
        tonic_health::ServingStatus::Serving
    } else {
        tonic_health::ServingStatus::NotServing
    };
    for service in grpc::SERVICES.into_iter().chain([""]) {
        reporter.set_service_status(service, serving).await;
    }
    ready(&addresses);

    tokio::select! {
        () = shutdown => {}
        // A door that closes by itself takes the others with it: half a service is none.
        Some(ended) = doors.join_next() => ended??,
    }
    for service in grpc::SERVICES.into_iter().chain([""]) {
        reporter
            .set_service_status(service, tonic_health::ServingStatus::NotServing)
            .await;
    }
    tracing::info!("stopping: finishing the calls under way");
    // The receivers are the doors; if none is left, all have closed.
    let _ = stop.send(true);
    let drained = tokio::time::timeout(drain_timeout, async {
        while let Some(ended) = doors.join_next().await {
            ended??;
        }
        Ok::<(), ServerError>(())
    });
    match drained.await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!(
                drain_timeout_ms = u64::try_from(drain_timeout.as_millis()).unwrap_or(u64::MAX),
                "some connections did not close in time and are cut off"
            );
            Ok(())
        }
    }
}
