//! A label that was acknowledged is kept, whenever the process dies; and nothing half written is ever read.
//!
//! `MODERATO_LONG=1` makes a thousand rounds of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moderato::api::grpc::proto::{GetDecisionRequest, Label, SubmitFeedbackRequest};
use moderato::clock::Timestamp;
use moderato::feedback::Bounds;
use moderato::record::Opinion;
use tokio::sync::Mutex;

use crate::support::home::{BOUNDS, Home, id, label, record, redis};
use crate::support::process::{Service, moderato};
use crate::support::redis::RedisServer;
use crate::support::{PLAIN, is_long, request};

const T: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn rounds(short: u32) -> u32 {
    if is_long() { 1_000 } else { short }
}

/// Numbers that differ from run to run: where a process is killed is to be random. The seed is in the message of a
/// failure.
fn seed() -> u64 {
    let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    u64::try_from(nanos % u128::from(u64::MAX)).unwrap()
}

fn roll(state: &mut u64, n: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % n
}

/// The files as they were after every acknowledgement, cut at any byte behind it: as if the process had died there.
#[tokio::test]
async fn files_cut_at_any_byte_lose_nothing_acknowledged() {
    let home = Home::File(tempfile::tempdir().unwrap());
    let Home::File(dir) = &home else { unreachable!() };
    let one_file = Bounds {
        segment_bytes: 1 << 30,
        ..BOUNDS
    };
    let store = home.open(one_file, T);
    let file = dir.path().join("feedback/0000000001.feedback");
    // How long the file was when each label was acknowledged.
    let mut acknowledged = Vec::new();
    for n in 0..60 {
        store.remember(vec![record(n, T)], T).await.unwrap();
        store
            .label(id(n), label(Opinion::Spam, T), None)
            .await
            .unwrap()
            .unwrap();
        acknowledged.push((n, std::fs::metadata(&file).unwrap().len()));
    }
    store.close().await;
    let whole = std::fs::read(&file).unwrap();
    let mut state = seed();
    for round in 0..rounds(200) {
        let cut = roll(&mut state, whole.len() as u64 + 1);
        let copy = Home::File(tempfile::tempdir().unwrap());
        let Home::File(copied) = &copy else { unreachable!() };
        std::fs::create_dir(copied.path().join("feedback")).unwrap();
        let torn = copied.path().join("feedback/0000000001.feedback");
        std::fs::write(&torn, &whole[..usize::try_from(cut).unwrap()]).unwrap();
        let store = copy.open(one_file, T);
        for &(n, len) in &acknowledged {
            let entry = store.get(id(n), T).await.unwrap();
            if len <= cut {
                let entry = entry
                    .as_ref()
                    .unwrap_or_else(|| panic!("round {round} cut {cut}: {n} is lost"));
                assert_eq!(
                    entry.label.as_ref().map(|label| label.opinion),
                    Some(Opinion::Spam),
                    "round {round} cut {cut}"
                );
            }
            // What is read is whole.
            assert!(
                entry.is_none_or(|entry| entry.record == record(n, T)),
                "round {round} cut {cut}"
            );
        }
        // And it can be written on.
        store
            .label(id(500), label(Opinion::Ham, T), Some(record(500, T)))
            .await
            .unwrap()
            .unwrap();
        store.close().await;
        drop(store);
        let again = copy.open(one_file, T);
        assert!(
            again.get(id(500), T).await.unwrap().is_some(),
            "round {round} cut {cut}"
        );
        again.close().await;
    }
}

/// The service itself, killed while many label at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_killed_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let config = dir.path().join("moderato.toml");
    std::fs::write(&config, "[defaults.quotas.minute]\nshadow = true\n[defaults.quotas.hour]\nshadow = true\n[defaults.quotas.day]\nshadow = true\n").unwrap();
    let mut state = seed();
    let kept: Arc<Mutex<BTreeMap<String, i32>>> = Arc::default();
    let rounds = rounds(4);
    for round in 0..=rounds {
        let mut command = moderato(&["serve", "--listen", "127.0.0.1:0", "--data-dir", &path]);
        command.args(["--config", config.to_str().unwrap()]);
        let service = Service::start_from(&mut command);
        let mut client = service.client().await;
        // All of the last round, and a few of all.
        for (id, label) in kept.lock().await.iter() {
            let request = GetDecisionRequest {
                decision_id: id.clone(),
                ..Default::default()
            };
            let found = client.get_decision(request).await;
            let found = found
                .unwrap_or_else(|status| panic!("round {round}: {id} is lost: {status:?}"))
                .into_inner();
            assert_eq!(found.label, *label, "round {round}: {id}");
        }
        if round == rounds {
            break;
        }
        // Checked; what is kept from here on is this round's, and a sample of what was before.
        let sample = |map: &mut BTreeMap<String, i32>| {
            let mut n = 0;
            map.retain(|_, _| {
                n += 1;
                n % 8 == 0
            });
        };
        sample(&mut *kept.lock().await);
        let enough = 1 + roll(&mut state, 60);
        let done = Arc::new(AtomicBool::new(false));
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4 {
            let (mut client, kept, done) = (client.clone(), Arc::clone(&kept), Arc::clone(&done));
            tasks.spawn(async move {
                let mut n = 0;
                while let Ok(judged) = client.moderate(request(PLAIN)).await {
                    let label = [Label::Ham, Label::Spam, Label::Abuse][(task + n) % 3];
                    let id = judged.into_inner().decision_id;
                    let request = SubmitFeedbackRequest {
                        decision_id: id.clone(),
                        label: label.into(),
                        ..Default::default()
                    };
                    if client.submit_feedback(request).await.is_err() {
                        break;
                    }
                    let mut kept = kept.lock().await;
                    kept.insert(id, label.into());
                    n += 1;
                    if n as u64 * 4 > enough {
                        done.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        while !done.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        service.signal("KILL");
        while tasks.join_next().await.is_some() {}
        let (_, _, logs) = tokio::task::spawn_blocking(|| service.wait()).await.unwrap();
        assert!(!logs.contains("damaged"), "round {round}: {logs}");
    }
}

/// Redis that writes every command before it answers, killed while many label at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_loses_nothing_acknowledged() {
    let mut server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let mut state = seed();
    let mut next = 0_u32;
    let mut known: BTreeMap<u32, Opinion> = BTreeMap::new();
    for round in 0..rounds(4) {
        let url = server.url();
        let enough = 1 + roll(&mut state, 40);
        let kept: Arc<Mutex<BTreeMap<u32, Opinion>>> = Arc::default();
        let done = Arc::new(AtomicBool::new(false));
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4_u32 {
            let (url, kept, done) = (url.clone(), Arc::clone(&kept), Arc::clone(&done));
            let first = next + task * 1_000;
            tasks.spawn(async move {
                let store = redis(url, BOUNDS);
                for n in first..first + 1_000 {
                    let opinion = Opinion::ALL[n as usize % 5];
                    if store.remember(vec![record(n, T)], T).await.is_err()
                        || store.label(id(n), label(opinion, T), None).await.is_err()
                    {
                        break;
                    }
                    kept.lock().await.insert(n, opinion);
                    if u64::from(n - first) * 4 > enough {
                        done.store(true, Ordering::Relaxed);
                    }
                }
                done.store(true, Ordering::Relaxed);
            });
        }
        while !done.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        server.kill();
        while tasks.join_next().await.is_some() {}
        server.restart().await;
        known.retain(|n, _| n % 8 == 0);
        known.extend(kept.lock().await.iter());
        let store = redis(server.url(), BOUNDS);
        for (&n, &opinion) in &known {
            let entry = store
                .get(id(n), T)
                .await
                .unwrap()
                .unwrap_or_else(|| panic!("round {round}: {n} is lost"));
            assert_eq!(
                (entry.record, entry.label.map(|label| label.opinion)),
                (record(n, T), Some(opinion)),
                "round {round}"
            );
        }
        // Whatever was not acknowledged is there whole, or not at all.
        let all = store.stats(T).await.unwrap();
        assert!(all.n_labels >= known.len() as u64, "round {round}: {all:?}");
        next += 4_000;
    }
}
