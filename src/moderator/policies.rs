//! The policies at work, and how others take their place.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Moderator, Refusal};
use crate::site::{SiteId, SitePolicy, Sites};

impl Moderator {
    /// Every site's policy, and who may call, as of now: an immutable snapshot.
    pub fn sites(&self) -> Arc<Sites> {
        self.sites.load_full()
    }

    /// Judges by these sites and lets in these callers from now on; calls under way go on as they began. Names what became
    /// different: the sites that came, went or judge otherwise.
    pub fn replace_sites(&self, sites: Sites) -> Vec<String> {
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

    /// Notes what came of a changed configuration: with what is wrong with it, if it was refused.
    pub fn configured(&self, refused: Option<String>) {
        self.metrics.reloaded(refused.is_none());
        self.config_refused.store(refused.map(Arc::new));
    }

    /// What is wrong with the configuration on disk, if an older one is at work.
    pub fn config_refused(&self) -> Option<Arc<String>> {
        self.config_refused.load_full()
    }

    pub(super) fn policy(&self, site: &SiteId) -> Result<Arc<SitePolicy>, Refusal> {
        self.sites
            .load()
            .get(site)
            .cloned()
            .ok_or_else(|| Refusal::UnknownSite(site.clone()))
    }
}
