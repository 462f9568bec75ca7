//! One master of a cluster is killed under load: what each take cost, whose authors were counted locally, and how soon
//! the shard is counted by Redis again, beside how soon the cluster itself has a new master for it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moderato::clock::Clock;
use moderato::limit::{Acquire, Limiter, Mode, RedisState, Source, key};
use moderato::redis::RedisSettings;
use moderato::site::SiteId;

use crate::cluster::Cluster;
use crate::eventually::eventually;
use crate::{author, connected, percentile, quotas};

const AUTHORS: u64 = 3_000;
const CALLERS: u64 = 32;

struct Sample {
    author: u64,
    micros: u32,
    source: Source,
    at: Duration,
}

pub(crate) async fn run() {
    let mut cluster = Cluster::start().await;
    let limiter = Arc::new(connected(RedisSettings::new(cluster.url())).await);
    let masters = cluster.masters();
    let (victim, witness) = (masters[0], masters[1]);
    let lost = authors_of(&cluster, victim, witness);
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (limiter, stop) = (Arc::clone(&limiter), Arc::clone(&stop));
        callers.spawn(async move { call(&limiter, caller, &stop, start).await });
    }
    pause(Duration::from_secs(2)).await;
    let killed = start.elapsed();
    cluster.servers[victim].kill();
    let mut states = limiter.states().unwrap();
    states.wait_for(|state| *state != RedisState::Up).await.unwrap();
    let noticed = start.elapsed();
    eventually("a replica is promoted", async || {
        cluster.masters().iter().any(|server| !masters.contains(server))
    })
    .await;
    let promoted = start.elapsed();
    states.wait_for(|state| *state == RedisState::Up).await.unwrap();
    let back = start.elapsed();
    pause(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let mut samples = Vec::new();
    while let Some(done) = callers.join_next().await {
        samples.extend(done.unwrap());
    }
    let micros = |of: &dyn Fn(&Sample) -> bool| {
        let mut micros: Vec<u32> = samples
            .iter()
            .filter(|sample| of(sample))
            .map(|sample| sample.micros)
            .collect();
        micros.sort_unstable();
        micros
    };
    let calm = micros(&|sample| sample.at < killed);
    let local = |sample: &Sample| sample.source == Source::Degraded;
    println!(
        "\n| cluster, one of three masters killed | takes | p50 µs | p99 µs | p99.9 µs | max µs | local |\n|---|---|---|---|---|---|---|"
    );
    let during = |sample: &Sample| sample.at >= killed && sample.at < back;
    let rows: [(&str, Vec<u32>, usize); 3] = [
        (
            "before, all authors",
            calm,
            samples.iter().filter(|s| s.at < killed && local(s)).count(),
        ),
        (
            "kill to return, the dead shard's authors",
            micros(&|s| during(s) && lost.contains(&s.author)),
            samples
                .iter()
                .filter(|s| during(s) && lost.contains(&s.author) && local(s))
                .count(),
        ),
        (
            "kill to return, all others",
            micros(&|s| during(s) && !lost.contains(&s.author)),
            samples
                .iter()
                .filter(|s| during(s) && !lost.contains(&s.author) && local(s))
                .count(),
        ),
    ];
    for (name, micros, local) in rows {
        println!(
            "| {name} | {} | {} | {} | {} | {} | {local} |",
            micros.len(),
            percentile(&micros, 0.5),
            percentile(&micros, 0.99),
            percentile(&micros, 0.999),
            micros.last().copied().unwrap_or(0),
        );
    }
    let after = |at: Duration| at.saturating_sub(killed).as_millis();
    println!(
        "noticed after {} ms; the cluster has a new master after {} ms; Redis counts all authors again after {} ms",
        after(noticed),
        after(promoted),
        after(back),
    );
}

/// One caller: some 500 takes a second, a load and not a race for the processor.
async fn call(limiter: &Limiter, caller: u64, stop: &AtomicBool, start: Instant) -> Vec<Sample> {
    let (site, quotas, clock) = (SiteId::new("bench").unwrap(), quotas(), Clock::System);
    let (mut samples, mut n) = (Vec::new(), caller);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..10 {
            let acquire = Acquire {
                site: &site,
                subject: Some(author(n % AUTHORS)),
                quotas: &quotas,
                idempotency_key: None,
                mode: Mode::Spend,
            };
            let began = Instant::now();
            let acquired = limiter.acquire(&acquire, clock.now()).await;
            samples.push(Sample {
                author: n % AUTHORS,
                micros: u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX),
                source: acquired.source,
                at: began - start,
            });
            n += CALLERS;
        }
        pause(Duration::from_millis(20)).await;
    }
    samples
}

/// The authors whose slots a server has.
fn authors_of(cluster: &Cluster, server: usize, witness: usize) -> HashSet<u64> {
    let nodes: String = cluster.servers[witness].ask(&["CLUSTER", "NODES"]).unwrap();
    let address = format!("127.0.0.1:{}@", cluster.servers[server].port);
    let line = nodes.lines().find(|line| line.contains(&address)).unwrap();
    let ranges: Vec<(u16, u16)> = line
        .split_whitespace()
        .skip(8)
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        })
        .collect();
    let site = SiteId::new("bench").unwrap();
    let mut pipe = ::redis::pipe();
    for n in 0..AUTHORS {
        pipe.cmd("CLUSTER").arg("KEYSLOT").arg(key::subject(&site, author(n)));
    }
    let slots: Vec<u16> = pipe.query(&mut cluster.servers[witness].connection()).unwrap();
    let lost = |(n, slot): (u64, u16)| {
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&slot))
            .then_some(n)
    };
    (0..).zip(slots).filter_map(lost).collect()
}

async fn pause(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}
