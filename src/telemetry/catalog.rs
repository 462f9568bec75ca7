//! Every metric with its kind, its labels and what it means, once. `docs/metrics.md` is the same for people, with what
//! to do about each; a test holds the two together, and another what `/metrics` prints.

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows, and starts anew with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// The metric's kind.
    pub kind: Kind,
    /// Its labels, each from a closed set or from the configuration.
    pub labels: &'static [&'static str],
    /// The meaning.
    pub help: &'static str,
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

/// Every metric, in the order of `docs/metrics.md`.
pub const CATALOG: &[Metric] = &[
    metric(
        "moderato_build_info",
        Kind::Gauge,
        &["version", "commit"],
        "Always 1; which program this is",
    ),
    metric(
        "moderato_ready",
        Kind::Gauge,
        &[],
        "1 while /readyz says ready, at the time of the scrape",
    ),
    metric(
        "moderato_decisions_total",
        Kind::Counter,
        &["site", "verdict"],
        "Comments judged, by site and verdict",
    ),
    metric(
        "moderato_reasons_total",
        Kind::Counter,
        &["code"],
        "Reasons given, by code",
    ),
    metric(
        "moderato_replayed_total",
        Kind::Counter,
        &["site"],
        "Answers to a request_id that was answered before",
    ),
    metric(
        "moderato_degraded_total",
        Kind::Counter,
        &["what"],
        "Answers for which something was not there, by what it was",
    ),
    metric(
        "moderato_address_not_public_total",
        Kind::Counter,
        &["site"],
        "Comments whose author_ip is not public: most likely a proxy's address is passed on for the reader's",
    ),
    metric(
        "moderato_address_dominant",
        Kind::Gauge,
        &["site"],
        "1 while one address sends more than a fifth of the site's comments: most likely a proxy's",
    ),
    metric(
        "moderato_duration_seconds",
        Kind::Histogram,
        &[],
        "From reading a request to its answer",
    ),
    metric(
        "moderato_spam_probability",
        Kind::Histogram,
        &[],
        "Probabilities of spam, of texts that were scored",
    ),
    metric(
        "moderato_grpc_requests_total",
        Kind::Counter,
        &["method"],
        "gRPC calls that came in, by method",
    ),
    metric(
        "moderato_grpc_errors_total",
        Kind::Counter,
        &["code"],
        "gRPC calls that ended with a status other than OK, by its code",
    ),
    metric(
        "moderato_turned_away_total",
        Kind::Counter,
        &[],
        "Calls turned away because too many were under way",
    ),
    metric(
        "moderato_call_seconds",
        Kind::Histogram,
        &[],
        "From the head of a call to the head of its answer, or to when its caller went away, of calls that were admitted",
    ),
    metric(
        "moderato_calls_denied_total",
        Kind::Counter,
        &["why"],
        "Calls denied for who made them: no valid key, another site's, not an administrator's, too many",
    ),
    metric(
        "moderato_tls_handshakes_failed_total",
        Kind::Counter,
        &[],
        "Connections that came to nothing: plain text, no certificate or a wrong one, too slow",
    ),
    metric(
        "moderato_config_reloads_total",
        Kind::Counter,
        &["outcome"],
        "Changed configurations, by whether they were applied or refused",
    ),
    metric(
        "moderato_config_refused",
        Kind::Gauge,
        &[],
        "1 while the configuration on disk is refused and an older one is at work",
    ),
    metric(
        "moderato_redis_up",
        Kind::Gauge,
        &[],
        "1 while Redis counts, 0 while this process does it alone",
    ),
    metric(
        "moderato_redis_changes_total",
        Kind::Counter,
        &[],
        "Times that Redis came or went",
    ),
    metric(
        "moderato_redis_calls_total",
        Kind::Counter,
        &[],
        "Calls of the limits that were sent to Redis",
    ),
    metric(
        "moderato_redis_timeouts_total",
        Kind::Counter,
        &[],
        "Calls of the limits that Redis did not answer within the budget",
    ),
    metric(
        "moderato_redis_shed_total",
        Kind::Counter,
        &[],
        "Calls of the limits that were not sent because too many were in flight",
    ),
    metric(
        "moderato_redis_breaker_opened_total",
        Kind::Counter,
        &[],
        "Times that a Redis process went away, by the circuit breaker in front of it",
    ),
    metric(
        "moderato_feedback_total",
        Kind::Counter,
        &["label", "verdict"],
        "Labels that came in, by what had been decided",
    ),
    metric(
        "moderato_feedback_dropped_total",
        Kind::Counter,
        &[],
        "Decisions that were not remembered: the queue was full, or the store failed",
    ),
    metric(
        "moderato_model_loaded_timestamp_seconds",
        Kind::Gauge,
        &[],
        "When this process loaded the model at work, in seconds since 1970; 0 without one",
    ),
    metric(
        "moderato_model_version",
        Kind::Gauge,
        &[],
        "The version of the model at work, its 12 hexadecimal digits as a number: in a fleet, max and min are equal",
    ),
    metric(
        "moderato_model_refused",
        Kind::Gauge,
        &[],
        "1 while the model that should be at work cannot be used, and an earlier one is",
    ),
    metric(
        "moderato_model_reload_failures_total",
        Kind::Counter,
        &[],
        "Attempts to load another model that failed",
    ),
];
