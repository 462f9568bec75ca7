//! What goes on on one connection, so that one on which nothing does can be closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tonic::codegen::http;

/// The calls of one connection. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    calls: AtomicUsize,
    /// When the last call ended, or the connection began.
    idle_since: Mutex<Instant>,
    /// The call that has just come needs nothing any more but to be answered.
    is_refused: AtomicBool,
    /// Bytes that may still be read in this turn.
    read_budget: AtomicUsize,
}

impl Activity {
    /// A connection that has just been opened.
    pub fn opened() -> Self {
        Self(Arc::new(Inner {
            calls: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            is_refused: AtomicBool::new(false),
            read_budget: AtomicUsize::new(usize::MAX),
        }))
    }

    /// Since when no call is under way; `None` if one is.
    pub fn idle_since(&self) -> Option<Instant> {
        let rests = self.0.calls.load(Ordering::Acquire) == 0;
        rests.then(|| *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another turn begins, in which so many bytes may be read.
    pub fn set_read_budget(&self, bytes: usize) {
        self.0.read_budget.store(bytes, Ordering::Relaxed);
    }

    /// So many bytes were read in it.
    pub fn consume_read_budget(&self, bytes: usize) {
        self.set_read_budget(self.read_budget().saturating_sub(bytes));
    }

    /// How many bytes may still be read in this turn.
    pub fn read_budget(&self) -> usize {
        self.0.read_budget.load(Ordering::Relaxed)
    }

    /// The call that has just come is turned away: it needs no turn of its own.
    pub(super) fn set_refused_flag(&self) {
        self.0.is_refused.store(true, Ordering::Relaxed);
    }

    /// Whether the call that has just come was turned away. Asked once for each.
    pub fn take_refused_flag(&self) -> bool {
        self.0.is_refused.swap(false, Ordering::Relaxed)
    }

    /// The connection that a request came on.
    pub(super) fn of<B>(request: &http::Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    /// A call begins; it is over when the answer is dropped.
    pub(super) fn begin_call(&self) -> CallInFlight {
        self.0.calls.fetch_add(1, Ordering::AcqRel);
        CallInFlight(self.clone())
    }
}

/// A call under way.
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
