//! Waiting for a condition, without sleeping for a guess.

use std::time::Duration;

/// Waits until `check` holds; fails with `what` if it does not within half a minute.
pub(crate) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let held = tokio::time::timeout(Duration::from_secs(30), async {
        while !check().await {
            ticks.tick().await;
        }
    });
    assert!(held.await.is_ok(), "within half a minute: {what}");
}
