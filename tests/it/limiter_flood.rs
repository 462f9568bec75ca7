//! A flood of new addresses against the limiter in memory: it stays under its cap, and whoever is over a quota is
//! remembered. A million and a bit always, ten million with `tests/run --long`.

use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::limit::{Acquire, Answer, Memory, MemorySettings, Mode, Outcome};
use moderato::site::Quota;

use crate::limiter::{author, quota, site};
use crate::support::is_long;

const CAP: usize = 64 << 20;

#[test]
fn a_flood_of_addresses_stays_under_the_cap_and_forgets_nobody_over_a_quota() {
    let n_addresses: u64 = if is_long() { 10_000_000 } else { 1_200_000 };
    let settings = MemorySettings::default();
    let memory = Memory::new(&settings);
    let site = site("a");
    let quotas: [Quota; 3] = [
        quota("minute", 5, Duration::from_secs(12)),
        quota("hour", 15, Duration::from_secs(120)),
        quota("day", 40, Duration::from_secs(864)),
    ];
    let ask = |n: u64, now: u64, mode: Mode| -> Vec<Outcome> {
        let acquire = Acquire {
            site: &site,
            subject: Some(author(n)),
            quotas: &quotas,
            idempotency_key: None,
            mode,
        };
        match memory.acquire(&acquire, Timestamp::from_micros(now)) {
            Answer::Fresh(outcomes) => outcomes,
            other => panic!("{other:?}"),
        }
    };
    // A hundred authors use up their minute, far from the numbers of the flood.
    let start = 1_800_000_000_000_000;
    let greedy = || (0..100).map(|n| u64::MAX - n);
    for n in greedy() {
        for _ in 0..5 {
            assert!(!ask(n, start, Mode::Spend)[0].exceeded);
        }
    }
    let mut most = 0;
    for n in 0..n_addresses {
        // All within a second: nobody of the flood is at rest, so somebody has to be forgotten.
        assert!(!ask(n, start + n * 1_000_000 / n_addresses, Mode::Spend)[0].exceeded);
        if n % 4_096 == 0 {
            most = most.max(memory.bytes());
        }
    }
    most = most.max(memory.bytes());
    assert!(most <= CAP, "{most} bytes");
    assert!(memory.subjects() <= settings.subjects_max);
    let remembered = greedy()
        .filter(|n| ask(*n, start + 1_000_000, Mode::Peek)[0].exceeded)
        .count();
    assert_eq!(
        remembered, 100,
        "an author over a quota is not forgotten for one who is not"
    );
}
