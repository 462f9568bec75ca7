//! Traces: one span for each call, sent to an OpenTelemetry collector where one is configured, else nothing at all.
//!
//! A span is made from what is counted and logged anyway: the method, how the call ended, the decision. The caller's
//! `traceparent` (W3C Trace Context) is taken over, its `tracestate` is not: that is free text.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
pub use opentelemetry_otlp::ExporterBuildError as TracesError;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use super::rpc::Method;
use crate::clock::Timestamp;
use crate::site::SiteId;
use crate::verdict::Decision;

/// The destination of spans.
#[derive(Debug, Clone, Default)]
pub enum Traces {
    /// Nowhere; asking costs nothing.
    #[default]
    Off,
    /// To a collector.
    Otlp(Otlp),
}

/// A collector, and the share of calls that it is told of.
#[derive(Clone)]
pub struct Otlp {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Sends spans to the collector at `endpoint` by OTLP over gRPC, in batches and in the background: no call waits
    /// for it, and what it does not take is dropped. A caller that traces decides for its calls; of the others this
    /// share, from 0 to 1, is traced.
    ///
    /// It must be called where the runtime runs.
    ///
    /// # Errors
    /// The endpoint is not one.
    pub fn otlp(endpoint: &str, share: f64) -> Result<Self, TracesError> {
        let builder = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        let exporter = if endpoint.starts_with("https://") {
            builder
                .with_tls_config(ClientTlsConfig::new().with_enabled_roots())
                .build()?
        } else {
            builder.build()?
        };
        let root = Sampler::TraceIdRatioBased(share);
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .with_resource(
                Resource::builder()
                    .with_service_name("moderato")
                    .with_attribute(version)
                    .build(),
            )
            .build();
        let tracer = provider.tracer("moderato");
        Ok(Self::Otlp(Otlp { provider, tracer }))
    }

    /// A call begins; `None` if it is not traced. `parent` is the caller's `traceparent`.
    pub fn begin(&self, method: Method, parent: Option<&str>, now: impl FnOnce() -> Timestamp) -> Option<Call> {
        let Self::Otlp(otlp) = self else {
            return None;
        };
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(parent));
        let began = now();
        let span = otlp
            .tracer
            .span_builder(method.full_name())
            .with_kind(SpanKind::Server)
            .with_start_time(system_time(began))
            .start_with_context(&otlp.tracer, &parent);
        span.is_recording().then(|| Call {
            trace_id: span.span_context().trace_id().to_string(),
            tracer: otlp.tracer.clone(),
            span: Arc::new(Mutex::new(span)),
        })
    }

    /// Sends what is left. It blocks, for this long at most.
    pub fn flush(&self, within: Duration) {
        if let Self::Otlp(otlp) = self
            && let Err(error) = otlp.provider.shutdown_with_timeout(within)
        {
            tracing::warn!(%error, "some traces did not reach the collector");
        }
    }
}

/// The one header that is read.
struct Parent<'a>(Option<&'a str>);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key == "traceparent")
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

/// A call that is traced. Its clones are the same call.
#[derive(Clone)]
pub struct Call {
    trace_id: String,
    tracer: SdkTracer,
    span: Arc<Mutex<opentelemetry_sdk::trace::Span>>,
}

/// A decision with what else its span tells.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The site that the comment was sent to.
    pub site: &'a SiteId,
    /// Names the decision.
    pub decision_id: &'a str,
    /// The decision.
    pub decision: &'a Decision,
    /// The version of the model that read the text.
    pub model_version: &'a str,
    /// The version of the policy that judged.
    pub policy_version: &'a str,
    /// It was given before.
    pub replayed: bool,
    /// The beginning and the end of scoring the text; `None` where it was not scored, as for what was decided before.
    pub scored: Option<(Timestamp, Timestamp)>,
    /// The beginning and the end of counting the quotas, if they were counted.
    pub counted: Option<(Timestamp, Timestamp)>,
}

impl Call {
    /// The trace that it belongs to, in hexadecimal.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// Notes what was decided. Spans of the two stations that take time are made now that both are known.
    pub fn judged(&self, judged: &Judged<'_>) {
        let decision = judged.decision;
        let codes =
            |codes: Vec<&'static str>| Value::Array(Array::String(codes.into_iter().map(StringValue::from).collect()));
        let reasons = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
        let degraded = decision.degraded.iter().map(|what| what.as_str()).collect();
        let attributes = [
            KeyValue::new("moderato.site", judged.site.as_str().to_owned()),
            KeyValue::new("moderato.decision_id", judged.decision_id.to_owned()),
            KeyValue::new("moderato.verdict", decision.verdict.as_str()),
            KeyValue::new("moderato.handling", decision.handling.as_str()),
            KeyValue::new("moderato.reasons", codes(reasons)),
            KeyValue::new("moderato.degraded", codes(degraded)),
            KeyValue::new("moderato.replayed", judged.replayed),
            KeyValue::new("moderato.model_version", judged.model_version.to_owned()),
            KeyValue::new("moderato.policy_version", judged.policy_version.to_owned()),
        ];
        // Two decimals: more could be matched to a text.
        let probability = decision
            .spam_probability
            .map(|p| KeyValue::new("moderato.spam_probability", (p * 100.0).round() / 100.0));
        let context = {
            let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
            span.set_attributes(attributes.into_iter().chain(probability));
            Context::new().with_remote_span_context(span.span_context().clone())
        };
        let stations = [("score the text", judged.scored), ("count the quotas", judged.counted)];
        for (name, took) in stations {
            let Some((from, to)) = took else { continue };
            let span = self
                .tracer
                .span_builder(Cow::Borrowed(name))
                .with_start_time(system_time(from));
            span.start_with_context(&self.tracer, &context)
                .end_with_timestamp(system_time(to));
        }
    }

    /// One item of this call, which is a stream, begins: it is a call of its own within this one.
    #[must_use]
    pub fn item(&self, now: Timestamp) -> Self {
        let stream = self
            .span
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .span_context()
            .clone();
        let span = self
            .tracer
            .span_builder("judge an item")
            .with_start_time(system_time(now))
            .start_with_context(&self.tracer, &Context::new().with_remote_span_context(stream));
        Self {
            trace_id: self.trace_id.clone(),
            tracer: self.tracer.clone(),
            span: Arc::new(Mutex::new(span)),
        }
    }

    /// The call has ended with this gRPC status code.
    pub fn end(&self, method: Method, code: i32, now: Timestamp) {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        span.set_attributes([
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.method", method.as_str()),
            KeyValue::new("rpc.grpc.status_code", i64::from(code)),
        ]);
        // Of what a caller did wrong the server is not the cause: DEADLINE_EXCEEDED, UNKNOWN, UNIMPLEMENTED, INTERNAL,
        // UNAVAILABLE and DATA_LOSS are errors of a server span, by OpenTelemetry's conventions.
        if matches!(code, 2 | 4 | 12 | 13 | 14 | 15) {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(system_time(now));
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(at.as_micros())
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otlp(..)")
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.trace_id)
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, Traces};
    use crate::clock::Timestamp;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn off_reads_no_clock_and_makes_nothing() {
        assert!(
            Traces::Off
                .begin(Method::Moderate, Some(PARENT), || panic!("asked"))
                .is_none()
        );
    }

    #[tokio::test]
    async fn the_callers_word_counts_before_our_share() {
        let traces = Traces::otlp("http://127.0.0.1:9", 0.0).unwrap();
        let unsampled = PARENT.replace("-01", "-00");
        let begin = |parent| traces.begin(Method::Moderate, parent, || Timestamp::from_micros(1));
        let call = begin(Some(PARENT)).unwrap();
        assert_eq!(call.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert!(begin(Some(&unsampled)).is_none());
        assert!(begin(None).is_none());
        let all = Traces::otlp("http://127.0.0.1:9", 1.0).unwrap();
        // What is no traceparent is none.
        assert!(
            all.begin(Method::Moderate, Some("00-zz"), || Timestamp::from_micros(1))
                .is_some()
        );
    }

    #[tokio::test]
    async fn an_endpoint_has_to_be_one() {
        assert!(Traces::otlp("not a url", 0.1).is_err());
    }
}
