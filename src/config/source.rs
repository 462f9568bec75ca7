//! The source of a configuration: the file and the flags that go before it. It can be loaded again at any time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;

use super::{Config, ConfigError, tls};

/// The source of `serve`'s configuration.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file; `None` is the embedded defaults alone.
    pub file: Option<PathBuf>,
    /// Listens here instead, where any are named.
    pub listen: Vec<SocketAddr>,
    /// As the key of that name, where set.
    pub serve_unprotected_beyond_loopback: bool,
}

/// A configuration that can be served by.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration, with the flags in it.
    pub config: Config,
    /// TLS, where it is set up.
    pub tls: Option<Arc<ServerConfig>>,
    /// The state of every file that it was read from, before it was read: what changes later looks different.
    pub seen: Seen,
}

impl Source {
    /// Reads everything anew: the file and what it names.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut seen = Seen::look(&self.file);
        let mut config = super::load(self.file.as_deref())?;
        if !self.listen.is_empty() {
            config.set_listen(self.listen.clone());
        }
        config.access.serve_unprotected_beyond_loopback |= self.serve_unprotected_beyond_loopback;
        config.protected()?;
        seen.0
            .extend(Seen::look(config.access.tls.iter().flat_map(super::TlsFiles::all)).0);
        seen.0.extend(Seen::look(&config.list_files).0);
        let mut problems = Vec::new();
        let tls = config.access.tls.as_ref().map(|files| tls::load(files, &mut problems));
        match tls {
            Some(None) => Err(ConfigError::Problems {
                path: self.file.clone().unwrap_or_default(),
                problems,
            }),
            tls => Ok(Loaded {
                config,
                tls: tls.flatten(),
                seen,
            }),
        }
    }
}

/// The state of files when they were read: when each was written, its size, its place on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<PathBuf, Option<(SystemTime, u64, u64)>>);

impl Seen {
    fn look<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let look = |path: &PathBuf| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len(), file.ino()))
        };
        Self(paths.into_iter().map(|path| (path.clone(), look(path))).collect())
    }

    /// The state of the same files now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::look(self.0.keys())
    }
}
