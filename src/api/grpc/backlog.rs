//! How many calls wait for a processor. A call that waits for Redis, or for its own bytes, costs nothing; one that could
//! go on and has to wait its turn delays everybody behind it. So calls are counted from when something wakes them to
//! when they rest again, and new ones are turned away while too many are in between.
//!
//! A burst is no overload: for [`BURST`] after it begins, all are let in that find a place. It ends with [`CALM`] without
//! a crowd.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// How long a burst is let in: what it brings is then worked off well before a patient caller's deadline.
const BURST: Duration = Duration::from_millis(50);

/// How long there is no crowd before the next one is a burst again.
const CALM: Duration = Duration::from_millis(100);

/// Calls that wait for a processor, or have one.
#[derive(Debug)]
pub(super) struct Backlog {
    ready: AtomicUsize,
    max: usize,
    crowd: Mutex<Option<Crowd>>,
}

/// When there were too many.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    since: Instant,
    last: Instant,
}

impl Backlog {
    /// None yet, and at most so many for longer than a burst.
    pub(super) const fn new(max: usize) -> Self {
        Self {
            ready: AtomicUsize::new(0),
            max,
            crowd: Mutex::new(None),
        }
    }

    /// Whether one more may come.
    pub(super) fn admits(&self) -> bool {
        self.ready.load(Ordering::Relaxed) < self.max || self.is_burst(Instant::now())
    }

    /// There is a crowd at `now`: whether it is a burst.
    fn is_burst(&self, now: Instant) -> bool {
        let mut crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *crowd {
            Some(Crowd { since, last }) if now.saturating_duration_since(last) < CALM => since,
            _ => now,
        };
        *crowd = Some(Crowd { since, last: now });
        now.saturating_duration_since(since) < BURST
    }
}

/// It rests.
const RESTS: u8 = 0;
/// It was woken and waits for its turn.
const READY: u8 = 1;
/// It is over; who wakes it now wakes nobody.
const OVER: u8 = 2;

/// What wakes a counted call.
struct Mark {
    backlog: Arc<Backlog>,
    state: AtomicU8,
    outer: Mutex<Option<Waker>>,
}

impl Mark {
    fn goes(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn leaves(&self) {
        self.backlog.ready.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.goes(RESTS, READY) {
            self.backlog.ready.fetch_add(1, Ordering::Relaxed);
        }
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*outer {
            waker.wake_by_ref();
        }
    }
}

/// A future that counts as part of the backlog while it could go on.
pub(super) struct Counted<F> {
    inner: F,
    mark: Arc<Mark>,
    waker: Waker,
}

impl<F> Counted<F> {
    /// Counts from now: it has yet to begin.
    pub(super) fn new(backlog: &Arc<Backlog>, inner: F) -> Self {
        backlog.ready.fetch_add(1, Ordering::Relaxed);
        Self::in_state(READY, backlog, inner)
    }

    /// Never counts: a refusal must not keep others out.
    pub(super) fn aside(backlog: &Arc<Backlog>, inner: F) -> Self {
        Self::in_state(OVER, backlog, inner)
    }

    fn in_state(state: u8, backlog: &Arc<Backlog>, inner: F) -> Self {
        let mark = Arc::new(Mark {
            backlog: Arc::clone(backlog),
            state: AtomicU8::new(state),
            outer: Mutex::new(None),
        });
        let waker = Waker::from(Arc::clone(&mark));
        Self { inner, mark, waker }
    }
}

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { inner, mark, waker } = &mut *self;
        {
            let mut outer = mark.outer.lock().unwrap_or_else(PoisonError::into_inner);
            if !outer.as_ref().is_some_and(|outer| outer.will_wake(context.waker())) {
                *outer = Some(context.waker().clone());
            }
        }
        // Before it runs, so that what wakes it meanwhile is not lost.
        let was_counted = mark.goes(READY, RESTS);
        let polled = Pin::new(inner).poll(&mut Context::from_waker(waker));
        if was_counted {
            mark.leaves();
        }
        polled
    }
}

impl<F> Drop for Counted<F> {
    fn drop(&mut self) {
        if self.mark.state.swap(OVER, Ordering::AcqRel) == READY {
            self.mark.leaves();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Backlog, CALM, Counted};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    fn ready(backlog: &Backlog) -> usize {
        backlog.ready.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_call_counts_while_it_could_go_on() {
        let backlog = Arc::new(Backlog::new(1));
        let (send, receive) = oneshot::channel::<()>();
        let call = Counted::new(&backlog, Box::pin(receive));
        assert_eq!(ready(&backlog), 1, "it has yet to begin");
        let task = tokio::spawn(call);
        tokio::task::yield_now().await;
        assert_eq!(ready(&backlog), 0, "it waits for something");
        send.send(()).unwrap();
        assert_eq!(ready(&backlog), 1, "it could go on");
        task.await.unwrap().unwrap();
        assert_eq!(ready(&backlog), 0);
    }

    #[tokio::test]
    async fn one_that_is_dropped_counts_no_more_whoever_wakes_it() {
        let backlog = Arc::new(Backlog::new(1));
        drop(Counted::new(&backlog, Box::pin(async {})));
        assert_eq!(ready(&backlog), 0);
        let (send, receive) = oneshot::channel::<()>();
        let mut call = Counted::new(&backlog, Box::pin(receive));
        let waker = call.waker.clone();
        assert!(tokio::time::timeout(Duration::ZERO, &mut call).await.is_err());
        drop(call);
        waker.wake();
        drop(send);
        assert_eq!(ready(&backlog), 0);
    }

    #[tokio::test]
    async fn one_that_wakes_itself_counts_once() {
        let backlog = Arc::new(Backlog::new(1));
        let call = Counted::new(&backlog, Box::pin(tokio::task::yield_now()));
        tokio::spawn(call).await.unwrap();
        assert_eq!(ready(&backlog), 0);
    }

    #[test]
    fn a_burst_is_let_in_and_a_crowd_is_not() {
        let backlog = Arc::new(Backlog::new(1));
        assert!(backlog.admits());
        let call = Counted::new(&backlog, Box::pin(async {}));
        let mut now = Instant::now();
        assert!(backlog.is_burst(now), "a burst begins");
        assert!(backlog.is_burst(now + BURST / 2));
        now += BURST;
        for _ in 0..100 {
            assert!(!backlog.is_burst(now), "it has become a crowd");
            now += CALM / 2;
        }
        now += CALM;
        assert!(backlog.is_burst(now), "after a calm it is a burst again");
        drop(call);
        assert!(backlog.admits(), "nobody waits");
    }
}
