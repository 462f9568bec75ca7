//! The command line, through the built command: what it prints, where, and how it ends.

use std::net::TcpListener;

use serde_json::Value;
use tonic::transport::Channel;

use crate::support::eventually::eventually;
use crate::support::process::{Service, run, run_with_input, stderr, stdout};
use crate::support::slow::SlowCall;
use crate::support::{PLAIN, request};

#[test]
fn serve_says_where_it_listens_and_drains_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let service = Service::start(&["--listen", "127.0.0.1:0"]);
        assert!(service.address.starts_with("127.0.0.1:") && !service.address.ends_with(":0"));
        service.signal(signal);
        let (code, rest, logs) = service.wait();
        assert_eq!(code, Some(0), "{logs}");
        assert!(
            rest.starts_with("listening on grpc 127.0.0.1:"),
            "one line for each listener: {rest}"
        );
        for line in logs.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            assert!(event["level"].is_string() && event["timestamp"].is_string());
        }
        assert!(logs.contains("\"message\":\"stopped\""), "{logs}");
    }
}

#[tokio::test]
async fn calls_under_way_are_answered_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    std::fs::write(&config, "[service]\nin_flight_max = 1\n").unwrap();
    let service = Service::start(&["--config", config.to_str().unwrap()]);
    let mut client = service.client().await;
    let slow = SlowCall::begin(&service.channel().await, &mut client).await;
    service.signal("TERM");
    let knock = async || Channel::from_shared(service.url()).unwrap().connect().await.is_err();
    eventually("nobody new is admitted", knock).await;
    let answer = slow.finish(request(PLAIN)).await.unwrap();
    assert_eq!(answer.decision_id.len(), 32);
    drop(client);
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.wait()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(3));
    let error = stderr(&output);
    assert!(
        error.contains(&address) && error.contains("--listen") && error.contains("another process"),
        "{error}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn bad_configuration_ends_with_3_and_names_everything() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("moderato.toml");
    std::fs::write(&file, "[service]\nlistn = 1\n[defaults]\nhold_at = 7\n").unwrap();
    let output = run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    for part in ["service.listn", "did you mean `listen`?", "defaults.hold_at"] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
    std::fs::write(&file, "[service]\nlog = \"info,moderato=lod\"\n").unwrap();
    let log = run(&["serve", "--check", "--config", file.to_str().unwrap()]);
    assert_eq!(log.status.code(), Some(3), "--check finds what a start would");
    std::fs::write(&file, "[service]\nlisten = []\n").unwrap();
    assert_eq!(
        run(&["serve", "--config", file.to_str().unwrap()]).status.code(),
        Some(3)
    );
    let missing = run(&["serve", "--config", "/nowhere/moderato.toml"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(stderr(&missing).contains("/nowhere/moderato.toml"));
    let keyless = run(&["serve", "--redis", "redis://127.0.0.1:1/"]);
    assert_eq!(keyless.status.code(), Some(3));
    assert!(stderr(&keyless).contains("moderato key new"), "{}", stderr(&keyless));
    assert_eq!(run(&["serve", "--listen", "nonsense"]).status.code(), Some(2));
}

#[test]
fn the_default_configuration_is_printed_and_is_valid() {
    let printed = run(&["serve", "--print-default-config"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("moderato.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let checked = run(&["serve", "--check", "--config", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("configuration ok"));
}

#[test]
fn a_broken_model_ends_with_4_and_says_what_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/models/default.moderato")).unwrap();
    let mut flipped = shipped.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let cases: [(&str, &[u8]); 4] = [
        ("empty", b""),
        (
            "text",
            b"this is not a model, it is a sentence that is long enough to hold a header",
        ),
        ("truncated", &shipped[..shipped.len() - 100]),
        ("flipped", &flipped),
    ];
    for (name, bytes) in cases {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let path = file.to_str().unwrap();
        for args in [
            vec!["serve", "--listen", "127.0.0.1:0", "--model", path],
            vec!["check", "--content", "x", "--model", path],
        ] {
            let output = run(&args);
            assert_eq!(output.status.code(), Some(4), "{name}: {}", stderr(&output));
            assert!(stderr(&output).contains(path), "{name}: {}", stderr(&output));
        }
    }
    assert_eq!(
        run(&["check", "--content", "x", "--model", "/nowhere/m"]).status.code(),
        Some(4)
    );
}

#[test]
fn check_judges_one_comment_for_a_person() {
    let fine = run(&[
        "check",
        "--content",
        "I walked past the new bridge today and it is lovely.",
    ]);
    assert_eq!(fine.status.code(), Some(0), "{}", stderr(&fine));
    assert!(
        stdout(&fine).starts_with("approve  spam probability 0."),
        "{}",
        stdout(&fine)
    );
    assert!(stdout(&fine).contains("only the text was judged"));
    assert!(!stdout(&fine).contains('\u{1b}'), "no colors off a terminal");

    let form = run(&[
        "check",
        "--content",
        "Hello",
        "--author-name",
        "Ann",
        "--author-email",
        "ann",
    ]);
    assert!(stdout(&form).starts_with("reject"));
    assert!(stdout(&form).contains("author_email.invalid"));
    let no_email = run(&["check", "--content", "Hello", "--author-name", "Ann"]);
    assert!(stdout(&no_email).contains("author_email.missing"));
}

#[test]
fn check_explains_from_the_same_computation() {
    let args = [
        "check",
        "--content",
        "Subscribe to my channel and win a free iphone http://win.example.com",
        "--explain",
    ];
    let output = run(&[&args[..], &["--format", "json"]].concat());
    let answers: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let explanation = &answers[0]["explanation"];
    let listed: f64 = explanation["contributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["log_odds"].as_f64().unwrap())
        .sum();
    let sum = explanation["base_log_odds"].as_f64().unwrap() + listed + explanation["other_log_odds"].as_f64().unwrap();
    let p = answers[0]["spam_probability"].as_f64().unwrap();
    assert!((1.0 / (1.0 + (-sum).exp()) - p).abs() < 1e-9);
    let shares: f64 = explanation["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["share"].as_f64().unwrap())
        .sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let sentence = explanation["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("Reads like spam, "), "{sentence}");
    let in_words = stdout(&run(&args));
    assert!(in_words.contains(sentence), "{in_words}");
    assert!(in_words.contains(" %   text "), "{in_words}");
    assert!(!in_words.contains("before anything is read"), "{in_words}");
    let in_full = stdout(&run(&[&args[..3], &["--explain=full"]].concat()));
    assert!(
        in_full.contains(sentence) && in_full.contains("before anything is read"),
        "{in_full}"
    );
    assert_eq!(
        run(&["check", "--content", "x", "--explain=some"]).status.code(),
        Some(2)
    );
}

#[test]
fn check_prints_one_object_a_line_in_order_with_what_is_echoed() {
    let lines = [
        r#"{"id": "c1", "label": "ham", "source": "mine", "content": "A thoughtful piece, thank you."}"#,
        "",
        r#"{"id": 2, "content": "   "}"#,
        r#"{"content": "A thoughtful piece, thank you.", "author_name": "", "author_email": ""}"#,
    ];
    let output = run_with_input(&["check", "--data", "-", "--format", "jsonl"], &lines.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answers: Vec<Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(
        (&answers[0]["id"], &answers[0]["label"], &answers[0]["source"]),
        (&"c1".into(), &"ham".into(), &"mine".into())
    );
    assert_eq!(answers[0]["verdict"], "approve");
    assert!(answers[0]["spam_probability"].as_f64().unwrap() < 0.5);
    assert_eq!(answers[1]["id"], 2);
    assert_eq!(answers[1]["reasons"], serde_json::json!(["content.missing"]));
    assert!(answers[1]["spam_probability"].is_null());
    // A field that is there and empty was left empty.
    assert_eq!(
        answers[2]["reasons"],
        serde_json::json!(["author_name.missing", "author_email.missing"])
    );
}

#[test]
fn check_does_not_miss_what_nobody_kept() {
    let lines = [
        r#"{"content": "A thoughtful piece, thank you.", "author_name": ""}"#,
        r#"{"content": "A thoughtful piece, thank you.", "author_email": "ann@example.org"}"#,
    ];
    let output = run_with_input(&["check", "--data", "-"], &lines.join("\n"));
    for line in stdout(&output).lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["reasons"], serde_json::json!([]), "{line}");
    }
}

#[test]
fn a_bad_line_is_named_and_not_quoted() {
    let output = run_with_input(
        &["check", "--data", "-"],
        "{\"content\": \"fine\"}\n{\"content\": 7, \"secret\": \"hush\"}\n",
    );
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr(&output).contains("line 2") && !stderr(&output).contains("hush"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output).lines().count(), 1, "what came before it is answered");
    let missing = run(&["check", "--data", "/nowhere/x.jsonl"]);
    assert_eq!(missing.status.code(), Some(4));
}

#[test]
fn check_asks_a_running_service_and_gets_the_same_answer() {
    let service = Service::start(&[]);
    let line = "{\"content\": \"Subscribe to my channel!!! http://win.example.com\"}\n";
    let here = run_with_input(&["check", "--data", "-", "--explain"], line);
    let there = run_with_input(&["check", "--data", "-", "--explain", "--server", &service.url()], line);
    assert_eq!(stdout(&here), stdout(&there), "{}", stderr(&there));
    drop(service);
    let gone = run(&["check", "--content", "x", "--server", "http://127.0.0.1:1"]);
    assert_eq!(gone.status.code(), Some(6));
}

#[test]
fn keys_are_new_each_time_and_fit() {
    let (a, b) = (run(&["key", "new"]), run(&["key", "new"]));
    assert_ne!(a.stdout, b.stdout);
    assert!(stdout(&a).trim().len() == 64 && stdout(&a).trim().bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn every_command_helps_with_examples() {
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["check", "--help"],
        &["key", "--help"],
    ] {
        let output = run(command);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("Example"), "{command:?}");
    }
    assert_eq!(run(&["--version"]).status.code(), Some(0));
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["serve", "--nonsense"]).status.code(), Some(2));
}
