//! Where a configuration comes from: the file and the flags that go before it. It can be loaded again at any time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{Config, ConfigError, tls};

/// Where the configuration of `serve` comes from.
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
}

impl Source {
    /// Reads everything anew: the file and what it names.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut config = super::load(self.file.as_deref())?;
        if !self.listen.is_empty() {
            config.set_listen(self.listen.clone());
        }
        config.access.serve_unprotected_beyond_loopback |= self.serve_unprotected_beyond_loopback;
        config.protected()?;
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
            }),
        }
    }
}

impl Loaded {
    /// Every file that it was read from.
    pub fn files(&self, source: &Source) -> BTreeSet<PathBuf> {
        let tls = self.config.access.tls.iter().flat_map(super::TlsFiles::all);
        source.file.iter().chain(tls).cloned().collect()
    }
}
