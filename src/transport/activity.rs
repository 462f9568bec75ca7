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
    under_way: AtomicUsize,
    /// When the last call ended, or the connection began.
    rests_since: Mutex<Instant>,
    /// The call that has just come needs nothing any more but to be answered.
    is_answered: AtomicBool,
    /// Bytes that may still be read in this turn.
    unread: AtomicUsize,
}

impl Activity {
    /// A connection that has just been opened.
    pub fn begin() -> Self {
        Self(Arc::new(Inner {
            under_way: AtomicUsize::new(0),
            rests_since: Mutex::new(Instant::now()),
            is_answered: AtomicBool::new(false),
            unread: AtomicUsize::new(usize::MAX),
        }))
    }

    /// Since when no call is under way; `None` if one is.
    pub fn rests_since(&self) -> Option<Instant> {
        let rests = self.0.under_way.load(Ordering::Acquire) == 0;
        rests.then(|| *self.0.rests_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another turn begins, in which so many bytes may be read.
    pub fn begins_turn(&self, bytes: usize) {
        self.0.unread.store(bytes, Ordering::Relaxed);
    }

    /// So many bytes were read in it.
    pub fn has_read(&self, bytes: usize) {
        self.begins_turn(self.unread().saturating_sub(bytes));
    }

    /// How many bytes may still be read in this turn.
    pub fn unread(&self) -> usize {
        self.0.unread.load(Ordering::Relaxed)
    }

    /// The call that has just come is turned away: it needs no turn of its own.
    pub(super) fn turns_away(&self) {
        self.0.is_answered.store(true, Ordering::Relaxed);
    }

    /// Whether the call that has just come was turned away. Asked once for each.
    pub fn has_turned_away(&self) -> bool {
        self.0.is_answered.swap(false, Ordering::Relaxed)
    }

    /// The connection that a request came on.
    pub(super) fn of<B>(request: &http::Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    /// A call begins; it is over when the answer is dropped.
    pub(super) fn call(&self) -> Busy {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        let inner = &self.0.0;
        // First the time, then the count: who sees a connection without calls sees since when.
        if inner.under_way.load(Ordering::Acquire) == 1 {
            *inner.rests_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        inner.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::Activity;

    #[test]
    fn it_rests_when_the_last_call_has_ended() {
        let activity = Activity::begin();
        let begun = activity.rests_since().unwrap();
        let (one, two) = (activity.call(), activity.call());
        drop(one);
        assert_eq!(activity.rests_since(), None);
        drop(two);
        assert!(activity.rests_since().unwrap() > begun);
    }

    #[test]
    fn what_was_turned_away_is_told_once() {
        let activity = Activity::begin();
        assert!(!activity.has_turned_away());
        activity.turns_away();
        assert!(activity.has_turned_away());
        assert!(!activity.has_turned_away());
    }
}
