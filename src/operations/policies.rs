//! The policies in force, and how others take their place.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::site::{SiteId, SitePolicy, Sites};
use crate::telemetry::Metrics;

/// The policies in force, and what became of a changed configuration.
#[derive(Debug)]
pub struct Policies {
    sites: ArcSwap<Sites>,
    refused: ArcSwapOption<String>,
    metrics: Arc<Metrics>,
}

impl Policies {
    pub(super) fn new(sites: Arc<Sites>, metrics: Arc<Metrics>) -> Self {
        Self {
            sites: ArcSwap::new(sites),
            refused: ArcSwapOption::empty(),
            metrics,
        }
    }

    /// Every site's policy, and who may call, as of now: an immutable snapshot.
    pub fn sites(&self) -> Arc<Sites> {
        self.sites.load_full()
    }

    /// Puts these sites' policies and callers in force; calls under way go on as they began. Names what became
    /// different: the sites that came, went or judge otherwise.
    pub fn replace(&self, sites: Sites) -> Vec<String> {
        let sites = Arc::new(sites);
        self.metrics.know(&sites);
        let old = self.sites.swap(Arc::clone(&sites));
        let version = |sites: &Sites, site: &SiteId| sites.named.get(site).map(|policy| policy.version.clone());
        let all: BTreeSet<&SiteId> = old.named.keys().chain(sites.named.keys()).collect();
        let different = all
            .into_iter()
            .filter(|site| version(&old, site) != version(&sites, site));
        let unnamed = |sites: &Sites| sites.unnamed.as_ref().map(|policy| policy.version.clone());
        let others = (unnamed(&old) != unnamed(&sites)).then(|| "(any other site)".to_owned());
        different.map(ToString::to_string).chain(others).collect()
    }

    /// Notes what became of a changed configuration: with what is wrong with it, if it was refused.
    pub fn configured(&self, refused: Option<String>) {
        self.metrics.reloaded(refused.is_none());
        self.refused.store(refused.map(Arc::new));
    }

    /// The mistakes of the configuration on disk, if an older one is in force.
    pub fn refused(&self) -> Option<Arc<String>> {
        self.refused.load_full()
    }

    /// The policy of a site, if the configuration knows the site.
    pub fn of(&self, site: &SiteId) -> Option<Arc<SitePolicy>> {
        self.sites.load().get(site).cloned()
    }

    /// The site, if the configuration names it.
    pub(super) fn named<'a>(&self, site: &'a SiteId) -> Option<&'a SiteId> {
        Some(site).filter(|site| self.sites.load().named.contains_key(*site))
    }
}
