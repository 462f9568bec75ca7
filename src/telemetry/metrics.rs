//! Every metric, declared once. Labels come from closed sets or from the configuration, never from a request: a site
//! that is not configured is counted as `(other)`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::catalog::{CATALOG, Kind};
use super::rpc::{CODES, Method};
use super::transport::TransportMetrics;
use crate::clock::Timestamp;
use crate::record::Opinion;
use crate::site::{SiteId, Sites};
use crate::verdict::{Decision, Degraded, ReasonCode, Verdict};

/// Upper bounds of the latency buckets, in seconds: from a comment judged in memory to the deadline of a patient
/// caller.
const LATENCY_BUCKETS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.3];

/// Upper bounds of the buckets of whole calls, in seconds: each 1.5 times the one before, from 50 µs to a third of a
/// second.
const CALL_BUCKETS: [f64; 23] = [
    0.000_05, 0.000_075, 0.000_11, 0.000_17, 0.000_25, 0.000_38, 0.000_57, 0.000_85, 0.001_3, 0.001_9, 0.002_9,
    0.004_3, 0.006_5, 0.009_7, 0.015, 0.022, 0.033, 0.049, 0.074, 0.11, 0.17, 0.25, 0.37,
];

/// Upper bounds of the probability buckets: a drift of the readers, or of the spammers, shows here first.
const PROBABILITY_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999];

/// The label of all sites that are not configured; no site can be named like this.
const OTHER: &str = "(other)";

/// The reason why a call was denied, as `moderato_calls_denied_total` labels it: no valid key, another site's, not an
/// administrator's, too many calls.
pub const DENIALS: [&str; 4] = ["key", "site", "admin", "calls"];

/// The metrics of one process.
pub struct Metrics {
    sites: ArcSwap<BTreeMap<SiteId, Arc<SiteMetrics>>>,
    recorder: Option<PrometheusRecorder>,
    other: Arc<SiteMetrics>,
    reasons: Vec<(ReasonCode, Counter)>,
    duration: Histogram,
    probability: Histogram,
    degraded: [(Degraded, Counter); 3],
    denied: [(&'static str, Counter); 4],
    reloads: [Counter; 2],
    config_refused: Gauge,
    redis_up: Gauge,
    redis_changes: Counter,
    redis_calls: RedisCalls<Counter>,
    transport: TransportMetrics,
    labels: Vec<((Opinion, Option<Verdict>), Counter)>,
    feedback_dropped: Counter,
    requests: [(Method, Counter); Method::ALL.len()],
    errors: [Counter; CODES.len()],
    ready: Gauge,
    model_loaded: Gauge,
    model_version: Gauge,
    model_refused: Gauge,
    model_failures: Counter,
}

/// The counters of each site.
struct SiteMetrics {
    verdicts: [(Verdict, Counter); 3],
    replayed: Counter,
    address_not_public: Counter,
    address_dominant: Gauge,
}

/// Counts of the limits' calls to Redis since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisCalls<T> {
    /// Calls sent.
    pub sent: T,
    /// Calls that were not answered within their budget.
    pub timed_out: T,
    /// Calls not sent because too many were in flight.
    pub shed: T,
    /// Openings of a circuit breaker.
    pub opened: T,
}

impl Metrics {
    /// Metrics that nobody reads: every record is dropped.
    pub fn off(sites: &Sites) -> Self {
        metrics::with_local_recorder(&metrics::NoopRecorder, || Self::register(sites))
    }

    /// Metrics, and the handle that renders them in Prometheus' text format.
    ///
    /// # Errors
    /// The buckets above are malformed, which a test would have found.
    pub fn prometheus(sites: &Sites) -> Result<(Self, PrometheusHandle), metrics_exporter_prometheus::BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full("moderato_duration_seconds".to_owned()), &LATENCY_BUCKETS)?
            .set_buckets_for_metric(
                Matcher::Full("moderato_spam_probability".to_owned()),
                &PROBABILITY_BUCKETS,
            )?
            .set_buckets_for_metric(Matcher::Full("moderato_call_seconds".to_owned()), &CALL_BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        let metrics = metrics::with_local_recorder(&recorder, || Self::register(sites));
        Ok((
            Self {
                recorder: Some(recorder),
                ..metrics
            },
            handle,
        ))
    }

    fn register(sites: &Sites) -> Self {
        describe();
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("MODERATO_COMMIT"));
        metrics::gauge!("moderato_build_info", "version" => version, "commit" => commit).set(1.0);
        Self {
            sites: ArcSwap::new(Arc::new(SiteMetrics::register_all(sites))),
            recorder: None,
            other: Arc::new(SiteMetrics::register(OTHER)),
            reasons: ReasonCode::ALL
                .map(|code| {
                    (
                        code,
                        metrics::counter!("moderato_reasons_total", "code" => code.as_str()),
                    )
                })
                .into(),
            duration: metrics::histogram!("moderato_duration_seconds"),
            probability: metrics::histogram!("moderato_spam_probability"),
            degraded: [Degraded::Redis, Degraded::Model, Degraded::Feedback].map(|what| {
                (
                    what,
                    metrics::counter!("moderato_degraded_total", "what" => what.as_str()),
                )
            }),
            denied: DENIALS.map(|why| (why, metrics::counter!("moderato_calls_denied_total", "why" => why))),
            reloads: ["applied", "refused"]
                .map(|outcome| metrics::counter!("moderato_config_reloads_total", "outcome" => outcome)),
            config_refused: metrics::gauge!("moderato_config_refused"),
            redis_up: metrics::gauge!("moderato_redis_up"),
            redis_changes: metrics::counter!("moderato_redis_changes_total"),
            redis_calls: RedisCalls {
                sent: metrics::counter!("moderato_redis_calls_total"),
                timed_out: metrics::counter!("moderato_redis_timeouts_total"),
                shed: metrics::counter!("moderato_redis_shed_total"),
                opened: metrics::counter!("moderato_redis_breaker_opened_total"),
            },
            transport: TransportMetrics::register(),
            labels: labels(),
            feedback_dropped: metrics::counter!("moderato_feedback_dropped_total"),
            requests: Method::ALL.map(|method| {
                let name = method.as_str();
                (
                    method,
                    metrics::counter!("moderato_grpc_requests_total", "method" => name),
                )
            }),
            errors: CODES.map(|code| metrics::counter!("moderato_grpc_errors_total", "code" => code)),
            ready: metrics::gauge!("moderato_ready"),
            model_loaded: metrics::gauge!("moderato_model_loaded_timestamp_seconds"),
            model_version: metrics::gauge!("moderato_model_version"),
            model_refused: metrics::gauge!("moderato_model_refused"),
            model_failures: metrics::counter!("moderato_model_reload_failures_total"),
        }
    }

    /// Counts one decision, which took `seconds`.
    pub fn decided(&self, site: &SiteId, decision: &Decision, replayed: bool, seconds: f64) {
        let site = self.site(site);
        count(&site.verdicts, decision.verdict);
        if replayed {
            site.replayed.increment(1);
        }
        for reason in &decision.reasons {
            count(&self.reasons, reason.code);
        }
        for what in &decision.degraded {
            count(&self.degraded, *what);
        }
        if let Some(probability) = decision.spam_probability {
            self.probability.record(probability);
        }
        self.duration.record(seconds);
    }

    /// Counts a call that was denied, by one of [`DENIALS`].
    pub fn denied(&self, why: &'static str) {
        count(&self.denied, why);
    }

    /// The metrics of connections, and of the calls on them.
    pub const fn transport(&self) -> &TransportMetrics {
        &self.transport
    }

    /// Counts a comment whose address cannot be a reader's, whoever is counted for it.
    pub fn address_not_public(&self, site: &SiteId) {
        self.site(site).address_not_public.increment(1);
    }

    /// Notes whether one address sends more than its share of a site's comments.
    pub fn dominant(&self, site: &SiteId, is_so: bool) {
        self.site(site).address_dominant.set(f64::from(u8::from(is_so)));
    }

    /// Notes whether Redis is there, and whether that has `changed` since it was last said.
    pub fn redis(&self, up: bool, changed: bool) {
        self.redis_up.set(f64::from(u8::from(up)));
        self.redis_changes.increment(u64::from(changed));
    }

    /// Notes how the limits' calls to Redis went since the start.
    pub fn redis_calls(&self, calls: &RedisCalls<u64>) {
        let RedisCalls {
            sent,
            timed_out,
            shed,
            opened,
        } = &self.redis_calls;
        sent.absolute(calls.sent);
        timed_out.absolute(calls.timed_out);
        shed.absolute(calls.shed);
        opened.absolute(calls.opened);
    }

    /// Counts these sites by their names from now on.
    pub fn know(&self, sites: &Sites) {
        let register = || SiteMetrics::register_all(sites);
        let registered = match &self.recorder {
            Some(recorder) => metrics::with_local_recorder(recorder, register),
            None => metrics::with_local_recorder(&metrics::NoopRecorder, register),
        };
        self.sites.store(Arc::new(registered));
    }

    /// Counts an attempt to take a changed configuration over, and notes whether it is at work.
    pub fn reloaded(&self, applied: bool) {
        self.reloads[usize::from(!applied)].increment(1);
        self.config_refused.set(f64::from(u8::from(!applied)));
    }

    /// Counts a label that came in, by what had been decided: the live rate of errors.
    pub fn labeled(&self, opinion: Opinion, verdict: Option<Verdict>) {
        count(&self.labels, (opinion, verdict));
    }

    /// Notes how many decisions were not remembered since the start.
    pub fn feedback_dropped(&self, n: u64) {
        self.feedback_dropped.absolute(n);
    }

    /// A gRPC call came in.
    pub fn requested(&self, method: Method) {
        count(&self.requests, method);
    }

    /// A gRPC call ended with this status code, 1 to 16; others are counted as 2, which is UNKNOWN.
    pub fn failed(&self, code: i32) {
        let known = usize::try_from(code).ok().and_then(|code| code.checked_sub(1));
        let counter = known.and_then(|at| self.errors.get(at)).unwrap_or(&self.errors[1]);
        counter.increment(1);
    }

    /// Notes what can be seen of the service at any time: whether it is ready, and since when its model is at work.
    pub fn state(&self, ready: bool, model_loaded_at: Option<Timestamp>) {
        self.ready.set(f64::from(u8::from(ready)));
        let seconds = |at: Timestamp| at.since(Timestamp::from_micros(0)).as_secs_f64().floor();
        self.model_loaded.set(model_loaded_at.map_or(0.0, seconds));
    }

    /// Notes which model is at work, and whether another one that should be is refused.
    #[expect(
        clippy::cast_precision_loss,
        reason = "12 hexadecimal digits are 48 bits; a double holds 53"
    )]
    pub fn model(&self, version: &str, is_refused: bool) {
        // As a number, so that a fleet's are compared without a label for each version that ever was.
        let number = u64::from_str_radix(version, 16).unwrap_or_default();
        self.model_version.set(number as f64);
        self.model_refused.set(f64::from(u8::from(is_refused)));
    }

    /// Counts a model that was refused.
    pub fn model_refused(&self) {
        self.model_failures.increment(1);
    }

    fn site(&self, site: &SiteId) -> Arc<SiteMetrics> {
        Arc::clone(self.sites.load().get(site).unwrap_or(&self.other))
    }
}

impl SiteMetrics {
    fn register_all(sites: &Sites) -> BTreeMap<SiteId, Arc<Self>> {
        let register = |site: &SiteId| (site.clone(), Arc::new(Self::register(site.as_str())));
        sites.named.keys().map(register).collect()
    }

    fn register(site: &str) -> Self {
        let label = || site.to_owned();
        Self {
            verdicts: [Verdict::Approve, Verdict::Hold, Verdict::Reject].map(|verdict| {
                let word = verdict.as_str();
                (
                    verdict,
                    metrics::counter!("moderato_decisions_total", "site" => label(), "verdict" => word),
                )
            }),
            replayed: metrics::counter!("moderato_replayed_total", "site" => label()),
            address_not_public: metrics::counter!("moderato_address_not_public_total", "site" => label()),
            address_dominant: metrics::gauge!("moderato_address_dominant", "site" => label()),
        }
    }
}

fn labels() -> Vec<((Opinion, Option<Verdict>), Counter)> {
    let verdicts = [None, Some(Verdict::Approve), Some(Verdict::Hold), Some(Verdict::Reject)];
    let counter = |opinion: Opinion, verdict: Option<Verdict>| {
        let had = verdict.map_or("none", Verdict::as_str);
        let counter = metrics::counter!("moderato_feedback_total", "label" => opinion.as_str(), "verdict" => had);
        ((opinion, verdict), counter)
    };
    let each = |opinion: Opinion| verdicts.map(|verdict| counter(opinion, verdict));
    Opinion::ALL.into_iter().flat_map(each).collect()
}

fn count<K: Copy + PartialEq>(counters: &[(K, Counter)], key: K) {
    if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == key) {
        counter.increment(1);
    }
}

fn describe() {
    for metric in CATALOG {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("sites", &self.sites.load().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Metrics, RedisCalls};
    use crate::site::{SiteId, Sites};
    use crate::verdict::{Decision, Degraded, Handling, Verdict};

    #[test]
    fn a_decision_is_counted_and_unconfigured_sites_are_one() {
        let sites = Sites {
            named: BTreeMap::new(),
            unnamed: None,
            callers: crate::site::Callers::default(),
        };
        let (metrics, handle) = Metrics::prometheus(&sites).unwrap();
        let decision = Decision {
            verdict: Verdict::Hold,
            handling: Handling::Queue,
            spam_probability: Some(0.7),
            reasons: Vec::new(),
            quotas: Vec::new(),
            retry_after: None,
            not_evaluated: Vec::new(),
            degraded: vec![Degraded::Redis],
        };
        metrics.decided(&SiteId::new("nobody-configured-me").unwrap(), &decision, true, 0.002);
        metrics.address_not_public(&SiteId::new("nor-me").unwrap());
        metrics.redis(false, true);
        metrics.redis_calls(&RedisCalls {
            sent: 5,
            timed_out: 2,
            shed: 0,
            opened: 1,
        });
        let text = handle.render();
        for line in [
            r#"moderato_decisions_total{site="(other)",verdict="hold"} 1"#,
            r#"moderato_address_not_public_total{site="(other)"} 1"#,
            r#"moderato_degraded_total{what="rate_limit.redis"} 1"#,
            r#"moderato_replayed_total{site="(other)"} 1"#,
            r#"moderato_duration_seconds_bucket{le="0.0025"} 1"#,
            r#"moderato_spam_probability_bucket{le="0.75"} 1"#,
            "moderato_redis_up 0",
            "moderato_redis_calls_total 5",
            "moderato_redis_timeouts_total 2",
            "moderato_redis_breaker_opened_total 1",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        assert!(!text.contains("nobody-configured-me"));
    }
}
