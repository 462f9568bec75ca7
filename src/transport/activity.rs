//! Tracks the calls in flight on one connection, so that idle connections can be closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tonic::codegen::http;

/// The calls in flight on one connection. Clones share one count.
#[derive(Debug, Clone)]
pub struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    calls: AtomicUsize,
    /// The time at which the last call ended, or the connection began.
    idle_since: Mutex<Instant>,
    /// Set while the call that has just arrived is a refused one, which needs no task of its own.
    is_refused: AtomicBool,
    /// Bytes that may still be read from the connection in this turn.
    read_budget: AtomicUsize,
}

impl Activity {
    /// The activity of a connection that has just been opened: no call yet, idle from now on.
    pub fn opened() -> Self {
        Self(Arc::new(Inner {
            calls: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            is_refused: AtomicBool::new(false),
            read_budget: AtomicUsize::new(usize::MAX),
        }))
    }

    /// The time since when no call is in flight; `None` while one is.
    pub fn idle_since(&self) -> Option<Instant> {
        let rests = self.0.calls.load(Ordering::Acquire) == 0;
        rests.then(|| *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins another turn, in which so many bytes may be read.
    pub fn set_read_budget(&self, bytes: usize) {
        self.0.read_budget.store(bytes, Ordering::Relaxed);
    }

    /// Takes so many bytes, which were read, from the budget of the turn.
    pub fn consume_read_budget(&self, bytes: usize) {
        self.set_read_budget(self.read_budget().saturating_sub(bytes));
    }

    /// The number of bytes that may still be read in this turn.
    pub fn read_budget(&self) -> usize {
        self.0.read_budget.load(Ordering::Relaxed)
    }

    /// Marks the call that has just arrived as refused: it needs no task of its own.
    pub(super) fn set_refused_flag(&self) {
        self.0.is_refused.store(true, Ordering::Relaxed);
    }

    /// Returns true if the call that has just arrived was refused, and clears the mark: ask once for each call.
    pub fn take_refused_flag(&self) -> bool {
        self.0.is_refused.swap(false, Ordering::Relaxed)
    }

    /// The activity of the connection that a request came on.
    pub(super) fn of<B>(request: &http::Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    /// Begins a call, which is in flight until the returned value is dropped.
    pub(super) fn begin_call(&self) -> CallInFlight {
        self.0.calls.fetch_add(1, Ordering::AcqRel);
        CallInFlight(self.clone())
    }
}

/// One call in flight: keeps its connection from being idle until it is dropped.
#[derive(Debug)]
pub(super) struct CallInFlight(Activity);

impl Drop for CallInFlight {
    fn drop(&mut self) {
        let inner = &self.0.0;
        // First the time, then the count: who sees a connection without calls sees since when.
        if inner.calls.load(Ordering::Acquire) == 1 {
            *inner.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        inner.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::Activity;

    #[test]
    fn it_rests_when_the_last_call_has_ended() {
        let activity = Activity::opened();
        let begun = activity.idle_since().unwrap();
        let (one, two) = (activity.begin_call(), activity.begin_call());
        drop(one);
        assert_eq!(activity.idle_since(), None);
        drop(two);
        assert!(activity.idle_since().unwrap() > begun);
    }

    #[test]
    fn what_was_turned_away_is_told_once() {
        let activity = Activity::opened();
        assert!(!activity.take_refused_flag());
        activity.set_refused_flag();
        assert!(activity.take_refused_flag());
        assert!(!activity.take_refused_flag());
    }
}
