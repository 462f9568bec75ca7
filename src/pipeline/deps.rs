//! The state and the services that the stations work with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::duplicate::{FirstResult, RecentSubmissions};
use super::proxies::Proxies;
use crate::operations::Operations;
use crate::privacy::Pseudonymizer;
use crate::telemetry::{Call, Events, Method, Traces};

/// The state and the services of the pipeline. One for the process; share it behind an `Arc`.
#[derive(Debug)]
pub struct Deps {
    /// The state that judging shares with operating: policies, models, limiter, store, clock, metrics.
    pub operations: Arc<Operations>,
    pub(super) events: Events,
    traces: Traces,
    pub(super) proxies: Proxies,
    pub(super) duplicates: RecentSubmissions<FirstResult>,
    ids: DecisionIds,
}

/// Makes the ids of decisions.
#[derive(Debug)]
struct DecisionIds {
    nonce: [u8; 16],
    n_made: AtomicU64,
}

impl DecisionIds {
    fn next(&self, pseudonymizer: &Pseudonymizer) -> [u8; 16] {
        pseudonymizer.decision(&self.nonce, self.n_made.fetch_add(1, Ordering::Relaxed))
    }
}

impl Deps {
    /// Puts the parts together. `events` says how many decisions are logged, `traces` where traced calls are reported;
    /// `nonce` is random bytes of this process: they make decision ids unguessable, and unlike those of other
    /// processes.
    pub fn new(operations: Arc<Operations>, events: Events, traces: Traces, nonce: [u8; 16]) -> Self {
        Self {
            operations,
            events,
            traces,
            proxies: Proxies::default(),
            duplicates: RecentSubmissions::default(),
            ids: DecisionIds {
                nonce,
                n_made: AtomicU64::new(0),
            },
        }
    }

    /// Begins the span of a call; `None` if the call is not traced. `parent` is the caller's `traceparent`.
    pub fn trace(&self, method: Method, parent: Option<&str>) -> Option<Call> {
        self.traces.begin(method, parent, || self.operations.clock.now())
    }

    /// Begins the span of one item of a traced stream.
    pub fn trace_item(&self, stream: &Call) -> Call {
        stream.item(self.operations.clock.now())
    }

    /// Ends the span of a traced call, with its gRPC status code.
    pub fn traced(&self, call: &Call, method: Method, code: i32) {
        call.end(method, code, self.operations.clock.now());
    }

    pub(super) fn next_decision_id(&self) -> [u8; 16] {
        self.ids.next(&self.operations.pseudonymizer)
    }
}
