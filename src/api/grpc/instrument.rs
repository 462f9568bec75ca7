//! Counts and traces every call of our services, by method and by how it ended: also those that are turned away before
//! any of our code sees them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};

use crate::pipeline::Deps;
use crate::telemetry::{Call, Method};

/// A service whose calls are counted and traced.
#[derive(Debug, Clone)]
pub(super) struct Instrumented<S> {
    inner: S,
    deps: Arc<Deps>,
}

impl<S> Instrumented<S> {
    /// Counts the calls of `inner`. It belongs outermost, around whatever may turn a call away.
    pub(super) fn new(inner: S, deps: &Arc<Deps>) -> Self {
        let deps = Arc::clone(deps);
        Self { inner, deps }
    }
}

impl<S, B> Service<http::Request<B>> for Instrumented<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = InstrumentedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let deps = Arc::clone(&self.deps);
        let method = Method::of_path(request.uri().path());
        deps.operations.metrics().requested(method);
        let parent = request
            .headers()
            .get("traceparent")
            .and_then(|parent| parent.to_str().ok());
        let call = deps.trace(method, parent);
        if let Some(call) = &call {
            // The service adds what was decided.
            request.extensions_mut().insert(call.clone());
        }
        InstrumentedFuture {
            inner: self.inner.call(request),
            deps,
            method,
            call,
            progress: Progress::Waiting,
        }
    }
}

/// A call in flight, which is counted and traced when it ends: answered, or dropped because its caller cancelled it or
/// its connection broke.
#[derive(Debug)]
pub(super) struct InstrumentedFuture<F> {
    inner: F,
    deps: Arc<Deps>,
    method: Method,
    call: Option<Call>,
    progress: Progress,
}

/// The state that a dropped call was in, which tells why it was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Between two polls: dropped here, its caller is gone.
    Waiting,
    /// Within a poll: dropped here, it panicked.
    Polling,
    /// Its end has been recorded.
    Ended,
}

impl Progress {
    /// The status of a call that is dropped in this state; `None` if it has ended before.
    const fn when_dropped(self) -> Option<Code> {
        match self {
            Self::Waiting => Some(Code::Cancelled),
            Self::Polling => Some(Code::Internal),
            Self::Ended => None,
        }
    }
}

impl<F> InstrumentedFuture<F> {
    /// Counts the call, and ends its span, by this status.
    fn end(&mut self, code: Code) {
        self.progress = Progress::Ended;
        if code != Code::Ok {
            self.deps.operations.metrics().failed(code as i32);
        }
        let method = self.method;
        // A stream that has begun records its own end.
        if let Some(call) = self
            .call
            .take()
            .filter(|_| method != Method::ModerateStream || code != Code::Ok)
        {
            self.deps.traced(&call, method, code as i32);
        }
    }
}

impl<F> Future for InstrumentedFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, Infallible>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.progress = Progress::Polling;
        let polled = Pin::new(&mut self.inner).poll(context);
        self.progress = Progress::Waiting;
        let Ok(answer) = ready!(polled);
        // A call that fails as a whole says so in the head; the error of one item of a stream is no failed call.
        let status = answer.headers().get(Status::GRPC_STATUS);
        let code = status.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
        self.end(code);
        Poll::Ready(Ok(answer))
    }
}

impl<F> Drop for InstrumentedFuture<F> {
    fn drop(&mut self) {
        if let Some(code) = self.progress.when_dropped() {
            self.end(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::future::{pending, ready};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use tonic::Status;
    use tonic::body::Body;
    use tonic::codegen::http;

    use super::{InstrumentedFuture, Progress};
    use crate::artifact::ActiveModel;
    use crate::clock::{Clock, Timestamp};
    use crate::limit::{Limiter, MemorySettings};
    use crate::operations::{Operations, Parts};
    use crate::pipeline::Deps;
    use crate::privacy::Pseudonymizer;
    use crate::site::{Callers, Sites};
    use crate::telemetry::{Events, Method, Metrics, Traces};

    type Answer = Result<http::Response<Body>, Infallible>;

    /// The errors that are counted, as code and number, after a call with this work was polled so often and dropped.
    fn errors(inner: impl Future<Output = Answer>, polls: usize) -> Vec<String> {
        let sites = Sites {
            named: BTreeMap::new(),
            unnamed: None,
            callers: Callers::default(),
        };
        let (metrics, handle) = Metrics::prometheus(&sites).unwrap();
        let memory = MemorySettings {
            subjects_max: 1,
            replay_bytes_max: 0,
        };
        let operations = Operations::new(Parts {
            sites: Arc::new(sites),
            models: ActiveModel::fixed(None),
            limiter: Limiter::memory(&memory),
            pseudonymizer: Pseudonymizer::new(&[7; 32]),
            clock: Clock::manual(Timestamp::from_micros(1)),
            metrics,
            recorder: None,
        });
        let deps = Deps::new(Arc::new(operations), Events::OBJECTIONS, Traces::Off, [3; 16]);
        let mut call = InstrumentedFuture {
            inner: Box::pin(inner),
            deps: Arc::new(deps),
            method: Method::Moderate,
            call: None,
            progress: Progress::Waiting,
        };
        for _ in 0..polls {
            let poll = || {
                Pin::new(&mut call)
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_ready()
            };
            // As tokio does: what panics is dropped later, and not while it unwinds.
            let _ = catch_unwind(AssertUnwindSafe(poll));
        }
        drop(call);
        let text = handle.render();
        let counted = text
            .lines()
            .filter_map(|line| line.strip_prefix("moderato_grpc_errors_total{code=\""));
        let counted = counted.filter(|line| !line.ends_with(" 0"));
        counted.map(|line| line.replace("\"}", "")).collect()
    }

    #[test]
    fn a_call_that_is_dropped_before_its_answer_is_cancelled() {
        assert_eq!(errors(pending(), 0), ["cancelled 1"], "it never had its turn");
        assert_eq!(errors(pending(), 2), ["cancelled 1"]);
    }

    #[test]
    fn a_call_that_panics_is_an_error_of_ours() {
        assert_eq!(errors(async { panic!("a fault of ours") }, 1), ["internal 1"]);
    }

    #[test]
    fn a_call_that_was_answered_is_counted_once_by_its_answer() {
        assert!(errors(ready(Ok(http::Response::new(Body::empty()))), 1).is_empty());
        let refusal = Status::resource_exhausted("full").into_http();
        assert_eq!(errors(ready(Ok(refusal)), 1), ["resource_exhausted 1"]);
    }
}
