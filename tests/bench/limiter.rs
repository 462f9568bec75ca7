//! What a take costs: in memory, in one Redis, in a cluster, beside `redis-benchmark` running the same script in the
//! same run; what an outage adds; what a million addresses weigh. `cargo bench --bench limiter [-- SECTION…]`, with
//! sections `memory`, `single`, `cluster`, `outage`, `master`, `weight`. Shared machines are noisy: compare within one
//! run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has to stop, and its output is its purpose"
)]

#[path = "../it/support/cluster.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod cluster;
#[path = "../it/support/eventually.rs"]
mod eventually;
mod master_killed;
#[path = "../it/support/redis.rs"]
mod redis;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moderato::clock::Clock;
use moderato::comment::AuthorKey;
use moderato::limit::{Acquire, DegradedSettings, Limiter, MemorySettings, Mode, RedisState, Source, key};
use moderato::redis::RedisSettings;
use moderato::site::{Quota, SiteId};
use moderato::verdict::Verdict;

use self::cluster::Cluster;
use self::eventually::eventually;
use self::redis::RedisServer;

const AUTHORS: u64 = 100_000;

fn quotas() -> Vec<Quota> {
    // The contract's defaults.
    [("minute", 5, 12), ("hour", 15, 120), ("day", 40, 864)]
        .map(|(name, burst, seconds)| Quota {
            name: name.into(),
            burst,
            interval: Duration::from_secs(seconds),
            effect: Verdict::Reject,
            shadow: false,
        })
        .to_vec()
}

fn author(n: u64) -> AuthorKey {
    AuthorKey::new(u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes())
}

/// CPU time that a process has used, in seconds.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| {
        after_name
            .split_whitespace()
            .nth(field)
            .and_then(|t| t.parse::<f64>().ok())
    };
    // A hundred ticks a second on every Linux that this runs on.
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn pid_of(server: &RedisServer) -> u32 {
    let info: String = server.ask(&["INFO", "server"]).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    line.trim().parse().unwrap()
}

/// Latencies in µs, sorted.
fn percentile(sorted: &[u32], share: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into the list"
    )]
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// `takes` takes with `in_flight` at once. Says latencies, sorted, and how many Redis did not answer.
async fn run(limiter: &Arc<Limiter>, in_flight: u64, takes: u64) -> (Vec<u32>, u64) {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..in_flight {
        let limiter = Arc::clone(limiter);
        tasks.spawn(async move {
            let (site, quotas, clock) = (SiteId::new("bench").unwrap(), quotas(), Clock::System);
            let (mut latencies, mut local) = (Vec::new(), 0);
            for i in 0..takes / in_flight {
                let subject = Some(author((i * in_flight + task) % AUTHORS));
                let acquire = Acquire {
                    site: &site,
                    subject,
                    quotas: &quotas,
                    idempotency_key: None,
                    mode: Mode::Spend,
                };
                let start = Instant::now();
                let acquired = limiter.acquire(&acquire, clock.now()).await;
                latencies.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                local += u64::from(acquired.source == Source::Degraded);
            }
            (latencies, local)
        });
    }
    let (mut all, mut local) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (latencies, alone) = done.unwrap();
        all.extend(latencies);
        local += alone;
    }
    all.sort_unstable();
    (all, local)
}

async fn measure(name: &str, limiter: Limiter, servers: &[u32], takes: [u64; 3]) {
    let limiter = Arc::new(limiter);
    for (in_flight, takes) in [1, 16, 512].into_iter().zip(takes) {
        run(&limiter, in_flight, takes / 10).await;
        let redis = || servers.iter().map(|pid| cpu(*pid)).sum::<f64>();
        let (start, ours, theirs) = (Instant::now(), cpu(std::process::id()), redis());
        let (latencies, local) = run(&limiter, in_flight, takes).await;
        let (seconds, n) = (start.elapsed().as_secs_f64(), latencies.len() as f64);
        println!(
            "| {name} | {in_flight} | {:.0} | {:.2} | {:.2} | {} | {} | {local} |",
            n / seconds,
            (cpu(std::process::id()) - ours) / n * 1e6,
            (redis() - theirs) / n * 1e6,
            percentile(&latencies, 0.5),
            percentile(&latencies, 0.99),
        );
    }
}

/// The same script by `redis-benchmark`, with one new author for each of a hundred thousand.
fn redis_benchmark(server: &RedisServer, in_flight: u64, takes: u64) {
    let mut packed = Vec::new();
    for quota in quotas() {
        let interval = quota.interval.as_micros() as f64;
        packed.extend(key::quota_id(&quota));
        packed.extend(interval.to_le_bytes());
        packed.extend((interval * f64::from(quota.burst)).to_le_bytes());
        packed.push(0);
    }
    // It cannot send zero bytes: the numbers are nudged, the work is the same.
    packed.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 1);
    let digest: String = server
        .ask(&["SCRIPT", "LOAD", include_str!("../../src/limit/take.lua")])
        .unwrap();
    let pid = pid_of(server);
    let before = cpu(pid);
    let mut child = Command::new("redis-benchmark")
        .args([
            "-p",
            &server.port.to_string(),
            "-c",
            &in_flight.to_string(),
            "-n",
            &takes.to_string(),
        ])
        .args([
            "-r",
            "100000",
            "-x",
            "--csv",
            "EVALSHA",
            &digest,
            "1",
            "moderato:1:{bench:00000000000000000000__rand_int__}",
        ])
        .args(["s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&packed).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row: Vec<&str> = text.lines().last().unwrap_or_default().rsplit("\",\"").collect();
    // From the right: max, p99, p95, p50, min, avg, requests a second.
    let at = |i: usize| row.get(i).copied().unwrap_or("?").trim_matches('"');
    let micros = |text: &str| text.parse::<f64>().map_or(0.0, |ms| ms * 1e3);
    println!(
        "| redis-benchmark | {in_flight} | {} | - | {:.2} | {:.0} | {:.0} | - |",
        at(6),
        (cpu(pid) - before) / takes as f64 * 1e6,
        micros(at(3)),
        micros(at(1)),
    );
}

async fn connected(settings: RedisSettings) -> Limiter {
    let limiter = Limiter::redis(settings, &DegradedSettings::default()).unwrap();
    limiter.connect().await;
    let states = limiter.states().unwrap();
    eventually("Redis is up", async || *states.borrow() == RedisState::Up).await;
    limiter
}

/// Takes of 32 tasks while Redis is taken away and given back; what each cost, and how soon Redis counts again.
async fn outage(name: &str, mut server: RedisServer, away: fn(&mut RedisServer), back: impl AsyncFn(&mut RedisServer)) {
    let limiter = Arc::new(connected(RedisSettings::new(server.url())).await);
    let (calm, _) = run(&limiter, 32, 40_000).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (limiter, stop) = (Arc::clone(&limiter), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut all, mut rounds) = (Vec::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                all.extend(run(&limiter, 32, 320).await.0);
                rounds += 1;
                // Some 16,000 a second: a load, not a race for the processor.
                let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
            }
            all.sort_unstable();
            (all, rounds)
        })
    };
    away(&mut server);
    let mut states = limiter.states().unwrap();
    states.wait_for(|state| *state != RedisState::Up).await.unwrap();
    let opened = run(&limiter, 32, 3_200).await.0;
    let _ = tokio::time::timeout(Duration::from_secs(3), std::future::pending::<()>()).await;
    back(&mut server).await;
    let returned = Instant::now();
    states.wait_for(|state| *state == RedisState::Up).await.unwrap();
    let lag = returned.elapsed();
    stop.store(true, Ordering::Relaxed);
    let (all, _) = load.await.unwrap();
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} | {:.0} |",
        all.len(),
        percentile(&calm, 0.5),
        percentile(&opened, 0.5),
        percentile(&all, 0.99),
        percentile(&all, 0.999),
        all.last().copied().unwrap_or(0),
        lag.as_secs_f64() * 1e3,
    );
}

async fn weight() {
    let limiter = Limiter::memory(&MemorySettings::default());
    let (site, quotas, clock) = (SiteId::new("bench").unwrap(), quotas(), Clock::System);
    for n in 0..1_000_000 {
        let acquire = Acquire {
            site: &site,
            subject: Some(author(n)),
            quotas: &quotas,
            idempotency_key: None,
            mode: Mode::Spend,
        };
        limiter.acquire(&acquire, clock.now()).await;
    }
    let Limiter::Memory(memory) = &limiter else {
        panic!("in memory")
    };
    println!(
        "in memory: {:.1} MiB for {} addresses",
        memory.bytes() as f64 / f64::from(1 << 20),
        memory.subjects()
    );
    let server = RedisServer::start().await;
    let redis = Arc::new(
        connected(RedisSettings {
            budget: Duration::from_secs(5),
            ..RedisSettings::new(server.url())
        })
        .await,
    );
    let used = || {
        let info: String = server.ask(&["INFO", "memory"]).unwrap();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:").map(str::to_owned))
            .unwrap();
        line.trim().parse::<f64>().unwrap()
    };
    let before = used();
    run(&redis, 256, AUTHORS).await;
    let each = (used() - before) / AUTHORS as f64;
    println!(
        "in Redis: {each:.0} bytes an address ({AUTHORS} addresses), {:.0} MiB a million",
        each * 1e6 / f64::from(1 << 20)
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |section: &str| asked.is_empty() || asked.iter().any(|arg| arg == section);
    println!(
        "| limiter | in flight | takes/s | our CPU µs | Redis' CPU µs | p50 µs | p99 µs | local |\n|---|---|---|---|---|---|---|---|"
    );
    if wants("memory") {
        measure(
            "memory",
            Limiter::memory(&MemorySettings::default()),
            &[],
            [2_000_000; 3],
        )
        .await;
    }
    // A generous budget: what is measured is what Redis and we can do, not when we would give up.
    let patient = |url: String| RedisSettings {
        budget: Duration::from_secs(5),
        ..RedisSettings::new(url)
    };
    if wants("single") {
        let server = RedisServer::start().await;
        measure(
            "single",
            connected(patient(server.url())).await,
            &[pid_of(&server)],
            [40_000, 200_000, 200_000],
        )
        .await;
        for (in_flight, takes) in [(1, 40_000), (16, 200_000), (512, 200_000)] {
            redis_benchmark(&server, in_flight, takes);
        }
    }
    if wants("cluster") {
        let cluster = Cluster::start().await;
        let pids: Vec<u32> = cluster.servers.iter().map(pid_of).collect();
        measure(
            "cluster",
            connected(patient(cluster.url())).await,
            &pids,
            [40_000, 200_000, 200_000],
        )
        .await;
    }
    if wants("outage") {
        println!(
            "\n| outage | takes | calm p50 µs | open p50 µs | p99 µs | p99.9 µs | max µs | back after ms |\n|---|---|---|---|---|---|---|---|"
        );
        outage(
            "kill -9, restart after 3 s",
            RedisServer::start().await,
            RedisServer::kill,
            async |s| s.restart().await,
        )
        .await;
        outage(
            "SIGSTOP for 3 s",
            RedisServer::start().await,
            |s| s.pause(),
            async |s| s.resume(),
        )
        .await;
    }
    if wants("master") {
        master_killed::run().await;
    }
    if wants("weight") {
        println!();
        weight().await;
    }
}
