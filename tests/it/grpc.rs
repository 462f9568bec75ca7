//! gRPC, through a real connection: verdicts, errors, quotas, request ids, reflection and health.

use std::time::Duration;

use moderato::api::grpc::proto::model_service_client::ModelServiceClient;
use moderato::api::grpc::proto::{Action, AuthorTrust, Comment, GetModelRequest, Handling, ModerateRequest, Verdict};
use moderato::limit::{Limiter, MemorySettings};
use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::harness::Harness;
use crate::support::process::Service;
use crate::support::slow::SlowCall;
use crate::support::{PLAIN, codes, request, request_with};

const SPAM: &str = "Hey guys check out my channel!!! Subscribe and visit http://best-cheap-pills.example.com to earn money \
                    fast, click here http://best-cheap-pills.example.com for a FREE iphone giveaway";

#[tokio::test]
async fn a_real_comment_is_approved_and_spam_is_not() {
    let harness = Harness::start("").await;
    let answer = harness
        .moderate(request("I walked past the new bridge today and it is lovely."))
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict(), answer.handling()),
        (Verdict::Approve, Handling::Publish)
    );
    assert!(answer.spam_probability.unwrap() < 0.5 && answer.reasons.is_empty());
    assert_eq!(answer.decision_id.len(), 32);
    assert_eq!(
        answer
            .quotas
            .iter()
            .map(|quota| quota.name.as_str())
            .collect::<Vec<_>>(),
        ["minute", "hour", "day"]
    );
    assert!(!answer.model_version.is_empty() && !answer.policy_version.is_empty());

    let spam = harness.moderate(request(SPAM)).await.unwrap();
    assert_ne!(spam.verdict(), Verdict::Approve);
    assert!(spam.spam_probability.unwrap() > 0.5);
    assert!(codes(&spam)[0].starts_with("classifier."));
    assert_eq!(spam.reasons[0].author_message, "Your comment is awaiting moderation.");
    harness.stop().await;
}

#[tokio::test]
async fn the_authors_mistakes_are_a_verdict_with_every_reason() {
    let harness = Harness::start("").await;
    let answer = harness
        .moderate(request_with(|comment| {
            comment.author_name = " - ".to_owned();
            comment.author_email = "ann@".to_owned();
            comment.content = " \u{200b} ".to_owned();
        }))
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict(), answer.handling()),
        (Verdict::Reject, Handling::ReturnToAuthor)
    );
    assert_eq!(
        codes(&answer),
        ["author_name.missing", "author_email.invalid", "content.missing"]
    );
    let fields: Vec<_> = answer.reasons.iter().map(|reason| reason.field.as_str()).collect();
    assert_eq!(
        fields,
        ["comment.author_name", "comment.author_email", "comment.content"]
    );
    assert!(
        answer
            .reasons
            .iter()
            .all(|reason| reason.author_message.starts_with("Please "))
    );
    assert_eq!(answer.not_evaluated, ["classifier.no_text"]);
    assert_eq!(answer.spam_probability, None);
    harness.stop().await;
}

#[tokio::test]
async fn the_calling_programs_mistakes_are_an_error_with_every_violation() {
    let harness = Harness::start("").await;
    let mut bad = request_with(|comment| comment.author_ip = "203.0.113.7:443".to_owned());
    bad.site = "The Gazette".to_owned();
    bad.action = 99;
    bad.request_id = "x".repeat(129);
    let status = harness.moderate(bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "site", "action", "comment.author_ip"]);
    assert!(!status.message().contains("203.0.113.7"), "{}", status.message());

    let before_1970 = Some(prost_types::Timestamp { seconds: -1, nanos: 0 });
    let bad = request_with(|comment| {
        comment.author_created_at = before_1970;
        comment.submitted_at = before_1970;
        comment.language = "en_Ann Reader".to_owned();
    });
    let status = harness.moderate(bad).await.unwrap_err();
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(
        fields,
        ["comment.author_created_at", "comment.submitted_at", "comment.language"]
    );
    assert!(!status.message().contains("Ann"), "{}", status.message());

    let status = harness.moderate(ModerateRequest::default()).await.unwrap_err();
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(
        violations.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(),
        ["site", "comment"]
    );
    harness.stop().await;
}

#[tokio::test]
async fn an_unknown_site_is_refused_where_sites_are_closed() {
    let harness = Harness::start("[service]\nallow_unknown_sites = false\n[site.times]\nclassifier = false").await;
    assert_eq!(
        harness.moderate(request("Hello")).await.unwrap_err().code(),
        Code::NotFound
    );
    let known = ModerateRequest {
        site: "times".to_owned(),
        ..request("Hello")
    };
    assert_eq!(harness.moderate(known).await.unwrap().verdict(), Verdict::Approve);
    harness.stop().await;
}

#[tokio::test]
async fn the_sixth_comment_of_a_minute_waits_and_its_turn_comes() {
    let harness = Harness::start("[defaults]\nclassifier = false").await;
    for left in (0..5).rev() {
        let answer = harness.moderate(request("Hello")).await.unwrap();
        assert_eq!((answer.verdict(), answer.quotas[0].remaining), (Verdict::Approve, left));
    }
    let sixth = harness.moderate(request("Hello")).await.unwrap();
    assert_eq!(
        (sixth.verdict(), sixth.handling()),
        (Verdict::Reject, Handling::RetryLater)
    );
    assert_eq!(codes(&sixth), ["rate_limit.exceeded"]);
    assert_eq!(
        sixth.reasons[0].author_message,
        "You are commenting too quickly. Please try again in 12 seconds."
    );
    assert_eq!(sixth.retry_after.unwrap().seconds, 12);
    assert_eq!(
        sixth.quotas[1].remaining, 10,
        "a refused comment spends nothing from the other quotas"
    );
    // Another reader is not touched; another site counts for itself.
    let other = harness
        .moderate(request_with(|comment| comment.author_ip = "198.51.100.1".to_owned()))
        .await
        .unwrap();
    assert_eq!(other.verdict(), Verdict::Approve);
    let elsewhere = ModerateRequest {
        site: "times".to_owned(),
        ..request("Hello")
    };
    assert_eq!(harness.moderate(elsewhere).await.unwrap().verdict(), Verdict::Approve);

    harness.clock.advance(Duration::from_millis(11_999));
    assert_eq!(
        harness.moderate(request("Hello")).await.unwrap().verdict(),
        Verdict::Reject
    );
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(
        harness.moderate(request("Hello")).await.unwrap().verdict(),
        Verdict::Approve
    );
    harness.stop().await;
}

#[tokio::test]
async fn only_a_submission_by_a_counted_author_spends() {
    let harness = Harness::start("[defaults]\nclassifier = false").await;
    let remaining = async || {
        let dry = ModerateRequest {
            dry_run: true,
            ..request("Hello")
        };
        harness.moderate(dry).await.unwrap().quotas[0].remaining
    };
    let full = remaining().await;
    for action in [Action::Edit, Action::Recheck, Action::Backfill] {
        let answer = harness
            .moderate(ModerateRequest {
                action: action.into(),
                ..request("Hello")
            })
            .await
            .unwrap();
        assert!(answer.quotas.is_empty(), "{action:?}");
    }
    let staff = request_with(|comment| comment.author_trust = AuthorTrust::Staff.into());
    assert!(harness.moderate(staff).await.unwrap().quotas.is_empty());
    let nameless = request_with(|comment| comment.author_name.clear());
    assert_eq!(
        codes(&harness.moderate(nameless).await.unwrap()),
        ["author_name.missing"]
    );
    assert_eq!(remaining().await, full);
    harness.moderate(request("Hello")).await.unwrap();
    assert_eq!(remaining().await, full - 1);
    harness.stop().await;
}

#[tokio::test]
async fn an_account_is_counted_instead_of_its_address() {
    let harness = Harness::start("[defaults]\nclassifier = false").await;
    let signed_in = |id: &str| {
        request_with(|comment| {
            comment.author_id = id.to_owned();
            comment.author_trust = AuthorTrust::Authenticated.into();
        })
    };
    harness.moderate(signed_in("reader-1")).await.unwrap();
    assert_eq!(
        harness.moderate(signed_in("reader-1")).await.unwrap().quotas[0].remaining,
        3
    );
    assert_eq!(
        harness.moderate(signed_in("reader-2")).await.unwrap().quotas[0].remaining,
        4
    );
    // Anybody can type an account's id; without the caller's word it counts for nothing.
    let claimed = request_with(|comment| comment.author_id = "reader-1".to_owned());
    assert_eq!(harness.moderate(claimed).await.unwrap().quotas[0].remaining, 4);
    harness.stop().await;
}

#[tokio::test]
async fn a_proxys_address_is_not_counted_and_the_answer_says_so() {
    let harness = Harness::start("[defaults]\nclassifier = false").await;
    for _ in 0..20 {
        let answer = harness
            .moderate(request_with(|comment| comment.author_ip = "10.0.0.1".to_owned()))
            .await
            .unwrap();
        assert_eq!(answer.verdict(), Verdict::Approve);
        assert_eq!(answer.not_evaluated, ["rate_limit.address_not_public"]);
    }
    let unknown = harness
        .moderate(request_with(|comment| comment.author_ip.clear()))
        .await
        .unwrap();
    assert_eq!(unknown.not_evaluated, ["rate_limit.no_address"]);
    harness.stop().await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_spends_nothing() {
    let harness = Harness::start("").await;
    let once = ModerateRequest {
        request_id: "r-1".to_owned(),
        ..request(PLAIN)
    };
    let first = harness.moderate(once.clone()).await.unwrap();
    let mut second = harness.moderate(once.clone()).await.unwrap();
    assert!(!first.replayed && second.replayed);
    second.replayed = false;
    assert_eq!(first, second);

    let recheck = ModerateRequest {
        action: Action::Recheck.into(),
        ..once.clone()
    };
    assert!(
        harness.moderate(recheck).await.unwrap().replayed,
        "a call that timed out may be repeated as a recheck"
    );

    // However the first was sent and whatever it was told: a repetition is told the same, quotas and reasons included.
    let mut told = Vec::new();
    for n in 0..7 {
        let sent = ModerateRequest {
            request_id: format!("s-{n}"),
            ..request_with(|comment| comment.content = format!("{PLAIN} And {n} more."))
        };
        let first = harness.moderate(sent.clone()).await.unwrap();
        told.push(first.handling());
        for action in [Action::Recheck, Action::Edit, Action::Submit] {
            let mut again = harness
                .moderate(ModerateRequest {
                    action: action.into(),
                    ..sent.clone()
                })
                .await
                .unwrap();
            assert!(again.replayed);
            again.replayed = false;
            assert_eq!(first, again, "{n} {action:?}");
        }
    }
    assert_eq!(told.last(), Some(&Handling::RetryLater), "{told:?}");
    let unasked = ModerateRequest {
        request_id: "s-recheck".to_owned(),
        action: Action::Recheck.into(),
        ..request("Rechecked first")
    };
    let first = harness.moderate(unasked.clone()).await.unwrap();
    let submitted = ModerateRequest {
        action: Action::Submit.into(),
        ..unasked
    };
    let mut again = harness.moderate(submitted).await.unwrap();
    assert!(std::mem::take(&mut again.replayed) && first.quotas.is_empty());
    assert_eq!(first, again);

    let mut other_body = once.clone();
    other_body.comment.as_mut().unwrap().content = "Something else".to_owned();
    let status = harness.moderate(other_body.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.get_details_bad_request().unwrap().field_violations[0].field,
        "request_id"
    );

    harness.clock.advance(Duration::from_secs(601));
    let later = harness.moderate(other_body).await.unwrap();
    assert!(!later.replayed, "ten minutes later the id is free again");
    harness.stop().await;
}

#[tokio::test]
async fn a_repeated_request_that_was_sent_back_is_a_repetition_too() {
    let harness = Harness::start("").await;
    let mut nameless = request_with(|comment| comment.author_name.clear());
    nameless.request_id = "r-2".to_owned();
    let first = harness.moderate(nameless.clone()).await.unwrap();
    let second = harness.moderate(nameless).await.unwrap();
    assert_eq!((first.decision_id, true), (second.decision_id, second.replayed));
    harness.stop().await;
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let harness = Harness::start("").await;
    let dry = ModerateRequest {
        dry_run: true,
        request_id: "r-3".to_owned(),
        ..request(PLAIN)
    };
    let first = harness.moderate(dry.clone()).await.unwrap();
    let second = harness.moderate(dry).await.unwrap();
    assert_eq!(first, second);
    assert!(first.decision_id.is_empty() && !second.replayed);
    harness.stop().await;
}

#[tokio::test]
async fn an_explanation_adds_up_and_points_into_the_text() {
    let harness = Harness::start("").await;
    let answer = harness
        .moderate(ModerateRequest {
            explain: true,
            ..request(SPAM)
        })
        .await
        .unwrap();
    let explanation = answer.explanation.unwrap();
    let listed: f64 = explanation
        .contributions
        .iter()
        .map(|contribution| contribution.log_odds)
        .sum();
    let sum = explanation.base_log_odds + listed + explanation.other_log_odds;
    assert!(
        (sum - explanation.log_odds).abs() < 1e-6,
        "{sum} {}",
        explanation.log_odds
    );
    let of_parts: f64 = explanation.parts.iter().map(|part| part.log_odds).sum();
    assert!((explanation.base_log_odds + of_parts - explanation.log_odds).abs() < 1e-6);
    assert!(!explanation.sentence.is_empty());
    let p = answer.spam_probability.unwrap();
    // Compared as probabilities: this close to 1 the way back to log-odds loses its digits.
    assert!((1.0 / (1.0 + (-explanation.log_odds).exp()) - p).abs() < 1e-12);
    assert!(!explanation.contributions.is_empty());
    for contribution in &explanation.contributions {
        if let (Some(start), Some(end)) = (contribution.start, contribution.end) {
            assert!(
                SPAM.get(start as usize..end as usize)
                    .is_some_and(|quote| !quote.is_empty())
            );
        }
        assert!(contribution.message.contains(&contribution.term));
    }
    assert!(harness.moderate(request(SPAM)).await.unwrap().explanation.is_none());
    harness.stop().await;
}

#[tokio::test]
async fn without_a_model_comments_are_held_and_the_answer_says_why() {
    let memory = MemorySettings {
        subjects_max: 10,
        replay_bytes_max: 10_000,
    };
    let harness = Harness::start_with("", Limiter::memory(&memory), false).await;
    let answer = harness.moderate(request("Hello")).await.unwrap();
    assert_eq!(
        (answer.verdict(), codes(&answer)),
        (Verdict::Hold, vec!["classifier.unavailable"])
    );
    assert_eq!(answer.degraded, ["classifier.model"]);
    harness.stop().await;
}

#[tokio::test]
async fn what_the_protocol_refuses_does_not_hurt_the_connection() {
    let harness = Harness::start("[service]\nmessage_bytes_max = 10000").await;
    let big = harness.moderate(request(&"x".repeat(20_000))).await.unwrap_err();
    assert_eq!(big.code(), Code::OutOfRange);

    // Bytes that are not UTF-8 where text belongs, and bytes that are no message at all.
    let mut not_utf8 = request("Hello").encode_to_vec();
    let at = not_utf8.windows(5).position(|window| window == b"Hello").unwrap();
    not_utf8[at] = 0xff;
    for bytes in [not_utf8, vec![0xff; 64]] {
        for method in ["Moderate", "SubmitFeedback"] {
            let call = tonic::Request::new(vec![bytes.clone()]);
            let status = raw_call(harness.address, method, call).await;
            assert_eq!(
                status,
                Some(Code::InvalidArgument as i32),
                "the caller's mistake: {method}"
            );
        }
    }
    let without = raw_call(harness.address, "Moderate", tonic::Request::new(vec![])).await;
    assert_eq!(without, Some(Code::Internal as i32), "a call without a message");
    for (encoding, answer) in [("identity", None), ("gzip", Some(Code::Unimplemented as i32))] {
        let mut call = tonic::Request::new(vec![request(PLAIN).encode_to_vec()]);
        call.metadata_mut().insert("grpc-encoding", encoding.parse().unwrap());
        assert_eq!(raw_call(harness.address, "Moderate", call).await, answer, "{encoding}");
    }
    assert_eq!(harness.moderate(request(PLAIN)).await.unwrap().decision_id.len(), 32);
    harness.stop().await;
}

/// Sends bytes as messages of a unary call; the grpc-status that comes back, unless it is an answer.
async fn raw_call(address: std::net::SocketAddr, method: &str, messages: tonic::Request<Vec<Vec<u8>>>) -> Option<i32> {
    use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
    /// Sends bytes as they are.
    #[derive(Default)]
    struct Raw;
    impl Encoder for Raw {
        type Item = Vec<u8>;
        type Error = tonic::Status;
        fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
            bytes::BufMut::put_slice(buffer, &item);
            Ok(())
        }
    }
    impl Decoder for Raw {
        type Item = ();
        type Error = tonic::Status;
        fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, tonic::Status> {
            bytes::Buf::advance(buffer, bytes::Buf::remaining(buffer));
            Ok(Some(()))
        }
    }
    impl Codec for Raw {
        type Encode = Vec<u8>;
        type Decode = ();
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = format!("/moderato.v1.ModerationService/{method}").parse().unwrap();
    client
        .client_streaming(messages.map(tokio_stream::iter), path, Raw)
        .await
        .err()
        .map(|status| status.code() as i32)
}

#[tokio::test]
async fn the_model_at_work_can_be_asked_for() {
    let service = Service::start(&[]);
    let mut client = ModelServiceClient::new(service.channel().await);
    let model = client.get_model(GetModelRequest {}).await.unwrap().into_inner();
    let card: serde_json::Value = serde_json::from_str(&model.card_json).unwrap();
    assert!(card.is_object());
    assert_eq!(model.version.len(), 12);
    assert!(model.hold_at > 0.0 && model.reject_at.is_none_or(|reject_at| reject_at >= model.hold_at));
    assert!(model.n_terms > 0 && model.loaded_at.is_some());
}

#[tokio::test]
async fn health_and_both_reflections_answer() {
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    use tonic_reflection::pb::{v1, v1alpha};
    let service = Service::start(&[]);
    for name in ["", "moderato.v1.ModerationService", "moderato.v1.ModelService"] {
        let request = HealthCheckRequest {
            service: name.to_owned(),
        };
        let answer = HealthClient::new(service.channel().await)
            .check(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    // A client that decodes error details asks for their type.
    let symbol = "google.rpc.BadRequest".to_owned();
    {
        use v1::server_reflection_request::MessageRequest;
        let ask = v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::FileContainingSymbol(symbol.clone())),
        };
        let mut client = v1::server_reflection_client::ServerReflectionClient::new(service.channel().await);
        let mut answers = client
            .server_reflection_info(tokio_stream::iter([ask]))
            .await
            .unwrap()
            .into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        assert!(matches!(
            answer,
            v1::server_reflection_response::MessageResponse::FileDescriptorResponse(_)
        ));
    }
    {
        use v1alpha::server_reflection_request::MessageRequest;
        let ask = v1alpha::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(service.channel().await);
        let mut answers = client
            .server_reflection_info(tokio_stream::iter([ask]))
            .await
            .unwrap()
            .into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        let v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
            panic!("{answer:?}")
        };
        let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
        assert!(names.contains(&"moderato.v1.ModerationService"), "{names:?}");
    }
}

#[tokio::test]
async fn a_full_house_says_when_to_come_back() {
    let harness = Harness::start("[service]\nin_flight_max = 1").await;
    let slow = SlowCall::begin(&harness.channel().await, &mut harness.client()).await;
    let status = harness.moderate(request(PLAIN)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    assert_eq!(slow.finish(request(PLAIN)).await.unwrap().verdict(), Verdict::Approve);
    assert!(
        harness.moderate(request(PLAIN)).await.is_ok(),
        "the place is free again"
    );
    harness.stop().await;
}

#[tokio::test]
async fn a_double_click_gets_the_first_decision_and_spends_nothing() {
    let harness = Harness::start("").await;
    let click = |change: &dyn Fn(&mut Comment)| {
        let mut request = request_with(|comment| {
            comment.article_id = "bridge".to_owned();
            comment.author_ip = "203.0.113.90".to_owned();
        });
        change(request.comment.as_mut().unwrap());
        request
    };
    let first = harness.moderate(click(&|_| {})).await.unwrap();
    assert!(!first.replayed && first.quotas[0].remaining == 4);
    // Two ids: the form was sent twice, not the call.
    for id in ["", "one", "two"] {
        let mut again = click(&|_| {});
        again.request_id = id.to_owned();
        let again = harness.moderate(again).await.unwrap();
        assert!(again.replayed);
        assert_eq!(
            (again.decision_id, again.verdict, again.quotas),
            (first.decision_id.clone(), first.verdict, first.quotas.clone())
        );
    }
    // An id that stands for another body is a mistake also then.
    let mut mistaken = click(&|comment| comment.user_agent = Some("another".to_owned()));
    mistaken.request_id = "zero".to_owned();
    let mut claimed = click(&|comment| comment.article_id = "tunnel".to_owned());
    claimed.request_id = "zero".to_owned();
    assert!(!harness.moderate(claimed).await.unwrap().replayed);
    assert_eq!(
        harness.moderate(mistaken).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    // Another article (above), somebody else, another parent, another text: each is a comment of its own.
    type Change = fn(&mut Comment);
    let others: [Change; 3] = [
        |comment| comment.author_name = "Bob".to_owned(),
        |comment| comment.parent_id = "17".to_owned(),
        |comment| comment.content.push('!'),
    ];
    for change in others {
        let other = harness.moderate(click(&change)).await.unwrap();
        assert!(!other.replayed && other.decision_id != first.decision_id);
    }
    // What is no part of the comment may differ: the second click is judged as the first was.
    let minded = Harness::start("[defaults]\nform_age_min = \"3s\"").await;
    type Differ = fn(&mut Comment);
    let differences: [Differ; 2] = [
        |comment| comment.honeypot = "filled".to_owned(),
        |comment| {
            comment.form_age = Some(prost_types::Duration { seconds: 1, nanos: 0 });
        },
    ];
    for (n, differ) in differences.into_iter().enumerate() {
        for is_first in [true, false] {
            let text = |comment: &mut Comment| comment.content = format!("{PLAIN} {n} {is_first}");
            let (plain, marked) = (
                click(&text),
                click(&|comment| {
                    text(comment);
                    differ(comment);
                }),
            );
            let (first, second) = if is_first { (marked, plain) } else { (plain, marked) };
            let first = minded.moderate(first).await.unwrap();
            let mut second = minded.moderate(second).await.unwrap();
            assert!(std::mem::take(&mut second.replayed));
            assert_eq!(first, second);
            assert_eq!(first.reasons.is_empty(), !is_first, "{first:?}");
        }
    }
    minded.stop().await;
    // Five are spent: the sixth is told to come back, and when it does it is no double click.
    let sixth = || click(&|comment| comment.content = "One more thing about the bridge.".to_owned());
    let refused = harness.moderate(sixth()).await.unwrap();
    assert_eq!(refused.handling(), Handling::RetryLater);
    harness.clock.advance(Duration::from_secs(12));
    let granted = harness.moderate(sixth()).await.unwrap();
    assert!(!granted.replayed && granted.handling() == Handling::Publish);
    // After a minute the same text is a comment again.
    harness.clock.advance(Duration::from_secs(60));
    assert!(!harness.moderate(click(&|_| {})).await.unwrap().replayed);
    harness.stop().await;
}

#[tokio::test]
async fn of_two_clicks_at_once_one_is_counted() {
    let harness = Harness::start("").await;
    let click = || {
        request_with(|comment| {
            comment.article_id = "bridge".to_owned();
            comment.author_ip = "203.0.113.91".to_owned();
        })
    };
    let (one, two) = tokio::join!(harness.moderate(click()), harness.moderate(click()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.decision_id, two.decision_id);
    assert!(one.replayed != two.replayed);
    harness.stop().await;
}

#[tokio::test]
async fn a_kind_that_cannot_be_is_the_callers_mistake_and_a_form_age_below_zero_is_unknown() {
    let harness = Harness::start("").await;
    let wrong = request_with(|comment| {
        comment.form_age = Some(prost_types::Duration { seconds: -1, nanos: 0 });
        comment.kind = 99;
    });
    let status = harness.moderate(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let fields: Vec<_> = status
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    assert_eq!(fields, ["comment.kind"]);
    let stepped_back = request_with(|comment| {
        comment.form_age = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    });
    assert_eq!(
        harness.moderate(stepped_back).await.unwrap().verdict(),
        Verdict::Approve
    );
    harness.stop().await;
}
