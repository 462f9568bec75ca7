//! What feedback keeps holds nothing of an author: canaries in every field and in the text, spelled in every way that
//! redaction knows, and then everything that was written is searched for them.

use std::path::Path;

use moderato::api::grpc::proto::admin_service_client::AdminServiceClient;
use moderato::api::grpc::proto::{
    Comment, ForgetAuthorRequest, GetDecisionRequest, Label, ModerateRequest, SubmitFeedbackRequest,
};
use moderato::text::{Features, Scratch, View};

use crate::support::home::Home;
use crate::support::http_get;
use crate::support::process::{Service, moderato, run, stderr, stdout};
use crate::support::redis::RedisServer;

const TEXT: &str = "Canaryname Quillfeather here, QUILLFEATHER's own: canary.mailbox@birdcage.example, \
    canary dot mailbox (at) birdcage [dot] example, c\u{430}nary.mailbox＠birdcage.example, +49 (170) 5559-2177, \
    198.51.100.217, 2001:db8:77::217, @canary_handle, canary-account-77, &#99;anaryname; \
    zwitscher zwitscher cheap pills http://pills.example/?to=canary.mailbox%40birdcage.example";

/// What must be nowhere. The last stands in the text, and is personal only in that it is the text.
/// The numbers are whole, for ids and times are full of random digits.
const CANARIES: [&str; 12] = [
    "canaryname",
    "quillfeather",
    "mailbox",
    "birdcage",
    "5559-2177",
    "5559 2177",
    "55592177",
    "198.51.100",
    "db8:77",
    "canary_handle",
    "account-77",
    "zwitscher",
];

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8], canaries: &[&str]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for canary in canaries {
        assert!(!text.contains(canary), "{what} holds {canary}");
    }
}

fn comment() -> Comment {
    Comment {
        content: TEXT.to_owned(),
        author_name: "Canaryname Quillfeather".to_owned(),
        author_email: "canary.mailbox@birdcage.example".to_owned(),
        author_url: Some("https://canary-site.example/mailbox".to_owned()),
        author_ip: "198.51.100.217".to_owned(),
        author_id: "canary-account-77".to_owned(),
        parent_content: TEXT.to_owned(),
        user_agent: Some("Quillfeather/1.0".to_owned()),
        referrer: "https://birdcage.example".to_owned(),
        permalink: "https://gazette.example/zwitscher".to_owned(),
        article_id: "zwitscher".to_owned(),
        article_title: "zwitscher".to_owned(),
        ..Comment::default()
    }
}

/// Sends canaries through everything that feedback has, and returns what was answered to what was wrong.
async fn sing(service: &Service) -> Vec<String> {
    let mut client = service.client().await;
    let mut admin = AdminServiceClient::new(service.channel().await);
    let mut errors = Vec::new();
    for site in ["gazette", "words"] {
        let request = ModerateRequest {
            site: site.to_owned(),
            comment: Some(comment()),
            ..Default::default()
        };
        let judged = client.moderate(request).await.unwrap().into_inner();
        assert!(judged.degraded.is_empty(), "{:?}", judged.degraded);
        let by_id = SubmitFeedbackRequest {
            decision_id: judged.decision_id.clone(),
            label: Label::Spam.into(),
            reviewer: "Quillfeather of the Birdcage".to_owned(),
            ..Default::default()
        };
        client.submit_feedback(by_id.clone()).await.unwrap();
        let full = SubmitFeedbackRequest {
            decision_id: String::new(),
            site: site.to_owned(),
            comment: Some(Comment {
                id: "zwitscher".to_owned(),
                ..comment()
            }),
            ..by_id.clone()
        };
        client.submit_feedback(full.clone()).await.unwrap();
        let get = GetDecisionRequest {
            decision_id: judged.decision_id,
            ..Default::default()
        };
        let told = client.get_decision(get).await.unwrap().into_inner();
        assert_clean("GetDecision", format!("{told:?}").as_bytes(), &CANARIES);
        for wrong in [
            SubmitFeedbackRequest {
                decision_id: "canaryname".to_owned(),
                ..by_id.clone()
            },
            SubmitFeedbackRequest {
                site: "Canaryname Quillfeather".to_owned(),
                ..full.clone()
            },
            SubmitFeedbackRequest {
                comment: Some(Comment {
                    author_ip: "198.51.100.217:1".to_owned(),
                    ..comment()
                }),
                ..full.clone()
            },
            SubmitFeedbackRequest {
                reviewer: "Quillfeather".repeat(99),
                ..by_id
            },
        ] {
            errors.push(format!("{:?}", client.submit_feedback(wrong).await.unwrap_err()));
        }
        let nobody = ForgetAuthorRequest {
            site: site.to_owned(),
            author_name: "Quillfeather the Younger".to_owned(),
            ..Default::default()
        };
        assert_eq!(
            admin
                .forget_author(nobody.clone())
                .await
                .unwrap()
                .into_inner()
                .decisions,
            0
        );
        let wrong = ForgetAuthorRequest {
            site: String::new(),
            decision_id: "birdcage".to_owned(),
            ..nobody
        };
        errors.push(format!("{:?}", admin.forget_author(wrong).await.unwrap_err()));
    }
    errors
}

fn config(dir: &Path) -> String {
    let path = dir.join("moderato.toml");
    let text = "[service]\nlog = \"trace\"\n[defaults]\nauthor_history = true\n[site.gazette]\n[site.words]\nkeep = \"text\"\n";
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What is exported holds no canary, not even hashed.
fn assert_rows_are_clean(place: &[&str]) {
    let output = moderato(&[&["feedback", "export"], place].concat()).output().unwrap();
    let rows = stdout(&output);
    assert_eq!(rows.lines().count(), 4, "{rows}{}", stderr(&output));
    // A site that asked for the text has it, and that was its choice; but nothing personal.
    assert_clean("an export", rows.as_bytes(), &CANARIES[..11]);
    assert!(rows.contains("cheap pills"), "or this test cannot fail: {rows}");
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let Some(features) = row["features"].as_str() else {
            continue;
        };
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD_NO_PAD, features).unwrap();
        let kept = Features::from_bytes(&bytes).unwrap();
        let has = |word: &str| {
            let words = Features::read(word, &[], &mut Scratch::default());
            let words = &words.terms[View::Words as usize];
            words.iter().any(|hash| kept.terms[View::Words as usize].contains(hash))
        };
        assert!(has("pills") && has("zwitscher"), "or this test cannot fail");
        for canary in ["canaryname", "quillfeather", "birdcage", "mailbox", "canary"] {
            assert!(!has(canary), "the features hold {canary}");
        }
    }
}

#[tokio::test]
async fn files_logs_metrics_and_errors_hold_nothing_of_an_author() {
    let home = Home::File(tempfile::tempdir().unwrap());
    let Home::File(dir) = &home else { unreachable!() };
    let path = dir.path().to_str().unwrap();
    let config_dir = tempfile::tempdir().unwrap();
    let config = config(config_dir.path());
    let mut service = Service::start(&["--data-dir", path, "--config", &config, "--ops-listen", "127.0.0.1:0"]);
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    for error in sing(&service).await {
        assert_clean("an error", error.as_bytes(), &CANARIES);
    }
    let metrics = http_get(&ops, "/metrics").await;
    assert!(metrics.contains("moderato_feedback_total{label=\"spam\""), "{metrics}");
    assert_clean("a metric", metrics.as_bytes(), &CANARIES);
    assert_rows_are_clean(&["--data-dir", path]);
    let (_, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(logs.contains("starting"), "or this test cannot fail: {logs}");
    assert_clean("the log", logs.as_bytes(), &CANARIES);
    let heap = home.bytes();
    assert!(
        String::from_utf8_lossy(&heap).contains("cheap pills"),
        "or this test cannot fail"
    );
    assert_clean("a file", &heap, &CANARIES[..11]);
    let forgotten = run(&[
        "feedback",
        "forget",
        "--data-dir",
        path,
        "--site",
        "words",
        "--author-name",
        "Quillfeather Canaryname",
    ]);
    assert_clean("the command", &[forgotten.stdout, forgotten.stderr].concat(), &CANARIES);
    let all = [
        "feedback",
        "forget",
        "--data-dir",
        path,
        "--site",
        "words",
        "--author-name",
        "canaryname quillfeather",
    ];
    assert!(
        stdout(&run(&all)).contains("forgotten: 2 decisions"),
        "by the key that is kept in the directory"
    );
    assert!(!String::from_utf8_lossy(&home.bytes()).contains("cheap pills"));
}

#[tokio::test]
async fn redis_holds_nothing_of_an_author() {
    let home = Home::Redis(RedisServer::start().await);
    let Home::Redis(server) = &home else { unreachable!() };
    let config_dir = tempfile::tempdir().unwrap();
    let config = config(config_dir.path());
    let mut command = moderato(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--redis",
        &server.url(),
        "--config",
        &config,
    ]);
    command.env("MODERATO_PSEUDONYM_KEY", "00".repeat(32));
    let service = Service::start_from(&mut command);
    for error in sing(&service).await {
        assert_clean("an error", error.as_bytes(), &CANARIES);
    }
    assert_rows_are_clean(&["--redis", &server.url()]);
    let heap = home.bytes();
    assert!(
        String::from_utf8_lossy(&heap).contains("cheap pills"),
        "or this test cannot fail"
    );
    assert_clean("Redis", &heap, &CANARIES[..11]);
    let keys: Vec<String> = server.ask(&["KEYS", "*"]).unwrap();
    for key in keys {
        let ttl: i64 = server.ask(&["PTTL", &key]).unwrap();
        assert!(ttl > 0, "{key} has no expiry");
    }
    let (_, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_clean("the log", logs.as_bytes(), &CANARIES);
}

/// A command that would let everybody read what it writes, if it did not see to that itself.
fn careless(args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moderato")])
        .args(args);
    command.env("MODERATO_OPS_LISTEN", "none");
    command
}

/// Everything below a path that others than its owner may read, write or enter.
fn open_to_others(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let about = std::fs::metadata(path).unwrap();
    let own = (about.permissions().mode() & 0o077 != 0).then(|| path.to_owned());
    let mut found: Vec<_> = own.into_iter().collect();
    if about.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            found.extend(open_to_others(&entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn what_is_kept_is_nobody_elses_to_read() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
    let service = crate::support::process::Service::start_from(&mut careless(&args));
    let (code, _, logs) = service.stop();
    assert_eq!(code, Some(0), "{logs}");
    assert!(std::fs::read_dir(&data).unwrap().count() > 0);
    assert_eq!(open_to_others(&data), Vec::<std::path::PathBuf>::new());
    let (table, out) = (folder.path().join("past.csv"), folder.path().join("past.jsonl"));
    std::fs::write(&table, "label,content\nspam,buy cheap pills\nham,a fine article\n").unwrap();
    let args = ["import", "csv", table.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let imported = careless(&args).output().unwrap();
    assert!(
        imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );
    assert_eq!(open_to_others(&out), Vec::<std::path::PathBuf>::new());
}
