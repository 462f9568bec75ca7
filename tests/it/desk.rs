//! The golden desk of `tests/cases/whole`: whole comments as an editor would write them down, sent through the gRPC
//! door to the shipped model and policy, each case on a site of its own.

use std::fs;
use std::path::Path;

use moderato::api::grpc::proto::{
    Action, AuthorTrust, Comment, CommentKind, Handling, Label, LabelSource, ModerateRequest, ModerateResponse,
    SubmitFeedbackRequest, Verdict,
};
use moderato::clock::Timestamp;
use moderato::limit::{Limiter, MemorySettings};
use moderato::verdict::ReasonCode;

use crate::cases::pair;
use crate::support::codes;
use crate::support::harness::Harness;
use crate::support::home::{BOUNDS, Home};

/// One case: what is known, what must come out.
struct Case {
    /// The site's name, which also says where the case stands.
    site: String,
    title: String,
    known: Vec<(String, String)>,
    expected: Vec<(String, String)>,
}

#[tokio::test]
async fn the_desk_gets_what_it_expects() {
    let cases = cases();
    assert!(cases.len() >= 150, "only {} cases were found", cases.len());
    let settings: String = cases.iter().map(settings).collect();
    let memory = || {
        Limiter::memory(&MemorySettings {
            subjects_max: 10_000,
            replay_bytes_max: 100_000,
        })
    };
    let home = Home::File(tempfile::tempdir().unwrap());
    let store = home.open(BOUNDS, Timestamp::from_micros(1_700_000_000_000_000));
    let with_model = Harness::start_whole(&settings, memory(), true, Some(store)).await;
    let without = Harness::start_with(&settings, memory(), false).await;
    let mut surprises = Vec::new();
    let mut said = Vec::new();
    for case in &cases {
        let harness = if has(case, "model", "none") {
            &without
        } else {
            &with_model
        };
        let mut request = request(case);
        let before = known(case, "sent before").map_or(0, |n| n.parse().unwrap());
        for n in 0..before {
            let mut other = request.clone();
            let comment = other.comment.as_mut().unwrap();
            comment.content = format!("I do not agree with what was said in paragraph {n} about the bridge.");
            comment.author_name = "Ann Reader".to_owned();
            comment.author_email = "ann@example.org".to_owned();
            other.action = Action::Submit.into();
            harness.moderate(other).await.unwrap();
        }
        if let Some(label) = known(case, "labeled before") {
            request.previous_decision_id = labeled_before(harness, case, &request, label).await;
        }
        let answer = harness.moderate(request).await.unwrap();
        said.extend(codes(&answer).into_iter().map(str::to_owned));
        surprises.extend(differences(case, &answer));
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    // Redis is not part of the desk; `limiter_faults` takes it away.
    for code in ReasonCode::ALL.map(ReasonCode::as_str) {
        let found = said.iter().any(|said| said == code);
        assert!(
            found || code == "rate_limit.unavailable",
            "no case of the desk leads to {code}"
        );
    }
    with_model.stop().await;
    without.stop().await;
}

/// Sends the comment as it was before, has it labeled unless the label is `nothing`, and names the decision.
async fn labeled_before(harness: &Harness, case: &Case, request: &ModerateRequest, label: &str) -> String {
    let mut before = request.clone();
    before.action = Action::Submit.into();
    before.previous_decision_id.clear();
    let comment = before.comment.as_mut().unwrap();
    if let Some(text) = known(case, "text before") {
        comment.content = text.to_owned();
    }
    if let Some(name) = known(case, "name before") {
        comment.author_name = name.to_owned();
    }
    let decision_id = harness.moderate(before).await.unwrap().decision_id;
    if label != "nothing" {
        let label = format!("LABEL_{}", label.to_uppercase().replace(' ', "_"));
        let source = match known(case, "labeled by") {
            Some("author appeal") => LabelSource::AuthorAppeal,
            Some(other) => panic!("labeled by {other}"),
            None => LabelSource::Moderator,
        };
        let feedback = SubmitFeedbackRequest {
            decision_id: decision_id.clone(),
            label: Label::from_str_name(&label).unwrap().into(),
            source: source.into(),
            ..SubmitFeedbackRequest::default()
        };
        harness.client().submit_feedback(feedback).await.unwrap();
    }
    decision_id
}

fn cases() -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/whole");
    let mut cases = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (n, case) in fs::read_to_string(&path).unwrap().split("\n# ").enumerate() {
            let case = case.trim_start_matches("# ").trim();
            let title = case.lines().next().unwrap().to_owned();
            let (known, expected) = case
                .split_once("\n=>\n")
                .unwrap_or_else(|| panic!("{file}: {title}: no line `=>`"));
            let pairs = |text: &str| {
                text.lines()
                    .filter(|line| !line.trim().is_empty())
                    .map(|line| (pair(line).0.to_owned(), pair(line).1.to_owned()))
                    .collect()
            };
            cases.push(Case {
                site: format!("{file}.{}", n + 1),
                title,
                known: pairs(known.split_once('\n').unwrap().1),
                expected: pairs(expected),
            });
        }
    }
    cases
}

fn settings(case: &Case) -> String {
    let lines = case.known.iter().filter(|(key, _)| key == "site");
    let lines: Vec<_> = lines.map(|(_, value)| value.as_str()).collect();
    format!("[site.\"{}\"]\n{}\n", case.site, lines.join("\n"))
}

fn known<'a>(case: &'a Case, key: &str) -> Option<&'a str> {
    let found = case.known.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| value.as_str())
}

fn has(case: &Case, key: &str, value: &str) -> bool {
    known(case, key) == Some(value)
}

/// The request, with what a reader fills in where the case is silent.
fn request(case: &Case) -> ModerateRequest {
    let mut comment = Comment {
        author_name: "Ann Reader".to_owned(),
        author_email: "ann@example.org".to_owned(),
        author_ip: "203.0.113.7".to_owned(),
        ..Comment::default()
    };
    let mut action = Action::Submit;
    let mut previous_decision_id = String::new();
    let mut text = Vec::new();
    for (key, value) in &case.known {
        let typed = value.clone();
        match key.as_str() {
            "text" => text.push(typed),
            "name" => comment.author_name = typed,
            "email" => comment.author_email = typed,
            "website" => comment.author_url = Some(typed),
            "address" => comment.author_ip = typed,
            "account" => comment.author_id = typed,
            "honeypot" => comment.honeypot = typed,
            "approved before" => comment.author_approved_count = Some(value.parse().unwrap()),
            "account made" => comment.author_created_at = Some(ago(value)),
            "sent" => comment.submitted_at = Some(ago(value)),
            "user agent" => comment.user_agent = Some(typed),
            "referrer" => comment.referrer = typed,
            "page" => comment.permalink = typed,
            "language" => comment.language = typed,
            "replying to" => comment.parent_content = typed,
            "article links to" => comment.article_hosts = value.split(", ").map(str::to_owned).collect(),
            "form age" => {
                let ms: i64 = value.strip_suffix(" ms").unwrap().parse().unwrap();
                let nanos = i32::try_from(ms % 1_000 * 1_000_000).unwrap();
                comment.form_age = Some(prost_types::Duration {
                    seconds: ms / 1_000,
                    nanos,
                });
            }
            "trust" => {
                let name = format!("AUTHOR_TRUST_{}", value.to_uppercase());
                comment.author_trust = AuthorTrust::from_str_name(&name).unwrap().into();
            }
            "kind" => {
                let name = format!("COMMENT_KIND_{}", value.to_uppercase().replace(' ', "_"));
                comment.kind = CommentKind::from_str_name(&name).unwrap().into();
            }
            "action" => action = Action::from_str_name(&format!("ACTION_{}", value.to_uppercase())).unwrap(),
            "previous decision" => previous_decision_id = typed,
            "site" | "model" | "sent before" | "labeled before" | "text before" | "name before" | "labeled by" => {}
            other => panic!("{}: {}: nothing is called {other:?}", case.site, case.title),
        }
    }
    comment.content = text.join("\n");
    ModerateRequest {
        site: case.site.clone(),
        comment: Some(comment),
        action: action.into(),
        previous_decision_id,
        ..ModerateRequest::default()
    }
}

/// `2 h ago`, by the harness's clock.
fn ago(text: &str) -> prost_types::Timestamp {
    let (number, unit) = text.strip_suffix(" ago").unwrap().split_once(' ').unwrap();
    let each = match unit {
        "h" => 3_600,
        "d" => 86_400,
        other => panic!("{other} is neither h nor d"),
    };
    prost_types::Timestamp {
        seconds: 1_700_000_000 - number.parse::<i64>().unwrap() * each,
        nanos: 0,
    }
}

/// What came out otherwise than the case says.
fn differences(case: &Case, answer: &ModerateResponse) -> Vec<String> {
    let codes = codes(answer);
    let probability = answer.spam_probability;
    let where_ = format!("{}: {}", case.site, case.title);
    let mut differences = Vec::new();
    for (key, wanted) in &case.expected {
        let mut one_of = |found: String| {
            if !wanted.split('|').any(|one| one.trim() == found) {
                differences.push(format!(
                    "{where_}: {key}: {found:?}, not {wanted:?} (reasons {codes:?}, probability {probability:?})"
                ));
            }
        };
        match key.as_str() {
            "verdict" => one_of(word(Verdict::as_str_name(&answer.verdict()), "VERDICT_")),
            "handling" => one_of(word(Handling::as_str_name(&answer.handling()), "HANDLING_")),
            "reasons" => one_of(codes.join(", ")),
            "not_evaluated" => one_of(answer.not_evaluated.join(", ")),
            "degraded" => one_of(answer.degraded.join(", ")),
            "reasons include" | "reasons exclude" => {
                for code in wanted.split(", ") {
                    let found = codes.iter().any(|found| {
                        code.strip_suffix('*')
                            .map_or(*found == code, |start| found.starts_with(start))
                    });
                    if found != (key == "reasons include") {
                        differences.push(format!(
                            "{where_}: {key} {code}, but they are {codes:?} ({probability:?})"
                        ));
                    }
                }
            }
            other => panic!("{where_}: nothing is called {other:?}"),
        }
    }
    for (key, found) in [("not_evaluated", &answer.not_evaluated), ("degraded", &answer.degraded)] {
        if !found.is_empty() && !case.expected.iter().any(|(known, _)| known == key) {
            differences.push(format!("{where_}: {key}: {found:?} was not expected"));
        }
    }
    differences
}

fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap().to_lowercase()
}
