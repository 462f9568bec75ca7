//! TLS and mutual TLS on the service's own listener, through the built command.

use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::site::KeyHash;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Request;

use crate::support::pki::{Authority, Signed};
use crate::support::process::{Service, moderato, run, stderr, stdout};
use crate::support::{PLAIN, request};

/// A folder with an authority, a server's certificate and a configuration that names them.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    pub(crate) authority: Authority,
}

impl Folder {
    /// `more` goes below `[access]`.
    pub(crate) fn new(more: &str) -> Self {
        let folder = Self {
            dir: tempfile::tempdir().unwrap(),
            authority: Authority::new(),
        };
        folder.authority.write(&folder.path("ca.pem"));
        folder.renew(&folder.authority.server());
        folder.configure(more);
        folder
    }

    /// Paths begin at the configuration's folder.
    pub(crate) fn configure(&self, more: &str) {
        let text = format!("[access]\ntls_cert_file = \"server.pem\"\ntls_key_file = \"server.key\"\n{more}\n");
        std::fs::write(self.path("moderato.toml"), text).unwrap();
    }

    pub(crate) fn renew(&self, server: &Signed) {
        server.write(&self.path("server.pem"), &self.path("server.key"));
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn start(&self) -> Service {
        Service::start(&["--config", &self.text("moderato.toml")])
    }
}

#[tokio::test]
async fn over_tls_a_call_is_answered_and_plain_text_is_not() {
    let folder = Folder::new("");
    let service = folder.start();
    let channel = folder.authority.connect(&service.address, None).await.unwrap();
    ModerationServiceClient::new(channel)
        .moderate(request(PLAIN))
        .await
        .unwrap();

    // Plain text: the connection is closed, and nothing is said that would help.
    let refused = match ModerationServiceClient::connect(service.url()).await {
        Ok(mut client) => client.moderate(request(PLAIN)).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    let mut raw = tokio::net::TcpStream::connect(&service.address).await.unwrap();
    raw.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _ = raw.read_to_end(&mut said).await;
    assert!(said.len() <= 7, "a TLS alert at most: {said:?}");

    // Another authority's server is not believed.
    assert!(Authority::new().connect(&service.address, None).await.is_err());
    let (_, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(!logs.contains("panic"), "{logs}");
}

#[tokio::test]
async fn mutual_tls_lets_in_only_who_has_a_certificate_of_the_authority() {
    let folder = Folder::new("tls_client_ca_file = \"ca.pem\"");
    let service = folder.start();
    let ours = folder.authority.caller();
    let channel = folder.authority.connect(&service.address, Some(&ours)).await.unwrap();
    ModerationServiceClient::new(channel)
        .moderate(request(PLAIN))
        .await
        .unwrap();

    for stranger in [None, Some(Authority::new().caller()), Some(folder.authority.server())] {
        // In TLS 1.3 the caller learns only with its first call that it was turned away.
        let refused = match folder.authority.connect(&service.address, stranger.as_ref()).await {
            Err(_) => true,
            Ok(channel) => ModerationServiceClient::new(channel)
                .moderate(request(PLAIN))
                .await
                .is_err(),
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn check_asks_over_tls_with_a_key() {
    let entry = |key: &str| format!("[{{ hash = \"{}\" }}]", KeyHash::of(key));
    let folder = Folder::new(&format!(
        "tls_client_ca_file = \"ca.pem\"\n[site.gazette]\nkeys = {}",
        entry("the-key")
    ));
    let service = folder.start();
    folder
        .authority
        .caller()
        .write(&folder.path("caller.pem"), &folder.path("caller.key"));
    let url = format!("https://{}", service.address);
    let (ca, cert, cert_key) = (
        folder.text("ca.pem"),
        folder.text("caller.pem"),
        folder.text("caller.key"),
    );
    let base = ["check", "--server", &url, "--content", PLAIN, "--site", "gazette"];
    let identity = ["--ca", &ca, "--cert", &cert, "--cert-key", &cert_key];
    let with = |more: &[&str], key: Option<&str>| {
        let mut command = moderato(&[&base[..], more].concat());
        command.envs(key.map(|key| ("MODERATO_KEY", key)));
        command.output().unwrap()
    };
    let answered = with(&identity, Some("the-key"));
    assert_eq!(answered.status.code(), Some(0), "{}", stderr(&answered));
    assert!(stdout(&answered).starts_with("approve"));
    for key in [None, Some("wrong")] {
        let refused = with(&identity, key);
        assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("valid key") && !stderr(&refused).contains("wrong"));
    }
    assert_eq!(
        with(&[], Some("the-key")).status.code(),
        Some(6),
        "not signed by a public authority"
    );
    let nowhere = with(&["--ca", "/nowhere/ca.pem"], None);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("/nowhere/ca.pem"));

    // A key goes with any call.
    let channel = folder
        .authority
        .connect(&service.address, Some(&folder.authority.caller()))
        .await
        .unwrap();
    let mut asked = Request::new(request(PLAIN));
    asked
        .metadata_mut()
        .insert("authorization", "Bearer the-key".parse().unwrap());
    ModerationServiceClient::new(channel).moderate(asked).await.unwrap();
}

#[test]
fn every_file_that_cannot_be_used_is_named_at_once_and_never_quoted() {
    let folder = Folder::new("tls_client_ca_file = \"empty.pem\"");
    let check = || run(&["serve", "--check", "--config", &folder.text("moderato.toml")]);
    std::fs::write(folder.path("empty.pem"), "").unwrap();
    std::fs::write(folder.path("server.key"), "no key, a secret sentence").unwrap();
    std::fs::remove_file(folder.path("server.pem")).unwrap();
    let output = check();
    assert_eq!(output.status.code(), Some(3));
    let error = stderr(&output);
    for part in [
        "access.tls_cert_file",
        "server.pem",
        "access.tls_key_file",
        "access.tls_client_ca_file",
        "empty.pem",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("secret"));

    folder.configure("");
    folder.renew(&Signed {
        key: folder.authority.server().key,
        ..folder.authority.server()
    });
    let error = stderr(&check());
    assert!(error.contains("do not go together"), "{error}");
}

#[test]
fn beyond_loopback_tls_and_a_way_to_know_callers_are_needed() {
    let folder = Folder::new("");
    let key = format!("[defaults]\nkeys = [{{ hash = \"{}\" }}]", KeyHash::of("k"));
    let serve = |more: &str| {
        folder.configure(more);
        run(&[
            "serve",
            "--check",
            "--listen",
            "0.0.0.0:0",
            "--config",
            &folder.text("moderato.toml"),
        ])
    };
    let output = serve("");
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("moderato key new") && !stderr(&output).contains("plain text"));
    for enough in ["tls_client_ca_file = \"ca.pem\"", &key] {
        let output = serve(enough);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    std::fs::write(folder.path("moderato.toml"), key).unwrap();
    let plain = run(&[
        "serve",
        "--check",
        "--listen",
        "0.0.0.0:0",
        "--config",
        &folder.text("moderato.toml"),
    ]);
    assert_eq!(plain.status.code(), Some(3));
    assert!(stderr(&plain).contains("plain text"), "{}", stderr(&plain));
}

#[tokio::test]
async fn a_peer_that_dawdles_before_or_after_the_handshake_is_cut() {
    let folder = Folder::new("[defaults]\nclassifier = false\n[pressure]\nhandshake_timeout = \"300ms\"");
    let service = folder.start();
    // Not a word; half a record; and all of the handshake, and then not a word.
    let silent = tokio::net::TcpStream::connect(&service.address).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(&service.address).await.unwrap();
    half.write_all(&[0x16, 3, 1, 1, 0, 1]).await.unwrap();
    let done = folder.authority.handshake(&service.address).await;
    async fn hangs_up(mut stream: impl tokio::io::AsyncRead + Unpin) {
        // However it does: an alert, an end or a reset.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    tokio::join!(hangs_up(silent), hangs_up(half), hangs_up(done));
    let channel = folder.authority.connect(&service.address, None).await.unwrap();
    ModerationServiceClient::new(channel)
        .moderate(request(PLAIN))
        .await
        .unwrap();
}
