use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prost::Message;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Status};

use super::super::proto::moderate_stream_response::Result as Outcome;
use super::super::proto::{Comment, ModerateRequest, ModerateResponse, ModerateStreamRequest, ModerateStreamResponse};
use super::{Answers, Judge, StreamBounds, Streams};

type Items = mpsc::UnboundedSender<Result<ModerateStreamRequest, Status>>;

struct Bench {
    items: Items,
    answers: Answers<UnboundedReceiverStream<Result<ModerateStreamRequest, Status>>>,
    stop: watch::Sender<bool>,
    begun: Arc<AtomicUsize>,
    /// The status that it ended with.
    ended: oneshot::Receiver<Code>,
}

/// A stream with room for four items. Judging answers with the content as model version; `never` never does.
fn bench(deadline: Option<Instant>) -> Bench {
    patient(deadline, [600; 2].map(Duration::from_secs))
}

fn patient(deadline: Option<Instant>, [idle_timeout, age_max]: [Duration; 2]) -> Bench {
    let (items, inbound) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let judge: Judge = Arc::new(move |request: ModerateRequest| {
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match request.comment.unwrap_or_default().content {
                never if never == "never" => pending().await,
                bad if bad == "bad" => Err(Status::not_found("bad")),
                panics if panics == "panics" => panic!("on purpose"),
                content => Ok(ModerateResponse {
                    model_version: content,
                    ..ModerateResponse::default()
                }),
            }
        })
    });
    let streams = Streams {
        bounds: StreamBounds {
            in_flight_max: 4,
            idle_timeout,
            age_max,
        },
        places: Arc::new(Semaphore::new(8)),
        stopped,
    };
    let (told, ended) = oneshot::channel();
    let answers = Answers::new(
        UnboundedReceiverStream::new(inbound),
        judge,
        streams,
        deadline,
        move |code| {
            // Not every test asks.
            let _ = told.send(code);
        },
    );
    Bench {
        items,
        answers,
        stop,
        begun,
        ended,
    }
}

impl Bench {
    fn send(&self, id: &str, content: &str) {
        let comment = Comment {
            content: content.to_owned(),
            ..Comment::default()
        };
        let request = ModerateRequest {
            comment: Some(comment),
            ..ModerateRequest::default()
        };
        let item = ModerateStreamRequest {
            item_id: id.to_owned(),
            request: Some(request),
        };
        self.items.send(Ok(item)).unwrap();
    }
}

fn said(answer: Option<Result<ModerateStreamResponse, Status>>) -> (String, Result<String, Code>) {
    let answer = answer.unwrap().unwrap();
    let result = match answer.result.unwrap() {
        Outcome::Response(response) => Ok(response.model_version),
        Outcome::Error(error) => Err(Code::from(error.code)),
    };
    (answer.item_id, result)
}

#[tokio::test]
async fn each_item_is_answered_in_order_and_its_error_is_its_own() {
    let mut bench = bench(None);
    for (id, content) in [("1", "a"), ("2", "bad"), ("3", "panics"), ("", "b")] {
        bench.send(id, content);
    }
    let empty = ModerateStreamRequest {
        item_id: "5".to_owned(),
        request: None,
    };
    bench.items.send(Ok(empty)).unwrap();
    drop(bench.items);
    let answers = &mut bench.answers;
    assert_eq!(said(answers.next().await), ("1".to_owned(), Ok("a".to_owned())));
    assert_eq!(said(answers.next().await), ("2".to_owned(), Err(Code::NotFound)));
    assert_eq!(said(answers.next().await), ("3".to_owned(), Err(Code::Internal)));
    assert_eq!(said(answers.next().await), (String::new(), Ok("b".to_owned())));
    let last = answers.next().await.unwrap().unwrap();
    let Some(Outcome::Error(error)) = last.result else {
        panic!("an error")
    };
    assert_eq!(error.code, Code::InvalidArgument as i32);
    let details = tonic_types::pb::BadRequest::decode(error.details[0].value.as_slice()).unwrap();
    assert_eq!(details.field_violations[0].field, "request");
    assert!(answers.next().await.is_none() && answers.next().await.is_none());
    drop(bench.answers);
    assert_eq!(bench.ended.await, Ok(Code::Ok));
}

#[tokio::test]
async fn whoever_does_not_read_is_not_read() {
    let mut bench = bench(None);
    for n in 0..100 {
        bench.send(&n.to_string(), "a");
    }
    assert_eq!(said(bench.answers.next().await).0, "0");
    // One was taken out, so a fifth had room at most.
    tokio::task::yield_now().await;
    assert!(bench.begun.load(Ordering::Relaxed) <= 5);
    assert_eq!(bench.answers.under_way.len(), 3);
    for n in 1..100 {
        assert_eq!(said(bench.answers.next().await).0, n.to_string());
    }
}

/// The status that the stream ends with, after answers to so many items.
async fn ends_with(
    answers: &mut (impl Stream<Item = Result<ModerateStreamResponse, Status>> + Unpin),
    items: usize,
) -> Code {
    for _ in 0..items {
        answers.next().await.unwrap().unwrap();
    }
    let code = answers.next().await.unwrap().unwrap_err().code();
    assert!(answers.next().await.is_none());
    code
}

#[tokio::test]
async fn told_to_stop_it_answers_what_it_has_begun_and_says_that_there_may_be_more() {
    let mut bench = bench(None);
    for n in 0..3 {
        bench.send(&n.to_string(), "a");
    }
    assert_eq!(said(bench.answers.next().await).0, "0");
    bench.stop.send_replace(true);
    bench.send("late", "a");
    assert_eq!(ends_with(&mut bench.answers, 2).await, Code::Unavailable);
    assert_eq!(bench.begun.load(Ordering::Relaxed), 3);
    drop(bench.answers);
    assert_eq!(bench.ended.await, Ok(Code::Unavailable));
}

#[tokio::test]
async fn an_idle_stream_an_old_one_and_one_past_its_deadline_are_cut() {
    let (soon, never) = (Duration::from_millis(50), Duration::from_secs(600));
    let mut idle = patient(None, [soon, never]);
    idle.send("1", "a");
    assert_eq!(ends_with(&mut idle.answers, 1).await, Code::DeadlineExceeded);

    // One that always has something to say.
    let mut old = patient(None, [never, soon]);
    let end = loop {
        old.send("again", "a");
        match old.answers.next().await.unwrap() {
            Ok(answer) => assert_eq!(answer.item_id, "again"),
            Err(status) => break status.code(),
        }
    };
    assert_eq!(end, Code::Unavailable);

    let mut late = bench(Some(Instant::now() + soon));
    assert_eq!(ends_with(&mut late.answers, 0).await, Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_items_along() {
    let mut bench = bench(None);
    bench.send("1", "a");
    bench.send("2", "never");
    assert_eq!(said(bench.answers.next().await).0, "1");
    let task = bench.answers.under_way[0].task.abort_handle();
    drop(bench.answers);
    assert_eq!(bench.ended.await, Ok(Code::Cancelled));
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}
