//! Charges to Redis what was granted without it, in the background, one subject after another, and tells it which request
//! ids were answered. A subject that comes again before its turn brings its debt along with its take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::board::Board;
use super::error::Failure;
use super::script::{Call, Reply};
use super::{Own, Shared};
use crate::clock::Timestamp;
use crate::limit::local::Debt;
use crate::limit::pledge::Pledge;
use crate::limit::{Mode, Take};

/// Debts that are tried in one round while Redis refuses them.
const REFUSED_MAX: usize = 64;

/// Between two rounds while it does, unless its state changes.
const PAUSE: Duration = Duration::from_millis(400);

/// Settles for as long as the limiter lives.
pub(super) async fn settle(board: Arc<Board>, own: Arc<Own>) {
    let mut changes = board.shared.changed.subscribe();
    loop {
        // One round: each debt is tried once, and goes back to the end if it cannot be charged now. Of a Redis that is
        // away only a few are tried; in a cluster the others have their turn in the next round.
        let mut refused = 0;
        for _ in 0..own.local.debtors() {
            if refused == REFUSED_MAX {
                break;
            }
            let Some(debt) = own.local.oldest_debt(own.now()) else {
                break;
            };
            if !charge(&board, &own, &debt).await {
                refused += 1;
            }
        }
        for _ in 0..own.local.pledged() {
            if refused >= REFUSED_MAX {
                break;
            }
            let Some(pledge) = own.local.oldest_pledge(own.now()) else {
                break;
            };
            if !remember(&board, &own, pledge).await {
                refused += 1;
            }
        }
        if refused > 0 {
            // News of this round may be of our own making: waiting for them would be no pause.
            changes.mark_unchanged();
            let _ = timeout(PAUSE, changes.changed()).await;
        } else if own.local.debtors() + own.local.pledged() == 0 {
            own.booked.notified().await;
        }
    }
}

/// A debt that goes along with a take. Dropped before it is known what became of it (the caller went away), it counts as
/// forgiven if it may have been charged.
pub(super) struct Carried<'a> {
    shared: &'a Shared,
    own: &'a Own,
    debt: Option<Debt>,
    mode: Mode,
    now: Timestamp,
}

impl<'a> Carried<'a> {
    /// What the subject of a take owes. A debt by other quotas than the take's (the configuration changed) stays where it
    /// is, for the background.
    pub(super) fn by(take: &Take<'_>, shared: &'a Shared, own: &'a Own, now: Timestamp) -> Self {
        let owed = take
            .subject
            .and_then(|subject| own.local.debt_of(take.site, subject, now));
        let debt = owed.and_then(|debt| {
            if *debt.quotas == *take.quotas {
                return Some(debt);
            }
            own.local.put_back(&debt, now);
            None
        });
        let mode = take.mode;
        Self {
            shared,
            own,
            debt,
            mode,
            now,
        }
    }

    /// The debt, to send it.
    pub(super) fn debt(&self) -> Option<&Debt> {
        self.debt.as_ref()
    }

    /// Settles what became of it. A look charges nothing.
    pub(super) fn arrived(mut self, called: &Result<Reply, Failure>) {
        let Some(debt) = self.debt.take() else { return };
        match (called, self.mode) {
            (Ok(Reply::Fresh(_)), Mode::Spend) => count(self.shared, true),
            (Err(Failure::InDoubt(_)), Mode::Spend) => count(self.shared, false),
            _ => self.own.local.put_back(&debt, self.now),
        }
    }
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        match (self.debt.take(), self.mode) {
            (None, _) => {}
            (Some(_), Mode::Spend) => count(self.shared, false),
            (Some(debt), Mode::Peek) => self.own.local.put_back(&debt, self.now),
        }
    }
}

/// Charges one debt. False if it was put back.
async fn charge(board: &Board, own: &Own, debt: &Debt) -> bool {
    // From before it was asked, as with a take: so the levels are rather too small here than too large.
    let now = own.now();
    match ask(board, Call::debt(debt)).await {
        Ok(Reply::Fresh(levels)) => {
            let levels: Vec<u64> = levels.iter().map(|(level, _)| *level).collect();
            own.local
                .learn_levels(&debt.site, debt.subject, &debt.quotas, &levels, now);
            count(&board.shared, true);
            true
        }
        Err(Failure::NotRun(_) | Failure::Moved | Failure::Shed) => {
            own.local.put_back(debt, own.now());
            false
        }
        // Charging twice would be worse than not charging.
        Err(Failure::InDoubt(_)) | Ok(Reply::Known(_)) => {
            count(&board.shared, false);
            true
        }
    }
}

/// Writes one answer down for the fleet. False if it was put back.
async fn remember(board: &Board, own: &Own, pledge: Pledge) -> bool {
    match ask(board, Call::pledge(board.shared.layout, &pledge)).await {
        Ok(_) => {
            board.shared.counts.remembered.fetch_add(1, Ordering::Relaxed);
            true
        }
        Err(_) => {
            own.local.put_pledge_back(pledge);
            false
        }
    }
}

/// Asks, and waits for as long as the budget allows.
async fn ask(board: &Board, call: Call) -> Result<Reply, Failure> {
    board.ask(call)?.answer(Duration::MAX).await
}

/// Counts a debt that is off the books.
fn count(shared: &Shared, charged: bool) {
    let count = if charged {
        &shared.counts.settled
    } else {
        &shared.counts.forgiven
    };
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::super::{Redis, RedisSettings};
    use super::{Carried, Failure, Reply};
    use crate::clock::Timestamp;
    use crate::comment::AuthorKey;
    use crate::limit::local::Doubt;
    use crate::limit::{Cause, Mode, Take};
    use crate::site::{Quota, SiteId};
    use crate::verdict::Verdict;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    /// Forgiven, settled and owed debts after a debt was carried in a take of this mode to this end.
    fn after(mode: Mode, end: impl FnOnce(Carried<'_>)) -> (u64, u64, u64) {
        let redis = Redis::new(RedisSettings::new("redis://127.0.0.1")).unwrap();
        let site = SiteId::new("a").unwrap();
        let quotas = [Quota {
            name: "hour".into(),
            burst: 5,
            interval: Duration::from_secs(3600),
            effect: Verdict::Hold,
            shadow: false,
        }];
        let take = Take {
            site: &site,
            subject: Some(AuthorKey::new([7; 16])),
            quotas: &quotas,
            claim: None,
            mode: Mode::Spend,
        };
        redis.own.local.take_alone(&take, Doubt::None, NOW);
        let carried = Carried::by(&Take { mode, ..take }, &redis.shared, &redis.own, NOW);
        assert!(carried.debt().is_some());
        end(carried);
        let counters = redis.counters();
        (counters.forgiven, counters.settled, counters.owed)
    }

    #[test]
    fn a_debt_whose_carrier_went_away_is_counted() {
        assert_eq!(after(Mode::Spend, |_| ()), (1, 0, 0));
        assert_eq!(after(Mode::Peek, |_| ()), (0, 0, 1));
    }

    #[test]
    fn a_debt_that_arrived_is_settled_once() {
        let fresh = || Ok(Reply::Fresh(vec![]));
        assert_eq!(after(Mode::Spend, |carried| carried.arrived(&fresh())), (0, 1, 0));
        assert_eq!(after(Mode::Peek, |carried| carried.arrived(&fresh())), (0, 0, 1));
        let doubt = Err(Failure::InDoubt(Cause::Timeout));
        assert_eq!(after(Mode::Spend, |carried| carried.arrived(&doubt)), (1, 0, 0));
        let moved = Err(Failure::Moved);
        assert_eq!(after(Mode::Spend, |carried| carried.arrived(&moved)), (0, 0, 1));
    }
}
