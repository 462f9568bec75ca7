//! `moderato train` and what it makes, through the built command, on comments of our own making.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::process::{run, stderr, stdout};

const SUBJECTS: [&str; 8] = [
    "the bridge",
    "our school",
    "the mayor",
    "this article",
    "the new bus line",
    "the old mill",
    "the budget",
    "the river",
];
const OPINIONS: [&str; 7] = [
    "deserves a second look before anybody votes on it",
    "has been neglected for as long as I can remember",
    "is better than most people here want to admit",
    "will cost us more than the council has told anyone",
    "made my children laugh, which is worth something",
    "was discussed last year, and nothing came of it",
    "needs neighbors who care, not another committee",
];
const OFFERS: [&str; 8] = [
    "cheap watches",
    "free followers",
    "a casino bonus",
    "easy money",
    "weight loss tea",
    "fast loans",
    "hot singles",
    "crypto signals",
];
const CALLS: [&str; 7] = [
    "click the link in my profile right now",
    "visit http://offer.example.com before midnight",
    "subscribe to my channel and win",
    "order today and save ninety percent",
    "whatsapp me for the secret method",
    "join thousands who already earn from home",
    "limited time only, do not miss this",
];

/// So many comments of each label, no two alike.
fn corpus(dir: &Path, n_ham: usize, n_spam: usize) -> PathBuf {
    let mut lines = String::new();
    let mut write = |label: &str, first: &[&str], second: &[&str], n: usize| {
        for i in 0..n {
            let (a, b) = (first[i % first.len()], second[i / first.len() % second.len()]);
            let content = format!("Well, {a} {b}, say I for the {i}th time");
            let line = json!({"label": label, "content": content, "source": "ours", "author_name": "Somebody"});
            writeln!(lines, "{line}").unwrap();
        }
    };
    write("ham", &SUBJECTS, &OPINIONS, n_ham);
    write("spam", &OFFERS, &CALLS, n_spam);
    let path = dir.join("corpus.jsonl");
    std::fs::write(&path, lines).unwrap();
    path
}

#[test]
fn a_model_is_trained_stored_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let data = corpus(dir.path(), 56, 56);
    let (one, two) = (dir.path().join("one.moderato"), dir.path().join("two.moderato"));
    for out in [&one, &two] {
        let output = run(&[
            "train",
            "--data",
            data.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            !stderr(&output).contains("[src"),
            "what a library leaves on standard error stays off the terminal"
        );
    }
    assert_eq!(
        std::fs::read(&one).unwrap(),
        std::fs::read(&two).unwrap(),
        "same data, same bytes"
    );
    // Fifty clean comments carry no promise of one in a thousand: the model may only hold.
    let model = one.to_str().unwrap();
    let spam = [
        "check",
        "--model",
        model,
        "--format",
        "json",
        "--content",
        "Well, free followers, join thousands who already earn from home",
    ];
    let answer: Value = serde_json::from_str(&stdout(&run(&spam))).unwrap();
    assert_eq!(answer[0]["verdict"], "hold", "{answer}");
    let ham = [
        "check",
        "--model",
        model,
        "--format",
        "json",
        "--content",
        "The old mill needs neighbors who care",
    ];
    let answer: Value = serde_json::from_str(&stdout(&run(&ham))).unwrap();
    assert_eq!(answer[0]["verdict"], "approve", "{answer}");
    // A model holds no text and no name.
    let bytes = std::fs::read(&one).unwrap();
    for text in ["followers", "neighbors", "Somebody"] {
        assert!(
            !bytes.windows(text.len()).any(|window| window == text.as_bytes()),
            "{text}"
        );
    }
}

#[test]
fn a_bad_line_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = corpus(dir.path(), 56, 56);
    let out = dir.path().join("m.moderato");
    let train = |data: &Path| {
        run(&[
            "train",
            "--data",
            data.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ])
    };
    let output = train(&data);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("learned from 112 comments"),
        "{}",
        stdout(&output)
    );
    let first = std::fs::read(&out).unwrap();
    let broken = dir.path().join("broken.jsonl");
    std::fs::write(&broken, std::fs::read_to_string(&data).unwrap() + "{\"label\": 1}\n").unwrap();
    let output = train(&broken);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("broken.jsonl line 113"), "{message}");
    assert_eq!(std::fs::read(&out).unwrap(), first, "nothing was written");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        3,
        "nothing else is left"
    );
}

#[test]
fn a_missing_promise_can_be_made_to_fail() {
    let dir = tempfile::tempdir().unwrap();
    let data = corpus(dir.path(), 30, 30);
    let out = dir.path().join("m.moderato");
    let args = [
        "train",
        "--data",
        data.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--require-promise",
    ];
    assert_eq!(run(&args).status.code(), Some(5));
}

#[test]
fn bad_training_data_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.moderato");
    let data = corpus(dir.path(), 30, 30);
    let good = std::fs::read_to_string(&data).unwrap();
    let few: String = good.lines().take(35).map(|line| format!("{line}\n")).collect();
    let one_class: String = good.lines().take(30).map(|line| format!("{line}\n")).collect();
    let broken = format!(
        "{}\n{{\"label\": \"spam\", \"content\": 7, \"hush\": 1}}\n{good}",
        good.lines().next().unwrap()
    );
    let cases = [
        (few, "20"),
        (one_class, "spam"),
        (broken, "corpus.jsonl:2"),
        ("not json\n".to_owned(), "corpus.jsonl:1"),
    ];
    for (text, says) in cases {
        std::fs::write(&data, text).unwrap();
        let output = run(&[
            "train",
            "--data",
            data.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(4), "{says}: {}", stderr(&output));
        let error = stderr(&output);
        assert!(
            error.replace(" line ", ":").replace(", line ", ":").contains(says),
            "{says} is not in: {error}"
        );
        assert!(!error.contains("hush") && !out.exists());
    }
    let missing = run(&["train", "--data", "/nowhere/x.jsonl", "--out", out.to_str().unwrap()]);
    assert_eq!(missing.status.code(), Some(4));
    assert!(stderr(&missing).contains("/nowhere/x.jsonl"));
}

#[test]
fn bad_lines_can_be_skipped_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.moderato");
    let data = corpus(dir.path(), 40, 40);
    let good = std::fs::read_to_string(&data).unwrap();
    std::fs::write(&data, format!("broken\n{good}{{}}\n")).unwrap();
    let output = run(&[
        "train",
        "--data",
        data.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--skip-bad",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains('2') && said.contains("bad line"), "{said}");
}
