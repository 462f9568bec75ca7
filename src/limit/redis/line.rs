//! A connection with its seats. A command holds a seat until it is out of the pipeline: answered, or given up with the
//! whole connection. That nobody waits for its answer any more (the budget is over, the caller went away) does not free
//! its seat, or impatient callers could pile up commands at a slow Redis without end.
//!
//! Commands of calls that run at the same time leave together, in one write. Sent one by one, each would wake the
//! library's driver, which would write it at once: the kernel's part of that is most of what a take costs.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::script::with_text;

type Answer = Result<Value, RedisError>;

/// So many are sent as soon as they are there: the first waits for the last, on the way out and on the way back.
const TOGETHER_MAX: usize = 8;

/// An open connection.
pub(super) struct Line {
    connection: MultiplexedConnection,
    taken: Arc<AtomicUsize>,
    seats: usize,
    desk: Arc<Desk>,
    /// Goes away with the line, and takes with it the commands that nobody waits for.
    _open: watch::Sender<()>,
}

impl Line {
    /// A connection that carries at most so many calls at once, each of which waits at most the `budget` for its answer.
    /// Needs a running tokio runtime.
    pub(super) fn new(connection: MultiplexedConnection, seats: usize, budget: Duration) -> Self {
        let open = watch::Sender::new(());
        let desk = Arc::new(Desk {
            gathered: Mutex::default(),
            begun: Notify::new(),
            connection: connection.clone(),
            open: open.subscribe(),
            budget,
        });
        tokio::spawn(send_gathered(Arc::clone(&desk)));
        Self {
            connection,
            taken: Arc::default(),
            seats,
            desk,
            _open: open,
        }
    }

    /// The connection, for what is no take.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// A seat, if one is free.
    pub(super) fn sit(&self) -> Option<Seat> {
        let place = Place(Arc::clone(&self.taken));
        // Without a seat, the drop of `place` takes the count back.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.seats).then(|| Seat {
            desk: Arc::clone(&self.desk),
            place,
        })
    }
}

/// One among the seats, counted while it lives.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to have one command in the pipeline.
pub(super) struct Seat {
    desk: Arc<Desk>,
    place: Place,
}

impl Seat {
    /// Sends a call of the script that is asked for `now`. The seat is free when its answer has come, whether or not anybody
    /// still waits for that.
    pub(super) fn send(self, call: Cmd, now: Instant) -> Awaited {
        let (back, answer) = oneshot::channel();
        let waiting = Waiting {
            back,
            place: self.place,
        };
        let question = Question {
            call,
            since: now,
            waiting,
        };
        self.desk.take(question);
        Awaited(answer)
    }
}

/// The answer to a call: what Redis says; or an error if the budget is over or the connection gone, and nobody knows what
/// became of the call.
pub(super) struct Awaited(oneshot::Receiver<Answer>);

impl Future for Awaited {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let gone = |_| RedisError::from(io::Error::from(io::ErrorKind::ConnectionAborted));
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.map_err(gone).flatten())
    }
}

/// A call of the script, and who waits for its answer.
struct Question {
    call: Cmd,
    since: Instant,
    waiting: Waiting,
}

struct Waiting {
    back: oneshot::Sender<Answer>,
    place: Place,
}

impl Waiting {
    /// It waits no more; its place is taken all the same.
    fn give_up(self) -> Place {
        let late = RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        let _ = self.back.send(Err(late));
        self.place
    }
}

/// Where calls gather until they are sent.
struct Desk {
    gathered: Mutex<Gathered>,
    /// Told when the first one is there.
    begun: Notify,
    connection: MultiplexedConnection,
    open: watch::Receiver<()>,
    budget: Duration,
}

#[derive(Default)]
struct Gathered {
    questions: Vec<Question>,
    /// Nobody comes to send them any more.
    is_closed: bool,
}

impl Desk {
    /// Takes one more. Whoever makes them enough sends them.
    fn take(&self, question: Question) {
        let mut gathered = self.gathered();
        gathered.questions.push(question);
        if gathered.questions.len() >= TOGETHER_MAX || gathered.is_closed {
            self.send(gathered);
        } else if gathered.questions.len() == 1 {
            self.begun.notify_one();
        }
    }

    fn send(&self, mut gathered: MutexGuard<'_, Gathered>) {
        let questions = std::mem::take(&mut gathered.questions);
        drop(gathered);
        if !questions.is_empty() {
            tokio::spawn(ask(questions, self.connection.clone(), self.open.clone(), self.budget));
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what has gathered for as long as the line lives.
async fn send_gathered(desk: Arc<Desk>) {
    let mut open = desk.open.clone();
    loop {
        tokio::select! {
            () = desk.begun.notified() => {}
            // Nothing is ever sent: it ends when the sender goes.
            _ = open.changed() => break,
        }
        let_others_go_first().await;
        desk.send(desk.gathered());
    }
    let mut gathered = desk.gathered();
    gathered.is_closed = true;
    desk.send(gathered);
}

/// Comes back when everybody had a turn who can go on.
async fn let_others_go_first() {
    let mut is_put_off = false;
    poll_fn(|context| {
        if is_put_off {
            return Poll::Ready(());
        }
        is_put_off = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Asks, and hands the answers out. Those that Redis does not know the script for (it was restarted, or flushed) ask again
/// with the script's text.
async fn ask(
    questions: Vec<Question>,
    mut connection: MultiplexedConnection,
    mut open: watch::Receiver<()>,
    budget: Duration,
) {
    let Some(first) = questions.first() else { return };
    // One timer for all: they were asked for at about the same time.
    let until = first.since + budget;
    let mut unknown = ask_once(questions, &mut connection, &mut open, until).await;
    if unknown.is_empty() {
        return;
    }
    for question in &mut unknown {
        question.call = with_text(&question.call);
    }
    for Question { waiting, .. } in ask_once(unknown, &mut connection, &mut open, until).await {
        let unknown = RedisError::from((ErrorKind::Server(ServerErrorKind::NoScript), "the script's text"));
        let _ = waiting.back.send(Err(unknown));
    }
}

/// Asks all at once, and hands the answers out; returns those for which the script is unknown. The answers that come too
/// late are waited for while the line is open: so long their seats are taken.
async fn ask_once(
    questions: Vec<Question>,
    connection: &mut MultiplexedConnection,
    open: &mut watch::Receiver<()>,
    until: Instant,
) -> Vec<Question> {
    let mut pipeline = Pipeline::with_capacity(questions.len());
    let mut waiting = Vec::with_capacity(questions.len());
    // Whoever went away before it was sent needs no answer.
    for question in questions
        .into_iter()
        .filter(|question| !question.waiting.back.is_closed())
    {
        pipeline.add_command(question.call);
        waiting.push((question.since, question.waiting));
    }
    if waiting.is_empty() {
        return Vec::new();
    }
    let mut answers = pin!(connection.send_packed_commands(&pipeline, 0, pipeline.len()));
    let Ok(answers) = timeout_at(until, &mut answers).await else {
        let places: Vec<Place> = waiting.into_iter().map(|(_, waiting)| waiting.give_up()).collect();
        tokio::select! {
            _ = answers => {}
            // Nothing is ever sent: it ends when the sender goes.
            _ = open.changed() => {}
        }
        drop(places);
        return Vec::new();
    };
    let answers = match answers {
        // The library hands an error of the server over as an answer.
        Ok(answers) => answers.into_iter().map(Value::extract_error).collect(),
        Err(error) => vec![Err(error); waiting.len()],
    };
    let mut unknown = Vec::new();
    for ((call, (since, waiting)), answer) in pipeline.cmd_iter().zip(waiting).zip(answers) {
        match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let call = call.clone();
                unknown.push(Question { call, since, waiting });
            }
            answer => {
                let _ = waiting.back.send(answer);
            }
        }
    }
    unknown
}
