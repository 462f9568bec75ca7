//! Watches for a proxy whose address is passed on as its readers': all readers behind it would be one author. The two
//! signs of it are reported to the operator, each in one line of the log and in a metric.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::subject::{QuotaSubject, is_account};
use super::submission::Submission;
use crate::comment::{Action, AuthorKey, Trust};
use crate::limit::{Change, Dominance};
use crate::operations::Operations;
use crate::site::{SiteId, SitePolicy};
use crate::telemetry::Metrics;

/// Sites that are watched, at most: what a caller invents as names of sites cannot fill the memory.
const SITES_MAX: usize = 1_024;

/// Watches the address of a submission, whether or not it is counted.
pub(super) fn watch(
    proxies: &Proxies,
    operations: &Operations,
    submission: &Submission,
    policy: &SitePolicy,
    subject: QuotaSubject,
) {
    let author = &submission.comment.author;
    if submission.dry_run || submission.action != Action::Submit || author.trust == Trust::Staff {
        return;
    }
    let Some(address) = author.address.as_ref().map(|address| *address.expose()) else {
        return;
    };
    let seen = match subject {
        QuotaSubject::Author(network) if !is_account(author) => QuotaSubject::Author(network),
        // An account's address is watched too, and that of a form that goes back.
        _ => QuotaSubject::network(&operations.pseudonymizer, &submission.site, address, policy),
    };
    match seen {
        QuotaSubject::Author(network) => proxies.public(&submission.site, network, &operations.metrics),
        _ => proxies.not_public(&submission.site, &operations.metrics),
    }
}

/// Counts each site's addresses.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    dominance: BTreeMap<SiteId, Dominance>,
    not_public: BTreeSet<SiteId>,
}

impl Proxies {
    /// Notes a comment from an address that is counted.
    pub(super) fn public(&self, site: &SiteId, author: AuthorKey, metrics: &Metrics) {
        let change = {
            // The counts are right after every step, also where another thread has panicked.
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let full = seen.dominance.len() >= SITES_MAX;
            match seen.dominance.get_mut(site) {
                Some(dominance) => dominance.observe(author),
                None if full => Change::None,
                None => seen.dominance.entry(site.clone()).or_default().observe(author),
            }
        };
        match change {
            Change::None => {}
            Change::Began { percent } => {
                metrics.dominant(site, true);
                tracing::warn!(
                    site = site.as_str(),
                    percent,
                    "one address sends more than a fifth of this site's comments: if it is a proxy's, all readers \
                     behind it share one quota; pass the reader's own address as author_ip"
                );
            }
            Change::Ended => {
                metrics.dominant(site, false);
                tracing::info!(
                    site = site.as_str(),
                    "no address sends more than a fifth of this site's comments any more"
                );
            }
        }
    }

    /// Notes a comment with an address that cannot be a reader's.
    pub(super) fn not_public(&self, site: &SiteId, metrics: &Metrics) {
        metrics.address_not_public(site);
        let first = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.not_public.len() < SITES_MAX && !seen.not_public.contains(site) && seen.not_public.insert(site.clone())
        };
        if first {
            tracing::warn!(
                site = site.as_str(),
                "a comment came with an author_ip that is not public, most likely a proxy's; it limits nobody: pass the \
                 reader's own address (how many more come to this site is in moderato_address_not_public_total)"
            );
        }
    }
}
