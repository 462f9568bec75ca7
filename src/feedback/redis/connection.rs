//! Typed answers from Redis for the store, which may wait longer than a comment may.

use redis::{FromRedisValue, Value, from_redis_value};
use tokio::time::timeout;

use crate::feedback::FeedbackError;
use crate::redis::{Call, Cause, Failure, InFlight, InvalidSettings, Probe, RedisClient, RedisSettings};

/// Deletes a key that nobody writes: a command without effect that only a Redis which takes writes answers.
const PROBE: Probe = Probe {
    call: |key| Call::command("DEL", key, &[]),
    is_answer: |value| matches!(value, Value::Int(_)),
};

/// Attempts at a call while a cluster moves its key.
const ATTEMPTS: usize = 3;

/// A call under way, and in a cluster the call itself, to be sent again if its key has moved.
type Sent = (Result<InFlight, Failure>, Option<Call>);

/// A client that connects when it is first asked.
#[derive(Debug)]
pub(super) struct Connection {
    client: RedisClient,
}

impl Connection {
    /// Checks the settings.
    pub(super) fn new(settings: RedisSettings) -> Result<Self, InvalidSettings> {
        let client = RedisClient::new(settings, PROBE)?;
        Ok(Self { client })
    }

    /// Asks, and reads the answer as a `T`.
    pub(super) async fn ask<T: FromRedisValue>(&self, call: Call) -> Result<T, FeedbackError> {
        self.client.connect().await;
        self.answer(self.send(call)).await
    }

    /// Asks all calls at once, and reads the answers in their order.
    pub(super) async fn ask_all<T: FromRedisValue>(&self, calls: Vec<Call>) -> Result<Vec<T>, FeedbackError> {
        self.client.connect().await;
        let sent: Vec<Sent> = calls.into_iter().map(|call| self.send(call)).collect();
        let mut answers = Vec::with_capacity(sent.len());
        for sent in sent {
            answers.push(self.answer(sent).await?);
        }
        Ok(answers)
    }

    fn send(&self, call: Call) -> Sent {
        let again = self.client.is_cluster().then(|| call.clone());
        (self.client.send(call), again)
    }

    /// The answer to a call that was sent. One that did not run because its key has moved is sent to where it moved to.
    async fn answer<T: FromRedisValue>(&self, (mut sent, again): Sent) -> Result<T, FeedbackError> {
        let mut refreshes = self.client.refreshes();
        for _ in 1..ATTEMPTS {
            match (self.value(sent).await, &again) {
                (Err(Failure::Moved), Some(again)) => {
                    // Without news in that time the next attempt fails as this one did.
                    let _ = timeout(self.client.settings().connect_timeout, refreshes.changed()).await;
                    sent = self.client.send(again.clone());
                }
                (value, _) => return value.map_err(problem).and_then(read),
            }
        }
        self.value(sent).await.map_err(problem).and_then(read)
    }

    async fn value(&self, sent: Result<InFlight, Failure>) -> Result<Value, Failure> {
        sent?.answer(self.client.settings().budget, Some).await
    }
}

fn read<T: FromRedisValue>(value: Value) -> Result<T, FeedbackError> {
    from_redis_value(value).map_err(|_| super::unexpected())
}

/// The words for a failure. Those for a missing permission name what the store needs, which is more than limits need.
fn problem(failure: Failure) -> FeedbackError {
    let problem = match failure {
        Failure::NotRun(Cause::NoPermission) | Failure::InDoubt(Cause::NoPermission) => {
            "the user lacks permission; allow what docs/feedback.md lists (ACL SETUSER)"
        }
        Failure::NotRun(cause) | Failure::InDoubt(cause) => cause.message(),
        Failure::Moved => "the cluster is moving these keys; try again",
        Failure::Shed => "too many calls are in flight; try again",
    };
    FeedbackError::Redis {
        problem: problem.to_owned(),
    }
}
