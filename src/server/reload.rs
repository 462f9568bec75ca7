//! Takes a changed configuration over without a restart: on SIGHUP, and when one of its files changes.
//!
//! All or nothing: sites, keys and certificates of a configuration that is right as a whole take the place of the old
//! ones together; of one with mistakes nothing is taken, and all of them are said at once. A call goes by the policy it
//! began with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task;

use crate::config::{Loaded, Seen, Source};
use crate::operations::Operations;
use crate::transport::Tls;

/// Watches a configuration.
#[derive(Debug)]
pub struct Reload {
    source: Source,
    seen: Seen,
    fixed: BTreeMap<String, String>,
    interval: Duration,
    hangups: Signal,
}

impl Reload {
    /// Watches what was loaded from this source and is at work now. From here on SIGHUP does not end the process.
    ///
    /// # Errors
    /// The system lets nobody wait for signals.
    pub fn new(source: Source, loaded: &Loaded) -> std::io::Result<Self> {
        Ok(Self {
            seen: loaded.seen.clone(),
            fixed: loaded.config.fixed.clone(),
            interval: loaded.config.reload_interval,
            // What is listened on stays; so what is safe to do there is judged by that.
            source: Source {
                listen: loaded.config.listen.clone(),
                ..source
            },
            hangups: signal(SignalKind::hangup())?,
        })
    }

    /// Watches until it is dropped.
    pub(super) async fn watch(mut self, operations: Arc<Operations>, tls: Option<Tls>) {
        let mut tick = tokio::time::interval(self.interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pending = None;
        let mut refused = String::new();
        loop {
            let asked = tokio::select! {
                _ = self.hangups.recv() => true,
                _ = tick.tick() => false,
            };
            let now = self.seen.again();
            // A file that is just being written looks different at each look, and half a file may read well.
            let stands_still = pending.as_ref() == Some(&now);
            let wanted = now != self.seen || !refused.is_empty();
            pending = Some(now.clone());
            if !(asked || wanted && stands_still) {
                continue;
            }
            let source = self.source.clone();
            let loaded = task::spawn_blocking(move || source.load()).await;
            if !asked && self.seen.again() != now {
                continue;
            }
            let outcome = match loaded {
                Ok(loaded) => loaded.map_err(|error| error.to_string()),
                Err(panicked) => Err(panicked.to_string()),
            };
            let outcome = outcome.and_then(|loaded| self.apply(loaded, &operations, tls.as_ref()));
            match outcome {
                Ok(seen) => {
                    self.seen = seen;
                    refused.clear();
                }
                // What is refused is looked at again, whatever it takes to mend it, and said once.
                Err(error) if error != refused || asked => {
                    operations.policies.configured(Some(error.clone()));
                    tracing::error!("the changed configuration is refused, and the old one stays: {error}");
                    refused = error;
                }
                Err(_) => {}
            }
        }
    }

    /// Puts a configuration to work.
    fn apply(&self, loaded: Loaded, operations: &Operations, tls: Option<&Tls>) -> Result<Seen, String> {
        if loaded.tls.is_some() != tls.is_some() {
            return Err(
                "access.tls_cert_file: TLS cannot be turned on or off in a running service; restart it".to_owned(),
            );
        }
        let restart = loaded
            .config
            .fixed
            .iter()
            .filter(|(key, value)| self.fixed.get(*key) != Some(value));
        let restart: Vec<_> = restart.map(|(key, _)| key.as_str()).collect();
        let changed = operations.policies.replace(loaded.config.sites);
        if let (Some(tls), Some(new)) = (tls, loaded.tls) {
            tls.store(new);
        }
        operations.policies.configured(None);
        tracing::info!(
            sites_changed = changed.join(","),
            "the configuration was read anew and is at work"
        );
        if !restart.is_empty() {
            tracing::warn!(
                keys = restart.join(","),
                "these settings were changed too, and need a restart"
            );
        }
        Ok(loaded.seen)
    }
}
