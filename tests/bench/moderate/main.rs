//! What one `Moderate` call costs the server, in CPU time, beside a bare unary echo in the same run.
//!
//!     cargo bench --bench moderate                 all variants, forty rounds
//!     cargo bench --bench moderate -- --rounds 100 --calls 8000
//!     cargo bench --bench moderate -- --only Redis            only these variants, and what they are compared to
//!     cargo bench --bench moderate -- half --seconds 5        latency at half of saturation, beside the baseline's
//!     cargo bench --bench moderate -- half --only Redis --rounds 30 --seconds 1
//!     cargo bench --bench moderate -- overload --seconds 30   far more calls than there are places
//!     cargo bench --bench moderate -- calls --to 127.0.0.1:50051 --calls 2000   calls to a server in a profiler
//!
//! Every variant is a process of its own with one worker thread; this process is the client, over loopback, with 16
//! connections of 32 streams. CPU time is what the kernel has booked on the threads of the server's process, so the
//! client and other work on the machine do not count. Variants take turns within a round, ratios are taken within
//! rounds, and rounds are many and short: the machine's drift hits both sides. What is printed is the median of the
//! rounds, and between which values the middle half of them lies.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that cannot go on has nothing better to do than to say why and stop"
)]

mod flood;
mod half;
mod load;
mod overload;
mod protection;
mod server;
mod sink;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use load::Load;

/// What is measured, with what it is compared to.
const VARIANTS: [Variant; 9] = [
    variant("echo", Kind::Echo, None),
    variant("moderate, limits in memory", Kind::Moderate, Some(0)),
    variant("echo + one EVALSHA", Kind::EchoRedis, None),
    variant("moderate, limits in Redis", Kind::ModerateRedis, Some(2)),
    variant("moderate, decisions there too", Kind::ModerateRedisStore, Some(2)),
    variant("moderate, a key", Kind::ModerateKey, Some(0)),
    variant("echo, TLS", Kind::EchoTls, Some(0)),
    variant("moderate, TLS and a key", Kind::ModerateTlsKey, Some(0)),
    variant("moderate, lists and traces", Kind::ModerateAll, Some(0)),
];

struct Variant {
    name: &'static str,
    kind: Kind,
    /// What it is compared to.
    baseline: Option<usize>,
}

const fn variant(name: &'static str, kind: Kind, baseline: Option<usize>) -> Variant {
    Variant { name, kind, baseline }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Echo,
    EchoRedis,
    EchoTls,
    Moderate,
    /// Decisions are remembered nowhere.
    ModerateRedis,
    /// As `serve --redis` does unless told otherwise.
    ModerateRedisStore,
    ModerateKey,
    ModerateTlsKey,
    /// 100,000 entries in lists, and 1 % of the calls traced. Metrics are always on.
    ModerateAll,
}

impl Kind {
    const fn is_echo(self) -> bool {
        matches!(self, Self::Echo | Self::EchoRedis | Self::EchoTls)
    }

    const fn has_redis(self) -> bool {
        matches!(self, Self::EchoRedis | Self::ModerateRedis | Self::ModerateRedisStore)
    }

    const fn has_tls(self) -> bool {
        matches!(self, Self::EchoTls | Self::ModerateTlsKey)
    }

    const fn has_key(self) -> bool {
        matches!(self, Self::ModerateKey | Self::ModerateTlsKey)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let only = args.iter().position(|arg| arg == "--only");
    let only = only.and_then(|at| args.get(at + 1)).map_or("", String::as_str);
    match args.first().map(String::as_str) {
        Some("--serve-echo") => server::echo(&args[1..]),
        Some("half") => half::run(number(&args, "--rounds", 5), number(&args, "--seconds", 3), only),
        Some("calls") => calls(&args, number(&args, "--calls", 20_000)),
        Some("overload") => overload::run(number(&args, "--seconds", 30)),
        _ => compare(number(&args, "--rounds", 40), number(&args, "--calls", 4_000), only),
    }
}

fn number(args: &[String], flag: &str, default: usize) -> usize {
    let value = args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
    value.map_or(default, |value| value.parse().expect("a whole number"))
}

fn calls(args: &[String], calls: usize) {
    let to = args
        .iter()
        .position(|arg| arg == "--to")
        .and_then(|at| args.get(at + 1));
    let to = to.expect("--to and where the server is");
    let door = protection::Protection::new().door(to, Kind::Moderate);
    let mut load = Load::new();
    let open = load.open(door);
    println!("{} of {calls} approved", load.run(&open, calls));
}

fn compare(rounds: usize, calls: usize, only: &str) {
    let redis = server::Redis::start();
    let protection = protection::Protection::new();
    let mut load = Load::new();
    let mut servers: Vec<_> = chosen(only)
        .map(|at| {
            let server = Server::start(&VARIANTS[at], &redis.url, &protection);
            let open = load.open(protection.door(&server.address, VARIANTS[at].kind));
            (at, server, open)
        })
        .collect();
    let mut per_call = vec![Vec::new(); VARIANTS.len()];
    for round in 0..=rounds {
        for (variant, server, open) in &mut servers {
            let variant = *variant;
            let before = server.cpu_nanos();
            let approved = load.run(open, calls);
            let micros = server.cpu_nanos().saturating_sub(before) as f64 / 1_000.0 / calls as f64;
            // The first round warms up.
            if round > 0 {
                per_call[variant].push(micros);
            }
            assert!(
                approved * 10 >= calls * 9,
                "{}: only {approved} of {calls} approved",
                VARIANTS[variant].name
            );
        }
        if round % 10 == 0 {
            eprintln!("round {round} of {rounds} done");
        }
    }
    println!(
        "{:<30} {:>12} {:>22} {:>22}",
        "variant", "µs CPU/call", "(middle half)", "ratio"
    );
    for (variant, micros) in per_call.iter().enumerate().filter(|(_, micros)| !micros.is_empty()) {
        let ratio = VARIANTS[variant].baseline.map(|baseline| {
            let ratios: Vec<_> = micros.iter().zip(&per_call[baseline]).map(|(a, b)| a / b).collect();
            let [low, middle, high] = quartiles(&ratios);
            format!("{middle:.2} × ({low:.2} – {high:.2})")
        });
        let [low, middle, high] = quartiles(micros);
        println!(
            "{:<30} {middle:>12.2} {:>22} {:>22}",
            VARIANTS[variant].name,
            format!("({low:.2} – {high:.2})"),
            ratio.unwrap_or_default()
        );
    }
}

/// The variants whose names have this in them, and what they are compared to.
fn chosen(only: &str) -> impl Iterator<Item = usize> {
    let named = move |variant: &Variant| variant.name.contains(only);
    let is_baseline = move |at| VARIANTS.iter().any(|other| named(other) && other.baseline == Some(at));
    (0..VARIANTS.len()).filter(move |at| named(&VARIANTS[*at]) || is_baseline(*at))
}

/// The lower quartile, the median and the upper one.
fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| sorted[sorted.len() * quarter / 4])
}

/// A server process, ended with this value.
struct Server {
    child: Child,
    address: String,
    /// What else it has to say.
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(variant: &Variant, redis: &str, protection: &protection::Protection) -> Self {
        Self::spawn(Self::command(variant, redis, protection))
    }

    fn command(variant: &Variant, redis: &str, protection: &protection::Protection) -> Command {
        let kind = variant.kind;
        if kind.is_echo() {
            let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
            command.arg("--serve-echo");
            if kind.has_redis() {
                command.args(["--redis", redis]);
            }
            if kind.has_tls() {
                command.arg("--tls").args(protection.identity_files());
            }
            command
        } else {
            let mut command = Command::new(env!("CARGO_BIN_EXE_moderato"));
            command.args(["serve", "--listen", "127.0.0.1:0", "--config"]);
            command.arg(protection.config(kind));
            if kind.has_redis() {
                command
                    .args(["--redis", redis])
                    .env("MODERATO_PSEUDONYM_KEY", "00".repeat(32));
            }
            command
        }
    }

    fn spawn(mut command: Command) -> Self {
        command
            .env("TOKIO_WORKER_THREADS", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the server starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        stdout.read_line(&mut line).expect("the server says where it listens");
        let address = line
            .trim()
            .strip_prefix("listening on grpc ")
            .expect("the line of the contract")
            .to_owned();
        Self { child, address, stdout }
    }

    /// The time that its threads have had a processor so far, in nanoseconds: the first field of their `schedstat`
    /// (`proc_pid_schedstat(5)`).
    fn cpu_nanos(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("Linux has /proc");
        let of = |thread: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        };
        threads.filter_map(of).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
