//! One contract for every home of feedback: files and Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::comment::AuthorKey;
use moderato::feedback::{Bounds, FeedbackError, FileStore};
use moderato::record::{DecisionId, Entry, Export, Label, Opinion, Record, Selection};

use crate::support::cluster::Cluster;
use crate::support::home::{BOUNDS, DAY, Home, id, label, open_file, record, redis, site};
use crate::support::is_long;
use crate::support::redis::RedisServer;

const T: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn later(days: u64) -> Timestamp {
    Timestamp::from_micros(T.as_micros() + days * DAY)
}

#[tokio::test]
async fn a_label_finds_its_decision() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        store.remember(vec![record(1, T), record(2, T)], T).await.unwrap();
        assert_eq!(store.get(id(3), T).await.unwrap(), None, "{}", home.name());
        let labeled = store
            .label(id(1), label(Opinion::Spam, later(1)), None)
            .await
            .unwrap()
            .unwrap();
        assert!(labeled.applied && labeled.verdict == record(1, T).judged.map(|judged| judged.verdict));
        let entry = store.get(id(1), later(1)).await.unwrap().unwrap();
        assert_eq!(entry.record, record(1, T));
        assert_eq!(entry.label, Some(label(Opinion::Spam, later(1))));
        assert_eq!(entry.expires_at, later(366));
        let unlabeled = store.get(id(2), T).await.unwrap().unwrap();
        assert_eq!((unlabeled.label, unlabeled.expires_at), (None, later(14)));
        let stats = store.stats(later(1)).await.unwrap();
        assert_eq!((stats.n_records, stats.n_labels, stats.cells.len()), (2, 1, 2));
        assert_eq!(store.labeled(later(1)).await.unwrap(), [entry]);
        store.close().await;
    }
}

#[tokio::test]
async fn the_latest_label_is_in_force_in_whatever_order_they_come() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        store.remember(vec![record(1, T)], T).await.unwrap();
        let say = async |opinion, labeled_at, received_at| {
            let label = Label {
                received_at,
                first_received_at: received_at,
                ..label(opinion, labeled_at)
            };
            store.label(id(1), label, None).await.unwrap().unwrap()
        };
        assert!(say(Opinion::Spam, later(2), later(2)).await.applied);
        let older = say(Opinion::Ham, later(1), later(3)).await;
        assert_eq!(
            (older.applied, older.in_force.opinion),
            (false, Opinion::Spam),
            "{}",
            home.name()
        );
        // Of two of one moment, the one that came later.
        assert!(say(Opinion::Abuse, later(2), later(4)).await.applied);
        // The same again changes nothing that anybody sees.
        assert!(say(Opinion::Abuse, later(2), later(5)).await.applied);
        assert!(say(Opinion::Withdrawn, later(3), later(6)).await.applied);
        let in_force = store.get(id(1), later(6)).await.unwrap().unwrap().label.unwrap();
        assert_eq!(
            (in_force.opinion, in_force.first_received_at),
            (Opinion::Withdrawn, later(2))
        );
        assert_eq!(store.stats(later(6)).await.unwrap().n_labels, 1);
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_not_known_can_be_sent_in_full() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        let spam = || label(Opinion::Spam, later(20));
        assert_eq!(store.label(id(1), spam(), None).await.unwrap(), None);
        store.remember(vec![record(1, T)], T).await.unwrap();
        store.tidy(later(20)).await.unwrap();
        let full = Record {
            judged: None,
            ..record(1, later(20))
        };
        assert!(
            store.label(id(1), spam(), Some(full.clone())).await.unwrap().is_some(),
            "{}",
            home.name()
        );
        // What is known already stays what it is.
        let other = record(1, later(21));
        store
            .label(id(1), label(Opinion::Ham, later(21)), Some(other))
            .await
            .unwrap()
            .unwrap();
        let entry = store.get(id(1), later(21)).await.unwrap().unwrap();
        if matches!(home, Home::File(_)) {
            assert_eq!(entry.record, full, "the expired one was forgotten before");
        }
        assert_eq!(entry.label.unwrap().opinion, Opinion::Ham);
        store.close().await;
    }
}

#[tokio::test]
async fn a_decision_is_remembered_once() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        let other = Record {
            site: site("other"),
            ..record(1, later(1))
        };
        store.remember(vec![record(1, T), other.clone()], T).await.unwrap();
        store.remember(vec![other], T).await.unwrap();
        assert_eq!(
            store.get(id(1), T).await.unwrap().unwrap().record,
            record(1, T),
            "{}",
            home.name()
        );
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_labels_live_longer() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        store.remember(vec![record(1, T), record(2, T)], T).await.unwrap();
        store
            .label(id(1), label(Opinion::Ham, later(13)), None)
            .await
            .unwrap()
            .unwrap();
        assert!(store.get(id(2), later(13)).await.unwrap().is_some());
        store.tidy(later(15)).await.unwrap();
        assert_eq!(store.get(id(2), later(15)).await.unwrap(), None, "{}", home.name());
        assert!(store.get(id(1), later(377)).await.unwrap().is_some());
        assert_eq!(store.get(id(1), later(379)).await.unwrap(), None);
        assert_eq!(store.stats(later(379)).await.unwrap().n_records, 0);
        store.close().await;
    }
}

#[tokio::test]
async fn a_flood_pushes_out_what_is_not_labeled_first() {
    for home in Home::all().await {
        let bounds = Bounds {
            records_max: 640,
            ..BOUNDS
        };
        let store = home.open(bounds, T);
        let labeled: Vec<u32> = (0..64).collect();
        for &n in &labeled {
            store.remember(vec![record(n, T)], T).await.unwrap();
            store
                .label(id(n), label(Opinion::Spam, T), None)
                .await
                .unwrap()
                .unwrap();
        }
        for first in (1_000..4_000).step_by(100) {
            let flood = (first..first + 100).map(|n| record(n, T)).collect();
            store.remember(flood, T).await.unwrap();
            store.tidy(T).await.unwrap();
        }
        let stats = store.stats(T).await.unwrap();
        assert!(
            stats.n_records <= 640 && stats.n_labels == 64,
            "{}: {stats:?}",
            home.name()
        );
        store.close().await;
    }
}

#[tokio::test]
async fn files_stay_within_their_bytes() {
    let home = Home::File(tempfile::tempdir().unwrap());
    let bounds = Bounds {
        bytes_max: 100_000,
        segment_bytes: 10_000,
        ..BOUNDS
    };
    let store = home.open(bounds, T);
    for n in 0..3_000 {
        store.remember(vec![record(n, T)], T).await.unwrap();
        if n % 50 == 0 {
            store.tidy(T).await.unwrap();
        }
    }
    store.tidy(T).await.unwrap();
    let (bytes, kept) = (home.bytes().len(), store.stats(T).await.unwrap().n_records);
    assert!(bytes < 130_000 && kept > 100, "{bytes} bytes for {kept} decisions");
    store.close().await;
}

fn of_site(name: &str, authors: &[u8], before: Option<Timestamp>) -> Selection {
    Selection::Site {
        site: site(name),
        authors: authors.iter().map(|&byte| AuthorKey::new([byte; 16])).collect(),
        before,
    }
}

fn holds(heap: &[u8], n: u32) -> bool {
    let text = format!("<text {n}>");
    heap.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn what_is_forgotten_is_nowhere() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        for n in 0..30 {
            store
                .remember(vec![record(n, later(u64::from(n) / 10))], T)
                .await
                .unwrap();
            if n % 2 == 0 {
                // Labeled twice, so that there is a frame of the first that nothing leads to.
                store.label(id(n), label(Opinion::Ham, T), None).await.unwrap().unwrap();
                store
                    .label(id(n), label(Opinion::Spam, later(1)), None)
                    .await
                    .unwrap()
                    .unwrap();
            }
        }
        let other = Record {
            site: site("other"),
            ..record(100, T)
        };
        store.remember(vec![other], T).await.unwrap();
        let forget = async |selection| store.forget(selection).await.unwrap();
        let one = forget(Selection::Decision(id(2))).await;
        assert_eq!((one.n_records, one.n_labels), (1, 1), "{}", home.name());
        assert_eq!(forget(Selection::Decision(id(2))).await.n_records, 0);
        let by_author = forget(of_site("gazette", &[3], None)).await;
        assert_eq!((by_author.n_records, by_author.n_labels), (4, 2), "3, 10, 17 and 24");
        assert_eq!(forget(of_site("other", &[3], None)).await.n_records, 0);
        let old = forget(of_site("gazette", &[], Some(later(1)))).await;
        assert_eq!((old.n_records, old.n_labels), (8, 4), "those below 10 but 2 and 3");
        let heap = home.bytes();
        for n in (0..30).chain([100]) {
            let gone = n < 10 || n % 7 == 3;
            assert_eq!(holds(&heap, n), !gone, "{} {n}", home.name());
            assert_eq!(
                store.get(id(n), T).await.unwrap().is_none(),
                gone,
                "{} {n}",
                home.name()
            );
        }
        // It may come back, if somebody sends it again.
        store.remember(vec![record(2, T)], T).await.unwrap();
        store.close().await;
        drop(store);
        let store = home.open(BOUNDS, T);
        assert!(
            store
                .get(id(2), T)
                .await
                .unwrap()
                .is_some_and(|entry| entry.label.is_none())
        );
        assert_eq!(store.get(id(3), T).await.unwrap(), None);
        store.close().await;
    }
}

#[tokio::test]
async fn forgetting_names_the_exports_that_had_it() {
    for home in Home::all().await {
        let store = home.open(BOUNDS, T);
        let export = |name: &str, at, of: Option<&str>| Export {
            sha256: name.to_owned(),
            at,
            site: of.map(site),
        };
        store.remember(vec![record(1, T), record(2, T)], T).await.unwrap();
        store.note_export(export("before", T, None)).await.unwrap();
        store
            .label(id(1), label(Opinion::Spam, later(1)), None)
            .await
            .unwrap()
            .unwrap();
        store.note_export(export("all", later(2), None)).await.unwrap();
        store
            .note_export(export("other", later(2), Some("other")))
            .await
            .unwrap();
        store
            .label(id(1), label(Opinion::Ham, later(3)), None)
            .await
            .unwrap()
            .unwrap();
        store
            .note_export(export("own", later(4), Some("gazette")))
            .await
            .unwrap();
        let unlabeled = store.forget(Selection::Decision(id(2))).await.unwrap();
        assert_eq!(unlabeled.exports, [], "{}", home.name());
        let labeled = store.forget(Selection::Decision(id(1))).await.unwrap();
        let names: Vec<_> = labeled.exports.iter().map(|export| export.sha256.as_str()).collect();
        assert_eq!(names, ["all", "own"], "{}", home.name());
        store.close().await;
    }
}

#[test]
fn a_directory_has_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_file(dir.path(), BOUNDS, T);
    let second = FileStore::open(dir.path(), BOUNDS, [8; 16], T).unwrap_err();
    assert!(matches!(second, FeedbackError::InUse { .. }), "{second}");
    assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");
    drop(store);
}

#[tokio::test]
async fn a_cluster_is_a_redis_too() {
    let cluster = Cluster::start().await;
    let store = redis(cluster.url(), BOUNDS);
    store
        .remember((0..200).map(|n| record(n, T)).collect(), T)
        .await
        .unwrap();
    for n in 0..50 {
        store
            .label(id(n), label(Opinion::Spam, T), None)
            .await
            .unwrap()
            .unwrap();
    }
    let stats = store.stats(T).await.unwrap();
    assert_eq!((stats.n_records, stats.n_labels), (200, 50));
    assert_eq!(
        store.forget(of_site("gazette", &[3], None)).await.unwrap().n_records,
        29
    );
    assert_eq!(store.labeled(T).await.unwrap().len(), 50 - 7);
}

/// A generator that gives the same numbers everywhere: `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Whatever is done in whatever order, a store holds what a map would, also after it was opened again.
#[tokio::test]
async fn a_walk_of_everything_against_a_map() {
    let long = is_long();
    for home in Home::all().await {
        for seed in 0..if long { 200 } else { 6 } {
            walk(&home, seed).await;
        }
    }
}

async fn walk(home: &Home, seed: u64) {
    let mut dice = Dice(seed);
    let mut map: BTreeMap<DecisionId, (Record, Option<Label>)> = BTreeMap::new();
    let base = u32::try_from(seed * 1_000).unwrap();
    let mut store = home.open(BOUNDS, T);
    let mut now = T;
    for step in 0..300 {
        now = now.after(Duration::from_secs(60));
        let n = base + u32::try_from(dice.roll(40)).unwrap();
        let context = format!("{} seed {seed} step {step} n {n}", home.name());
        match dice.roll(20) {
            0..6 => {
                map.entry(id(n)).or_insert_with(|| (record(n, now), None));
                store.remember(vec![record(n, now)], now).await.unwrap();
            }
            6..13 => {
                let labeled_at = T.after(Duration::from_secs(dice.roll(10_000)));
                let opinion = Opinion::ALL[usize::try_from(dice.roll(5)).unwrap()];
                let mut said = Label {
                    received_at: now,
                    first_received_at: now,
                    ..label(opinion, labeled_at)
                };
                let full = (dice.roll(4) == 0).then(|| record(n, now));
                let answer = store.label(id(n), said.clone(), full.clone()).await.unwrap();
                if let Some(full) = full {
                    map.entry(id(n)).or_insert((full, None));
                }
                let known = map.get_mut(&id(n));
                assert_eq!(answer.is_some(), known.is_some(), "{context}");
                if let Some((_, old)) = known {
                    said.first_received_at = old.as_ref().map_or(now, |old| old.first_received_at);
                    if old.as_ref().is_none_or(|old| said.labeled_at >= old.labeled_at) {
                        *old = Some(said);
                    }
                    assert_eq!(answer.map(|answer| answer.in_force), old.clone(), "{context}");
                }
            }
            13..16 => {
                let found = store
                    .get(id(n), now)
                    .await
                    .unwrap()
                    .map(|entry| (entry.record, entry.label));
                assert_eq!(found, map.get(&id(n)).cloned(), "{context}");
            }
            16 => {
                let forgotten = store.forget(Selection::Decision(id(n))).await.unwrap();
                assert_eq!(forgotten.n_records == 1, map.remove(&id(n)).is_some(), "{context}");
            }
            17 => store.tidy(now).await.unwrap(),
            _ => {
                store.close().await;
                drop(store);
                store = home.open(BOUNDS, now);
            }
        }
    }
    let own = |entry: &Entry| map.contains_key(&entry.record.id);
    let labeled: Vec<_> = store.labeled(now).await.unwrap().into_iter().filter(own).collect();
    assert_eq!(labeled.len(), map.values().filter(|(_, label)| label.is_some()).count());
    for entry in labeled {
        assert_eq!(map[&entry.record.id], (entry.record, entry.label));
    }
    store.close().await;
}

/// What docs/feedback.md says a user of Redis must be allowed is all that is needed, for the limits as well.
#[tokio::test]
async fn the_documented_permissions_are_enough() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/feedback.md")).unwrap();
    let line = docs.lines().find(|line| line.starts_with("ACL SETUSER ")).unwrap();
    let server = RedisServer::start().await;
    let words: Vec<&str> = line.split(' ').collect();
    let () = server.ask(&words).unwrap();
    let store = redis(format!("redis://moderato:password@127.0.0.1:{}/", server.port), BOUNDS);
    store.remember(vec![record(1, T), record(2, T)], T).await.unwrap();
    store
        .label(id(1), label(Opinion::Spam, T), None)
        .await
        .unwrap()
        .unwrap();
    store
        .label(id(3), label(Opinion::Ham, T), Some(record(3, T)))
        .await
        .unwrap()
        .unwrap();
    assert!(store.get(id(2), T).await.unwrap().is_some());
    assert_eq!(store.labeled(T).await.unwrap().len(), 2);
    assert_eq!(store.stats(T).await.unwrap().n_labels, 2);
    let export = Export {
        sha256: "ab".repeat(32),
        at: T,
        site: None,
    };
    store.note_export(export).await.unwrap();
    assert_eq!(store.forget(Selection::Decision(id(1))).await.unwrap().n_records, 1);
    assert_eq!(
        store
            .forget(of_site("gazette", &[], Some(later(1))))
            .await
            .unwrap()
            .n_records,
        2
    );
    // And those of the limits are among them.
    let limits = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md")).unwrap();
    let short = limits.lines().find(|line| line.starts_with("ACL SETUSER ")).unwrap();
    assert!(short.split(' ').all(|word| words.contains(&word)), "{short}");
}
