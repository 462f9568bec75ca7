//! Going on from a model with what moderators labelled: a new kind of spam is learnt, a flood of wrong labels is not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::process::{run, stderr, stdout};

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
