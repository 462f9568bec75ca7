//! The script is held against the pure arithmetic: the same takes at the same times give the same levels and
//! states.

use std::cell::RefCell;
use std::time::Duration;

use moderato::limit::{Mode, gcra, key};
use moderato::site::Quota;
use moderato::verdict::Verdict;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::{Connection, Script};

use crate::support::redis::RedisServer;

/// The script with the test's time instead of Redis', and the lifetime of its key written down instead of obeyed, so
/// that Redis' own clock does not take part.
fn script() -> Script {
    let text = include_str!("../../src/limit/take.lua");
    let timed = text.replace("redis.call('TIME')", "redis.call('MGET', 'now:s', 'now:us')");
    let kept = "redis.call('SET', 'lifetime', math.ceil(rest / 1000)) redis.call('PERSIST', KEYS[1])";
    let timed = timed.replace("math.ceil(rest / 1000))", &format!("86400000) {kept}"));
    assert_ne!(text, timed);
    Script::new(&timed)
}

fn pack(quotas: &[Quota]) -> Vec<u8> {
    let mut packed = Vec::new();
    for quota in quotas {
        let interval = quota.interval.as_micros() as f64;
        packed.extend(key::quota_id(quota));
        packed.extend(interval.to_le_bytes());
        packed.extend((interval * f64::from(quota.burst)).to_le_bytes());
        packed.push(u8::from(quota.shadow));
    }
    packed
}

/// One call at `now`; the levels as the script says them.
fn call(redis: &mut Connection, script: &Script, quotas: &[Quota], now: u64, mode: &str) -> Vec<(u64, bool)> {
    let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
    redis::cmd("MSET")
        .arg("now:s")
        .arg(seconds)
        .arg("now:us")
        .arg(micros)
        .arg("lifetime")
        .arg(0)
        .exec(redis)
        .unwrap();
    let reply: Vec<u8> = script.key("subject").arg(mode).arg(pack(quotas)).invoke(redis).unwrap();
    assert_eq!(reply[0], b'F');
    let level = |chunk: &[u8]| {
        let signed = i64::from_le_bytes(chunk.try_into().unwrap());
        (
            if signed < 0 { -1 - signed } else { signed }.cast_unsigned(),
            signed < 0,
        )
    };
    reply[1..].chunks_exact(8).map(level).collect()
}

#[derive(Debug, Clone)]
struct Walk {
    shape: Vec<(u32, u64, bool)>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    /// How much time passes (also backwards), in µs.
    passes: i64,
    /// `s`pend or `p`eek.
    mode: &'static str,
}

fn walk() -> impl Strategy<Value = Walk> {
    let interval = prop_oneof![1_u64..50, 1_000_000_u64..90_000_000, Just(864_000_000)];
    let shape = prop::collection::vec((1_u32..6, interval, any::<bool>()), 1..5);
    let passes =
        prop_oneof![4 => 0_i64..60, 4 => 0_i64..90_000_000, 1 => -90_000_000_i64..0, 1 => 0_i64..5_000_000_000];
    let mode = prop_oneof![4 => Just("s"), 1 => Just("p")];
    let step = (passes, mode).prop_map(|(passes, mode)| Step { passes, mode });
    let steps = prop::collection::vec(step, 1..60);
    (shape, steps).prop_map(|(shape, steps)| Walk { shape, steps })
}

#[tokio::test]
async fn the_script_is_the_arithmetic() {
    let server = RedisServer::start().await;
    let redis = RefCell::new(server.connection());
    let script = script();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..Default::default()
    });
    let result = runner.run(&walk(), |Walk { shape, steps }| {
        let quota = |(i, (burst, interval, shadow)): (usize, &(u32, u64, bool))| Quota {
            name: format!("q{i}").into(),
            burst: *burst,
            interval: Duration::from_micros(*interval),
            effect: Verdict::Hold,
            shadow: *shadow,
        };
        let quotas: Vec<Quota> = shape.iter().enumerate().map(quota).collect();
        let redis = &mut *redis.borrow_mut();
        redis::cmd("DEL").arg("subject").exec(redis).unwrap();
        let (mut tats, mut now) = (vec![0; quotas.len()], 1_800_000_000_000_000_u64);
        for Step { passes, mode } in steps {
            now = now.checked_add_signed(passes).unwrap();
            let spend = mode == "s";
            let how = if spend { Mode::Spend } else { Mode::Peek };
            let expected = gcra::acquire(&quotas, &mut tats, now, how);
            let levels = call(redis, &script, &quotas, now, mode);
            let outcomes: Vec<_> = quotas
                .iter()
                .zip(levels)
                .map(|(quota, (level, exceeded))| gcra::Meter::of(quota).outcome(level, exceeded))
                .collect();
            prop_assert_eq!(&outcomes, &expected);
            // The key lives as long as the slowest quota needs, to the millisecond, and no longer.
            let rest = tats
                .iter()
                .map(|tat| tat.saturating_sub(now))
                .max()
                .unwrap_or(0)
                .div_ceil(1000);
            let lifetime: u64 = redis::cmd("GET").arg("lifetime").query(redis).unwrap();
            prop_assert!(lifetime == rest || lifetime == 0, "{lifetime} for {rest}");
            prop_assert!(lifetime > 0 || !spend || !gcra::granted(&quotas, &expected));
        }
        Ok(())
    });
    result.unwrap();
}
