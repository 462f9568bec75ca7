//! What one `Moderate` call costs the server, in CPU time, beside a bare unary echo in the same run.
//!
//!     cargo bench --bench moderate                 all variants, five rounds
//!     cargo bench --bench moderate -- --rounds 9 --calls 50000
//!     cargo bench --bench moderate -- half --seconds 5        latency at half of saturation, beside the baseline's
//!     cargo bench --bench moderate -- overload --seconds 30   far more calls than there are places
//!
//! Every variant is a process of its own with one worker thread; this process is the client, over loopback, with 16
//! connections of 32 streams. CPU time is what the kernel has booked on the server's process (`/proc/PID/stat`), so the
//! client and other work on the machine do not count. Variants take turns within a round, and ratios are taken within
//! rounds: the machine's drift hits both sides.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that cannot go on has nothing better to do than to say why and stop"
)]

mod half;
mod load;
mod overload;
mod server;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use load::Load;

/// What is measured, with what it is compared to.
const VARIANTS: [Variant; 4] = [
    Variant {
        name: "echo",
        redis: false,
        baseline: None,
    },
    Variant {
        name: "moderate, limits in memory",
        redis: false,
        baseline: Some(0),
    },
    Variant {
        name: "echo + one EVALSHA",
        redis: true,
        baseline: None,
    },
    Variant {
        name: "moderate, limits in Redis",
        redis: true,
        baseline: Some(2),
    },
];

struct Variant {
    name: &'static str,
    redis: bool,
    baseline: Option<usize>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("--serve-echo") => server::echo(args.get(1).map(String::as_str)),
        Some("half") => half::run(number(&args, "--rounds", 5), number(&args, "--seconds", 3)),
        Some("overload") => overload::run(number(&args, "--seconds", 30)),
        _ => compare(number(&args, "--rounds", 5), number(&args, "--calls", 20_000)),
    }
}

fn number(args: &[String], flag: &str, default: usize) -> usize {
    let value = args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
    value.map_or(default, |value| value.parse().expect("a whole number"))
}

fn compare(rounds: usize, calls: usize) {
    let redis = server::Redis::start();
    let mut servers: Vec<_> = VARIANTS
        .iter()
        .map(|variant| Server::start(variant, &redis.url))
        .collect();
    let mut load = Load::new();
    let mut per_call = vec![Vec::new(); VARIANTS.len()];
    for round in 0..=rounds {
        for (variant, server) in servers.iter_mut().enumerate() {
            let before = server.cpu_micros();
            let approved = load.run(&server.address, calls);
            let micros = (server.cpu_micros() - before) / calls as f64;
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
        eprintln!("round {round} of {rounds} done");
    }
    println!(
        "{:<30} {:>12} {:>22} {:>10}",
        "variant", "µs CPU/call", "(min – max)", "ratio"
    );
    for (variant, micros) in per_call.iter().enumerate() {
        let ratio = VARIANTS[variant].baseline.map(|baseline| {
            let ratios: Vec<_> = micros.iter().zip(&per_call[baseline]).map(|(a, b)| a / b).collect();
            format!("{:.2} ×", median(&ratios))
        });
        let (min, max) = (
            micros.iter().copied().fold(f64::MAX, f64::min),
            micros.iter().copied().fold(0.0, f64::max),
        );
        println!(
            "{:<30} {:>12.2} {:>22} {:>10}",
            VARIANTS[variant].name,
            median(micros),
            format!("({min:.2} – {max:.2})"),
            ratio.unwrap_or_default()
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A server process, ended with this value.
struct Server {
    child: Child,
    address: String,
    /// What else it has to say.
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(variant: &Variant, redis: &str) -> Self {
        Self::spawn(Self::command(variant, redis))
    }

    fn command(variant: &Variant, redis: &str) -> Command {
        if variant.baseline.is_some() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_moderato"));
            command.args(["serve", "--listen", "127.0.0.1:0"]);
            if variant.redis {
                command
                    .args(["--redis", redis])
                    .env("MODERATO_PSEUDONYM_KEY", "00".repeat(32));
            }
            command
        } else {
            let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
            command.arg("--serve-echo");
            if variant.redis {
                command.arg(redis);
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

    /// User and system time so far, in microseconds: fields 14 and 15 of `proc_pid_stat(5)`, in ticks of 10 ms.
    fn cpu_micros(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("Linux has /proc");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("a stat line").split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
        ticks * 10_000.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
