//! The operators' listener: `/metrics`, `/livez`, `/readyz` and `/version`, over HTTP on a listener of its own, which
//! belongs on an address that readers cannot reach. It shows nothing of any comment.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::operations::{Operations, Status};
use crate::telemetry::RedisCalls;

/// The state that the routes show.
#[derive(Debug, Clone)]
pub struct Ops {
    /// The service's operations.
    pub operations: Arc<Operations>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Becomes true when the process has been told to stop.
    pub stopping: watch::Receiver<bool>,
}

/// The routes.
pub fn router(ops: Ops) -> Router {
    let readiness = ops.clone();
    Router::new()
        .route("/metrics", get(move || async move { ops.metrics() }))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(move || async move { readiness.ready() }))
        .route("/version", get(|| async { json_body(StatusCode::OK, &version()) }))
}

impl Ops {
    fn metrics(&self) -> impl IntoResponse + use<> {
        let status = self.operations.status();
        let loaded_at = status.model.as_ref().map(|model| model.loaded_at);
        let ready = status.is_ready() && !*self.stopping.borrow();
        self.operations.metrics().state(ready, loaded_at);
        let calls = self.operations.limiter().counters();
        self.operations.metrics().redis_calls(&RedisCalls {
            sent: calls.sent,
            timed_out: calls.timed_out,
            shed: calls.shed,
            opened: calls.opened,
        });
        let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (text, self.metrics.render())
    }

    fn ready(&self) -> impl IntoResponse + use<> {
        let (ready, body) = readiness(&self.operations.status(), *self.stopping.borrow());
        let code = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        json_body(code, &body)
    }
}

/// Returns whether calls may be sent here, and everything that is wrong, also what is not in their way.
fn readiness(status: &Status, stopping: bool) -> (bool, Value) {
    let ready = status.is_ready() && !stopping;
    let mut problems: Vec<_> = status
        .problems
        .iter()
        .map(|problem| json!({"code": problem.code(), "message": problem.message(), "blocks": problem.blocks()}))
        .collect();
    if stopping {
        let message = "told to stop: the calls under way are answered, new ones belong elsewhere";
        problems.insert(0, json!({"code": "stopping", "message": message, "blocks": true}));
    }
    let model = status
        .model
        .as_ref()
        .map(|model| json!({"version": model.version, "loaded_seconds_ago": model.loaded_seconds_ago}));
    (ready, json!({"ready": ready, "problems": problems, "model": model}))
}

fn version() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": env!("MODERATO_COMMIT"),
        "api": "moderato.v1",
    })
}

fn json_body(code: StatusCode, body: &Value) -> impl IntoResponse + use<> {
    let head = [(header::CONTENT_TYPE, "application/json")];
    (code, head, format!("{body:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::readiness;
    use crate::operations::{Problem, Status};

    fn status(problems: Vec<Problem>) -> Status {
        Status { model: None, problems }
    }

    #[test]
    fn a_redis_that_is_away_is_told_and_not_in_the_way() {
        let (ready, body) = readiness(&status(vec![Problem::RedisAway { cause: "refused" }]), false);
        assert!(ready);
        assert_eq!(body["problems"][0]["code"], "rate_limit.redis");
        assert_eq!(body["problems"][0]["blocks"], false);
    }

    #[test]
    fn without_a_model_and_while_stopping_calls_belong_elsewhere() {
        let (ready, body) = readiness(&status(vec![Problem::NoModel]), true);
        assert!(!ready);
        let codes: Vec<_> = body["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| &p["code"])
            .collect();
        assert_eq!(codes, ["stopping", "classifier.model"]);
    }
}
