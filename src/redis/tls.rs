//! The certificates for TLS to Redis, checked once before anything connects: with broken ones, or with a URL without
//! TLS, every attempt would fail, and the reason would only say that it was unexpected.

use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, TlsCertificates};

use super::error::InvalidSettings;
use super::shared::RedisSettings;
use super::target::{Target, redact};

/// Every certificate in PEM begins so; the library takes a file without any for an empty list.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The certificates of the settings; none if there are none.
pub(super) fn certificates(
    settings: &RedisSettings,
    target: &Target,
) -> Result<Option<TlsCertificates>, InvalidSettings> {
    let root_cert = settings.tls_roots.clone();
    let client_tls = settings
        .tls_identity
        .clone()
        .map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        });
    if root_cert.is_none() && client_tls.is_none() {
        return Ok(None);
    }
    let Some(info) = target.any().filter(|info| is_tls(info)) else {
        return Err(InvalidSettings::Url {
            url: redact(&settings.url),
            problem: "certificates need TLS: rediss://, rediss+sentinel:// or rediss+cluster://",
        });
    };
    let has_certificate = |pem: &[u8]| pem.windows(BEGIN.len()).any(|part| part == BEGIN);
    let readable = |tls: TlsCertificates| Client::build_with_tls(info.clone(), tls).is_ok();
    if let Some(pem) = &root_cert {
        let tls = TlsCertificates {
            client_tls: None,
            root_cert: root_cert.clone(),
        };
        if !has_certificate(pem) || !readable(tls) {
            return Err(InvalidSettings::Certificate { whose: "authority's" });
        }
    }
    let tls = TlsCertificates { client_tls, root_cert };
    if let Some((pem, _)) = &settings.tls_identity
        && !(has_certificate(pem) && readable(tls.clone()))
    {
        return Err(InvalidSettings::Certificate { whose: "client's" });
    }
    Ok(Some(tls))
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

#[cfg(test)]
mod tests {
    use crate::redis::{Call, Probe, RedisClient, RedisSettings};

    /// The error for a URL with these files, or "fine": the authorities' certificates, and the client's with its key.
    fn said(url: &str, roots: Option<&str>, identity: Option<(&str, &str)>) -> String {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let settings = RedisSettings {
            tls_roots: roots.map(bytes),
            tls_identity: identity.map(|(certificate, key)| (bytes(certificate), bytes(key))),
            ..RedisSettings::new(url)
        };
        let probe = Probe {
            call: |key| Call::command("DEL", key, &[]),
            is_answer: |_| true,
        };
        RedisClient::new(settings, probe).map_or_else(|error| error.to_string(), |_| "fine".into())
    }

    fn identity() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn certificates_need_tls_and_are_read_before_the_start() {
        let (certificate, key) = identity();
        let client = Some((certificate.as_str(), key.as_str()));
        for url in ["rediss://h", "rediss+sentinel://h/m", "rediss+cluster://h"] {
            assert_eq!(said(url, Some(&certificate), client), "fine");
            let broken = said(url, Some("no PEM"), None);
            assert!(broken.contains("the authority's certificate"), "{broken}");
            for broken in [("no PEM", key.as_str()), (certificate.as_str(), "no PEM")] {
                let broken = said(url, Some(&certificate), Some(broken));
                assert!(broken.contains("the client's certificate"), "{broken}");
            }
        }
        for url in ["redis://u:geheim@h", "unix:///run/r.sock", "redis+cluster://u:geheim@h"] {
            let refused = said(url, Some(&certificate), None);
            assert!(
                refused.contains("rediss://") && !refused.contains("geheim"),
                "{refused}"
            );
            assert_eq!(said(url, None, None), "fine");
        }
    }
}
