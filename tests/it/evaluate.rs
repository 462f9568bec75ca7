//! `moderato evaluate`, through the built command: what it prints, where, and how it ends.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{run, stderr, stdout};

/// A small labeled set of our own: three sources, both labels, all texts different enough to be no near-duplicates.
fn labeled(dir: &TempDir, name: &str) -> PathBuf {
    let topics = [
        "bridge", "school", "mayor", "harvest", "museum", "railway", "budget", "river", "choir", "library",
    ];
    let claims = [
        "I walked past the {} this morning and the report is right about the noise",
        "Nobody asked the people who live by the {} what they think of this plan",
        "My grandmother worked at the {} for thirty years, thank you for this piece",
        "You forget that the {} was paid for by the county and not by the state",
        "With respect, the numbers about the {} are from last year and have changed since",
    ];
    let offers = [
        "Earn $4000 a week from your {} at home, visit http://easy-cash-{}.example now",
        "CHEAP {} pills without prescription >>> www.pills-{}.example <<< order today",
        "Check out my {} channel and subscribe!!! http://video-{}.example/watch",
        "Best {} replica watches, free shipping, http://watches-{}.example/buy",
        "Hot singles near the {} are waiting, click http://meet-{}.example",
    ];
    let mut lines = String::new();
    for (nth, topic) in topics.iter().enumerate() {
        for (label, texts) in [("ham", claims), ("spam", offers)] {
            for text in texts {
                let source = ["one", "two", "three"][nth % 3];
                let row = serde_json::json!({ "label": label, "content": text.replace("{}", topic), "source": source });
                writeln!(lines, "{row}").unwrap();
            }
        }
    }
    let path = dir.path().join(name);
    fs::write(&path, lines).unwrap();
    path
}

fn evaluate(data: &Path, more: &[&str]) -> std::process::Output {
    let data = data.to_str().unwrap();
    run(&[&["evaluate", "--data", data], more].concat())
}

#[test]
fn the_shipped_model_is_measured_as_text_and_as_json() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "labeled.jsonl");
    let text = evaluate(&data, &[]);
    assert_eq!(text.status.code(), Some(0), "{}", stderr(&text));
    for expected in [
        "the shipped model on labeled.jsonl",
        "50 ham, 50 spam",
        "MCC",
        "By source",
        "three",
    ] {
        assert!(
            stdout(&text).contains(expected),
            "{expected} is not in\n{}",
            stdout(&text)
        );
    }
    assert!(!stdout(&text).contains('\u{1b}'), "no colors into a pipe");
    assert!(
        !stdout(&text).contains("grandmother"),
        "no text of a comment unless asked for"
    );
    let json: Value = serde_json::from_str(&stdout(&evaluate(&data, &["--format", "json"]))).unwrap();
    assert_eq!(
        (json["schema"].as_str(), json["n_ham"].as_u64()),
        (Some("moderato.evaluation.v1"), Some(50))
    );
    let sum = |label: &str| ["approve", "hold", "reject"].map(|v| json["verdicts"][label][v].as_u64().unwrap());
    assert_eq!(sum("spam").iter().sum::<u64>(), 50);
    assert!(
        json["slices"][0]["rows"][0]["measures"]["mcc"]["low"].is_number(),
        "intervals per source"
    );
}

#[test]
fn the_page_goes_to_a_file_and_nothing_to_standard_output() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    let output = evaluate(
        &labeled(&dir, "a.jsonl"),
        &["--format", "html", "--out", page.to_str().unwrap()],
    );
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), ""),
        "{}",
        stderr(&output)
    );
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
}

#[test]
fn a_missed_budget_ends_with_5_after_the_report() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    let missed = evaluate(&data, &["--max-calibration-error", "0"]);
    assert_eq!(missed.status.code(), Some(5));
    assert!(stdout(&missed).contains("calibration error at most") && stderr(&missed).contains("missed"));
    assert_eq!(evaluate(&data, &["--max-ham-rejected", "1"]).status.code(), Some(0));
    assert_eq!(evaluate(&data, &["--max-ham-rejected", "2"]).status.code(), Some(2));
}

#[test]
fn a_bad_line_ends_with_4_and_is_named() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    let mut lines = fs::read_to_string(&data).unwrap();
    lines.push_str("{\"label\": \"maybe\", \"content\": \"secret words\"}\n");
    fs::write(&data, lines).unwrap();
    let stopped = evaluate(&data, &[]);
    assert_eq!(stopped.status.code(), Some(4));
    assert!(
        stderr(&stopped).contains("a.jsonl") && stderr(&stopped).contains("101"),
        "{}",
        stderr(&stopped)
    );
    assert!(!stderr(&stopped).contains("secret"));
    let skipped = evaluate(&data, &["--skip-bad"]);
    assert_eq!(skipped.status.code(), Some(0));
    assert!(stdout(&skipped).contains("bad lines skipped: 1"));
}

#[test]
fn missing_and_empty_data_and_broken_models_end_with_4() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    assert_eq!(evaluate(&dir.path().join("none.jsonl"), &[]).status.code(), Some(4));
    fs::write(dir.path().join("empty.jsonl"), "").unwrap();
    assert_eq!(evaluate(&dir.path().join("empty.jsonl"), &[]).status.code(), Some(4));
    let broken = dir.path().join("broken.moderato");
    fs::write(&broken, "not a model").unwrap();
    assert_eq!(
        evaluate(&data, &["--model", broken.to_str().unwrap()]).status.code(),
        Some(4)
    );
    assert_eq!(
        evaluate(&data, &["--model", "a", "--protocol", "lovo"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_model_does_not_differ_from_itself() {
    let dir = TempDir::new().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.moderato");
    let output = evaluate(
        &labeled(&dir, "a.jsonl"),
        &["--baseline", shipped.to_str().unwrap(), "--format", "json"],
    );
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let mcc = &json["comparison"]["measures"]["mcc"];
    assert_eq!(
        (mcc["difference"]["value"].as_f64(), mcc["judgement"].as_str()),
        (Some(0.0), Some("not_clear"))
    );
    for flips in json["comparison"]["verdicts"].as_array().unwrap() {
        assert_eq!((flips["now"].as_u64(), flips["before"].as_u64()), (Some(0), Some(0)));
    }
}

#[test]
fn every_fold_tests_what_it_did_not_train_on() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    for more in [
        &["--folds", "4"][..],
        &["--protocol", "publication"],
        &["--protocol", "lovo"],
    ] {
        let path = dir.path().join("folds.jsonl");
        let output = evaluate(&data, &[more, &["--export-folds", path.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let mut tested = Vec::new();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let fold: Value = serde_json::from_str(line).unwrap();
            let positions = |part: &str| -> Vec<u64> {
                fold[part]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|at| at.as_u64().unwrap())
                    .collect()
            };
            let train = positions("train");
            assert!(positions("test").iter().all(|at| !train.contains(at)));
            tested.extend(positions("test"));
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..100).collect::<Vec<u64>>(), "{more:?}");
    }
}

#[test]
fn cross_validation_trains_and_says_what_it_did() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    let output = evaluate(&data, &["--folds", "2", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["title"], "2 folds over a.jsonl");
    assert_eq!(json["thresholds"].as_array().unwrap().len(), 2, "each fold has its own");
    assert_eq!(json["n_ham"].as_u64().unwrap() + json["n_spam"].as_u64().unwrap(), 100);
}

#[test]
fn each_place_is_judged_by_a_model_that_has_not_seen_it() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    let mut lines = fs::read_to_string(&data).unwrap();
    for label in ["ham", "spam"] {
        let row = serde_json::json!({
            "label": label, "content": format!("A {label} that nobody received"), "source": "seed", "origin": "written",
        });
        writeln!(lines, "{row}").unwrap();
    }
    fs::write(&data, lines).unwrap();
    let places = |more: &[&str]| evaluate(&data, &[&["--protocol", "places"], more].concat());
    let output = places(&["--place", "t", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let rows = json["places"]["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "t"], "what was written is no place");
    assert!(names.contains(&json["places"]["worst"].as_str().unwrap()));
    assert_eq!((json["n_ham"].as_u64(), json["n_spam"].as_u64()), (Some(50), Some(50)));
    assert_eq!(
        json["thresholds"].as_array().unwrap().len(),
        2,
        "each model has its own"
    );
    let text = stdout(&places(&[]));
    for expected in ["each of 3 places", "By place", "worst: ", "three", "never tested: 2"] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let path = dir.path().join("folds.jsonl");
    assert_eq!(
        places(&["--export-folds", path.to_str().unwrap()]).status.code(),
        Some(0)
    );
    for line in fs::read_to_string(&path).unwrap().lines() {
        let fold: Value = serde_json::from_str(line).unwrap();
        let train = fold["train"].as_array().unwrap();
        assert!(train.contains(&100.into()) && train.contains(&101.into()), "{line}");
    }
    assert_eq!(
        evaluate(&data, &["--folds", "2", "--place", "t"]).status.code(),
        Some(2)
    );
    let one_place = places(&["--place", "o", "--place", "t", "--export-folds", path.to_str().unwrap()]);
    assert_eq!(one_place.status.code(), Some(0), "{}", stderr(&one_place));
}

#[test]
fn cross_validation_of_one_class_ends_with_4() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    let ham: String = fs::read_to_string(&data)
        .unwrap()
        .lines()
        .filter(|line| line.contains("\"ham\""))
        .fold(String::new(), |all, line| all + line + "\n");
    fs::write(&data, ham).unwrap();
    assert_eq!(evaluate(&data, &["--folds", "2"]).status.code(), Some(4));
    let measured = evaluate(&data, &[]);
    assert_eq!(
        measured.status.code(),
        Some(0),
        "a model can be measured on readers alone: {}",
        stderr(&measured)
    );
}

/// A model that reads nothing, and gives every comment the same probability.
fn blind(dir: &TempDir, name: &str, log_odds: f64) -> PathBuf {
    let path = dir.path().join(name);
    let mut parts = crate::models::parts(1);
    parts.base_log_odds = log_odds;
    moderato::artifact::save(&parts, &path).unwrap();
    path
}

#[test]
fn the_gate_lets_an_equal_model_pass_and_ends_with_5_for_a_worse_one() {
    let dir = TempDir::new().unwrap();
    let data = labeled(&dir, "a.jsonl");
    let (lax, strict) = (blind(&dir, "lax.moderato", -3.0), blind(&dir, "strict.moderato", 5.0));
    let gate = |model: &Path, baseline: &Path, more: &[&str]| {
        let models = [
            "--model",
            model.to_str().unwrap(),
            "--baseline",
            baseline.to_str().unwrap(),
            "--gate",
        ];
        evaluate(&data, &[&models[..], more].concat())
    };
    let equal = gate(&lax, &lax, &["--newest", data.to_str().unwrap()]);
    assert_eq!(equal.status.code(), Some(0), "{}", stderr(&equal));
    assert!(stdout(&equal).contains("Gate: passed") && stdout(&equal).contains("newest"));
    // It holds every reader's comment.
    let worse = gate(&strict, &lax, &["--format", "json"]);
    assert_eq!(worse.status.code(), Some(5));
    assert!(stderr(&worse).contains("the gate failed"));
    let json: Value = serde_json::from_str(&stdout(&worse)).unwrap();
    assert_eq!(json["gate"]["passed"], false);
    assert_eq!(json["gate"]["flips"][0]["kind"], "ham newly rejected");
    assert_eq!(json["gate"]["flips"][0]["n"], 50);
    assert_eq!(json["gate"]["checks"][1]["criterion"], "ham_rejected");
    assert_eq!(json["gate"]["checks"][1]["outcome"], "failed");
    let allowed = [
        "--allow-ham-rejected",
        "1",
        "--allow-ham-held",
        "1",
        "--allow-calibration-error",
        "1",
    ];
    assert_eq!(gate(&strict, &lax, &allowed).status.code(), Some(0));
    let page = stdout(&gate(&strict, &lax, &["--format", "html"]));
    assert!(page.contains("Failed: something is worse") && page.contains("ham newly rejected"));
    assert_eq!(
        evaluate(&data, &["--gate"]).status.code(),
        Some(2),
        "a gate needs a baseline"
    );
}
