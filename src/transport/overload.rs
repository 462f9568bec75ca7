//! Detects overload by the number of calls that wait for a processor. A call that waits for Redis, or for its own
//! bytes, costs nothing; one that is ready to run and has to wait delays everybody behind it. So a call counts from its
//! arrival, or from being woken, until it waits for something again, and new calls are refused while too many count.
//!
//! Bursts are admitted. If the queue has not dropped below half of its limit for [`BURST`], the service is overloaded
//! (a queue that does not drain is a standing one: Nichols and Jacobson, Controlling Delay, 2012). Then calls are
//! admitted up to half of the limit, and connections yield to them ([`Backlog::has_waiting`]): admitted calls are
//! served at once, and others are refused soon. Overload is over when the limit was not reached for [`CALM`].

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// The time that a burst may last: its calls are then answered well before a patient caller's deadline.
const BURST: Duration = Duration::from_millis(50);

/// The time without reaching the limit after which overload is over.
const CALM: Duration = Duration::from_millis(100);

/// The queue of calls that are ready to run or running.
#[derive(Debug)]
pub(super) struct Backlog {
    ready: AtomicUsize,
    /// Those of them that are running.
    running: AtomicUsize,
    max: usize,
    /// Set when the queue dropped below half of its limit; cleared when the limit is reached.
    has_drained: AtomicBool,
    /// Set while the service is overloaded.
    is_overloaded: AtomicBool,
    load: Mutex<Load>,
}

/// The state of the queue, by when it last reached its limit.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// No overload; the burst that is under way, if any, began then.
    Burst(Option<Instant>),
    /// Overload: the queue did not drain, and last reached its limit then.
    Overload(Instant),
}

impl Backlog {
    /// An empty queue, which may be longer than `max` during a burst only.
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

    /// Decides on one more call: admitted below the limit, and beyond it during a burst.
    pub(super) fn admits(&self) -> bool {
        let max = if self.is_overloaded.load(Ordering::Relaxed) {
            self.half()
        } else {
            self.max
        };
        self.ready.load(Ordering::Relaxed) < max || self.admit_beyond_limit(Instant::now())
    }

    /// Returns true if the queue has reached its limit.
    pub(super) fn is_busy(&self) -> bool {
        self.ready.load(Ordering::Relaxed) >= self.max
    }

    /// Returns true if the service is overloaded while admitted calls wait for a processor.
    pub(super) fn has_waiting(&self) -> bool {
        let waits = || self.ready.load(Ordering::Relaxed) > self.running.load(Ordering::Relaxed);
        self.is_overloaded.load(Ordering::Relaxed) && waits()
    }

    const fn half(&self) -> usize {
        self.max.div_ceil(2)
    }

    /// Decides on a call that comes at `now`, when the limit is reached: admitted if this is a burst. Records that the
    /// limit was reached.
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

/// The call waits for something outside: Redis, its body.
const WAITING: u8 = 0;
/// The call was woken, and waits for a processor.
const READY: u8 = 1;
/// The call is over; waking it has no effect.
const DONE: u8 = 2;

/// The state of one admitted call, which is its waker and its timer.
#[derive(Debug)]
pub(super) struct CallState {
    backlog: Arc<Backlog>,
    state: AtomicU8,
    outer: Mutex<Option<Waker>>,
    /// The time at which its head arrived.
    arrived: Instant,
    /// The time since when it waits for its body, in ns after `arrived`; 0 if it does not.
    body_wait_since: AtomicU64,
    /// The time that it has waited for its body altogether, in ns.
    body_waited: AtomicU64,
    /// Set when its body has ended with an error.
    has_lost_its_caller: AtomicBool,
}

impl CallState {
    /// The state of a call that has just arrived.
    pub(super) fn begin(backlog: &Arc<Backlog>) -> Arc<Self> {
        Arc::new(Self {
            backlog: Arc::clone(backlog),
            state: AtomicU8::new(READY),
            outer: Mutex::new(None),
            arrived: Instant::now(),
            body_wait_since: AtomicU64::new(0),
            body_waited: AtomicU64::new(0),
            has_lost_its_caller: AtomicBool::new(false),
        })
    }

    /// The time at which the head of the call arrived.
    pub(super) const fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The time since the call arrived, without what its caller took to send the body: on a busy caller, head and body
    /// are far apart.
    pub(super) fn took(&self, now: Instant) -> Duration {
        let body_waited = Duration::from_nanos(self.body_waited.load(Ordering::Relaxed));
        now.saturating_duration_since(self.arrived).saturating_sub(body_waited)
    }

    /// Notes that the call waits for its body from now on.
    pub(super) fn waits_for_body(&self, now: Instant) {
        self.body_wait_since.store(self.nanos(now), Ordering::Relaxed);
    }

    /// Returns true if the call waits for its body.
    #[cfg(test)]
    pub(super) fn is_waiting_for_body(&self) -> bool {
        self.body_wait_since.load(Ordering::Relaxed) > 0
    }

    /// Notes that the call was woken, or its body read: it waits for its body no more.
    pub(super) fn body_arrived(&self, now: impl FnOnce() -> Instant) {
        if self.body_wait_since.load(Ordering::Relaxed) > 0 {
            let since = self.body_wait_since.swap(0, Ordering::Relaxed);
            let body_waited = self.nanos(now()).saturating_sub(since);
            self.body_waited.fetch_add(body_waited, Ordering::Relaxed);
        }
    }

    /// Notes that the body of the call has ended with an error: its stream was reset, or its connection broke.
    pub(super) fn body_failed(&self) {
        self.has_lost_its_caller.store(true, Ordering::Relaxed);
    }

    /// Returns true if nobody awaits the answer of the call any more.
    pub(super) fn has_lost_its_caller(&self) -> bool {
        self.has_lost_its_caller.load(Ordering::Relaxed)
    }

    /// The time since the call arrived, in ns; never 0.
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

/// A future that counts as part of the backlog while it is ready to run or running.
#[derive(Debug)]
pub(super) struct Runnable<F> {
    inner: F,
    call: Arc<CallState>,
    waker: Waker,
}

impl<F> Runnable<F> {
    /// Wraps the work of a call. It counts at once: it has yet to be polled.
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

/// Counts a call as running until it is dropped, also if the call panics.
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
