//! A double click: the same author, article and text within a minute get the first one's decision, and spend nothing.
//!
//! Kept in this process alone: a second key in Redis for every comment would cost the fleet more than the rare second
//! click that reaches another replica, where it is judged anew and spends one more. What is kept are keyed hashes and
//! decisions; nothing of the comment, nothing of its author.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::OnceCell;

use super::{Inquiry, Measured, Moderator, Refusal, Submission};
use crate::clock::Timestamp;
use crate::comment::Action;
use crate::limit::{Acquire, Answer, Mode};
use crate::privacy::Clicker;
use crate::signals::Signal;
use crate::site::SitePolicy;

/// Whoever sends the same again within this time has clicked twice.
pub(super) const WITHIN: Duration = Duration::from_secs(60);
/// Parts with a lock each.
const PARTS: usize = 16;
/// Clicks remembered by each part; when they are full, the oldest goes. Some 10 MB in all.
const CLICKS_MAX: usize = 1_024;

/// What came of a first click: a second one is judged by the same evidence, though its form may differ in what is no
/// part of the comment, such as its age.
#[derive(Debug, Clone)]
pub(super) struct First {
    measured: Measured,
    signals: Vec<Signal>,
}

/// A keyed hash of author, article and text.
pub(super) type Key = [u8; 16];

/// The first clicks of the last minute, each with what came of it as soon as that is known.
pub(super) struct Clicks<T> {
    parts: Vec<Mutex<Part<T>>>,
}

struct Part<T> {
    held: HashMap<Key, Click<T>, RandomState>,
    /// In the order of their coming.
    queue: VecDeque<(Key, Timestamp)>,
}

struct Click<T> {
    at: Timestamp,
    first: Arc<OnceCell<T>>,
}

impl<T> Default for Clicks<T> {
    fn default() -> Self {
        let part = || {
            Mutex::new(Part {
                held: HashMap::default(),
                queue: VecDeque::new(),
            })
        };
        Self {
            parts: (0..PARTS).map(|_| part()).collect(),
        }
    }
}

impl<T> Clicks<T> {
    /// Where the answer to this click is, or will be: whoever finds it empty fills it, and others wait for that.
    pub(super) fn first(&self, key: Key, now: Timestamp) -> Arc<OnceCell<T>> {
        let mut part = self.part(key);
        if let Some(click) = part.held.get(&key)
            && now < click.at.after(WITHIN)
        {
            return Arc::clone(&click.first);
        }
        while part.queue.len() >= CLICKS_MAX || part.queue.front().is_some_and(|(_, at)| at.after(WITHIN) <= now) {
            let Some((old, at)) = part.queue.pop_front() else { break };
            // One that came again after its minute has a later place in the queue.
            if part.held.get(&old).is_some_and(|click| click.at == at) {
                part.held.remove(&old);
            }
        }
        let first = Arc::new(OnceCell::new());
        part.queue.push_back((key, now));
        let click = Click {
            at: now,
            first: Arc::clone(&first),
        };
        part.held.insert(key, click);
        first
    }

    /// Forgets a click whose author was asked to send the comment again.
    pub(super) fn forget(&self, key: Key) {
        self.part(key).held.remove(&key);
    }

    fn part(&self, key: Key) -> MutexGuard<'_, Part<T>> {
        let part = &self.parts[usize::from(key[0]) % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moderator {
    /// What a second click has in common with the first, where author and article are known.
    pub(super) fn click(&self, submission: &Submission) -> Option<Key> {
        let comment = &submission.comment;
        if submission.dry_run || submission.action != Action::Submit || comment.article.is_empty() {
            return None;
        }
        let author = &comment.author;
        let who = match (author.id.expose().as_str(), &author.address) {
            ("", None) => return None,
            ("", Some(address)) => Clicker::Address(*address.expose()),
            (id, _) => Clicker::Account(id),
        };
        let sent = [
            comment.article.as_str(),
            &comment.parent_id,
            comment.parent_content.expose(),
            author.name.expose(),
            author.email.expose(),
            author.url_or_empty().expose(),
            comment.content.expose(),
        ];
        let trust = [author.trust as u8, comment.kind as u8];
        let mut parts = vec![trust.as_slice()];
        parts.extend(sent.map(str::as_bytes));
        Some(self.pseudonymizer.click(&submission.site, &who, &parts))
    }

    /// As `measure`, but a second click gets what the first one got, its signals included. Of two that come at once, one
    /// measures and the other waits for it.
    pub(super) async fn measure_once(
        &self,
        click: Option<Key>,
        inquiry: &Inquiry<'_>,
        signals: &mut Vec<Signal>,
    ) -> Result<Measured, Refusal> {
        let measure = || self.measure(inquiry);
        let Some(key) = click else {
            return measure().await;
        };
        let first = self.clicks.first(key, inquiry.now);
        let mut is_first = false;
        let found = first
            .get_or_try_init(|| async {
                is_first = true;
                Ok(First {
                    measured: measure().await?,
                    signals: signals.clone(),
                })
            })
            .await?;
        let mut measured = found.measured.clone();
        if !is_first {
            // Boxed, or every call that waits would be larger for it.
            Box::pin(self.refuse_reused_id(inquiry.submission, inquiry.policy, inquiry.now)).await?;
            measured.replayed = true;
            signals.clone_from(&found.signals);
        }
        Ok(measured)
    }

    /// A second click need not be counted, but its request id may not stand for another body.
    async fn refuse_reused_id(
        &self,
        submission: &Submission,
        policy: &SitePolicy,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(key) = Self::idempotency_key(&self.pseudonymizer, submission, policy, &[]) else {
            return Ok(());
        };
        let acquire = Acquire {
            site: &submission.site,
            subject: None,
            quotas: &[],
            idempotency_key: Some(key),
            mode: Mode::Peek,
        };
        match self.limiter.acquire(&acquire, now).await.answer {
            Answer::Conflict => Err(Refusal::RequestIdReused),
            Answer::Fresh(_) | Answer::Replayed { .. } => Ok(()),
        }
    }
}

impl<T> std::fmt::Debug for Clicks<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clicks(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{CLICKS_MAX, Clicks, PARTS, WITHIN};
    use crate::clock::Timestamp;

    #[test]
    fn a_second_click_finds_the_first_for_a_minute() {
        let clicks = Clicks::<u8>::default();
        let start = Timestamp::from_micros(1);
        let first = clicks.first([1; 16], start);
        let almost = start.after(WITHIN - std::time::Duration::from_micros(1));
        assert!(Arc::ptr_eq(&first, &clicks.first([1; 16], almost)));
        assert!(!Arc::ptr_eq(&first, &clicks.first([2; 16], almost)));
        assert!(!Arc::ptr_eq(&first, &clicks.first([1; 16], start.after(WITHIN))));
    }

    #[test]
    fn what_was_forgotten_is_fresh() {
        let clicks = Clicks::<u8>::default();
        let now = Timestamp::from_micros(1);
        let first = clicks.first([1; 16], now);
        clicks.forget([1; 16]);
        assert!(!Arc::ptr_eq(&first, &clicks.first([1; 16], now)));
    }

    #[test]
    fn a_flood_is_remembered_up_to_the_bound() {
        let clicks = Clicks::<u8>::default();
        for n in 0..40_000u32 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&n.to_le_bytes());
            clicks.first(key, Timestamp::from_micros(u64::from(n)));
        }
        for part in &clicks.parts {
            let part = part.lock().unwrap();
            assert!(part.held.len() <= CLICKS_MAX && part.queue.len() <= CLICKS_MAX);
        }
        assert_eq!(clicks.parts.len(), PARTS);
    }
}
