//! `ModerateStream`: many comments over one call. An item's error stays that item's.
//!
//! Answers come in the order of the items, each with its item's id. At most so many items of a stream are under way;
//! the next one is read when an answer has gone out, so whoever reads slowly is slowed down, and nothing piles up here.
//! A stream that is not read at all stands still until its connection reaches its age.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use prost::Message;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_stream::Stream;
use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt};

use super::proto::moderate_stream_response::Result as Outcome;
use super::proto::{ModerateRequest, ModerateResponse, ModerateStreamRequest, ModerateStreamResponse};
use super::status;

/// The bounds of a stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamBounds {
    /// Items of one stream under way at once.
    pub in_flight_max: usize,
    /// The longest time that a stream may send nothing while all its items are answered.
    pub idle_timeout: Duration,
    /// The longest duration of a stream.
    pub age_max: Duration,
}

/// The end of streams, and the permits that their items share.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    bounds: StreamBounds,
    /// Items of all streams at work at once: the calls of readers who wait go first.
    places: Arc<Semaphore>,
    /// True once the process is told to stop.
    stopped: watch::Receiver<bool>,
}

impl Streams {
    /// Streams with so many items at work together, which end once `stopped` is true.
    pub(super) fn new(bounds: StreamBounds, items_max: usize, stopped: watch::Receiver<bool>) -> Self {
        Self {
            bounds,
            places: Arc::new(Semaphore::new(items_max.min(Semaphore::MAX_PERMITS))),
            stopped,
        }
    }

    /// Streams that end before they begin, as those of a process that is stopping do.
    pub(super) fn closed() -> Self {
        let bounds = StreamBounds {
            in_flight_max: 1,
            idle_timeout: Duration::ZERO,
            age_max: Duration::ZERO,
        };
        Self::new(bounds, 1, watch::channel(true).1)
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Judges one comment of a stream.
pub(super) type Judge = Arc<dyn Fn(ModerateRequest) -> Boxed<Result<ModerateResponse, Status>> + Send + Sync>;

/// The answers of one stream.
pub struct Answers<S> {
    items: S,
    judge: Judge,
    streams: Streams,
    under_way: VecDeque<UnderWay>,
    idle: Pin<Box<Sleep>>,
    /// Resolves when the stream has to end, with what it ends with.
    cut: Boxed<Status>,
    end: End,
    /// The call's status, as far as it is known.
    code: Code,
    /// Receives that status at the end.
    ended: Option<Box<dyn FnOnce(Code) + Send>>,
}

/// One item under way; given up with its stream.
struct UnderWay {
    item_id: String,
    task: JoinHandle<Result<ModerateResponse, Status>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The state of a stream's end: items are still read, or it ends in a stated way after the items under way.
enum End {
    Open,
    Done,
    Cut(Status),
    Over,
}

impl<S> Answers<S> {
    /// Answers to these items. `deadline` is the caller's own for the whole stream; `ended` is told how it ended.
    pub(super) fn new(
        items: S,
        judge: Judge,
        streams: Streams,
        deadline: Option<Instant>,
        ended: impl FnOnce(Code) + Send + 'static,
    ) -> Self {
        let (age_max, mut stopped) = (streams.bounds.age_max, streams.stopped.clone());
        let expired = async move {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let cut = async move {
            tokio::select! {
                // An error means that the sender is gone, which is the end as well.
                _ = stopped.wait_for(|stopped| *stopped) => {
                    Status::unavailable("the service is stopping: open another stream for the items that were not answered")
                }
                () = expired => Status::deadline_exceeded("the stream's deadline has passed"),
                () = sleep(age_max) => Status::unavailable(
                    "the stream is as old as it may become (service.stream_age_max): open another one for the items that \
                     were not answered",
                ),
            }
        };
        Self {
            idle: Box::pin(sleep(streams.bounds.idle_timeout)),
            items,
            judge,
            streams,
            under_way: VecDeque::new(),
            cut: Box::pin(cut),
            end: End::Open,
            // Unless it ends otherwise, its caller goes away.
            code: Code::Cancelled,
            ended: Some(Box::new(ended)),
        }
    }

    fn begin(&mut self, item: ModerateStreamRequest) {
        let ModerateStreamRequest { item_id, request } = item;
        let (judge, places) = (Arc::clone(&self.judge), Arc::clone(&self.streams.places));
        let task = tokio::spawn(async move {
            let Some(request) = request else {
                return Err(status::invalid(vec![FieldViolation::new("request", "is missing")]));
            };
            // Never closed; and fair, so that no stream starves another.
            let _place = places.acquire_owned().await;
            judge(request).await
        });
        self.under_way.push_back(UnderWay { item_id, task });
    }
}

impl<S> Answers<S>
where
    S: Stream<Item = Result<ModerateStreamRequest, Status>> + Unpin,
{
    /// Reads items while there is room for them.
    fn read(&mut self, context: &mut Context<'_>) {
        while matches!(self.end, End::Open) && self.under_way.len() < self.streams.bounds.in_flight_max {
            if let Poll::Ready(status) = self.cut.as_mut().poll(context) {
                self.end = End::Cut(status);
                return;
            }
            match Pin::new(&mut self.items).poll_next(context) {
                Poll::Ready(Some(Ok(item))) => {
                    self.begin(item);
                    let next = Instant::now() + self.streams.bounds.idle_timeout;
                    self.idle.as_mut().reset(next);
                }
                Poll::Ready(Some(Err(status))) => self.end = End::Cut(status),
                Poll::Ready(None) => self.end = End::Done,
                Poll::Pending => {
                    if self.under_way.is_empty() && self.idle.as_mut().poll(context).is_ready() {
                        let what = "the stream has been idle for too long (service.stream_idle_timeout)";
                        self.end = End::Cut(Status::deadline_exceeded(what));
                    }
                    return;
                }
            }
        }
    }
}

impl<S> Stream for Answers<S>
where
    S: Stream<Item = Result<ModerateStreamRequest, Status>> + Unpin,
{
    type Item = Result<ModerateStreamResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.read(context);
        if let Some(first) = this.under_way.front_mut() {
            let Poll::Ready(judged) = Pin::new(&mut first.task).poll(context) else {
                return Poll::Pending;
            };
            let judged =
                judged.unwrap_or_else(|_| Err(Status::internal("this item could not be judged: a defect of ours")));
            let result = Some(judged.map_or_else(|status| Outcome::Error(wire(&status)), Outcome::Response));
            let item_id = std::mem::take(&mut first.item_id);
            this.under_way.pop_front();
            let next = Instant::now() + this.streams.bounds.idle_timeout;
            this.idle.as_mut().reset(next);
            return Poll::Ready(Some(Ok(ModerateStreamResponse { item_id, result })));
        }
        match std::mem::replace(&mut this.end, End::Over) {
            End::Open => {
                this.end = End::Open;
                Poll::Pending
            }
            End::Cut(status) => {
                this.code = status.code();
                Poll::Ready(Some(Err(status)))
            }
            End::Done => {
                this.code = Code::Ok;
                Poll::Ready(None)
            }
            End::Over => Poll::Ready(None),
        }
    }
}

/// The status of an item's error: the one that `Moderate` would have ended with.
pub fn item_status(error: &tonic_types::pb::Status) -> Status {
    let details = error.encode_to_vec().into();
    Status::with_details(error.code.into(), error.message.clone(), details)
}

/// The moment at which whoever was turned away with this status may come back, if it says so.
pub fn retry_delay(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// A status as a message. One with details carries itself as such a message already.
fn wire(status: &Status) -> tonic_types::pb::Status {
    let carried = tonic_types::pb::Status::decode(status.details()).ok();
    carried
        .filter(|carried| carried.code != Code::Ok as i32)
        .unwrap_or_else(|| tonic_types::pb::Status {
            code: status.code() as i32,
            message: status.message().to_owned(),
            details: Vec::new(),
        })
}

impl<S> Drop for Answers<S> {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended(self.code);
        }
    }
}

impl<S> std::fmt::Debug for Answers<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers")
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
