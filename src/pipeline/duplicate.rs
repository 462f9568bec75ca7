//! Duplicates: the same author, article and text within a minute get the first one's decision, and spend nothing.
//!
//! A caller with request ids needs none of this. Most forms have none, and send twice when their button is clicked
//! twice; without this the second click spends a quota and is published beside the first.
//!
//! Kept in this process alone: a second key in Redis for every comment would cost the fleet more than the rare
//! duplicate that reaches another replica, where it is judged anew and spends one more. What is kept are keyed hashes
//! and decisions; nothing of the comment, nothing of its author.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::OnceCell;

use super::measured::Measured;
use super::submission::Submission;
use crate::clock::Timestamp;
use crate::comment::Action;
use crate::privacy::{Clicker, Pseudonymizer};
use crate::signals::Signal;

/// The time within which the same submission is a duplicate.
pub(super) const WITHIN: Duration = Duration::from_secs(60);
/// Parts with a lock each.
const PARTS: usize = 16;
/// Submissions remembered by each part; when it is full, the oldest goes. Some 10 MB in all.
const SUBMISSIONS_MAX: usize = 1_024;

/// The evidence of a first submission: its duplicate is judged by the same, though its form may differ in what is no
/// part of the comment, such as its age.
#[derive(Debug, Clone)]
pub(super) struct FirstResult {
    pub(super) measured: Measured,
    pub(super) signals: Vec<Signal>,
}

/// A keyed hash of author, article and text.
pub(super) type Key = [u8; 16];

/// The submissions of the last minute, each with its result as soon as that is known.
pub(super) struct RecentSubmissions<T> {
    parts: Vec<Mutex<Part<T>>>,
}

struct Part<T> {
    held: HashMap<Key, RecentSubmission<T>, RandomState>,
    /// The keys in the order of arrival.
    queue: VecDeque<(Key, Timestamp)>,
}

struct RecentSubmission<T> {
    at: Timestamp,
    first: Arc<OnceCell<T>>,
}

impl<T> Default for RecentSubmissions<T> {
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

impl<T> RecentSubmissions<T> {
    /// The cell of the result of this submission: whoever finds it empty fills it, and others wait for that.
    pub(super) fn first(&self, key: Key, now: Timestamp) -> Arc<OnceCell<T>> {
        let mut part = self.part(key);
        if let Some(recent) = part.held.get(&key)
            && now < recent.at.after(WITHIN)
        {
            return Arc::clone(&recent.first);
        }
        while part.queue.len() >= SUBMISSIONS_MAX || part.queue.front().is_some_and(|(_, at)| at.after(WITHIN) <= now) {
            let Some((old, at)) = part.queue.pop_front() else { break };
            // One that came again after its minute has a later place in the queue.
            if part.held.get(&old).is_some_and(|recent| recent.at == at) {
                part.held.remove(&old);
            }
        }
        let first = Arc::new(OnceCell::new());
        part.queue.push_back((key, now));
        let submission = RecentSubmission {
            at: now,
            first: Arc::clone(&first),
        };
        part.held.insert(key, submission);
        first
    }

    /// Forgets a submission whose author was asked to send the comment again.
    pub(super) fn forget(&self, key: Key) {
        self.part(key).held.remove(&key);
    }

    fn part(&self, key: Key) -> MutexGuard<'_, Part<T>> {
        let part = &self.parts[usize::from(key[0]) % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key that a duplicate has in common with the first, where author and article are known.
pub(super) fn key(pseudonymizer: &Pseudonymizer, submission: &Submission) -> Option<Key> {
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
    Some(pseudonymizer.click(&submission.site, &who, &parts))
}

impl<T> std::fmt::Debug for RecentSubmissions<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecentSubmissions(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{PARTS, RecentSubmissions, SUBMISSIONS_MAX, WITHIN};
    use crate::clock::Timestamp;

    #[test]
    fn a_duplicate_finds_the_first_for_a_minute() {
        let recent = RecentSubmissions::<u8>::default();
        let start = Timestamp::from_micros(1);
        let first = recent.first([1; 16], start);
        let almost = start.after(WITHIN - std::time::Duration::from_micros(1));
        assert!(Arc::ptr_eq(&first, &recent.first([1; 16], almost)));
        assert!(!Arc::ptr_eq(&first, &recent.first([2; 16], almost)));
        assert!(!Arc::ptr_eq(&first, &recent.first([1; 16], start.after(WITHIN))));
    }

    #[test]
    fn what_was_forgotten_is_fresh() {
        let recent = RecentSubmissions::<u8>::default();
        let now = Timestamp::from_micros(1);
        let first = recent.first([1; 16], now);
        recent.forget([1; 16]);
        assert!(!Arc::ptr_eq(&first, &recent.first([1; 16], now)));
    }

    #[test]
    fn a_flood_is_remembered_up_to_the_bound() {
        let recent = RecentSubmissions::<u8>::default();
        for n in 0..40_000u32 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&n.to_le_bytes());
            recent.first(key, Timestamp::from_micros(u64::from(n)));
        }
        for part in &recent.parts {
            let part = part.lock().unwrap();
            assert!(part.held.len() <= SUBMISSIONS_MAX && part.queue.len() <= SUBMISSIONS_MAX);
        }
        assert_eq!(recent.parts.len(), PARTS);
    }
}
