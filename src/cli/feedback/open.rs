//! Which store is meant, and how it is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{Exit, Failure};
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Config};
use crate::feedback::{self, Bounds, FeedbackError, FeedbackStore, FileStore, RedisStore};
use crate::privacy::Pseudonymizer;
use crate::record::{Entry, Export, Stats};
use crate::redis::RedisSettings;
use crate::site::SiteId;

/// Bytes of one file of a store.
const SEGMENT_BYTES: u64 = 16 << 20;

/// Redis may take this long for an answer; nobody's comment waits for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls in flight at one Redis process: a page of 256 decisions for each of several administrative calls, and the
/// queue.
const IN_FLIGHT_MAX: usize = 4_096;

/// Where feedback is. Who needs it requires the group `place`.
#[derive(Debug, clap::Args)]
#[group(id = "place", multiple = true, args = ["data_dir", "redis"])]
pub(in crate::cli) struct Place {
    /// The data directory, as of `serve --data-dir`
    #[arg(long, value_name = "D", env = "MODERATO_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The Redis, as of `serve --redis`
    #[arg(long, value_name = "URL", env = "MODERATO_REDIS_URL", hide_env_values = true)]
    redis: Option<String>,
    /// The configuration file, for [feedback] and the certificates of Redis
    #[arg(long, value_name = "F", env = "MODERATO_CONFIG")]
    config: Option<PathBuf>,
}

impl Place {
    /// Is any store named?
    pub(in crate::cli) const fn is_named(&self) -> bool {
        self.data_dir.is_some() || self.redis.is_some()
    }

    /// Hands over everything labeled, and returns the statistics. Changes nothing.
    pub(super) fn look(
        &self,
        now: Timestamp,
        see: &mut dyn FnMut(Entry) -> Result<(), Failure>,
    ) -> Result<Stats, Failure> {
        let config = self.config()?;
        let mut result = Ok(());
        let mut each = |entry| {
            if result.is_ok() {
                result = see(entry);
            }
        };
        let stats = match &self.data_dir {
            Some(dir) => feedback::look(dir, bounds(&config), now, &mut each).map_err(failure)?,
            None => self.with_redis(&config, async |store| {
                store.labeled(now).await?.into_iter().for_each(&mut each);
                store.stats(now).await
            })?,
        };
        result.map(|()| stats)
    }

    /// Notes an export.
    pub(in crate::cli) fn note_export(&self, export: Export) -> Result<(), Failure> {
        match &self.data_dir {
            Some(dir) => feedback::note_export(dir, &export).map_err(failure),
            None => self.with_redis(&self.config()?, async |store| store.note_export(export).await),
        }
    }

    /// Lets the store do something.
    pub(super) fn with_store<T>(
        &self,
        work: impl AsyncFnOnce(&FeedbackStore) -> Result<T, FeedbackError>,
    ) -> Result<T, Failure> {
        let config = self.config()?;
        let Some(dir) = &self.data_dir else {
            return self.with_redis(&config, work);
        };
        let nonce = config::nonce().map_err(|error| Failure::new(Exit::Unexpected, error))?;
        let store = FileStore::open(dir, bounds(&config), nonce, Clock::System.now()).map_err(failure)?;
        let store = FeedbackStore::File(store);
        runtime()?.block_on(async {
            let result = work(&store).await;
            store.close().await;
            result.map_err(failure)
        })
    }

    /// Who makes the pseudonyms that are kept there, and who made them before, if the previous key is given.
    pub(super) fn pseudonymizer(&self) -> Result<Pseudonymizer, Failure> {
        let key = match &self.data_dir {
            Some(dir) => config::kept_key(dir, false),
            None => config::pseudonym_key(true),
        };
        let key = key.map_err(|error| Failure::new(Exit::Config, error))?;
        let previous = config::previous_pseudonym_key().map_err(|error| Failure::new(Exit::Config, error))?;
        let current = Pseudonymizer::new(key.expose());
        Ok(match previous {
            Some(previous) => current.after(previous.expose()),
            None => current,
        })
    }

    fn with_redis<T>(
        &self,
        config: &Config,
        work: impl AsyncFnOnce(&FeedbackStore) -> Result<T, FeedbackError>,
    ) -> Result<T, Failure> {
        let store = redis(config, self.redis.as_deref().unwrap_or_default())?;
        runtime()?.block_on(async { work(&store).await.map_err(failure) })
    }

    fn config(&self) -> Result<Config, Failure> {
        config::load(self.config.as_deref()).map_err(|error| Failure::new(Exit::Config, error))
    }
}

/// The store that `serve` remembers in; `None`, if it has none.
pub(in crate::cli) fn store(
    config: &Config,
    data_dir: Option<&Path>,
    url: Option<&str>,
    nonce: [u8; 16],
    clock: &Clock,
) -> Result<Option<FeedbackStore>, Failure> {
    match (data_dir, url) {
        (Some(dir), _) => {
            let store = FileStore::open(dir, bounds(config), nonce, clock.now()).map_err(failure)?;
            let opened = store.opened();
            if opened.torn_bytes > 0 {
                tracing::info!(
                    bytes = opened.torn_bytes,
                    "the last process died while it wrote to the feedback store; what it had not acknowledged is cut off"
                );
            }
            if opened.damaged_bytes > 0 {
                tracing::error!(
                    bytes = opened.damaged_bytes,
                    "the disk has damaged a part of the feedback store; the rest is read"
                );
            }
            Ok(Some(FeedbackStore::File(store)))
        }
        (None, Some(url)) if config.feedback.redis => redis(config, url).map(Some),
        _ => Ok(None),
    }
}

fn redis(config: &Config, url: &str) -> Result<FeedbackStore, Failure> {
    let limiter = &config.limiter;
    let pem = |path: &PathBuf| {
        let read = std::fs::read(path);
        read.map_err(|error| {
            Failure::new(
                Exit::Config,
                anyhow::anyhow!("read {} for TLS to Redis: {error}", path.display()),
            )
        })
    };
    let tls_identity = match &limiter.redis_tls_identity_files {
        Some((certificate, key)) => Some((pem(certificate)?, pem(key)?)),
        None => None,
    };
    let settings = RedisSettings {
        budget: ANSWER_TIMEOUT,
        connect_timeout: limiter.redis_connect_timeout,
        in_flight_max: IN_FLIGHT_MAX,
        tls_roots: limiter.redis_tls_ca_file.as_ref().map(pem).transpose()?,
        tls_identity,
        ..RedisSettings::new(url)
    };
    let store = RedisStore::new(settings, bounds(config));
    Ok(FeedbackStore::Redis(Box::new(store.map_err(failure)?)))
}

fn bounds(config: &Config) -> Bounds {
    let feedback = &config.feedback;
    Bounds {
        retention: feedback.retention,
        label_retention: feedback.label_retention,
        records_max: feedback.decisions_max,
        bytes_max: feedback.bytes_max,
        segment_bytes: SEGMENT_BYTES.min(feedback.bytes_max / 4),
    }
}

pub(super) fn failure(error: FeedbackError) -> Failure {
    let exit = match error {
        FeedbackError::Disk { .. } | FeedbackError::InUse { .. } | FeedbackError::Settings(_) => Exit::Config,
        FeedbackError::Redis { .. } => Exit::Unreachable,
        FeedbackError::Closed => Exit::Unexpected,
    };
    Failure::new(exit, error)
}

/// A site's id from the command line.
pub(in crate::cli) fn site(text: &str) -> Result<SiteId, Failure> {
    SiteId::new(text).map_err(|error| Failure::new(Exit::Usage, anyhow::anyhow!("--site: {text:?} {error}")))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(Exit::Unexpected, error))
}
