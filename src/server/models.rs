//! Follows promotions: looks every second, and at once on SIGHUP.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::operations::Operations;

/// The interval at which a model directory is looked at: a promotion is at work within about this and the time of
/// loading.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Until the server ends.
pub(super) async fn follow(operations: Arc<Operations>) {
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "SIGHUP cannot be heard: promotions are followed, and ReloadModel works");
            loop {
                look.tick().await;
                operations.models.follow().await;
            }
        }
    };
    loop {
        tokio::select! {
            _ = look.tick() => operations.models.follow().await,
            Some(()) = hangup.recv() => {
                // What came of it is in the log.
                let _ = operations.models.reload().await;
            }
        }
    }
}
