//! *Your email address will not be published*: canaries go through every door at the finest log level, and then
//! everything that the service has written is searched for them.

use moderato::api::grpc::proto::{Comment, ModerateRequest};

use crate::support::process::{Service, run_with_input, stderr};

const NAME: &str = "Canaryname Quillfeather";
const EMAIL: &str = "canary.mailbox@birdcage.example";
const URL: &str = "https://canary-site.example/secretpath";
const ADDRESS: &str = "198.51.100.217";
const ACCOUNT: &str = "canary-account-77";
const TEXT: &str = "canarytext zwitscher subscribe to my channel http://canary-link.example free money";

fn canaries() -> Comment {
    Comment {
        content: TEXT.to_owned(),
        author_name: NAME.to_owned(),
        author_email: EMAIL.to_owned(),
        author_url: URL.to_owned(),
        author_ip: ADDRESS.to_owned(),
        author_id: ACCOUNT.to_owned(),
        parent_content: TEXT.to_owned(),
        honeypot: NAME.to_owned(),
        ..Comment::default()
    }
}

fn assert_clean(what: &str, text: &str) {
    for canary in [
        "Canaryname",
        "Quillfeather",
        "canary.mailbox",
        "birdcage",
        "canary-site",
        "198.51.100",
        "canary-account",
        "canarytext",
        "zwitscher",
        "canary-link",
    ] {
        assert!(!text.contains(canary), "{what} holds {canary}: {text}");
    }
}

#[tokio::test]
async fn logs_and_errors_hold_nothing_of_an_author() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    std::fs::write(
        &config,
        "[service]\nlog = \"trace\"\n[site.gazette]\nclassifier = true\n",
    )
    .unwrap();
    let mut service = Service::start(&["--config", config.to_str().unwrap(), "--ops-listen", "127.0.0.1:0"]);
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let mut client = service.client().await;
    let request = |change: &dyn Fn(&mut Comment)| {
        let mut comment = canaries();
        change(&mut comment);
        ModerateRequest {
            site: "gazette".to_owned(),
            comment: Some(comment),
            request_id: "r".to_owned(),
            ..Default::default()
        }
    };
    let mut answers = String::new();
    for _ in 0..7 {
        // Answers quote nothing but what was asked for; an explanation, which quotes the text, was not.
        for change in [
            &(|_: &mut Comment| {}) as &dyn Fn(&mut Comment),
            &|c| c.honeypot.clear(),
            &|c| c.author_email.push('@'),
        ] {
            let mut request = request(change);
            request.request_id.clear();
            answers.push_str(&format!("{:?}", client.moderate(request).await.unwrap().into_inner()));
        }
    }
    client.moderate(request(&|_| {})).await.unwrap();
    for bad in [
        request(&|c| c.content.push('!')),
        request(&|c| c.author_ip.push_str(":443")),
        ModerateRequest {
            site: NAME.to_owned(),
            ..request(&|_| {})
        },
    ] {
        let status = client.moderate(bad).await.unwrap_err();
        assert_clean("an error", &format!("{status:?}"));
    }
    assert_clean("an answer", &answers);
    let metrics = crate::support::http_get(&ops, "/metrics").await;
    assert!(metrics.contains(r#"site="gazette""#), "{metrics}");
    assert_clean("a metric", &metrics);
    let (_, rest, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(
        logs.contains("judged"),
        "the log has to say something, or this test cannot fail: {logs}"
    );
    assert_clean("the log", &logs);
    assert_clean("standard output", &rest);
}

#[test]
fn a_command_that_fails_does_not_quote_the_comment() {
    let line = format!("{{\"content\": \"{TEXT}\", \"author_email\": \"{EMAIL}\", \"author_ip\": \"{ADDRESS}:1\"}}\n");
    let output = run_with_input(&["check", "--data", "-"], &line);
    assert_eq!(output.status.code(), Some(4));
    assert_clean("standard error", &stderr(&output));
    let broken = run_with_input(&["check", "--data", "-"], &line[..line.len() - 4]);
    assert_eq!(broken.status.code(), Some(4));
    assert_clean("standard error", &stderr(&broken));
}
