//! Far more calls than there are places: how long those take that are admitted, in the server; how long a refusal
//! takes, at the caller's side; what it does to the server's memory (each answered call is another author's, whose
//! quotas the server remembers: some 60 bytes each); and whether all is as before afterwards.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;

use crate::Server;
use crate::VARIANTS;
use crate::load::Load;
use crate::protection::Protection;

/// Four times the default of `service.in_flight_max`.
const CALLERS: usize = 4_096;

pub(crate) fn run(seconds: usize) {
    let protection = Protection::refusing();
    let mut command = Server::command(&VARIANTS[1], "", &protection);
    command.args(["--ops-listen", "127.0.0.1:0"]);
    let mut server = Server::spawn(command);
    let mut line = String::new();
    server
        .stdout
        .read_line(&mut line)
        .expect("it says where operators look in");
    let ops = line
        .trim()
        .strip_prefix("listening on ops ")
        .expect("the line of the contract")
        .to_owned();
    let mut load = Load::new();
    let open = load.open(protection.door(&server.address, VARIANTS[1].kind));
    // Warm, then alone: a thousand a second, which it can answer as they come.
    load.paced(&open, 1_000, 3);
    let before = calls(&ops);
    load.paced(&open, 1_000, 5);
    let calm = calls(&ops);
    let (memory, turned_away) = (memory_kib(&server), counter(&ops, "moderato_turned_away_total"));
    let flood = load.flood(&server.address, CALLERS, u32::try_from(seconds).expect("a few"));
    let crowded = calls(&ops);
    let (memory_after, peak) = (memory_kib(&server), peak_kib(&server));
    load.paced(&open, 1_000, 5);
    let after = calls(&ops);

    println!("time in the server     p50 µs   p99 µs (upper bounds of the histogram's buckets)");
    for (name, from, to) in [
        ("unloaded", &before, &calm),
        ("flooded", &calm, &crowded),
        ("afterwards", &crowded, &after),
    ] {
        println!(
            "{name:<20} {:>8.0} {:>8.0}",
            quantile(from, to, 0.5),
            quantile(from, to, 0.99)
        );
    }
    println!(
        "flood of {CALLERS} callers, {seconds} s: {:.0} answered a second",
        flood.answered.len() as f64 / seconds as f64
    );
    for (name, micros) in [("answers", &flood.answered), ("refusals", &flood.refused)] {
        let at = |permille: usize| micros.get(micros.len() * permille / 1000).copied().unwrap_or(0);
        println!(
            "{name}: {}, at the caller p50 {} µs, p99 {} µs",
            micros.len(),
            at(500),
            at(990)
        );
    }
    println!(
        "by the server's own count: {} turned away",
        counter(&ops, "moderato_turned_away_total") - turned_away
    );
    println!("resident memory: {memory} KiB before, {memory_after} KiB after, peak {peak} KiB");
}

/// What operators see.
fn metrics(ops: &str) -> String {
    let mut stream = TcpStream::connect(ops).expect("operators may look in");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it listens");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    text
}

/// A counter without labels; 0 until it is counted for the first time.
fn counter(ops: &str, name: &str) -> f64 {
    let text = metrics(ops);
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(0.0)
}

/// The histogram of calls: upper bounds in seconds, with how many were at most that.
fn calls(ops: &str) -> Vec<(f64, f64)> {
    let bucket = |line: &str| {
        let rest = line.strip_prefix("moderato_call_seconds_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"} ")?;
        Some((bound.parse().unwrap_or(f64::INFINITY), count.trim().parse().ok()?))
    };
    metrics(ops).lines().filter_map(bucket).collect()
}

/// The bound, in µs, below which this share of the calls between two looks lies.
fn quantile(from: &[(f64, f64)], to: &[(f64, f64)], share: f64) -> f64 {
    let base = |i: usize| from.get(i).map_or(0.0, |(_, count)| *count);
    let counts: Vec<f64> = to.iter().enumerate().map(|(i, (_, count))| count - base(i)).collect();
    let all = counts.last().copied().unwrap_or(0.0);
    let found = counts.iter().position(|count| *count >= all * share).unwrap_or(0);
    to.get(found).map_or(0.0, |(bound, _)| bound * 1e6)
}

fn memory_kib(server: &Server) -> u64 {
    status(server, "VmRSS:")
}

fn peak_kib(server: &Server) -> u64 {
    status(server, "VmHWM:")
}

fn status(server: &Server, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("Linux has /proc");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .expect("it is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
