//! What is thrown at moderato, and what must hold. `tests/fuzz/run` throws what libFuzzer thinks of; the integration
//! tests throw the corpus, in which everything that was ever found has its place.

use std::cell::RefCell;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use moderato::api::grpc::ModerationServiceImpl;
use moderato::api::grpc::proto::moderation_service_server::ModerationService;
use moderato::api::grpc::proto::{ModerateRequest, Verdict};
use moderato::artifact::{self, ActiveModel, LoadedModel};
use moderato::clock::{Clock, Timestamp};
use moderato::comment::Label;
use moderato::config;
use moderato::import::{self, Columns, Format, Rules};
use moderato::limit::{Limiter, MemorySettings};
use moderato::model::{Reading, SpamModel};
use moderato::operations::{Operations, Parts};
use moderato::pipeline::Deps;
use moderato::privacy::Pseudonymizer;
use moderato::telemetry::{Events, Metrics, Traces};
use moderato::transport::Authenticator;
use prost::Message;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_128;

/// Takes any bytes, and panics if what must hold does not.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its corpus.
pub const ALL: [(&str, Target); 6] = [
    ("text", text),
    ("links", links),
    ("artifact", artifact),
    ("request", request),
    ("config", config),
    ("import", import),
];

thread_local! {
    static MODEL: SpamModel = artifact::embedded().unwrap();
    static SERVICE: RefCell<(Arc<Authenticator>, ModerationServiceImpl)> = RefCell::new({
        let deps = Arc::new(deps());
        let operations = Arc::clone(&deps.operations);
        let clock = operations.clock().clone();
        let authenticator = Arc::new(Authenticator::new(clock, move || operations.policies.sites()));
        (Arc::clone(&authenticator), ModerationServiceImpl::new(deps, authenticator))
    });
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
}

/// Any text is read, weighed and explained, and the explanation points into it.
pub fn text(data: &[u8]) {
    let content = String::from_utf8_lossy(data);
    // The second half stands for the comment above, as often as not.
    let middle = (0..=content.len() / 2).rev().find(|at| content.is_char_boundary(*at));
    let (parent, own) = content.split_at(middle.unwrap_or(0));
    let with_parent = Reading {
        content: own,
        parent_content: Some(parent),
        ..Reading::default()
    };
    for reading in [Reading::of(&content), with_parent] {
        weigh(&reading);
    }
    let cleaned = moderato::text::clean::clean(&content);
    let twice = moderato::text::clean::clean(&cleaned.text);
    assert_eq!(cleaned.text, twice.text, "cleaning twice is cleaning once");
}

/// Any links, in a text under an article that itself links to the hosts of the first line.
pub fn links(data: &[u8]) {
    let all = String::from_utf8_lossy(data);
    let (hosts, content) = all.split_once('\n').unwrap_or(("", &all));
    let hosts: Vec<String> = hosts.split_whitespace().map(str::to_owned).collect();
    weigh(&Reading {
        content,
        article_hosts: &hosts,
        ..Reading::default()
    });
}

fn weigh(reading: &Reading<'_>) {
    MODEL.with(|model| {
        let assessment = model.assess(reading);
        let probability = assessment.probability.get();
        assert!((0.0..=1.0).contains(&probability), "{probability}");
        let explanation = model.explain(reading);
        let sum: f64 = explanation.contributions.iter().map(|one| one.log_odds).sum();
        let told = explanation.base_log_odds + sum;
        assert!((told - explanation.log_odds).abs() < 1e-6, "the explanation adds up");
        for contribution in &explanation.contributions {
            if let Some(span) = &contribution.span {
                assert!(reading.content.get(span.clone()).is_some(), "{span:?} is in the text");
            }
        }
    });
}

/// Any bytes: a model or an error. Once as they are, once with a right checksum, behind which they are believed more.
pub fn artifact(data: &[u8]) {
    let _ = artifact::decode(data);
    // Formats before the third end with another checksum.
    let checksum = if data.get(8).is_some_and(|&format| format > 2) {
        xxh3_128(data).to_be_bytes().to_vec()
    } else {
        Sha256::digest(data).to_vec()
    };
    let sealed = [data, &checksum[..]].concat();
    if let Ok(model) = artifact::decode(&sealed) {
        let probability = model
            .assess(&Reading::of("a model that can be read can weigh"))
            .probability
            .get();
        assert!((0.0..=1.0).contains(&probability), "{probability}");
        assert!(
            model
                .thresholds()
                .reject_at
                .is_none_or(|at| at >= model.thresholds().hold_at)
        );
    }
}

/// Any message: a verdict with a reason for every objection, or a status that quotes nothing of the comment.
pub fn request(data: &[u8]) {
    let Ok(request) = ModerateRequest::decode(data) else {
        return;
    };
    let secrets = request.comment.as_ref().map(|comment| {
        [
            &comment.content,
            &comment.author_name,
            &comment.author_email,
            &comment.author_ip,
        ]
        .map(|secret| secret.trim().to_owned())
    });
    let request_again = request.clone();
    let answer = RUNTIME.with(|runtime| {
        SERVICE.with_borrow(|(authenticator, door)| {
            // The door lets in whom the guard before it has let in: without keys, everybody.
            let let_in = |request| {
                let mut request = tonic::Request::new(request);
                request.extensions_mut().insert(authenticator.admit(None).unwrap());
                request
            };
            let first = runtime.block_on(door.moderate(let_in(request)));
            // The same again: a replay must stand what its original stood.
            let second = runtime.block_on(door.moderate(let_in(request_again)));
            assert_eq!(first.is_ok(), second.is_ok());
            first
        })
    });
    match answer {
        Ok(response) => {
            let response = response.into_inner();
            assert_ne!(response.verdict(), Verdict::Unspecified);
            assert!(response.verdict() == Verdict::Approve || !response.reasons.is_empty());
            assert!(response.spam_probability.is_none_or(|p| (0.0..=1.0).contains(&p)));
        }
        Err(status) => {
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
            // A telling secret only: "a" is in every message.
            for secret in secrets
                .into_iter()
                .flatten()
                .filter(|secret| secret.chars().count() > 12)
            {
                assert!(!status.message().contains(&secret), "an error quotes the comment");
            }
        }
    }
}

fn deps() -> Deps {
    let settings = "defaults.judge_private_addresses = true\n[site.strict]\nrequired.anonymous = [\"content\"]\n";
    let config = config::parse(settings, Path::new("fuzz.toml")).unwrap();
    let clock = Clock::manual(Timestamp::from_micros(1_700_000_000_000_000));
    let operations = Operations::new(Parts {
        metrics: Metrics::off(&config.sites),
        sites: Arc::new(config.sites),
        models: ActiveModel::fixed(artifact::embedded().ok().map(|model| LoadedModel {
            model,
            loaded_at: clock.now(),
        })),
        limiter: Limiter::memory(&MemorySettings {
            subjects_max: 1_000,
            replay_bytes_max: 100_000,
        }),
        pseudonymizer: Pseudonymizer::new(&[7; 32]),
        recorder: None,
        clock,
    });
    Deps::new(Arc::new(operations), Events::OBJECTIONS, Traces::Off, [3; 16])
}

/// Any text: a configuration or every mistake in it, each with the path of its key.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::parse(&text, Path::new("fuzz.toml")) {
        Ok(config) => assert!(!config.listen.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Any file as any export: comments that training can take, or an error that says where and quotes nothing.
pub fn import(data: &[u8]) {
    // The first byte says what the rest is taken for.
    let Some((&sort, file)) = data.split_first() else {
        return;
    };
    let format = match sort % 3 {
        0 => Format::WordPress,
        1 => Format::Disqus,
        _ => Format::Table(Columns::default()),
    };
    let encoding = (sort & 0x40 != 0).then_some("windows-1252");
    let rules = Rules {
        pending: Some(Label::Ham),
        removed: Some(Label::Spam),
        pingbacks: true,
    };
    let mut take = |found: import::Found| {
        if let Ok(comment) = found
            && let Ok(label) = rules.judge(&comment)
        {
            assert!(!comment.content.trim().is_empty());
            let line = import::line(&comment, label, "fuzz", true).unwrap();
            assert!(!line.trim_end().contains('\n'), "a comment is a line");
        }
        Ok(())
    };
    let file = Box::new(Cursor::new(file.to_vec()));
    let read = import::read_bytes(&format, Path::new("fuzz"), file, encoding, &mut |_| (), &mut take);
    if let Err(error) = read {
        assert!(!error.to_string().is_empty());
    }
}
