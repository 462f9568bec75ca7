//! TLS: certificates from files to what a listener works with.
//!
//! TLS 1.2 and 1.3 as rustls allows them, with ring; HTTP/2 alone is offered, for gRPC speaks nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The files that TLS is made from, in PEM format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, followed by those that lead to an authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that sign callers' certificates; `None` asks callers for none.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Every file.
    pub fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.cert, &self.key].into_iter().chain(&self.client_ca)
    }
}

/// Reads the files. `None` if something is wrong, which `problems` then says.
pub(super) fn load(files: &TlsFiles, problems: &mut Vec<String>) -> Option<Arc<ServerConfig>> {
    let chain = certificates("access.tls_cert_file", &files.cert, problems);
    let key = private_key(&files.key, problems);
    let roots = files.client_ca.as_deref().map(|path| roots(path, problems));
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| problems.push(format!("access: TLS cannot be set up: {error}")))
        .ok()?;
    let builder = match roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let provider = Arc::clone(builder.crypto_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots?), provider).build();
            let verifier = verifier.map_err(|error| problems.push(format!("access.tls_client_ca_file: {error}")));
            builder.with_client_cert_verifier(verifier.ok()?)
        }
    };
    let mut config = builder.with_single_cert(chain?, key?).map_err(|error| {
        problems.push(format!(
            "access.tls_cert_file and tls_key_file: {} and {} do not go together: {error}",
            files.cert.display(),
            files.key.display()
        ));
    });
    if let Ok(config) = &mut config {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    config.ok().map(Arc::new)
}

fn certificates(key: &str, path: &Path, problems: &mut Vec<String>) -> Option<Vec<CertificateDer<'static>>> {
    let pem = read(key, path, problems)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        Ok(_) => {
            problems.push(format!("{key}: {} holds no certificate in PEM format", path.display()));
            None
        }
        Err(error) => {
            problems.push(format!("{key}: {} is not PEM: {error}", path.display()));
            None
        }
    }
}

/// Reads a private key; its problems are told without a word of it.
fn private_key(path: &Path, problems: &mut Vec<String>) -> Option<PrivateKeyDer<'static>> {
    let pem = read("access.tls_key_file", path, problems)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).ok();
    if key.is_none() {
        problems.push(format!(
            "access.tls_key_file: {} holds no private key in PEM format, or one behind a password",
            path.display()
        ));
    }
    key
}

fn roots(path: &Path, problems: &mut Vec<String>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("access.tls_client_ca_file", path, problems)? {
        if let Err(error) = roots.add(certificate) {
            problems.push(format!("access.tls_client_ca_file: {}: {error}", path.display()));
            return None;
        }
    }
    Some(roots)
}

fn read(key: &str, path: &Path, problems: &mut Vec<String>) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path);
    let bytes = bytes.map_err(|error| problems.push(format!("{key}: {} cannot be read: {error}", path.display())));
    bytes.ok()
}
