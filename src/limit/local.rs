//! What one replica knows while Redis counts for the fleet, and how it counts when Redis does not. Pure: the caller passes
//! the time and does the asking.
//!
//! While Redis answers, each answer is remembered. While it does not, takes are counted from there, at a share of each
//! quota, and what they grant is booked as a debt; when Redis is back the debts are charged to it. A debt says two things
//! of a quota, and Redis takes the larger:
//!
//! - *add*: the level that the local grants alone would have left. Levels of disjoint grants add up to no more than the
//!   level of all of them together (each of them drains, together they drain only once), so adding is never too much.
//! - *least*: the level as this replica knows it, from Redis' last answer and its own grants since. Also never more than
//!   the truth, and exact if this replica was the only one that granted.
//!
//! A grant whose take may have run in Redis all the same (it timed out) is not added: it could be charged twice. A debt
//! whose charging timed out is not charged again. So an outage is no free pass, and nobody pays more than was granted.
//!
//! The caller's clock may step back. *add* is then what was left when it was last added to, and *least* is read at the
//! latest time that was ever passed in: both may be too little for a while, neither is ever too much.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

use super::gcra::{self, Meter};
use super::memory::Memory;
use super::pledge::{Name, Pledge, Pledges};
use super::{Answer, Claim, MemorySettings, Mode, Outcome, Source, Take, Taken};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::site::{Quota, SiteId};

/// Whether Redis may have counted a take that it did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It did not.
    None,
    /// It may have.
    MayHaveRun,
}

/// What follows the payload of a remembered claim: whether Redis took part in the answer. A replay says the same as the
/// first answer said.
const ASKED: u8 = 0;
const ALONE: u8 = 1;

/// What is to be charged to Redis for one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Debt {
    /// Where the subject was counted.
    pub(super) site: SiteId,
    /// Who was counted.
    pub(super) subject: AuthorKey,
    /// By which quotas.
    pub(super) quotas: Arc<[Quota]>,
    /// For each quota the level to add and the level that it has at least, in µs, when the debt was taken out.
    pub(super) levels: Vec<(u64, u64)>,
}

/// One replica's own knowledge.
#[derive(Debug)]
pub(super) struct Local {
    memory: Memory,
    share: f64,
    debts: Mutex<Debts>,
    debts_max: usize,
    pledges: Mutex<Pledges>,
    /// The latest time that something was counted at, in µs.
    latest: AtomicU64,
}

/// Booked debts, oldest first; each names when its added levels are drained.
#[derive(Debug, Default)]
struct Debts {
    owed: HashMap<(SiteId, AuthorKey), Owed, RandomState>,
    queue: VecDeque<(SiteId, AuthorKey)>,
    shapes: Vec<Arc<[Quota]>>,
}

#[derive(Debug)]
struct Owed {
    quotas: Arc<[Quota]>,
    tats: Vec<u64>,
    /// When it was last added to, in µs.
    booked: u64,
}

impl Local {
    /// An empty replica. `share` (above 0, at most 1) is the part of each quota that it grants alone; `debts_max` bounds
    /// the subjects whose debts are booked, those beyond go free, and likewise the request ids.
    pub(super) fn new(settings: &MemorySettings, share: f64, debts_max: usize) -> Self {
        let share = if share > 0.0 && share < 1.0 { share } else { 1.0 };
        Self {
            memory: Memory::new(settings),
            share,
            debts: Mutex::default(),
            debts_max,
            pledges: Mutex::new(Pledges::new(debts_max)),
            latest: AtomicU64::new(0),
        }
    }

    /// What is known of a claim: a replay, a conflict, or nothing. What was answered without Redis is
    /// [`Source::LocalForRedis`] in the replay too, all else [`Source::Local`].
    pub(super) fn look_up(&self, claim: &Claim<'_>, now: Timestamp) -> Option<Taken> {
        self.memory.look_up(claim, now).map(known)
    }

    /// A take that has nothing to ask Redis.
    pub(super) fn take(&self, take: &Take<'_>, now: Timestamp) -> Answer {
        self.memory.take(take, now)
    }

    /// Remembers what Redis answered to a take: its levels (µs) and the claim. `now` is from before it was asked, so that
    /// the levels are rather too small here than too large.
    pub(super) fn learn(&self, take: &Take<'_>, levels: &[u64], outcomes: &[Outcome], now: Timestamp) {
        if take.mode == Mode::Peek {
            return;
        }
        if let Some(subject) = take.subject {
            self.learn_levels(take.site, subject, take.quotas, levels, now);
        }
        if let Some(claim) = &take.claim {
            self.memory
                .remember(claim, outcomes, &marked(claim.payload, ASKED), now);
        }
    }

    /// Remembers the levels (µs) of one subject.
    pub(super) fn learn_levels(
        &self,
        site: &SiteId,
        subject: AuthorKey,
        quotas: &[Quota],
        levels: &[u64],
        now: Timestamp,
    ) {
        self.passes(now);
        match self.scaled(quotas) {
            Some(scaled) => self.memory.learn(site, subject, &scaled, levels, now),
            None => self.memory.learn(site, subject, quotas, levels, now),
        }
    }

    /// Counts a take that Redis did not answer, and books what it grants.
    pub(super) fn take_alone(&self, take: &Take<'_>, doubt: Doubt, now: Timestamp) -> Taken {
        self.passes(now);
        let scaled = self.scaled(take.quotas);
        let payload = take.claim.map(|claim| marked(claim.payload, ALONE)).unwrap_or_default();
        let alone = Take {
            quotas: scaled.as_deref().unwrap_or(take.quotas),
            claim: take.claim.map(|claim| Claim {
                payload: &payload,
                ..claim
            }),
            ..*take
        };
        let answer = self.memory.take(&alone, now);
        if let (Answer::Fresh(outcomes), Some(subject), Mode::Spend, Doubt::None) =
            (&answer, take.subject, take.mode, doubt)
            && gcra::granted(take.quotas, outcomes)
        {
            let spent =
                take.quotas.iter().zip(outcomes).map(
                    |(quota, outcome)| {
                        if outcome.exceeded { 0 } else { Meter::of(quota).interval }
                    },
                );
            self.book(take.site, subject, take.quotas, spent, now);
        }
        if let (Answer::Fresh(_), Some(claim), Mode::Spend) = (&answer, &take.claim, take.mode) {
            let quotas = self.debts().shape(alone.quotas);
            self.pledges().book(Name::of(take, claim, quotas, now));
        }
        known(answer)
    }

    /// Takes out the oldest answer that the fleet should give too.
    pub(super) fn oldest_pledge(&self, now: Timestamp) -> Option<Pledge> {
        loop {
            let name = self.pledges().oldest()?;
            let left = name.left(now);
            let answer = self.memory.look_up(&name.claim(), now);
            if let (Some(Answer::Replayed { outcomes, mut payload }), false) = (answer, left.is_zero()) {
                payload.pop();
                return Some(Pledge {
                    name,
                    outcomes,
                    payload,
                    left,
                });
            }
        }
    }

    /// Puts back one that was perhaps not written: writing it twice is writing it once.
    pub(super) fn put_pledge_back(&self, pledge: Pledge) {
        self.pledges().book(pledge.name);
    }

    /// Answers that are still to be written.
    pub(super) fn pledged(&self) -> usize {
        self.pledges().len()
    }

    /// Takes out the debt of one subject, to be charged together with a take by these quotas.
    pub(super) fn debt_of(&self, site: &SiteId, subject: AuthorKey, now: Timestamp) -> Option<Debt> {
        let mut debts = self.debts();
        if debts.owed.is_empty() {
            return None;
        }
        let key = (site.clone(), subject);
        let owed = debts.owed.remove(&key)?;
        drop(debts);
        self.debt(key, owed, now)
    }

    /// Takes out the oldest debt.
    pub(super) fn oldest_debt(&self, now: Timestamp) -> Option<Debt> {
        loop {
            let mut debts = self.debts();
            let key = debts.queue.pop_front()?;
            let Some(owed) = debts.owed.remove(&key) else { continue };
            drop(debts);
            if let Some(debt) = self.debt(key, owed, now) {
                return Some(debt);
            }
        }
    }

    /// Puts a debt back that was certainly not charged.
    pub(super) fn put_back(&self, debt: &Debt, now: Timestamp) {
        self.book(
            &debt.site,
            debt.subject,
            &debt.quotas,
            debt.levels.iter().map(|(add, _)| *add),
            now,
        );
    }

    /// Subjects with debts.
    pub(super) fn debtors(&self) -> usize {
        self.debts().owed.len()
    }

    fn debts(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pledges(&self) -> MutexGuard<'_, Pledges> {
        self.pledges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passes(&self, now: Timestamp) {
        self.latest.fetch_max(now.as_micros(), Ordering::Relaxed);
    }

    fn book(
        &self,
        site: &SiteId,
        subject: AuthorKey,
        quotas: &[Quota],
        spent: impl Iterator<Item = u64>,
        now: Timestamp,
    ) {
        let key = (site.clone(), subject);
        let mut debts = self.debts();
        if debts.owed.get(&key).is_some_and(|owed| *owed.quotas != *quotas) {
            // The configuration changed: what was owed by the old one means nothing now.
            debts.owed.remove(&key);
        }
        if !debts.owed.contains_key(&key) {
            if debts.owed.len() >= self.debts_max {
                return;
            }
            let owed = Owed {
                quotas: debts.shape(quotas),
                tats: vec![0; quotas.len()],
                booked: now.as_micros(),
            };
            debts.owed.insert(key.clone(), owed);
            debts.queue.push_back(key.clone());
            debts.trim();
        }
        if let Some(owed) = debts.owed.get_mut(&key) {
            let back = owed.booked.saturating_sub(now.as_micros());
            for (tat, spent) in owed.tats.iter_mut().zip(spent) {
                *tat = tat.saturating_sub(back).max(now.as_micros()) + spent;
            }
            owed.booked = now.as_micros();
        }
    }

    /// A debt as it stands at `now`; none if all of it has drained.
    fn debt(&self, (site, subject): (SiteId, AuthorKey), owed: Owed, now: Timestamp) -> Option<Debt> {
        let Owed { quotas, tats, booked } = owed;
        let latest = Timestamp::from_micros(self.latest.load(Ordering::Relaxed));
        // At a share of the quotas a local grant weighs more than in Redis, so only `add` is in Redis' measure.
        let least = if self.share < 1.0 {
            vec![0; quotas.len()]
        } else {
            self.memory.levels(&site, subject, &quotas, now.max(latest))
        };
        let now = now.as_micros().max(booked);
        let adds = tats.iter().map(|tat| tat.saturating_sub(now));
        let levels: Vec<(u64, u64)> = adds.zip(least).collect();
        levels.iter().any(|(add, least)| add + least > 0).then_some(Debt {
            site,
            subject,
            quotas,
            levels,
        })
    }

    /// The quotas at this replica's share; `None` if that is all of each.
    fn scaled(&self, quotas: &[Quota]) -> Option<Vec<Quota>> {
        let scale = |quota: &Quota| {
            let burst = (f64::from(quota.burst) * self.share).round().max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and quota.burst"
            )]
            let burst = burst as u32;
            let interval = Duration::try_from_secs_f64(quota.interval.as_secs_f64() / self.share);
            Quota {
                burst,
                interval: interval.unwrap_or(Duration::MAX),
                ..quota.clone()
            }
        };
        (self.share < 1.0).then(|| quotas.iter().map(scale).collect())
    }
}

fn marked(payload: &[u8], mark: u8) -> Vec<u8> {
    [payload, &[mark]].concat()
}

/// An answer of this replica's memory: takes the mark off a replay's payload.
fn known(mut answer: Answer) -> Taken {
    let source = match &mut answer {
        Answer::Fresh(_) => Source::LocalForRedis,
        Answer::Replayed { payload, .. } => match payload.pop() {
            Some(ALONE) => Source::LocalForRedis,
            _ => Source::Local,
        },
        Answer::Conflict => Source::Local,
    };
    Taken { answer, source }
}

impl Debts {
    /// The same list of quotas as before, if there was one: a million debts share one copy.
    fn shape(&mut self, quotas: &[Quota]) -> Arc<[Quota]> {
        if let Some(known) = self.shapes.iter().find(|known| ***known == *quotas) {
            return Arc::clone(known);
        }
        self.shapes.retain(|shape| Arc::strong_count(shape) > 1);
        let new: Arc<[Quota]> = quotas.into();
        self.shapes.push(Arc::clone(&new));
        new
    }

    /// Drops places of debts that were taken out by name, before they outnumber the others.
    fn trim(&mut self) {
        if self.queue.len() > 2 * self.owed.len() + 16 {
            let (owed, mut seen) = (
                &self.owed,
                std::collections::HashSet::with_hasher(RandomState::default()),
            );
            self.queue
                .retain(|key| owed.contains_key(key) && seen.insert(key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Doubt, Local};
    use crate::clock::Timestamp;
    use crate::comment::AuthorKey;
    use crate::limit::{Answer, Claim, MemorySettings, Mode, Source, Take};
    use crate::site::{Quota, SiteId};
    use crate::verdict::Verdict;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn local() -> Local {
        Local::new(&MemorySettings::default(), 1.0, 100)
    }

    fn quotas() -> [Quota; 1] {
        [Quota {
            name: "hour".into(),
            burst: 5,
            interval: Duration::from_secs(3600),
            effect: Verdict::Hold,
            shadow: false,
        }]
    }

    fn take<'a>(site: &'a SiteId, quotas: &'a [Quota], claim: Option<Claim<'a>>) -> Take<'a> {
        Take {
            site,
            subject: Some(AuthorKey::new([7; 16])),
            quotas,
            claim,
            mode: Mode::Spend,
        }
    }

    #[test]
    fn a_replay_says_who_answered_first() {
        let (local, site, quotas) = (local(), SiteId::new("a").unwrap(), quotas());
        let claim = |n: u8| Claim {
            request: [n; 16],
            fingerprint: [n; 16],
            beside: None,
            payload: b"first",
        };
        let alone = take(&site, &quotas, Some(claim(1)));
        let first = local.take_alone(&alone, Doubt::None, NOW);
        assert_eq!(first.source, Source::LocalForRedis);
        let by_redis = take(&site, &quotas, Some(claim(2)));
        let Answer::Fresh(outcomes) = first.answer else {
            panic!("fresh")
        };
        local.learn(&by_redis, &[1], &outcomes, NOW);
        for (n, source) in [(1, Source::LocalForRedis), (2, Source::Local)] {
            let replay = local.look_up(&claim(n), NOW).unwrap();
            assert_eq!(replay.source, source);
            assert!(
                matches!(&replay.answer, Answer::Replayed { payload, .. } if payload == b"first"),
                "{replay:?}"
            );
            // Two that come at once: the second finds the claim only when it takes.
            let take = take(&site, &quotas, Some(claim(n)));
            assert_eq!(local.take_alone(&take, Doubt::None, NOW), replay);
        }
        let other = Claim {
            fingerprint: [9; 16],
            ..claim(1)
        };
        assert_eq!(local.look_up(&other, NOW).unwrap().answer, Answer::Conflict);
    }
    #[test]
    fn a_clock_that_steps_back_charges_nobody_for_more_than_was_granted() {
        let (local, site, quotas) = (local(), SiteId::new("a").unwrap(), quotas());
        let take = take(&site, &quotas, None);
        let hour = 3_600_000_000_u64;
        let subject = take.subject.unwrap();
        let later = NOW.after(Duration::from_secs(7200));
        // Two grants, then the clock steps back by two hours and somebody settles.
        local.take_alone(&take, Doubt::None, later);
        local.take_alone(&take, Doubt::None, later);
        let debt = local.debt_of(&site, subject, NOW).unwrap();
        assert_eq!(debt.levels, [(2 * hour, 2 * hour)]);
        local.put_back(&debt, NOW);
        // A third one, at the earlier time.
        local.take_alone(&take, Doubt::None, NOW);
        let (add, least) = local.debt_of(&site, subject, NOW).unwrap().levels[0];
        assert_eq!(add, 3 * hour);
        assert!(least <= 3 * hour, "{least}");
        // Put back at a time that is long past, and drained when it comes again.
        local.put_back(&debt, NOW);
        let (add, _) = local
            .debt_of(&site, subject, NOW.after(Duration::from_secs(3600)))
            .unwrap()
            .levels[0];
        assert_eq!(add, hour);
    }
}
