//! Going on from a model with what moderators labeled: a new kind of spam is learned, a flood of wrong labels is not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use moderato::api::grpc::proto::{Comment, Label, SubmitFeedbackRequest};
use serde_json::{Value, json};

use crate::support::process::{Service, moderato, run, stderr, stdout};
use crate::support::redis::RedisServer;

const READERS: [&str; 6] = [
    "the mayor",
    "our school",
    "this article",
    "the bridge",
    "the old mill",
    "the budget",
];
const OPINIONS: [&str; 6] = [
    "deserves a second look before anybody votes on it",
    "has been neglected for as long as I can remember",
    "is better than most people here want to admit",
    "will cost us more than the council has told anyone",
    "made my children laugh, which is worth something",
    "was discussed last year, and nothing came of it",
];
const OFFERS: [&str; 6] = [
    "cheap watches",
    "free followers",
    "a casino bonus",
    "easy money",
    "fast loans",
    "hot singles",
];
const CALLS: [&str; 6] = [
    "click the link in my profile right now",
    "visit http://offer.example.com before midnight",
    "subscribe to my channel and win",
    "order today and save ninety percent",
    "join thousands who already earn from home",
    "limited time only, do not miss this",
];
/// A new kind of spam.
const HEALERS: [&str; 6] = [
    "Doctor Zara",
    "Mama Odede",
    "the temple healer",
    "Grandmaster Olu",
    "Priest Ade",
    "Chief Obi",
];
const SPELLS: [&str; 6] = [
    "brought my husband back with a love spell",
    "cured my herpes with herbs alone",
    "broke the curse that my sister was under",
    "cast a spell and I won the lottery",
    "restored my marriage, whatsapp him today",
    "is a real spell caster, his powers never fail",
];

fn text(first: &[&str; 6], second: &[&str; 6], i: usize) -> String {
    format!(
        "{} {}, believe me, {} times over",
        first[i % 6],
        second[i / 6 % 6],
        i + 2
    )
}

/// Lines of data, written to a file.
fn file(dir: &Path, name: &str, rows: impl Iterator<Item = Value>) -> PathBuf {
    let mut lines = String::new();
    for row in rows {
        writeln!(lines, "{row}").unwrap();
    }
    let path = dir.join(name);
    std::fs::write(&path, lines).unwrap();
    path
}

fn readers(from: usize, n: usize) -> impl Iterator<Item = Value> {
    (from..from + n).map(|i| json!({"label": "ham", "content": text(&READERS, &OPINIONS, i)}))
}

fn offers(from: usize, n: usize) -> impl Iterator<Item = Value> {
    (from..from + n).map(|i| json!({"label": "spam", "content": text(&OFFERS, &CALLS, i)}))
}

struct Desk {
    dir: tempfile::TempDir,
    model: PathBuf,
    next: PathBuf,
    holdout: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = file(dir.path(), "base.jsonl", readers(0, 72).chain(offers(0, 72)));
        let holdout = file(dir.path(), "holdout.jsonl", readers(200, 40).chain(offers(200, 40)));
        let (model, next) = (dir.path().join("m.moderato"), dir.path().join("next.moderato"));
        let output = run(&["train", "--data", arg(&data), "--out", arg(&model)]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        Self {
            dir,
            model,
            next,
            holdout,
        }
    }

    fn go_on(&self, labels: &Path, more: &[&str]) -> (Option<i32>, Value) {
        let mut args = vec![
            "train",
            "--from",
            arg(&self.model),
            "--data",
            arg(labels),
            "--holdout",
            arg(&self.holdout),
        ];
        args.extend(["--out", arg(&self.next), "--format", "json"]);
        args.extend(more);
        let output = run(&args);
        let report = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        (output.status.code(), report)
    }
}

fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The share of the new kind that a model holds, of comments that it has not seen.
fn caught(model: &Path) -> f64 {
    let n = 36;
    let caught = (100..100 + n).filter(|&i| {
        let content = text(&HEALERS, &SPELLS, i);
        let output = run(&[
            "check",
            "--model",
            arg(model),
            "--format",
            "json",
            "--content",
            &content,
        ]);
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        answer[0]["verdict"] != "approve"
    });
    caught.count() as f64 / n as f64
}

#[test]
fn a_new_kind_of_spam_is_learnt_from_a_few_labels_without_losing_readers() {
    let desk = Desk::new();
    let labels = (0..20).map(|i| {
        json!({"decision_id": format!("d{i}"), "label": "spam", "content": text(&HEALERS, &SPELLS, i),
               "reviewer": "r1", "labeled_at": "2026-11-02T10:00:00Z"})
    });
    let labels = file(desk.dir.path(), "labels.jsonl", labels);
    let (code, report) = desk.go_on(&labels, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["gate"]["passed"], true);
    assert_eq!(report["card"]["from"]["n_new_spam"], 20);
    let share = caught(&desk.next);
    assert!(share >= 0.9, "{share} of the new kind is held");
}

#[test]
fn a_flood_of_wrong_labels_is_capped_and_what_is_left_is_stopped() {
    let desk = Desk::new();
    let wrong = (300..1_300).map(|i| {
        json!({"label": "spam", "content": text(&READERS, &OPINIONS, i) + &format!(" {}", "so ".repeat(i % 9)),
               "reviewer": "r1"})
    });
    let wrong = file(desk.dir.path(), "wrong.jsonl", wrong);
    let (code, report) = desk.go_on(&wrong, &[]);
    assert!(
        report["gate"]["n_capped"].as_u64().unwrap() >= 900,
        "{}",
        report["gate"]["n_capped"]
    );
    assert_eq!(code, Some(5), "{}", report["gate"]);
    assert!(!desk.next.exists(), "nothing is written");
    let (code, report) = desk.go_on(&wrong, &["--force", "a drill"]);
    assert_eq!(code, Some(0));
    assert_eq!(report["card"]["from"]["forced"], "a drill");
    assert!(desk.next.exists());
}

#[test]
fn a_model_that_cannot_be_read_is_not_gone_on_from() {
    let desk = Desk::new();
    std::fs::write(&desk.model, b"MODERATO?").unwrap();
    let labels = file(desk.dir.path(), "labels.jsonl", offers(500, 3));
    let output = run(&[
        "train",
        "--from",
        arg(&desk.model),
        "--data",
        arg(&labels),
        "--out",
        arg(&desk.next),
    ]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("m.moderato"));
}

fn spell(i: usize) -> String {
    text(&HEALERS, &SPELLS, i)
}

/// Labels comments in a running service: `n` of the new kind as spam, one of abuse, one that was withdrawn.
async fn label(service: &Service, n: usize) -> String {
    let mut client = service.client().await;
    let spam = (0..n).map(|i| (spell(i), Label::Spam));
    let neither = [
        ("You fool, I say".to_owned(), Label::Abuse),
        ("Never mind".to_owned(), Label::Withdrawn),
    ];
    let mut first = String::new();
    for (content, label) in spam.chain(neither) {
        let request = SubmitFeedbackRequest {
            site: "gazette".to_owned(),
            comment: Some(Comment {
                content,
                ..Default::default()
            }),
            label: label.into(),
            reviewer: "maria".to_owned(),
            ..Default::default()
        };
        let id = client.submit_feedback(request).await.unwrap().into_inner().decision_id;
        if first.is_empty() {
            first = id;
        }
    }
    first
}

/// Trains from what the store holds; the exit code and the report, if there is one.
fn from_store(place: &[&str], more: &[&str], out: &Path) -> (Option<i32>, Value, String) {
    let mut args = vec!["train", "--feedback", "--format", "json", "--out", arg(out)];
    args.extend(place);
    args.extend(more);
    let output = run(&args);
    let report = serde_json::from_str(&stdout(&output)).unwrap_or_default();
    (output.status.code(), report, stderr(&output))
}

/// What `train --feedback` does with a store in which 24 spells are labeled spam, and `forget` afterwards.
fn learns_from(desk: &Desk, place: &[&str], first: &str) {
    let (code, report, errors) = from_store(place, &["--from", arg(&desk.model)], &desk.next);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(report["gate"]["passed"], true);
    assert_eq!(
        (&report["card"]["from"]["n_new"], &report["card"]["from"]["n_new_spam"]),
        (&json!(24), &json!(24)),
        "abuse and what was withdrawn teach nothing"
    );
    assert_eq!(report["n_neither"], 2);
    assert!(caught(&desk.next) >= 0.9);

    // The rows are those of the export, so a model from them is the same.
    let rows = desk.dir.path().join("rows.jsonl");
    let mut export = vec!["feedback", "export", "--out", arg(&rows)];
    export.extend(place);
    assert_eq!(run(&export).status.code(), Some(0));
    let other = desk.dir.path().join("other.moderato");
    let output = run(&[
        "train",
        "--from",
        arg(&desk.model),
        "--data",
        arg(&rows),
        "--out",
        arg(&other),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = |model: &Path| -> Value {
        serde_json::from_str(&stdout(&run(&["model", "show", arg(model), "--format", "json"]))).unwrap()
    };
    let digest = |model: &Path| shown(model)["card"]["data"][1]["sha256"].clone();
    assert!(digest(&other).is_string(), "{:#}", shown(&other));
    assert_eq!(digest(&desk.next), digest(&other));

    // Anew, beside files, the cap holds too: ten of maria's spells.
    let anew = desk.dir.path().join("anew.moderato");
    let base = desk.dir.path().join("base.jsonl");
    let capped = ["--data", arg(&base), "--reviewer-cap", "10"];
    let (code, report, errors) = from_store(place, &capped, &anew);
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("14 labels do not count"), "{errors}");
    assert_eq!(report["card"]["training"]["n_examples"], 144 + 10, "{report:#}");

    let models = desk.dir.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    for (from, name) in [
        (&desk.next, "next.moderato"),
        (&anew, "anew.moderato"),
        (&desk.model, "m.moderato"),
    ] {
        std::fs::copy(from, models.join(name)).unwrap();
    }
    let mut forget = vec!["feedback", "forget", "--decision", first, "--models", arg(&models)];
    forget.extend(["--format", "json"]);
    forget.extend(place);
    let output = run(&forget);
    let forgotten: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let mut versions = [&desk.next, &anew].map(|model| shown(model)["version"].clone());
    versions.sort_by_key(ToString::to_string);
    assert_eq!(forgotten["model_versions"], json!(versions), "{forgotten:#}");
}

#[tokio::test]
async fn labels_are_learnt_straight_from_files() {
    let desk = Desk::new();
    let data_dir = tempfile::tempdir().unwrap();
    let place = ["--data-dir", arg(data_dir.path())];
    let service = Service::start(&place);
    let empty = from_store(&place, &["--from", arg(&desk.model)], &desk.next);
    assert_eq!(empty.0, Some(4), "{}", empty.2);
    assert!(
        empty.2.contains("no decision that is labeled ham or spam"),
        "{}",
        empty.2
    );
    let first = label(&service, 24).await;
    // Looking is allowed beside the service, and so is noting what was looked at.
    let beside = from_store(&place, &["--from", arg(&desk.model), "--site", "gazette"], &desk.next);
    assert_eq!(beside.0, Some(0), "{}", beside.2);
    let elsewhere = from_store(&place, &["--from", arg(&desk.model), "--site", "other"], &desk.next);
    assert_eq!(elsewhere.0, Some(4), "{}", elsewhere.2);
    let (code, ..) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));
    learns_from(&desk, &place, &first);
}

#[tokio::test]
async fn labels_are_learnt_straight_from_redis() {
    let desk = Desk::new();
    let redis = RedisServer::start().await;
    let url = redis.url();
    let mut command = moderato(&["serve", "--listen", "127.0.0.1:0", "--redis", &url]);
    command.env("MODERATO_PSEUDONYM_KEY", "00".repeat(32));
    let service = Service::start_from(&mut command);
    let first = label(&service, 24).await;
    let (code, ..) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));
    learns_from(&desk, &["--redis", &url], &first);
}

#[test]
fn a_store_must_be_named_to_learn_from_it() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("m.moderato");
    let output = run(&["train", "--feedback", "--out", arg(&out)]);
    assert_eq!(output.status.code(), Some(2));
    let says = stderr(&output);
    assert!(says.contains("--data-dir") && says.contains("--redis"), "{says}");
    let output = run(&["train", "--out", arg(&out)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--data"), "{}", stderr(&output));
    for command in ["export", "stats"] {
        let output = run(&["feedback", command]);
        assert_eq!(output.status.code(), Some(2));
        let says = stderr(&output);
        assert!(says.contains("--data-dir") && says.contains("--redis"), "{says}");
    }
}
