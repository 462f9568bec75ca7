//! How many calls wait for a processor. A call that waits for Redis, or for its own bytes, costs nothing; one that could
//! go on and has to wait its turn delays everybody behind it. So calls are counted from when they come, or something
//! wakes them, to when they rest again, and new ones are turned away while too many are in between.
//!
//! A burst is no overload: all are let in that find a place, until for [`BURST`] there were never less than half as many as
//! may be (a queue that does not drain is a standing one: Nichols and Jacobson, Controlling Delay, 2012). Then only half as
//! many are let in, and they go before connections have their turn ([`Backlog::has_waiting`]): what is let in is served at
//! once, and what cannot be is told so soon. It is over when for [`CALM`] the limit was not reached.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// How long a burst may last: what it brings is then worked off well before a patient caller's deadline.
const BURST: Duration = Duration::from_millis(50);

/// How long the limit is not reached before all are let in again.
const CALM: Duration = Duration::from_millis(100);

/// Calls that wait for a processor, or have one.
#[derive(Debug)]
pub(super) struct Backlog {
    ready: AtomicUsize,
    /// Those among them that have a processor.
    running: AtomicUsize,
    max: usize,
    /// There were less than half as many since this was last asked.
    has_drained: AtomicBool,
    /// The last queue has stayed for too long.
    is_overloaded: AtomicBool,
    load: Mutex<Load>,
}

/// Whether the queue drains.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// There is none, or it is a burst, since then.
    Burst(Option<Instant>),
    /// It has stayed for too long; there were too many at that time.
    Overload(Instant),
}

impl Backlog {
    /// None yet, and at most so many for longer than a burst.
    pub(super) const fn new(max: usize) -> Self {
        Self {
            ready: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            max,
            has_drained: AtomicBool::new(false),
            is_overloaded: AtomicBool::new(false),
            load: Mutex::new(Load::Burst(None)),
        }
    }

    /// Whether one more may come.
    pub(super) fn admits(&self) -> bool {
        let max = if self.is_overloaded.load(Ordering::Relaxed) {
            self.half()
        } else {
            self.max
        };
        self.ready.load(Ordering::Relaxed) < max || self.admit_beyond_limit(Instant::now())
    }

    /// Whether it is full.
    pub(super) fn is_busy(&self) -> bool {
        self.ready.load(Ordering::Relaxed) >= self.max
    }

    /// Whether there is overload, and calls wait that were let in all the same.
    pub(super) fn has_waiting(&self) -> bool {
        let waits = || self.ready.load(Ordering::Relaxed) > self.running.load(Ordering::Relaxed);
        self.is_overloaded.load(Ordering::Relaxed) && waits()
    }

    const fn half(&self) -> usize {
        self.max.div_ceil(2)
    }

    /// There are too many at `now`: whether it is a burst.
    fn admit_beyond_limit(&self, now: Instant) -> bool {
        let mut load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        let has_drained = self.has_drained.swap(false, Ordering::Relaxed);
        let since = match *load {
            Load::Overload(last) if now.saturating_duration_since(last) < CALM => None,
            Load::Burst(Some(since)) if !has_drained => (now.saturating_duration_since(since) < BURST).then_some(since),
            Load::Burst(_) | Load::Overload(_) => Some(now),
        };
        self.is_overloaded.store(since.is_none(), Ordering::Relaxed);
        *load = since.map_or(Load::Overload(now), |since| Load::Burst(Some(since)));
        since.is_some()
    }

    fn enters(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    fn leaves(&self) {
        let left = self.ready.fetch_sub(1, Ordering::Relaxed) - 1;
        if left < self.half() && !self.has_drained.load(Ordering::Relaxed) {
            self.has_drained.store(true, Ordering::Relaxed);
        }
    }
}

/// It rests.
const WAITING: u8 = 0;
/// It was woken and waits for its turn.
const READY: u8 = 1;
/// It is over; who wakes it now wakes nobody.
const DONE: u8 = 2;

/// A call: what wakes it, and how long it has been here.
#[derive(Debug)]
pub(super) struct CallState {
    backlog: Arc<Backlog>,
    state: AtomicU8,
    outer: Mutex<Option<Waker>>,
    /// When its head arrived.
    arrived: Instant,
    /// Since when it waits for its own bytes, after `arrived`, in ns; 0 if it does not.
    body_wait_since: AtomicU64,
    /// How long it waited for them, in ns.
    body_waited: AtomicU64,
}

impl CallState {
    /// A call that arrived now.
    pub(super) fn begin(backlog: &Arc<Backlog>) -> Arc<Self> {
        Arc::new(Self {
            backlog: Arc::clone(backlog),
            state: AtomicU8::new(READY),
            outer: Mutex::new(None),
            arrived: Instant::now(),
            body_wait_since: AtomicU64::new(0),
            body_waited: AtomicU64::new(0),
        })
    }

    /// When its head arrived.
    pub(super) const fn arrived(&self) -> Instant {
        self.arrived
    }

    /// How long it is here, without what its caller took to send its bytes: on a busy caller, head and message are far
    /// apart.
    pub(super) fn took(&self, now: Instant) -> Duration {
        let body_waited = Duration::from_nanos(self.body_waited.load(Ordering::Relaxed));
        now.saturating_duration_since(self.arrived).saturating_sub(body_waited)
    }

    /// It waits for its own bytes from now on.
    pub(super) fn waits_for_body(&self, now: Instant) {
        self.body_wait_since.store(self.nanos(now), Ordering::Relaxed);
    }

    /// Whether it waits for them.
    #[cfg(test)]
    pub(super) fn is_waiting_for_body(&self) -> bool {
        self.body_wait_since.load(Ordering::Relaxed) > 0
    }

    /// It is woken, perhaps because they are there.
    pub(super) fn body_arrived(&self, now: impl FnOnce() -> Instant) {
        if self.body_wait_since.load(Ordering::Relaxed) > 0 {
            let since = self.body_wait_since.swap(0, Ordering::Relaxed);
            let body_waited = self.nanos(now()).saturating_sub(since);
            self.body_waited.fetch_add(body_waited, Ordering::Relaxed);
        }
    }

    /// Since it came; never 0.
    fn nanos(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.arrived).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }

    fn transition(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Wake for CallState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.body_arrived(Instant::now);
        if self.state.load(Ordering::Acquire) == WAITING {
            // First the count: who runs it meanwhile takes it back.
            self.backlog.enters();
            if !self.transition(WAITING, READY) {
                self.backlog.leaves();
            }
        }
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*outer {
            waker.wake_by_ref();
        }
    }
}

/// A future that counts as part of the backlog while it could go on.
#[derive(Debug)]
pub(super) struct Runnable<F> {
    inner: F,
    call: Arc<CallState>,
    waker: Waker,
}

impl<F> Runnable<F> {
    /// What this call does. It counts at once, for it has yet to begin.
    pub(super) fn new(call: Arc<CallState>, inner: F) -> Self {
        call.backlog.enters();
        let waker = Waker::from(Arc::clone(&call));
        Self { inner, call, waker }
    }
}

impl<F: Future + Unpin> Future for Runnable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { inner, call, waker } = &mut *self;
        {
            let mut outer = call.outer.lock().unwrap_or_else(PoisonError::into_inner);
            if !outer.as_ref().is_some_and(|outer| outer.will_wake(context.waker())) {
                *outer = Some(context.waker().clone());
            }
        }
        // Before it runs, so that what wakes it meanwhile is not lost.
        let _running = call.transition(READY, WAITING).then(|| Running::begin(&call.backlog));
        Pin::new(inner).poll(&mut Context::from_waker(waker))
    }
}

/// A call that has a processor counts until it gives it back, and also if it panics.
struct Running<'a>(&'a Backlog);

impl<'a> Running<'a> {
    fn begin(backlog: &'a Backlog) -> Self {
        backlog.running.fetch_add(1, Ordering::Relaxed);
        Self(backlog)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.leaves();
    }
}

impl<F> Drop for Runnable<F> {
    fn drop(&mut self) {
        if self.call.state.swap(DONE, Ordering::AcqRel) == READY {
            self.call.backlog.leaves();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Backlog, CALM, CallState, Runnable};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    fn counted<F>(backlog: &Arc<Backlog>, inner: F) -> Runnable<F> {
        Runnable::new(CallState::begin(backlog), inner)
    }

    fn ready(backlog: &Backlog) -> usize {
        backlog.ready.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_call_counts_while_it_could_go_on() {
        let backlog = Arc::new(Backlog::new(1));
        let (send, receive) = oneshot::channel::<()>();
        let call = counted(&backlog, Box::pin(receive));
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
        drop(counted(&backlog, Box::pin(async {})));
        assert_eq!(ready(&backlog), 0);
        let (send, receive) = oneshot::channel::<()>();
        let mut call = counted(&backlog, Box::pin(receive));
        let waker = call.waker.clone();
        assert!(tokio::time::timeout(Duration::ZERO, &mut call).await.is_err());
        drop(call);
        waker.wake();
        drop(send);
        assert_eq!(ready(&backlog), 0);
    }

    #[tokio::test]
    async fn one_that_panics_counts_no_more() {
        let backlog = Arc::new(Backlog::new(1));
        let call = counted(&backlog, Box::pin(async { panic!("a fault of ours") }));
        assert!(tokio::spawn(call).await.unwrap_err().is_panic());
        assert_eq!(ready(&backlog), 0);
    }

    #[tokio::test]
    async fn one_that_wakes_itself_counts_once() {
        let backlog = Arc::new(Backlog::new(1));
        let call = counted(&backlog, Box::pin(tokio::task::yield_now()));
        tokio::spawn(call).await.unwrap();
        assert_eq!(ready(&backlog), 0);
    }

    #[test]
    fn what_the_caller_takes_to_send_is_not_our_time() {
        let second = Duration::from_secs(1);
        let call = CallState::begin(&Arc::new(Backlog::new(1)));
        let mut now = call.arrived() + second;
        assert_eq!(call.took(now), second, "it waits for its turn");
        call.waits_for_body(now);
        now += second;
        call.body_arrived(|| now);
        assert_eq!(call.took(now), second, "its bytes arrived only now");
        now += second;
        call.body_arrived(|| now);
        assert_eq!(
            call.took(now),
            2 * second,
            "it waits for its turn again; what wakes it is not its message"
        );
    }

    #[test]
    fn bursts_that_drain_are_let_in_however_often_they_come() {
        let backlog = Arc::new(Backlog::new(2));
        let mut now = Instant::now();
        for _ in 0..100 {
            let calls = [(); 3].map(|()| counted(&backlog, Box::pin(async {})));
            assert!(backlog.admit_beyond_limit(now));
            now += BURST / 2;
            drop(calls);
        }
        let calls = [(); 3].map(|()| counted(&backlog, Box::pin(async {})));
        assert!(backlog.admit_beyond_limit(now));
        assert!(!backlog.admit_beyond_limit(now + BURST), "this one stays");
        drop(calls);
        assert!(!backlog.admit_beyond_limit(now + BURST + CALM / 2), "it may come again");
    }

    #[test]
    fn in_overload_half_as_many_are_let_in_and_go_first() {
        let backlog = Arc::new(Backlog::new(2));
        let calls = [(); 2].map(|()| counted(&backlog, Box::pin(async {})));
        let now = Instant::now();
        assert!(
            backlog.admit_beyond_limit(now) && !backlog.has_waiting(),
            "a burst is no overload"
        );
        assert!(!backlog.admit_beyond_limit(now + BURST) && backlog.has_waiting());
        backlog.running.store(2, Ordering::Relaxed);
        assert!(!backlog.has_waiting(), "both have a processor");
        backlog.running.store(0, Ordering::Relaxed);
        drop(calls);
        assert!(!backlog.has_waiting() && backlog.admits());
        let call = counted(&backlog, Box::pin(async {}));
        assert!(!backlog.admits(), "one is half of two");
        drop(call);
    }

    #[test]
    fn a_burst_is_let_in_and_a_crowd_is_not() {
        let backlog = Arc::new(Backlog::new(1));
        assert!(backlog.admits());
        let call = counted(&backlog, Box::pin(async {}));
        let mut now = Instant::now();
        assert!(backlog.admit_beyond_limit(now), "a burst begins");
        assert!(backlog.admit_beyond_limit(now + BURST / 2));
        now += BURST;
        for _ in 0..100 {
            assert!(!backlog.admit_beyond_limit(now), "it has become a standing queue");
            now += CALM / 2;
        }
        now += CALM;
        assert!(backlog.admit_beyond_limit(now), "after a calm it is a burst again");
        assert!(!backlog.admit_beyond_limit(now + BURST));
        drop(call);
        assert!(backlog.admits(), "nobody waits");
    }
}
