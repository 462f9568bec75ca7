//! Random walks of a whole fleet over a model of Redis, with every fault that the model can have, and what must hold after
//! each step. A failure names its seed; the same seed walks the same way.
//!
//! The replicas are real (`local.rs`, `breaker.rs`, the arithmetic), only the network and Redis are made up; time stands
//! in for nothing here, it is a number. `tests/it/limiter_walk.rs` does the same to real processes.

use std::collections::HashMap;
use std::time::Duration;

use super::breaker::{Breaker, Phase};
use super::gcra::{self, Meter};
use super::local::{Debt, Doubt, Local};
use super::{Answer, Cause, Claim, MemorySettings, Mode, Outcome, Take};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::site::{Quota, SiteId};
use crate::verdict::Verdict;

const SUBJECTS: u64 = 3;
const START: u64 = 1_800_000_000_000_000;
const SECOND: u64 = 1_000_000;

/// A splitmix64: the walk needs no more than being the same again.
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

/// What may happen in a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct World {
    replicas: usize,
    /// Redis refuses for a while, and keeps its data.
    refuses: bool,
    /// It stalls, cuts answers, loses data, fails over to a replica that lags, evicts.
    worse: bool,
    /// Its clock jumps.
    jumps: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Up,
    Refusing,
    Stalled,
}

/// The model of Redis.
struct Model {
    health: Health,
    tats: HashMap<u64, Vec<u64>>,
    /// What a lagging replica of it holds.
    behind: HashMap<u64, Vec<u64>>,
    claims: HashMap<[u8; 16], ([u8; 16], Vec<Outcome>, u64)>,
    skew: i64,
    /// Calls that lie in its socket while it is stalled.
    waiting: Vec<(u64, Option<Debt>)>,
}

struct Replica {
    local: Local,
    breaker: Breaker,
    skew: u64,
}

struct Walk {
    world: World,
    dice: Dice,
    now: u64,
    quotas: Vec<Quota>,
    site: SiteId,
    redis: Model,
    replicas: Vec<Replica>,
    /// What was truly granted: an upper bound where nobody can know.
    truth: HashMap<u64, Vec<u64>>,
    grants: HashMap<u64, Vec<u64>>,
    /// What allows more than the quotas do.
    amnesties: Vec<Amnesty>,
    /// Comments come one after another, or with pauses in which quotas drain.
    busy: bool,
    answered: HashMap<(usize, [u8; 16]), (Vec<Outcome>, u64)>,
    requests: u64,
}

/// Something that lets a subject, or all, have more: data lost, a jump forward, a grant or a debt that nobody counts.
struct Amnesty {
    at: u64,
    subject: Option<u64>,
    bursts: u64,
    grants: u64,
}

fn author(n: u64) -> AuthorKey {
    AuthorKey::new(u128::from(n).to_le_bytes())
}

fn quota(name: &str, burst: u32, seconds: u64, shadow: bool) -> Quota {
    Quota {
        name: name.into(),
        burst,
        interval: Duration::from_secs(seconds),
        effect: Verdict::Reject,
        shadow,
    }
}

impl Model {
    fn now(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.skew)
    }

    /// What the script does.
    fn run(&mut self, take: &Take<'_>, n: u64, debt: Option<&Debt>, now: u64) -> Answer {
        let now = self.now(now);
        if let Some(claim) = &take.claim
            && let Some((fingerprint, outcomes, until)) = self.claims.get(&claim.request)
            && *until > now
        {
            if *fingerprint != claim.fingerprint {
                return Answer::Conflict;
            }
            return Answer::Replayed {
                outcomes: outcomes.clone(),
                payload: Vec::new(),
            };
        }
        self.charge(n, debt, now, take.quotas);
        let tats = self.tats.entry(n).or_insert_with(|| vec![0; take.quotas.len()]);
        let outcomes = gcra::take(take.quotas, tats, now, take.mode);
        if let Some(claim) = &take.claim {
            self.claims
                .insert(claim.request, (claim.fingerprint, outcomes.clone(), now + 600 * SECOND));
        }
        Answer::Fresh(outcomes)
    }

    fn charge(&mut self, n: u64, debt: Option<&Debt>, now: u64, quotas: &[Quota]) {
        let Some(debt) = debt else { return };
        let tats = self.tats.entry(n).or_insert_with(|| vec![0; quotas.len()]);
        for ((tat, quota), (add, least)) in tats.iter_mut().zip(quotas).zip(&debt.levels) {
            let meter = Meter::of(quota);
            *tat = now + (meter.level(*tat, now) + add).max(*least).min(meter.capacity);
        }
    }
}

impl Walk {
    fn new(world: World, seed: u64) -> Self {
        let settings = MemorySettings {
            subjects_max: 1_000,
            claim_bytes_max: 1 << 20,
        };
        let mut dice = Dice(seed);
        let replica = |_| Replica {
            local: Local::new(&settings, 1.0, 1_000),
            breaker: Breaker::new(),
            skew: dice.roll(90) * SECOND,
        };
        let replicas = (0..world.replicas).map(replica).collect();
        Self {
            world,
            now: START,
            quotas: vec![
                quota("minute", 3, 12, false),
                quota("hour", 7, 60, false),
                quota("watched", 2, 30, true),
            ],
            site: SiteId::new("a").unwrap(),
            redis: Model {
                health: Health::Up,
                tats: HashMap::new(),
                behind: HashMap::new(),
                claims: HashMap::new(),
                skew: 0,
                waiting: Vec::new(),
            },
            replicas,
            truth: HashMap::new(),
            grants: HashMap::new(),
            amnesties: Vec::new(),
            busy: true,
            answered: HashMap::new(),
            requests: 0,
            dice,
        }
    }

    fn step(&mut self) {
        self.busy ^= self.dice.roll(60) == 0;
        self.now += match self.dice.roll(10) {
            _ if self.busy => self.dice.roll(SECOND / 4),
            0..=6 => self.dice.roll(SECOND),
            7..=8 => self.dice.roll(20 * SECOND),
            _ => self.dice.roll(120 * SECOND),
        };
        self.probes();
        match self.dice.roll(100) {
            0..=5 if self.world.refuses => self.refuse_or_return(),
            6..=9 if self.world.worse => self.misfortune(),
            10..=11 if self.world.jumps => {
                let jump = i64::try_from(self.dice.roll(400 * SECOND)).unwrap() - 200 * 1_000_000;
                self.redis.skew += jump;
                if jump > 0 {
                    self.amnesty(None, 1, 0);
                }
            }
            12..=20 => self.settle(),
            _ => self.comment(),
        }
    }

    fn refuse_or_return(&mut self) {
        self.redis.health = if self.redis.health == Health::Up {
            Health::Refusing
        } else {
            Health::Up
        };
        self.wake();
    }

    fn amnesty(&mut self, subject: Option<u64>, bursts: u64, grants: u64) {
        let at = self.now;
        self.amnesties.push(Amnesty {
            at,
            subject,
            bursts,
            grants,
        });
    }

    /// Redis lost what it knew of a subject, or of all; each replica will learn from it that there was nothing.
    fn loss(&mut self, subject: Option<u64>) {
        self.amnesty(subject, 1 + self.replicas.len() as u64, 0);
    }

    fn misfortune(&mut self) {
        match self.dice.roll(6) {
            0 => self.redis.health = Health::Stalled,
            1 => {
                // Killed and started again without its data.
                self.redis.health = Health::Up;
                self.loss(None);
                (self.redis.tats, self.redis.claims) = (HashMap::new(), HashMap::new());
                self.redis.waiting.clear();
            }
            2 => {
                // Fail-over to a replica that is behind.
                self.redis.health = Health::Up;
                self.loss(None);
                self.redis.tats = self.redis.behind.clone();
                self.redis.waiting.clear();
            }
            3 => self.redis.behind = self.redis.tats.clone(),
            4 => {
                let n = self.dice.roll(SUBJECTS);
                if self.redis.tats.remove(&n).is_some() {
                    self.loss(Some(n));
                }
            }
            _ => {
                self.redis.health = Health::Up;
                self.wake();
            }
        }
    }

    /// A Redis that was stalled runs what lies in its socket. Those takes and debts count from now on.
    fn wake(&mut self) {
        if self.redis.health != Health::Up {
            return;
        }
        let now = self.redis.now(self.now);
        for (n, debt) in std::mem::take(&mut self.redis.waiting) {
            let adds: Vec<u64> = debt
                .iter()
                .flat_map(|debt| debt.levels.iter().map(|(add, least)| add + least))
                .collect();
            self.redis.charge(n, debt.as_ref(), now, &self.quotas);
            let tats = self.redis.tats.entry(n).or_insert_with(|| vec![0; self.quotas.len()]);
            let outcomes = gcra::take(&self.quotas, tats, now, Mode::Spend);
            self.charge_truth(n, &outcomes, &adds);
        }
    }

    fn probes(&mut self) {
        let now = Duration::from_micros(self.now - START);
        for replica in &mut self.replicas {
            if matches!(replica.breaker.phase(), Phase::Open { .. }) && replica.breaker.start_probe(now) {
                match self.redis.health {
                    Health::Up => replica.breaker.probe_answered(),
                    Health::Refusing => replica.breaker.probe_failed(Cause::Refused, now, 128),
                    Health::Stalled => replica.breaker.probe_failed(Cause::Timeout, now, 128),
                }
            }
        }
    }

    /// A replica writes its oldest debt back.
    fn settle(&mut self) {
        let i = usize::try_from(self.dice.roll(self.replicas.len() as u64)).unwrap();
        let now = Timestamp::from_micros(self.now + self.replicas[i].skew);
        if self.redis.health != Health::Up || !self.replicas[i].breaker.admits() {
            return;
        }
        if let Some(debt) = self.replicas[i].local.oldest_debt(now) {
            let n = u64::from_le_bytes(debt.subject.as_bytes()[..8].try_into().unwrap());
            let at = self.redis.now(self.now);
            self.redis.charge(n, Some(&debt), at, &self.quotas);
        }
    }

    /// A comment arrives at one replica.
    fn comment(&mut self) {
        let i = usize::try_from(self.dice.roll(self.replicas.len() as u64)).unwrap();
        let n = self.dice.roll(SUBJECTS);
        self.requests += 1;
        // One in four has a request id, and half of those are retries of a recent one, of the same author.
        let claim = (self.dice.roll(4) == 0).then(|| {
            let retry = self.dice.roll(2) * SUBJECTS * self.dice.roll(6);
            let id = (self.requests / SUBJECTS * SUBJECTS).saturating_sub(retry) + n;
            let request = u128::from(id).to_le_bytes();
            Claim {
                request,
                fingerprint: request,
                beside: Some(author(n)),
                payload: b"",
            }
        });
        let (site, quotas) = (self.site.clone(), self.quotas.clone());
        let take = Take {
            site: &site,
            subject: Some(author(n)),
            quotas: &quotas,
            claim,
            mode: Mode::Spend,
        };
        let (answer, by_redis) = self.ask(i, n, &take);
        let outcomes = match &answer {
            Answer::Fresh(outcomes) => outcomes,
            Answer::Replayed { outcomes, .. } => {
                let first = claim.and_then(|claim| self.answered.get(&(i, claim.request)));
                if let Some((first, at)) = first.filter(|(_, at)| self.now - at < 600 * SECOND) {
                    assert_eq!(
                        outcomes,
                        first,
                        "a replica replays what it answered {} µs ago",
                        self.now - at
                    );
                }
                return;
            }
            Answer::Conflict => panic!("no request was changed"),
        };
        if let Some(claim) = claim {
            self.answered.insert((i, claim.request), (outcomes.clone(), self.now));
        }
        self.check(n, outcomes, by_redis);
        self.charge_truth(n, outcomes, &[]);
        if gcra::granted(&self.quotas, outcomes) {
            self.grants.entry(n).or_default().push(self.now);
        }
    }

    /// What a replica does with a take: the same steps as `redis/mod.rs`. Says whether Redis answered.
    fn ask(&mut self, i: usize, n: u64, take: &Take<'_>) -> (Answer, bool) {
        let now = Timestamp::from_micros(self.now + self.replicas[i].skew);
        let monotonic = Duration::from_micros(self.now - START);
        let fate = self.dice.roll(40);
        let replica = &mut self.replicas[i];
        if let Some(known) = take.claim.as_ref().and_then(|claim| replica.local.look_up(claim, now)) {
            return (known.answer, false);
        }
        if !replica.breaker.admits() {
            return (replica.local.take_alone(take, Doubt::None, now).answer, false);
        }
        let debt = replica.local.debt_of(take.site, author(n), now);
        match self.redis.health {
            Health::Up if self.world.worse && fate == 0 => {
                // The connection is cut; the script may have run.
                replica.breaker.failed(Cause::Cut, monotonic);
                let answer = replica.local.take_alone(take, Doubt::MayHaveRun, now).answer;
                // If it did not run, neither the grant nor the debt is counted by anybody.
                self.amnesty(Some(n), u64::from(debt.is_some()), 1);
                if self.dice.roll(2) == 0
                    && let Answer::Fresh(outcomes) = self.redis.run(take, n, debt.as_ref(), self.now)
                    && !matches!(&answer, Answer::Fresh(local) if gcra::granted(take.quotas, local))
                {
                    self.charge_truth(n, &outcomes, &[]);
                }
                (answer, false)
            }
            Health::Up => {
                replica.breaker.answered();
                let answer = self.redis.run(take, n, debt.as_ref(), self.now);
                if let Answer::Fresh(outcomes) = &answer {
                    let levels: Vec<u64> = outcomes
                        .iter()
                        .map(|o| u64::try_from(o.reset_after.as_micros()).unwrap())
                        .collect();
                    self.replicas[i].local.learn(take, &levels, outcomes, now);
                } else if let Some(debt) = &debt {
                    self.replicas[i].local.put_back(debt, now);
                }
                (answer, true)
            }
            Health::Refusing => {
                replica.breaker.failed(Cause::Refused, monotonic);
                if let Some(debt) = &debt {
                    replica.local.put_back(debt, now);
                }
                (replica.local.take_alone(take, Doubt::None, now).answer, false)
            }
            Health::Stalled => {
                replica.breaker.timed_out(monotonic);
                self.redis.waiting.push((n, debt));
                let answer = replica.local.take_alone(take, Doubt::MayHaveRun, now).answer;
                self.amnesty(Some(n), 0, 1);
                (answer, false)
            }
        }
    }

    /// The invariants of one answer.
    fn check(&self, n: u64, outcomes: &[Outcome], by_redis: bool) {
        let World {
            replicas,
            refuses,
            worse,
            jumps,
        } = self.world;
        let none = vec![0; self.quotas.len()];
        let truth = self.truth.get(&n).unwrap_or(&none);
        if !worse && !jumps && (!refuses || replicas == 1) {
            // Nothing is in doubt, and one knows all: every answer is the sequential model's.
            let expected = gcra::take(&self.quotas, &mut truth.clone(), self.now, Mode::Spend);
            assert_eq!(outcomes, expected, "exact; by Redis: {by_redis}");
        }
        if !jumps {
            // Nobody is refused for what was not granted.
            for ((quota, tat), outcome) in self.quotas.iter().zip(truth).zip(outcomes) {
                let meter = Meter::of(quota);
                let room = meter.capacity - meter.level(*tat, self.now);
                assert!(
                    !outcome.exceeded || room < meter.interval,
                    "{} owes nothing; by Redis: {by_redis}",
                    quota.name
                );
            }
        }
    }

    fn charge_truth(&mut self, n: u64, outcomes: &[Outcome], more: &[u64]) {
        let granted = gcra::granted(&self.quotas, outcomes);
        let tats = self.truth.entry(n).or_insert_with(|| vec![0; self.quotas.len()]);
        for (i, (quota, outcome)) in self.quotas.iter().zip(outcomes).enumerate() {
            let spent = if granted && !outcome.exceeded {
                Meter::of(quota).interval
            } else {
                0
            };
            let spent = spent + more.get(i).copied().unwrap_or(0);
            if spent > 0 {
                tats[i] = tats[i].max(self.now) + spent;
            }
        }
    }

    /// In every window: what one quota grants, for each that may have counted alone, and what was lost in that window.
    fn check_grants(&self) {
        let World {
            replicas,
            refuses,
            worse,
            ..
        } = self.world;
        let counters = 1 + if refuses || worse { replicas as u64 } else { 0 };
        for quota in self.quotas.iter().filter(|quota| !quota.shadow) {
            let (meter, burst) = (Meter::of(quota), u64::from(quota.burst));
            for (n, times) in &self.grants {
                let more: Vec<(u64, u64)> = self
                    .amnesties
                    .iter()
                    .filter(|amnesty| amnesty.subject.is_none_or(|subject| subject == *n))
                    .map(|amnesty| (amnesty.at, burst * amnesty.bursts + amnesty.grants))
                    .collect();
                for (i, first) in times.iter().enumerate() {
                    let mut more = more[more.partition_point(|(at, _)| at < first)..].iter().peekable();
                    let mut lost = 0;
                    for (grants, time) in (1_u64..).zip(times.iter().skip(i).take(60)) {
                        while let Some((_, amount)) = more.next_if(|(at, _)| at <= time) {
                            lost += amount;
                        }
                        let most = (burst + (time - first) / meter.interval) * counters + lost;
                        assert!(grants <= most, "{} of {n}: {grants} grants", quota.name);
                    }
                }
            }
        }
    }
}

fn walk(world: World, seeds: std::ops::Range<u64>, steps: u64) {
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| {
            let mut walk = Walk::new(world, seed);
            (0..steps).for_each(|_| walk.step());
            walk.check_grants();
        });
        assert!(outcome.is_ok(), "seed {seed} of {world:?}; the reason is above");
    }
}

const CALM: World = World {
    replicas: 4,
    refuses: false,
    worse: false,
    jumps: false,
};

#[test]
fn a_fleet_over_a_healthy_redis_is_exact() {
    walk(CALM, 0..40, 1_000);
}

#[test]
fn one_replica_is_exact_across_outages() {
    walk(
        World {
            replicas: 1,
            refuses: true,
            ..CALM
        },
        0..40,
        1_000,
    );
}

#[test]
fn nobody_pays_for_what_was_not_granted() {
    walk(
        World {
            replicas: 3,
            refuses: true,
            ..CALM
        },
        0..40,
        1_000,
    );
}

#[test]
fn every_misfortune_costs_no_more_than_what_it_lost() {
    walk(
        World {
            replicas: 3,
            refuses: true,
            worse: true,
            ..CALM
        },
        0..80,
        1_000,
    );
}

#[test]
fn a_jumping_clock_grants_one_burst_a_jump() {
    walk(
        World {
            replicas: 2,
            jumps: true,
            ..CALM
        },
        0..40,
        1_000,
    );
}
