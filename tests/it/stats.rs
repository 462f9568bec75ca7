//! Statistics, asked for as an operator does.

use std::time::Duration;

use moderato::api::grpc::proto::{Action, GetStatsRequest, Label, SiteDay, SubmitFeedbackRequest};
use tonic::Code;

use crate::support::harness::Harness;
use crate::support::process::{Service, run, stderr, stdout};
use crate::support::{PLAIN, request, request_with};

async fn stats(harness: &Harness, site: &str, days: u32) -> Vec<SiteDay> {
    let site = site.to_owned();
    let answer = harness.client().get_stats(GetStatsRequest { site, days }).await;
    answer.unwrap().into_inner().days
}

#[tokio::test]
async fn decisions_are_counted_by_site_and_day() {
    let settings = "[site.gazette]\nholds_per_day = 20\nlists.moderate.words = [\"bribe\"]\n";
    let harness = Harness::start(settings).await;
    let held = || request_with(|comment| comment.content = format!("{PLAIN} Somebody took a bribe."));
    harness.moderate(request(PLAIN)).await.unwrap();
    harness.moderate(held()).await.unwrap();
    let mut twice = held();
    twice.request_id = "once".to_owned();
    harness.moderate(twice.clone()).await.unwrap();
    harness.moderate(twice).await.unwrap();
    let mut dry = held();
    dry.dry_run = true;
    harness.moderate(dry).await.unwrap();
    let mut elsewhere = request(PLAIN);
    elsewhere.site = "unheard-of".to_owned();
    harness.moderate(elsewhere).await.unwrap();

    let today = stats(&harness, "", 0).await;
    let sites: Vec<_> = today.iter().map(|day| day.site.as_str()).collect();
    assert_eq!(sites, ["(other)", "gazette"]);
    let gazette = &today[1];
    assert_eq!(
        (gazette.approved, gazette.held, gazette.rejected, gazette.replayed),
        (1, 2, 0, 1)
    );
    assert_eq!(gazette.date, "2023-11-14");
    assert_eq!((gazette.holds_budget, today[0].holds_budget), (Some(20), None));
    assert_eq!(gazette.reasons.get("list.moderated"), Some(&2));

    harness.clock.advance(Duration::from_secs(86_400));
    harness.moderate(request(PLAIN)).await.unwrap();
    let dates = |days: Vec<SiteDay>| days.into_iter().map(|day| day.date).collect::<Vec<_>>();
    assert_eq!(dates(stats(&harness, "gazette", 2).await), ["2023-11-14", "2023-11-15"]);
    assert_eq!(dates(stats(&harness, "gazette", 1).await), ["2023-11-15"]);
    let too_many = GetStatsRequest {
        site: String::new(),
        days: 36,
    };
    let status = harness.client().get_stats(too_many).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    harness.stop().await;
}

#[tokio::test]
async fn a_comment_of_the_past_is_counted_on_its_day() {
    let harness = Harness::start("[site.gazette]").await;
    let sent = |action: Action, days_ago: i64| {
        let mut request = request_with(|comment| {
            comment.submitted_at = Some(prost_types::Timestamp {
                seconds: 1_700_000_000 - days_ago * 86_400,
                nanos: 0,
            });
        });
        request.action = action.into();
        request
    };
    for (action, days_ago) in [
        (Action::Backfill, 2),
        // Beyond what is kept, and no day of it.
        (Action::Backfill, 35),
        // By a clock that is ahead: today.
        (Action::Backfill, -1),
        // Judged today, whenever they were sent.
        (Action::Submit, 2),
        (Action::Recheck, 2),
    ] {
        harness.moderate(sent(action, days_ago)).await.unwrap();
    }
    let days = stats(&harness, "gazette", 35).await;
    let counted: Vec<_> = days.iter().map(|day| (day.date.as_str(), day.approved)).collect();
    assert_eq!(counted, [("2023-11-12", 1), ("2023-11-14", 3)]);
    let status = harness.moderate(sent(Action::Backfill, -2)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().contains("comment.submitted_at lies in the future"),
        "{status:?}"
    );
    harness.stop().await;
}

#[tokio::test]
async fn the_command_prints_them() {
    let service = Service::start(&[]);
    let mut client = service.client().await;
    client.moderate(request(PLAIN)).await.unwrap();
    let url = format!("http://{}", service.address);
    let table = run(&["stats", "--server", &url]);
    assert!(table.status.success(), "{}", stderr(&table));
    assert!(
        stdout(&table).contains("(other)") && stdout(&table).contains("approved"),
        "{}",
        stdout(&table)
    );
    let json = run(&["stats", "--server", &url, "--format", "json"]);
    let days: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(days[0]["approved"], 1);
    let wrong = run(&["stats", "--server", &url, "--days", "99"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("at most 35"), "{}", stderr(&wrong));
}

#[tokio::test]
async fn counts_survive_a_start_and_labels_are_held_against_verdicts() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let args = ["--data-dir", data.to_str().unwrap()];
    let service = Service::start(&args);
    let mut client = service.client().await;
    let mut decisions = Vec::new();
    for n in 0..3 {
        let answer = client
            .moderate(request(&format!("{PLAIN} {n}")))
            .await
            .unwrap()
            .into_inner();
        decisions.push(answer.decision_id);
    }
    for (decision, label) in decisions.into_iter().zip([Label::Spam, Label::Ham, Label::Withdrawn]) {
        let feedback = SubmitFeedbackRequest {
            decision_id: decision,
            label: label.into(),
            ..SubmitFeedbackRequest::default()
        };
        client.submit_feedback(feedback).await.unwrap();
    }
    let asked = GetStatsRequest::default;
    let before = client.get_stats(asked()).await.unwrap().into_inner();
    let rate = before.days[0].false_approve.unwrap();
    assert_eq!((before.days[0].approved, rate.errors, rate.labeled), (3, 1, 2));
    // Clopper and Pearson for 1 of 2.
    assert!((rate.low - 0.012_579).abs() < 1e-5 && (rate.high - 0.987_421).abs() < 1e-5);
    assert_eq!(before.days[0].false_reject, None);
    drop(client);
    service.stop();
    let service = Service::start(&args);
    let after = service.client().await.get_stats(asked()).await.unwrap().into_inner();
    assert_eq!(after, before);
    drop(service);
    std::fs::write(data.join("statistics.json"), "not ours").unwrap();
    let broken = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(broken.status.code(), Some(4));
    assert!(stderr(&broken).contains("move the file away"), "{}", stderr(&broken));
}
