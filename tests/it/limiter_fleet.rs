//! A fleet on one real Redis: exact while it is there, and bounded on a random walk through its misfortunes.
//!
//! `MODERATO_LONG=1` (set by `tests/run --long`) makes both long: 10⁶ takes, and walks with 2,000 steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::limit::{Acquire, Answer, Limiter, Mode, RedisState, Source};
use moderato::redis::RedisSettings;
use moderato::site::Quota;

use crate::limiter::{author, in_redis, quota, settings, shadow, site};
use crate::limiter_faults::{NOW, state};
use crate::support::eventually::eventually;
use crate::support::is_long;
use crate::support::proxy::{ChaosProxy, Weather};
use crate::support::redis::RedisServer;

const HOUR: Duration = Duration::from_secs(3600);
const REPLICAS: usize = 4;
const TASKS: u64 = 8;

/// Takes once; whether it was granted, and by whom.
async fn spend(limiter: &Limiter, n: u64, quotas: &[Quota], now: Timestamp) -> (bool, Source) {
    let site = site("a");
    let acquire = Acquire {
        site: &site,
        subject: Some(author(n)),
        quotas,
        idempotency_key: None,
        mode: Mode::Spend,
    };
    let acquired = limiter.acquire(&acquire, now).await;
    let Answer::Fresh(outcomes) = acquired.answer else {
        panic!("no claims here")
    };
    let granted = quotas
        .iter()
        .zip(&outcomes)
        .all(|(quota, outcome)| quota.shadow || !outcome.exceeded);
    (granted, acquired.source)
}

/// What Redis' clock says, in µs.
fn redis_time(server: &RedisServer) -> u64 {
    let (seconds, micros): (u64, u64) = server.ask(&["TIME"]).unwrap();
    seconds * 1_000_000 + micros
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fleet_grants_what_one_model_grants() {
    let takes_per_task: u64 = if is_long() { 131_072 } else { 2_500 };
    let authors: u64 = takes_per_task / 50;
    let server = RedisServer::start().await;
    let mut fleet = Vec::new();
    for _ in 0..REPLICAS {
        let patient = RedisSettings {
            budget: Duration::from_secs(60),
            ..settings(server.url())
        };
        fleet.push(Arc::new(in_redis(patient).await));
    }
    // Three kinds of authors: one by slow quotas, whose grants are a number; one by a fast one, whose grants are
    // bounded by Redis' clock; one by a mixture with a shadow.
    let slow = [quota("minute", 7, HOUR), quota("hour", 5, HOUR), quota("day", 9, HOUR)];
    let interval = Duration::from_millis(500);
    let fast = [quota("fast", 3, interval)];
    let mixed = [shadow("watched", 2, HOUR), quota("hour", 4, HOUR)];
    let grants: Arc<Vec<AtomicU64>> = Arc::new((0..authors).map(|_| AtomicU64::new(0)).collect());
    let start = redis_time(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let fleet = fleet.clone();
        let grants = Arc::clone(&grants);
        let (slow, fast, mixed) = (slow.clone(), fast.clone(), mixed.clone());
        tasks.spawn(async move {
            for i in 0..takes_per_task {
                let n = (i * 7 + task * 13) % authors;
                let replica = usize::try_from((i + task) % REPLICAS as u64).unwrap();
                // Each replica's clock is wrong by hours, in its own way.
                let now = NOW.after(HOUR * u32::try_from(replica).unwrap() * 7);
                let quotas: &[Quota] = match n % 3 {
                    0 => &slow,
                    1 => &fast,
                    _ => &mixed,
                };
                let (granted, source) = spend(&fleet[replica], n, quotas, now).await;
                assert_eq!(source, Source::Redis);
                grants[usize::try_from(n).unwrap()].fetch_add(u64::from(granted), Ordering::Relaxed);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let elapsed = redis_time(&server) - start;
    for (n, grants) in grants.iter().enumerate() {
        let grants = grants.load(Ordering::Relaxed);
        match n % 3 {
            0 => assert_eq!(grants, 5, "author {n}: the tightest of the slow quotas"),
            // Far fewer than the hundreds of takes.
            1 => {
                let most = 3 + elapsed / u64::try_from(interval.as_micros()).unwrap();
                assert!((3..=most).contains(&grants), "author {n}: {grants} in {elapsed} µs");
            }
            _ => assert_eq!(grants, 4, "author {n}: a shadow stops nothing"),
        }
    }
}

/// A splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

const AUTHORS: u64 = 3;
const BURST: u32 = 5;

/// Two replicas, each behind its own network, on one Redis.
struct World {
    server: RedisServer,
    networks: Vec<ChaosProxy>,
    fleet: Vec<Limiter>,
    alive: bool,
    paused: bool,
    /// Grants given out, by author.
    grants: Vec<u64>,
    /// Takes that were answered without Redis, by author: it may have counted them too.
    alone: Vec<u64>,
    /// Grants by Redis to each author since it last lost what it knew of it.
    by_redis: Vec<u64>,
    /// Grants without Redis of each replica to each author since Redis last answered that replica about it.
    degraded: Vec<Vec<u64>>,
}

impl World {
    async fn start() -> Self {
        // Data that is written survives a kill.
        let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
        let (mut networks, mut fleet) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let network = ChaosProxy::before(server.port).await;
            let quick = RedisSettings {
                budget: Duration::from_millis(20),
                ..settings(network.url())
            };
            fleet.push(in_redis(quick).await);
            networks.push(network);
        }
        let none = || vec![0; usize::try_from(AUTHORS).unwrap()];
        Self {
            server,
            networks,
            fleet,
            alive: true,
            paused: false,
            grants: none(),
            alone: none(),
            by_redis: none(),
            degraded: vec![none(), none()],
        }
    }

    async fn step(&mut self, dice: &mut Dice) {
        match dice.roll(40) {
            0 if self.alive => {
                self.server.kill();
                (self.alive, self.paused) = (false, false);
            }
            1 if self.alive && !self.paused => {
                self.server.pause();
                self.paused = true;
            }
            2 if self.alive && !self.paused => {
                let () = self.server.ask(&["SCRIPT", "FLUSH"]).unwrap();
            }
            3 if self.alive && !self.paused => {
                let () = self.server.ask(&["FLUSHALL"]).unwrap();
                self.by_redis.fill(0);
            }
            4 if self.alive && !self.paused => {
                // Eviction.
                let n = dice.roll(AUTHORS);
                let key = moderato::limit::key::subject(&site("a"), author(n));
                if self.server.ask::<u64>(&["DEL", &key]).unwrap() > 0 {
                    self.by_redis[usize::try_from(n).unwrap()] = 0;
                }
            }
            5..=6 => {
                let weather = [Weather::Cut, Weather::Stall, Weather::NoAnswers, Weather::CutInAnswer];
                let network = usize::try_from(dice.roll(2)).unwrap();
                self.networks[network].set(weather[usize::try_from(dice.roll(4)).unwrap()]);
            }
            7..=10 => self.mend().await,
            _ => self.comment(dice).await,
        }
    }

    async fn mend(&mut self) {
        if !self.alive {
            self.server.restart().await;
            self.alive = true;
        }
        self.server.resume();
        self.paused = false;
        self.networks.iter().for_each(|network| network.set(Weather::Fair));
        for limiter in &self.fleet {
            eventually("Redis is back", async || state(limiter) == RedisState::Up).await;
        }
    }

    async fn comment(&mut self, dice: &mut Dice) {
        let n = dice.roll(AUTHORS);
        let at = usize::try_from(n).unwrap();
        let replica = usize::try_from(dice.roll(2)).unwrap();
        let quotas = [quota("hour", BURST, HOUR * 24)];
        let (granted, source) = spend(&self.fleet[replica], n, &quotas, NOW).await;
        self.alone[at] += u64::from(source != Source::Redis);
        if granted {
            self.grants[at] += 1;
        } else {
            let spent = self.grants[at] + self.alone[at];
            assert!(
                spent >= u64::from(BURST),
                "author {n} was refused by {source:?} after {} grants",
                self.grants[at]
            );
        }
        let burst = u64::from(BURST);
        if source == Source::Redis {
            self.by_redis[at] += u64::from(granted);
            self.degraded[replica][at] = 0;
            assert!(self.by_redis[at] <= burst, "author {n}: {} by Redis", self.by_redis[at]);
        } else {
            // An outage allows one burst more, at each replica.
            self.degraded[replica][at] += u64::from(granted);
            let degraded = self.degraded[replica][at];
            assert!(degraded <= burst, "author {n}: {degraded} by replica {replica} alone");
        }
    }
}

#[tokio::test]
async fn random_walks_on_a_real_redis() {
    let (walks, steps) = if is_long() { (10, 2_000) } else { (2, 150) };
    for seed in 0..walks {
        // Seen only if the test fails.
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let mut world = World::start().await;
        for _ in 0..steps {
            world.step(&mut dice).await;
        }
        world.mend().await;
        // Whoever got a burst from Redis is refused by it, at every replica.
        // Others ask now: the fleet's budget is one that a Redis which saves each write misses on a busy machine.
        let quotas = [quota("hour", BURST, HOUR * 24)];
        let (one, two) = (
            in_redis(settings(world.server.url())).await,
            in_redis(settings(world.server.url())).await,
        );
        for n in 0..AUTHORS {
            for _ in 0..BURST {
                spend(&one, n, &quotas, NOW).await;
            }
            let (granted, source) = spend(&two, n, &quotas, NOW).await;
            assert_eq!((granted, source), (false, Source::Redis), "seed {seed}, author {n}");
        }
    }
}
