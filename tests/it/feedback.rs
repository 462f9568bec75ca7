//! Feedback as callers and operators see it: `SubmitFeedback`, `GetDecision`, `ForgetAuthor`, `moderato feedback`.

use std::time::Duration;

use moderato::api::grpc::proto::admin_service_client::AdminServiceClient;
use moderato::api::grpc::proto::{
    Action, Comment, ForgetAuthorRequest, GetDecisionRequest, GetDecisionResponse, Label, LabelSource, ModerateRequest,
    SubmitFeedbackRequest, SubmitFeedbackResponse, Verdict,
};
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::harness::Harness;
use crate::support::home::{BOUNDS, Home};
use crate::support::process::{Service, run, stderr, stdout};
use crate::support::{PLAIN, codes, request, request_with};

/// A harness that remembers in files, with what it remembers in.
async fn harness(settings: &str) -> (Harness, Home) {
    let home = Home::File(tempfile::tempdir().unwrap());
    let now = moderato::clock::Timestamp::from_micros(1_700_000_000_000_000);
    let harness = Harness::start_remembering(settings, home.open(BOUNDS, now)).await;
    (harness, home)
}

fn by_id(id: &str, label: Label) -> SubmitFeedbackRequest {
    SubmitFeedbackRequest {
        decision_id: id.to_owned(),
        label: label.into(),
        ..Default::default()
    }
}

async fn submit(harness: &Harness, request: SubmitFeedbackRequest) -> Result<SubmitFeedbackResponse, Status> {
    let answer = harness.client().submit_feedback(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn decision(harness: &Harness, id: &str) -> Result<GetDecisionResponse, Status> {
    let request = GetDecisionRequest {
        decision_id: id.to_owned(),
        ..Default::default()
    };
    harness
        .client()
        .get_decision(request)
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_decision_is_remembered_labeled_and_told() {
    let (harness, _home) = harness("").await;
    let judged = harness
        .moderate(request("buy cheap pills http://pills.example now!!!"))
        .await
        .unwrap();
    assert!(judged.degraded.is_empty(), "{:?}", judged.degraded);
    let told = decision(&harness, &judged.decision_id).await.unwrap();
    assert_eq!((told.site.as_str(), told.verdict), ("gazette", judged.verdict));
    assert_eq!(told.spam_probability, judged.spam_probability);
    assert_eq!(
        (&told.model_version, &told.policy_version),
        (&judged.model_version, &judged.policy_version)
    );
    let codes = |reasons: &[moderato::api::grpc::proto::Reason]| -> Vec<(String, String)> {
        reasons
            .iter()
            .map(|reason| (reason.code.clone(), reason.moderator_message.clone()))
            .collect()
    };
    assert_eq!(codes(&told.reasons), codes(&judged.reasons));
    assert_eq!(
        (told.label, told.expires_at.unwrap().seconds),
        (0, 1_700_000_000 + 14 * 86_400)
    );

    let mut request = by_id(&judged.decision_id, Label::Ham);
    request.reviewer = "maria".to_owned();
    request.source = LabelSource::AuthorAppeal.into();
    let answer = submit(&harness, request.clone()).await.unwrap();
    assert!(answer.applied && answer.decision_id == judged.decision_id && answer.label() == Label::Ham);
    // Sent again it is the same.
    assert_eq!(submit(&harness, request).await.unwrap(), answer);
    let told = decision(&harness, &judged.decision_id).await.unwrap();
    assert_eq!((told.label(), told.source()), (Label::Ham, LabelSource::AuthorAppeal));
    assert_eq!(told.reviewer.len(), 32, "a pseudonym: {}", told.reviewer);

    // An earlier label that comes late is not in force.
    let mut late = by_id(&judged.decision_id, Label::Spam);
    late.labeled_at = Some(prost_types::Timestamp {
        seconds: 1_600_000_000,
        nanos: 0,
    });
    let answer = submit(&harness, late).await.unwrap();
    assert_eq!((answer.applied, answer.label()), (false, Label::Ham));
    harness.stop().await;
}

#[tokio::test]
async fn what_is_forgotten_can_be_sent_in_full() {
    let (harness, _home) = harness("").await;
    let judged = harness.moderate(request(PLAIN)).await.unwrap();
    harness.clock.advance(Duration::from_secs(15 * 86_400));
    let status = submit(&harness, by_id(&judged.decision_id, Label::Spam))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("in full"), "{status:?}");
    assert_eq!(
        decision(&harness, &judged.decision_id).await.unwrap_err().code(),
        Code::NotFound
    );
    let mut full = by_id(&judged.decision_id, Label::Spam);
    full.comment = request(PLAIN).comment;
    full.site = "gazette".to_owned();
    let answer = submit(&harness, full.clone()).await.unwrap();
    assert_eq!(answer.decision_id, judged.decision_id);
    // Without an id it gets one, the same each time.
    full.decision_id.clear();
    let first = submit(&harness, full.clone()).await.unwrap().decision_id;
    assert_eq!(submit(&harness, full.clone()).await.unwrap().decision_id, first);
    full.comment = Some(Comment {
        content: "another".to_owned(),
        ..full.comment.unwrap()
    });
    assert_ne!(submit(&harness, full).await.unwrap().decision_id, first);
    assert_eq!(
        decision(&harness, &first).await.unwrap().verdict(),
        Verdict::Unspecified
    );
    harness.stop().await;
}

#[tokio::test]
async fn callers_mistakes_are_told_all_at_once() {
    let (harness, _home) = harness("").await;
    let judged = harness.moderate(request(PLAIN)).await.unwrap();
    let wrong = SubmitFeedbackRequest {
        decision_id: "nonsense".to_owned(),
        label: 77,
        site: "The Gazette".to_owned(),
        reviewer: "x".repeat(257),
        labeled_at: Some(prost_types::Timestamp { seconds: -1, nanos: 0 }),
        source: 9,
        ..Default::default()
    };
    let status = submit(&harness, wrong).await.unwrap_err();
    for field in ["decision_id", "label ", "site", "reviewer", "labeled_at", "source"] {
        assert!(status.message().contains(field), "{field}: {}", status.message());
    }
    let nothing = SubmitFeedbackRequest {
        label: Label::Ham.into(),
        ..Default::default()
    };
    assert!(
        submit(&harness, nothing)
            .await
            .unwrap_err()
            .message()
            .contains("decision_id is missing")
    );
    let mut future = by_id(&judged.decision_id, Label::Ham);
    future.labeled_at = Some(prost_types::Timestamp {
        seconds: 1_700_000_301,
        nanos: 0,
    });
    assert!(
        submit(&harness, future)
            .await
            .unwrap_err()
            .message()
            .contains("labeled_at")
    );
    let mut elsewhere = by_id(&judged.decision_id, Label::Ham);
    elsewhere.site = "other".to_owned();
    assert_eq!(
        submit(&harness, elsewhere).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    harness.stop().await;
}

#[tokio::test]
async fn without_a_store_the_setting_is_named() {
    let harness = Harness::start("").await;
    let judged = harness.moderate(request(PLAIN)).await.unwrap();
    for status in [
        submit(&harness, by_id(&judged.decision_id, Label::Ham))
            .await
            .unwrap_err(),
        decision(&harness, &judged.decision_id).await.unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains("--data-dir"), "{status:?}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_comment_of_the_past_is_exported_with_its_date_and_kept_from_today() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let service = Service::start(&["--data-dir", path]);
    let mut client = service.client().await;
    let sent_at = prost_types::Timestamp {
        seconds: 1_600_000_000,
        nanos: 0,
    };
    let mut past = request_with(|comment| comment.submitted_at = Some(sent_at));
    past.action = Action::Backfill.into();
    let judged = client.moderate(past.clone()).await.unwrap().into_inner();
    client
        .submit_feedback(by_id(&judged.decision_id, Label::Ham))
        .await
        .unwrap();
    let told = client
        .get_decision(GetDecisionRequest {
            decision_id: judged.decision_id,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert!(told.decided_at.unwrap().seconds > sent_at.seconds, "{told:?}");
    // History that moderato never saw.
    let full = SubmitFeedbackRequest {
        label: Label::Spam.into(),
        site: "gazette".to_owned(),
        comment: past.comment,
        ..Default::default()
    };
    client.submit_feedback(full).await.unwrap();
    let rows = stdout(&run(&["feedback", "export", "--data-dir", path]));
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row["submitted_at"], "2020-09-13T12:26:40.000000Z");
    }
    tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let (harness, home) = harness("").await;
    let mut dry = request(PLAIN);
    dry.dry_run = true;
    assert_eq!(harness.moderate(dry).await.unwrap().decision_id, "");
    harness.stop().await;
    assert!(home.bytes().len() < 100, "a header and the number of a process");
}

#[tokio::test]
async fn an_author_is_forgotten_where_history_is_kept() {
    let (harness, _home) = harness("[site.gazette]\nauthor_history = true\n[site.other]\nclassifier = true").await;
    let mut admin = AdminServiceClient::new(harness.channel().await);
    let by = |name: &str, email: &str| {
        let (name, email) = (name.to_owned(), email.to_owned());
        request_with(move |comment| (comment.author_name, comment.author_email) = (name, email))
    };
    let ann = harness.moderate(by("Ann", "ann@example.org")).await.unwrap();
    let other_ann = harness.moderate(by("Ann", "other@example.org")).await.unwrap();
    let bob = harness.moderate(by("Bob", "bob@example.org")).await.unwrap();
    submit(&harness, by_id(&ann.decision_id, Label::Ham)).await.unwrap();
    let mut elsewhere = by("Ann", "ann@example.org");
    elsewhere.site = "other".to_owned();
    let elsewhere = harness.moderate(elsewhere).await.unwrap();
    let mut forget = async |site: &str, email: &str| {
        let request = ForgetAuthorRequest {
            site: site.to_owned(),
            author_email: email.to_owned(),
            ..Default::default()
        };
        admin.forget_author(request).await.map(tonic::Response::into_inner)
    };
    let forgotten = forget("gazette", " ANN@example.org ").await.unwrap();
    assert_eq!(
        (forgotten.decisions, forgotten.labels, forgotten.note.as_str()),
        (1, 1, "")
    );
    assert_eq!(
        decision(&harness, &ann.decision_id).await.unwrap_err().code(),
        Code::NotFound
    );
    for kept in [&other_ann, &bob, &elsewhere] {
        assert!(decision(&harness, &kept.decision_id).await.is_ok());
    }
    let nothing = forget("other", "ann@example.org").await.unwrap();
    assert!(
        nothing.decisions == 0 && nothing.note.contains("author_history"),
        "{nothing:?}"
    );
    assert!(
        forget("", "ann@example.org")
            .await
            .unwrap_err()
            .message()
            .contains("site is missing")
    );
    assert!(
        forget("other", " ")
            .await
            .unwrap_err()
            .message()
            .contains("decision_id is missing")
    );
    harness.stop().await;
}

/// The same comment again, after the decision of this name.
fn recheck(text: &str, previous: &str) -> ModerateRequest {
    ModerateRequest {
        action: Action::Recheck.into(),
        previous_decision_id: previous.to_owned(),
        ..request(text)
    }
}

#[tokio::test]
async fn a_label_counts_on_its_own_site_alone() {
    let (harness, _home) = harness("[site.gazette]\n[site.other]").await;
    let judged = harness.moderate(request(PLAIN)).await.unwrap();
    submit(&harness, by_id(&judged.decision_id, Label::Spam)).await.unwrap();
    let again = harness.moderate(recheck(PLAIN, &judged.decision_id)).await.unwrap();
    assert_eq!(codes(&again), ["previous.spam_by_person"]);
    assert_eq!(again.verdict(), Verdict::Reject);
    let mut elsewhere = recheck(PLAIN, &judged.decision_id);
    elsewhere.site = "other".to_owned();
    let elsewhere = harness.moderate(elsewhere).await.unwrap();
    assert_eq!(elsewhere.not_evaluated, ["previous.unknown"]);
    assert_eq!(elsewhere.verdict(), Verdict::Approve);
    let status = harness.moderate(recheck(PLAIN, "no decision")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("previous_decision_id"), "{status:?}");
    harness.stop().await;
}

#[tokio::test]
async fn a_request_that_is_repeated_is_answered_by_the_label_of_its_time() {
    let (harness, _home) = harness("").await;
    let judged = harness.moderate(request(PLAIN)).await.unwrap();
    let mut again = recheck(PLAIN, &judged.decision_id);
    again.request_id = "again".to_owned();
    let first = harness.moderate(again.clone()).await.unwrap();
    assert!(codes(&first).is_empty(), "{first:?}");
    submit(&harness, by_id(&judged.decision_id, Label::Spam)).await.unwrap();
    let second = harness.moderate(again).await.unwrap();
    assert!(second.replayed && codes(&second).is_empty(), "{second:?}");
    harness.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_said_once_and_holds_nobody_up() {
    let nowhere = crate::support::home::redis("redis://127.0.0.1:1".to_owned(), BOUNDS);
    let harness = Harness::start_remembering("", nowhere).await;
    for _ in 0..2 {
        let judged = harness.moderate(recheck(PLAIN, &"ab".repeat(16))).await.unwrap();
        assert_eq!(judged.degraded, ["feedback.store"]);
        assert_eq!(judged.verdict(), Verdict::Approve);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_full_queue_never_holds_a_comment_up() {
    // A store that cannot be reached: what waits for it fills the queue, and the answers come all the same.
    let nowhere = crate::support::home::redis("redis://127.0.0.1:1".to_owned(), BOUNDS);
    let harness = Harness::start_remembering(
        "[feedback]\nqueue_max = 1\n[defaults]\nquotas.minute.burst = 100000",
        nowhere,
    )
    .await;
    let mut degraded = false;
    for _ in 0..200 {
        let judged = harness.moderate(request(PLAIN)).await.unwrap();
        degraded |= judged.degraded == ["feedback.store"];
    }
    assert!(degraded);
    let status = submit(&harness, by_id(&"ab".repeat(16), Label::Ham)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    harness.stop().await;
}

#[tokio::test]
async fn the_command_counts_exports_and_forgets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let config = dir.path().join("moderato.toml");
    std::fs::write(&config, "[site.gazette]\n[site.words]\nkeep = \"text\"\n").unwrap();
    let service = Service::start(&["--data-dir", path, "--config", config.to_str().unwrap()]);
    let mut client = service.client().await;
    let mut ids = Vec::new();
    for site in ["gazette", "words"] {
        let mut request = request("Ann Reader says: write to ann@example.org about my cheap pills");
        request.site = site.to_owned();
        let id = client.moderate(request).await.unwrap().into_inner().decision_id;
        client.submit_feedback(by_id(&id, Label::Spam)).await.unwrap();
        ids.push(id);
    }
    // Beside the service: looking is allowed, forgetting is its own business.
    let rows = stdout(&run(&["feedback", "export", "--data-dir", path]));
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["decision_id"], &rows[0]["label"]),
        (&Value::from(ids[0].as_str()), &Value::from("spam"))
    );
    assert!(rows[0]["features"].is_string() && rows[0]["content"].is_null());
    assert_eq!(
        rows[1]["content"],
        "someone says: write to someone@mail.invalid about my cheap pills"
    );
    let held = run(&["feedback", "forget", "--data-dir", path, "--decision", &ids[0]]);
    assert_eq!(held.status.code(), Some(3));
    assert!(stderr(&held).contains("in use by process"), "{}", stderr(&held));
    let (code, ..) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));

    let stats = stdout(&run(&["feedback", "stats", "--data-dir", path]));
    assert!(
        stats.contains("2 decisions remembered, 2 of them labeled") && stats.contains("words"),
        "{stats}"
    );
    let forgotten = stdout(&run(&[
        "feedback",
        "forget",
        "--data-dir",
        path,
        "--decision",
        &ids[0],
        "--format",
        "json",
    ]));
    let forgotten: Value = serde_json::from_str(&forgotten).unwrap();
    assert_eq!(
        (&forgotten["decisions"], &forgotten["labels"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(forgotten["exports"].as_array().map(Vec::len), Some(1), "{forgotten}");
    let all = run(&[
        "feedback",
        "forget",
        "--data-dir",
        path,
        "--site",
        "words",
        "--older-than",
        "1us",
    ]);
    assert!(stdout(&all).contains("forgotten: 1 decisions"), "{}", stdout(&all));
    assert_eq!(stdout(&run(&["feedback", "export", "--data-dir", path])), "");
    for (args, code) in [
        (&["feedback", "forget", "--data-dir", path][..], 2),
        (
            &[
                "feedback",
                "forget",
                "--data-dir",
                path,
                "--site",
                "words",
                "--author-name",
                " ",
            ],
            2,
        ),
        (&["feedback", "stats"], 2),
        (&["feedback", "stats", "--data-dir", "/nonexistent"], 3),
        (&["feedback", "stats", "--redis", "redis://127.0.0.1:1"], 6),
    ] {
        assert_eq!(run(args).status.code(), Some(code), "{args:?}");
    }
}
