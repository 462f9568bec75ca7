//! A changed configuration is taken over without a restart: all of it or nothing, and no call fails for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use moderato::api::grpc::proto::ModerateRequest;
use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::site::KeyHash;
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::support::eventually::eventually;
use crate::support::process::Service;
use crate::support::{PLAIN, http_get, is_long, request};
use crate::tls::Folder;

/// How often the files are looked at here.
const SOON: &str = "[service]\nreload_interval = \"5ms\"\n";

async fn version(client: &mut ModerationServiceClient<Channel>, site: &str) -> Result<String, Code> {
    let asked = ModerateRequest {
        site: site.to_owned(),
        dry_run: true,
        ..request(PLAIN)
    };
    let answer = client.moderate(asked).await.map_err(|status| status.code())?;
    Ok(answer.into_inner().policy_version)
}

fn write(path: &Path, text: &str) {
    // All at once: a test machine under load may leave a file half written for longer than it has to stand still here.
    let half = path.with_extension("half");
    std::fs::write(&half, text).unwrap();
    std::fs::rename(half, path).unwrap();
}

#[tokio::test]
async fn a_change_is_at_work_by_itself_or_at_a_signal_and_a_mistake_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("moderato.toml");
    write(&file, &format!("{SOON}allow_unknown_sites = false\n[site.gazette]\n"));
    let mut service = Service::start(&["--config", file.to_str().unwrap(), "--ops-listen", "127.0.0.1:0"]);
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let mut client = service.client().await;
    let first = version(&mut client, "gazette").await.unwrap();
    assert_eq!(version(&mut client, "times").await, Err(Code::NotFound));

    // By itself.
    write(
        &file,
        &format!("{SOON}allow_unknown_sites = false\n[site.gazette]\nclassifier = false\n[site.times]\n"),
    );
    eventually("the new site is known", async || {
        version(&mut client, "times").await.is_ok()
    })
    .await;
    let second = version(&mut client, "gazette").await.unwrap();
    assert_ne!(first, second, "another policy has another version");
    assert_eq!(
        version(&mut client, "times").await.unwrap(),
        first,
        "equal policies have one"
    );

    // A mistake: nothing of it is taken, everything that is wrong is said, and it shows.
    write(
        &file,
        &format!("{SOON}listn = 1\n[site.gazette]\nclassifier = true\nreject_at = 7.0\n[site.new]\n"),
    );
    let refused = async || {
        http_get(&ops, "/metrics")
            .await
            .contains("\nmoderato_config_refused 1\n")
    };
    eventually("the mistake is seen", refused).await;
    assert_eq!(version(&mut client, "gazette").await.unwrap(), second);
    assert_eq!(version(&mut client, "new").await, Err(Code::NotFound));
    let ready = http_get(&ops, "/readyz").await;
    let ready: serde_json::Value = serde_json::from_str(ready.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(ready["ready"], true, "what was right goes on: {ready}");
    let problem = &ready["problems"][0];
    assert_eq!(problem["code"], "config.refused");
    for wrong in ["service.listn", "site.gazette.reject_at"] {
        assert!(problem["message"].as_str().unwrap().contains(wrong), "{problem}");
    }

    // Mended, and with something in it that needs a restart.
    write(
        &file,
        "[service]\nreload_interval = \"1h\"\nallow_unknown_sites = false\n[limiter]\nsubjects_max = 7\n[site.new]\n",
    );
    service.signal("HUP");
    eventually("the new site is known", async || {
        version(&mut client, "new").await.is_ok()
    })
    .await;
    assert_eq!(version(&mut client, "gazette").await, Err(Code::NotFound));
    let metrics = http_get(&ops, "/metrics").await;
    assert!(metrics.contains("\nmoderato_config_refused 0\n"), "{metrics}");
    assert!(!http_get(&ops, "/readyz").await.contains("config.refused"));
    assert!(metrics.contains(r#"moderato_decisions_total{site="new""#), "{metrics}");
    assert!(!metrics.contains(r#"outcome="applied"} 0"#) && !metrics.contains(r#"outcome="refused"} 0"#));

    drop(client);
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));
    for said in [
        "service.listn",
        "site.gazette.reject_at",
        "need a restart",
        "limiter.subjects_max",
        "\"gazette,times\"",
    ] {
        assert!(logs.contains(said), "{said}: {logs}");
    }
}

#[tokio::test]
async fn a_list_in_a_file_of_its_own_is_watched_too() {
    let dir = tempfile::tempdir().unwrap();
    let (file, hosts) = (dir.path().join("moderato.toml"), dir.path().join("hosts.txt"));
    write(&hosts, "one.example\n");
    write(
        &file,
        &format!("{SOON}[site.gazette]\nlists.block.hosts = [\"file:hosts.txt\"]\n"),
    );
    let service = Service::start(&["--config", file.to_str().unwrap()]);
    let mut client = service.client().await;
    let first = version(&mut client, "gazette").await.unwrap();
    write(&hosts, "one.example\nanother.example\n");
    let changed = async || version(&mut client, "gazette").await.unwrap() != first;
    eventually("another list is another policy", changed).await;
}

#[tokio::test]
async fn keys_come_and_go_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("moderato.toml");
    let keys = |keys: &[&str]| {
        let entries: Vec<_> = keys
            .iter()
            .map(|key| format!("{{ hash = \"{}\" }}", KeyHash::of(key)))
            .collect();
        write(
            &file,
            &format!("{SOON}[site.gazette]\nkeys = [{}]\n", entries.join(", ")),
        );
    };
    keys(&["old"]);
    let service = Service::start(&["--config", file.to_str().unwrap()]);
    let client = service.client().await;
    let ask = async |key: &str| {
        let mut asked = Request::new(ModerateRequest {
            dry_run: true,
            ..request(PLAIN)
        });
        let value = format!("Bearer {key}").parse().unwrap();
        asked.metadata_mut().insert("authorization", value);
        client.clone().moderate(asked).await.map_err(|status| status.code())
    };
    assert!(ask("old").await.is_ok());
    assert_eq!(ask("new").await.unwrap_err(), Code::Unauthenticated);
    keys(&["old", "new"]);
    eventually("both live", async || {
        ask("new").await.is_ok() && ask("old").await.is_ok()
    })
    .await;
    keys(&["new"]);
    eventually("the old one is gone", async || ask("old").await.is_err()).await;
    assert!(ask("new").await.is_ok());
}

/// One caller without end: a new connection for every second call.
async fn call_on(folder: Arc<Folder>, address: String, done: Arc<AtomicBool>, calls: Arc<AtomicUsize>) {
    while !done.load(Ordering::SeqCst) {
        let channel = folder.authority.connect(&address, None).await.unwrap();
        let mut client = ModerationServiceClient::new(channel);
        for _ in 0..2 {
            let asked = ModerateRequest {
                dry_run: true,
                ..request(PLAIN)
            };
            client.moderate(asked).await.unwrap();
            calls.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_under_load_without_a_failed_call() {
    let folder = Arc::new(Folder::new(""));
    let text = std::fs::read_to_string(folder.path("moderato.toml")).unwrap();
    write(&folder.path("moderato.toml"), &format!("{SOON}{text}"));
    let service = folder.start();
    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (folder, address) = (Arc::clone(&folder), service.address.clone());
        callers.spawn(call_on(folder, address, Arc::clone(&done), Arc::clone(&calls)));
    }
    let rounds = if is_long() { 100 } else { 5 };
    for round in 0..rounds {
        let renewed = folder.authority.server();
        folder.renew(&renewed);
        let shown = async || folder.authority.certificate(&service.address).await == renewed.der();
        eventually("new connections are shown the new certificate", shown).await;
        if round == 1 {
            // Half a renewal: the certificate of one pair beside the key of another is refused, and the old pair stays.
            let other = folder.authority.server();
            std::fs::write(folder.path("server.pem"), &other.cert).unwrap();
            service.signal("HUP");
            let before = calls.load(Ordering::SeqCst);
            eventually("calls go on", async || calls.load(Ordering::SeqCst) > before + 20).await;
            assert_eq!(folder.authority.certificate(&service.address).await, renewed.der());
        }
    }
    done.store(true, Ordering::SeqCst);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    assert!(calls.load(Ordering::SeqCst) > 4 * rounds);
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(logs.contains("do not go together"), "{logs}");
}
