//! Charges to Redis what was granted without it, in the background, one subject after another. A subject that comes again
//! before its turn brings its debt along with its take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::board::Board;
use super::error::Failure;
use super::script::{Call, Reply};
use super::{Own, Shared};
use crate::limit::local::Debt;

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
        if refused > 0 {
            // News of this round may be of our own making: waiting for them would be no pause.
            changes.mark_unchanged();
            let _ = timeout(PAUSE, changes.changed()).await;
        } else if own.local.debtors() == 0 {
            own.booked.notified().await;
        }
    }
}

/// Charges one debt. False if it was put back.
async fn charge(board: &Board, own: &Own, debt: &Debt) -> bool {
    match board.call(&Call::debt(debt)).await {
        Ok(Reply::Fresh(levels)) => {
            let levels: Vec<u64> = levels.iter().map(|(level, _)| *level).collect();
            own.local
                .learn_levels(&debt.site, debt.subject, &debt.quotas, &levels, own.now());
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

/// Counts a debt that is off the books.
pub(super) fn count(shared: &Shared, charged: bool) {
    let count = if charged {
        &shared.counts.settled
    } else {
        &shared.counts.forgiven
    };
    count.fetch_add(1, Ordering::Relaxed);
}
