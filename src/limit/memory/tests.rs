use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Memory, MemorySettings};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::limit::{Acquire, Answer, IdempotencyKey, Mode, Outcome, gcra};
use crate::site::{Quota, SiteId};
use crate::verdict::Verdict;

const START: u64 = 1_800_000_000_000_000;
const SECOND: u64 = 1_000_000;

fn memory(subjects_max: usize) -> Memory {
    Memory::new(&MemorySettings {
        subjects_max,
        ..MemorySettings::default()
    })
}

fn quota(name: &str, burst: u32, seconds: u64) -> Quota {
    let interval = Duration::from_secs(seconds);
    Quota {
        name: name.into(),
        burst,
        interval,
        effect: Verdict::Reject,
        shadow: false,
    }
}

/// The contract's defaults.
fn defaults() -> [Quota; 3] {
    [quota("minute", 5, 12), quota("hour", 15, 120), quota("day", 40, 864)]
}

fn author(n: u64) -> AuthorKey {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    AuthorKey::new(bytes)
}

fn ask(memory: &Memory, n: u64, quotas: &[Quota], now: u64, mode: Mode) -> Vec<Outcome> {
    let site = SiteId::new("a").unwrap();
    let acquire = Acquire {
        site: &site,
        subject: Some(author(n)),
        quotas,
        idempotency_key: None,
        mode,
    };
    match memory.acquire(&acquire, Timestamp::from_micros(now)) {
        Answer::Fresh(outcomes) => outcomes,
        other => panic!("{other:?}"),
    }
}

fn granted(memory: &Memory, n: u64, quotas: &[Quota], now: u64) -> bool {
    gcra::granted(quotas, &ask(memory, n, quotas, now, Mode::Spend))
}

/// True if the state of this author is still there: a look from rest would leave all but one.
fn remembered(memory: &Memory, n: u64, quotas: &[Quota], now: u64) -> bool {
    let last = quotas.len() - 1;
    ask(memory, n, quotas, now, Mode::Peek)[last].remaining + 1 < quotas[last].burst
}

#[test]
fn the_oldest_idle_go_first() {
    let (memory, quotas) = (memory(100), defaults());
    for n in 0..150 {
        assert!(granted(&memory, n, &quotas, START + n * SECOND));
    }
    assert_eq!(memory.subjects(), 100);
    let left: Vec<u64> = (0..150)
        .filter(|n| remembered(&memory, *n, &quotas, START + 150 * SECOND))
        .collect();
    assert_eq!(left, (50..150).collect::<Vec<_>>());
}

#[test]
fn those_at_rest_go_before_those_that_are_not() {
    let (memory, quotas) = (memory(10), [quota("q", 10, 60)]);
    (0..5).for_each(|_| assert!(granted(&memory, 0, &quotas, START)));
    // Later than the first, and at rest sooner.
    (1..10).for_each(|n| assert!(granted(&memory, n, &quotas, START + n * SECOND)));
    let now = START + 100 * SECOND;
    (10..19).for_each(|n| assert!(granted(&memory, n, &quotas, now)));
    assert!(remembered(&memory, 0, &quotas, now), "it had more to lose");
    assert_eq!(memory.subjects(), 10);
}

#[test]
fn room_is_made_of_those_at_rest_before_the_map_grows() {
    let (memory, quotas) = (memory(1_000), [quota("q", 2, 1)]);
    for n in 0..5_000 {
        assert!(granted(&memory, n, &quotas, START + n * SECOND));
    }
    assert!(memory.subjects() <= 3, "{}", memory.subjects());
}

#[test]
fn a_flood_does_not_free_those_over_their_quota() {
    let (memory, quotas) = (memory(200), defaults());
    for n in 0..100 {
        (0..5).for_each(|_| assert!(granted(&memory, n, &quotas, START)));
        assert!(!granted(&memory, n, &quotas, START));
    }
    for n in 1_000..21_000 {
        assert!(granted(&memory, n, &quotas, START + n));
    }
    assert_eq!(memory.subjects(), 200);
    assert!((0..100).all(|n| !granted(&memory, n, &quotas, START + 100_000)));
    // Free again, they are like all others.
    let later = START + 13 * SECOND;
    assert!((30_000..31_000).all(|n| granted(&memory, n, &quotas, later)));
    assert_eq!(memory.subjects(), 200);
}

#[test]
fn when_all_are_over_the_one_that_is_free_soonest_goes() {
    let (memory, quotas) = (memory(10), [quota("q", 1, 60)]);
    (0..10).for_each(|n| assert!(granted(&memory, n, &quotas, START + n * SECOND)));
    assert!(granted(&memory, 10, &quotas, START + 10 * SECOND));
    let free: Vec<u64> = (0..11)
        .filter(|n| !ask(&memory, *n, &quotas, START + 10 * SECOND, Mode::Peek)[0].exceeded)
        .collect();
    assert_eq!(free, [0]);
}

#[test]
fn a_shadow_quota_protects_nobody_from_being_forgotten() {
    let (memory, mut quotas) = (memory(10), [quota("watched", 1, 600), quota("q", 5, 60)]);
    quotas[0].shadow = true;
    (0..30).for_each(|n| assert!(granted(&memory, n, &quotas, START + n * SECOND)));
    assert!(!remembered(&memory, 0, &quotas, START + 30 * SECOND));
}

#[test]
fn more_quotas_than_a_row_holds() {
    let memory = memory(10);
    let quotas: Vec<Quota> = (1..=6).map(|n| quota(&format!("q{n}"), 7 - n, 600)).collect();
    assert!(granted(&memory, 1, &quotas, START));
    assert!(!granted(&memory, 1, &quotas, START), "the sixth has one grant");
    let left: Vec<u32> = ask(&memory, 1, &quotas, START, Mode::Peek)
        .iter()
        .map(|o| o.remaining)
        .collect();
    assert_eq!(left, [5, 4, 3, 2, 1, 0]);
    (2..50).for_each(|n| assert!(granted(&memory, n, &quotas, START)));
    assert_eq!(memory.subjects(), 10);
}

#[test]
fn a_new_configuration_keeps_what_still_means_the_same() {
    let (memory, old) = (memory(10), [quota("minute", 2, 600), quota("hour", 3, 600)]);
    assert!(granted(&memory, 1, &old, START) && granted(&memory, 1, &old, START));
    let mut new = [quota("hour", 3, 600), quota("minute", 2, 601)];
    new[0].shadow = true;
    let outcomes = ask(&memory, 1, &new, START, Mode::Spend);
    assert_eq!(
        (outcomes[0].remaining, outcomes[1].remaining),
        (0, 1),
        "hour counts on, the changed minute is at rest"
    );
    for n in 0..200_000_u32 {
        let shape = [quota("q", 1 + n % 7, u64::from(1 + n))];
        granted(&memory, u64::from(n), &shape, START);
    }
}

#[test]
fn claims_hold_under_threads() {
    let (memory, quotas) = (memory(100), [quota("q", 1_000, 600)]);
    let site = SiteId::new("a").unwrap();
    let fresh = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for request in 0..100 {
                    let key = IdempotencyKey {
                        request: [request; 16],
                        fingerprint: [1; 16],
                        author: None,
                        payload: b"",
                    };
                    let acquire = Acquire {
                        site: &site,
                        subject: Some(author(1)),
                        quotas: &quotas,
                        idempotency_key: Some(key),
                        mode: Mode::Spend,
                    };
                    if let Answer::Fresh(_) = memory.acquire(&acquire, Timestamp::from_micros(START)) {
                        fresh.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(fresh.into_inner(), 100);
    assert_eq!(ask(&memory, 1, &quotas, START, Mode::Peek)[0].remaining, 899);
}

#[test]
fn a_million_addresses_with_three_quotas_take_64_mib() {
    let (memory, quotas) = (memory(1_000_000), defaults());
    for n in 0..1_100_000 {
        ask(&memory, n, &quotas, START + n, Mode::Spend);
    }
    assert_eq!(memory.subjects(), 1_000_000);
    let mib = memory.bytes() as f64 / f64::from(1 << 20);
    assert!(mib <= 64.0, "{mib} MiB");
}

proptest! {
    /// With room for all, the map is the arithmetic.
    #[test]
    fn the_map_is_the_arithmetic(
        steps in prop::collection::vec((0_u64..20, 0_u64..40 * SECOND, any::<bool>()), 1..200)
    ) {
        let (memory, quotas) = (memory(1_000), [quota("a", 2, 12), quota("b", 3, 60)]);
        let (mut model, mut now) = (HashMap::new(), START);
        for (n, step, spend) in steps {
            now += step;
            let mode = if spend { Mode::Spend } else { Mode::Peek };
            let tats = model.entry(n).or_insert([0, 0]);
            prop_assert_eq!(ask(&memory, n, &quotas, now, mode), gcra::acquire(&quotas, tats, now, mode));
        }
    }

    /// Under any flood: never past the cap, and whoever is over an enforced quota is remembered while fewer are than
    /// fit.
    #[test]
    fn the_cap_holds_and_the_over_are_remembered(
        steps in prop::collection::vec((0_u64..60, 0_u64..3 * SECOND), 1..400)
    ) {
        let (memory, quotas) = (memory(20), [quota("a", 2, 12), quota("b", 9, 30)]);
        let (mut over, mut now): (HashMap<u64, u64>, u64) = (HashMap::new(), START);
        for (n, step) in steps {
            now += step;
            over.retain(|_, until| *until > now);
            let n = if n < 30 { n % 5 } else { n };
            let outcomes = ask(&memory, n, &quotas, now, Mode::Spend);
            let wait = outcomes.iter().map(|o| o.retry_after).max().unwrap();
            if over.contains_key(&n) {
                prop_assert!(!gcra::granted(&quotas, &outcomes));
            } else if !wait.is_zero() && over.len() < 19 {
                over.insert(n, now + u64::try_from(wait.as_micros()).unwrap());
            }
            prop_assert!(memory.subjects() <= 20);
        }
    }
}
