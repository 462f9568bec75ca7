//! The operators' door: `/metrics`, `/livez`, `/readyz`, over HTTP on a listener of its own, which belongs on an
//! address that readers cannot reach.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::moderator::Moderator;

/// The routes.
pub fn router(moderator: Arc<Moderator>, metrics: PrometheusHandle) -> Router {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new()
        .route("/metrics", get(move || async move { (text, metrics.render()) }))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(move || async move { ready(&moderator) }))
}

/// Ready is: there is a model, whatever became of a later one. Redis is not asked for: without it the service goes on, and says so in every answer.
fn ready(moderator: &Moderator) -> (StatusCode, String) {
    match moderator.model() {
        Some(loaded) => {
            let refused = moderator
                .last_reload_error()
                .map(|error| format!("another model was refused: {error}\n"));
            let version = loaded.model.version();
            (
                StatusCode::OK,
                format!("ready: model {version}\n{}", refused.unwrap_or_default()),
            )
        }
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: no model is loaded\n".to_owned(),
        ),
    }
}
