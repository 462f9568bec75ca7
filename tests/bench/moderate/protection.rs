//! What protects the servers of a run: a certificate and a key, made anew, in files that go with this value.

use std::path::PathBuf;

use moderato::site::KeyHash;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::load::Door;
use crate::{Kind, sink};

/// The callers' key; it opens nothing but this run's servers.
const KEY: &str = "moderato_0000000000000000000000000000000000000000000000000000000000000000";

pub(crate) struct Protection {
    dir: tempfile::TempDir,
    /// It is its own authority.
    certificate: String,
    /// How many calls may wait for a processor.
    backlog_max: usize,
    /// Where traces go, if any are sent.
    collector: String,
}

impl Protection {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        std::fs::write(dir.path().join("server.pem"), &certificate).expect("it can be written");
        std::fs::write(dir.path().join("server.key"), key).expect("it can be written");
        Self {
            dir,
            certificate,
            backlog_max: 100_000,
            collector: sink::collector(),
        }
    }

    /// The same, for servers that refuse what is too much: as they come, on the one processor that they may use here.
    /// Where cost is measured nothing is refused: there are always more callers than a server can answer at once.
    pub(crate) fn refusing() -> Self {
        Self {
            backlog_max: 2,
            ..Self::new()
        }
    }

    /// The certificate and its key.
    pub(crate) fn identity_files(&self) -> [PathBuf; 2] {
        ["server.pem", "server.key"].map(|name| self.dir.path().join(name))
    }

    /// The configuration of a moderato of this kind.
    pub(crate) fn config(&self, kind: Kind) -> PathBuf {
        let mut text = String::from("[access]\n");
        if kind.has_tls() {
            text.push_str("tls_cert_file = \"server.pem\"\ntls_key_file = \"server.key\"\n");
        }
        if kind.has_key() {
            text.push_str(&format!(
                "[site.bench]\nkeys = [{{ hash = \"{}\" }}]\n",
                KeyHash::of(KEY)
            ));
        }
        text.push_str(&format!("[pressure]\nbacklog_max = {}\n", self.backlog_max));
        if kind == Kind::ModerateRedis {
            text.push_str("[feedback]\nredis = false\n");
        }
        if kind == Kind::ModerateAll {
            text.push_str(&self.lists());
            text.push_str(&format!("[telemetry]\notlp_endpoint = \"{}\"\n", self.collector));
        }
        let name = format!("moderato-{}.toml", kind as u8);
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    /// Lists of 100,000 entries, none of which any comment of a run has.
    fn lists(&self) -> String {
        let lines = |what: &dyn Fn(u32) -> String| (0..50_000).map(what).collect::<String>();
        let write =
            |name: &str, text: String| std::fs::write(self.dir.path().join(name), text).expect("it can be written");
        write("words.txt", lines(&|n| format!("unword{n}\n")));
        write("hosts.txt", lines(&|n| format!("host{n}.example\n")));
        "[defaults.lists.moderate]\nwords = [\"file:words.txt\"]\n[defaults.lists.block]\nhosts = [\"file:hosts.txt\"]\n"
            .to_owned()
    }

    /// How to call a server of this kind.
    pub(crate) fn door(&self, address: &str, kind: Kind) -> Door {
        let scheme = if kind.has_tls() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).expect("an address");
        if kind.has_tls() {
            let tls = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(&self.certificate))
                .domain_name("localhost");
            endpoint = endpoint.tls_config(tls).expect("a certificate");
        }
        let bearer = || format!("Bearer {KEY}").parse().expect("plain text");
        Door {
            endpoint,
            authorization: kind.has_key().then(bearer),
        }
    }
}
