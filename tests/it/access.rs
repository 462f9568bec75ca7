//! Who may call: keys, sites, administrators, quotas of callers, and which addresses are served.

use moderato::api::grpc::proto::model_service_client::ModelServiceClient;
use moderato::api::grpc::proto::{
    GetModelRequest, GetStatsRequest, ModerateRequest, ModerateResponse, ReloadModelRequest,
};
use moderato::site::KeyHash;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::support::harness::Harness;
use crate::support::process::{run, stderr, stdout};
use crate::support::{PLAIN, request};

/// A harness whose clock stands on 14 November 2023.
async fn harness() -> Harness {
    let entry = |key: &str, more: &str| format!("{{ hash = \"{}\"{more} }}", KeyHash::of(key));
    Harness::start(&format!(
        "[access]\nadmin_keys = [{}]\n[site.gazette]\nkeys = [{}, {}, {}, {}]\n[site.times]\nkeys = [{}]\n[site.alone]\n",
        entry("admin", ""),
        entry("gazette-old", ""),
        entry("gazette-new", ", name = \"new\", expires = 2023-11-14"),
        entry("gazette-expired", ", expires = 2023-11-13"),
        entry("gazette-busy", ", calls_per_second = 2"),
        entry("times", ""),
    ))
    .await
}

async fn ask(harness: &Harness, site: &str, authorization: &[&str]) -> Result<ModerateResponse, Status> {
    let mut asked = Request::new(ModerateRequest {
        site: site.to_owned(),
        ..request(PLAIN)
    });
    for value in authorization {
        asked.metadata_mut().append("authorization", value.parse().unwrap());
    }
    harness.client().moderate(asked).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_key_opens_its_own_site_until_its_last_day_and_nothing_else() {
    let harness = harness().await;
    for good in ["Bearer gazette-old", "bearer gazette-new"] {
        ask(&harness, "gazette", &[good]).await.unwrap();
    }
    ask(&harness, "times", &["Bearer times"]).await.unwrap();

    let mut texts = Vec::new();
    let no_key: [&[&str]; 7] = [
        &[],
        &["Bearer wrong"],
        &["Bearer gazette-expired"],
        &["Bearer GAZETTE-OLD"],
        &["gazette-old"],
        &["Basic gazette-old"],
        &["Bearer gazette-old", "Bearer times"],
    ];
    for authorization in no_key {
        let status = ask(&harness, "gazette", authorization).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{authorization:?}");
        texts.push(status.message().to_owned());
    }
    let hash = format!("Bearer {}", KeyHash::of("gazette-old"));
    let status = ask(&harness, "gazette", &[&hash]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "the hash is no key");
    texts.push(status.message().to_owned());
    texts.dedup();
    assert_eq!(texts.len(), 1, "nobody is told what was wrong with a key: {texts:?}");

    let mut texts = Vec::new();
    let others = [
        ("times", "Bearer gazette-old"),
        ("gazette", "Bearer times"),
        ("gazette", "Bearer admin"),
        ("alone", "Bearer gazette-old"),
        ("no-such-site", "Bearer gazette-old"),
    ];
    for (site, key) in others {
        let status = ask(&harness, site, &[key]).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{site} {key}");
        assert!(status.details().is_empty());
        texts.push(status.message().to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "nobody is told which sites there are: {texts:?}");
    harness.stop().await;
}

#[tokio::test]
async fn the_model_is_told_to_whoever_has_a_key_and_health_to_everybody() {
    let harness = harness().await;
    let channel = harness.channel().await;
    let mut models = ModelServiceClient::new(channel.clone());
    let status = models.get_model(GetModelRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    for key in ["Bearer times", "Bearer admin"] {
        let mut asked = Request::new(GetModelRequest {});
        asked.metadata_mut().insert("authorization", key.parse().unwrap());
        assert!(!models.get_model(asked).await.unwrap().into_inner().version.is_empty());
    }
    for (key, code) in [
        ("Bearer times", Code::PermissionDenied),
        ("Bearer admin", Code::FailedPrecondition),
    ] {
        let mut asked = Request::new(ReloadModelRequest {});
        asked.metadata_mut().insert("authorization", key.parse().unwrap());
        // There is no directory to reload from; but only an administrator is told.
        assert_eq!(models.reload_model(asked).await.unwrap_err().code(), code, "{key}");
    }
    // Numbers of all sites are an administrator's, of one site its own callers' as well.
    for (key, site, code) in [
        ("Bearer times", "times", Code::Ok),
        ("Bearer times", "gazette", Code::PermissionDenied),
        ("Bearer times", "", Code::InvalidArgument),
        ("Bearer admin", "", Code::Ok),
        ("Bearer admin", "gazette", Code::Ok),
    ] {
        let site = site.to_owned();
        let mut asked = Request::new(GetStatsRequest { site, days: 1 });
        asked.metadata_mut().insert("authorization", key.parse().unwrap());
        let answer = harness.client().get_stats(asked).await;
        assert_eq!(answer.err().map_or(Code::Ok, |status| status.code()), code, "{key}");
    }
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    health
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap();
    harness.stop().await;
}

#[tokio::test]
async fn a_caller_that_makes_too_many_calls_is_told_when_to_come_back() {
    let harness = harness().await;
    for _ in 0..2 {
        ask(&harness, "gazette", &["Bearer gazette-busy"]).await.unwrap();
    }
    let status = ask(&harness, "gazette", &["Bearer gazette-busy"]).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert_eq!(wait.as_millis(), 500);
    ask(&harness, "gazette", &["Bearer gazette-old"]).await.unwrap();
    harness.clock.advance(wait);
    ask(&harness, "gazette", &["Bearer gazette-busy"]).await.unwrap();
    harness.stop().await;

    let harness = Harness::start("[access]\ncaller_calls_per_second = 1").await;
    ask(&harness, "gazette", &[]).await.unwrap();
    let status = ask(&harness, "gazette", &["Bearer whatever"]).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::ResourceExhausted,
        "without keys all callers are one"
    );
    harness.stop().await;
}

#[tokio::test]
async fn keys_of_the_defaults_open_every_site_that_has_none_of_its_own() {
    let entry = |key: &str| format!("[{{ hash = \"{}\" }}]", KeyHash::of(key));
    let settings = format!(
        "[defaults]\nkeys = {}\n[site.times]\nkeys = {}\n[site.a]\n",
        entry("any"),
        entry("times")
    );
    let harness = Harness::start(&settings).await;
    for site in ["a", "never-named"] {
        ask(&harness, site, &["Bearer any"]).await.unwrap();
    }
    let status = ask(&harness, "times", &["Bearer any"]).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    harness.stop().await;
}

#[test]
fn strangers_are_not_served_unless_told_to() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = run(&["serve", "--check", "--listen", "127.0.0.1:0", "--listen", listen]);
        assert_eq!(output.status.code(), Some(3), "{listen}");
        let error = stderr(&output);
        assert!(
            error.contains(listen) && error.contains("--serve-unprotected-beyond-loopback"),
            "{error}"
        );
        let told = run(&[
            "serve",
            "--check",
            "--listen",
            listen,
            "--serve-unprotected-beyond-loopback",
        ]);
        assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    }
    for listen in ["127.0.0.9:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
        let output = run(&["serve", "--check", "--listen", listen]);
        assert_eq!(output.status.code(), Some(0), "{listen}: {}", stderr(&output));
    }
}

#[tokio::test]
async fn a_new_key_and_its_entry_fit_together() {
    let output = run(&[
        "key",
        "new",
        "--site",
        "gazette",
        "--name",
        "it's \"mine\"",
        "--expires",
        "2023-11-14",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    let [key, entry] = printed.lines().collect::<Vec<_>>()[..] else {
        panic!("two lines: {printed}");
    };
    assert!(!entry.contains(key) && !stderr(&output).contains(key) && stderr(&output).contains("site.gazette.keys"));
    let harness = Harness::start(&format!("[site.gazette]\nkeys = [\n  {entry},\n]")).await;
    ask(&harness, "gazette", &[&format!("Bearer {key}")]).await.unwrap();
    harness.stop().await;

    assert!(stderr(&run(&["key", "new", "--admin"])).contains("access.admin_keys"));
    let bad: [&[&str]; 4] = [
        &["--site", "The Gazette"],
        &["--site", "a", "--expires", "2023-02-30"],
        &["--expires", "2023-02-28"],
        &["--site", "a", "--admin"],
    ];
    for args in bad {
        assert_eq!(
            run(&[&["key", "new"], args].concat()).status.code(),
            Some(2),
            "{args:?}"
        );
    }
}

#[test]
fn check_prints_each_sites_policy_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("moderato.toml");
    let hash = KeyHash::of("a key").to_string();
    let key = format!("keys = [{{ hash = \"{hash}\", name = \"backend\", expires = 2027-12-31 }}]");
    let text =
        format!("[access]\nadmin_{key}\n[site.gazette]\n{key}\nreject_at = 0.75\n[site.times]\nipv6_prefix = 56\n");
    std::fs::write(&file, text).unwrap();
    let check = |format: &str| {
        let output = run(&[
            "serve",
            "--check",
            "--format",
            format,
            "--config",
            file.to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!stdout(&output).contains(&hash[10..30]), "{}", stdout(&output));
        stdout(&output)
    };
    let found: serde_json::Value = serde_json::from_str(&check("json")).unwrap();
    let sites = &found["configuration"]["site"];
    assert_eq!(sites["gazette"]["reject_at"], 0.75);
    assert_eq!(
        sites["gazette"]["keys"],
        serde_json::json!([{ "name": "backend", "expires": "2027-12-31" }])
    );
    assert_eq!(sites["times"]["ipv6_prefix"], 56);
    assert_eq!(sites["times"]["quotas"]["minute"]["burst"], 5);
    assert!(sites["times"]["hold_at"].as_f64().unwrap() > 0.0, "the model's");
    let versions = [&sites["gazette"]["policy_version"], &sites["times"]["policy_version"]];
    assert!(versions[0].is_string() && versions[0] != versions[1]);
    let text = check("text");
    assert!(
        text.contains("[site.times.quotas.minute]") && text.contains("configuration ok"),
        "{text}"
    );
    assert_eq!(run(&["serve", "--format", "json"]).status.code(), Some(2));
}
