//! Latency, at the client's side, at half of the load that a server can bear: beside the baseline, each at half of its own.

use std::time::Instant;

use crate::load::Load;
use crate::protection::Protection;
use crate::{Server, VARIANTS, median, server};

/// Calls that saturation is measured by.
const CALLS: usize = 20_000;

pub(crate) fn run(rounds: usize, seconds: usize) {
    let redis = server::Redis::start();
    let protection = Protection::new();
    let servers: Vec<_> = VARIANTS
        .iter()
        .map(|variant| Server::start(variant, &redis.url, &protection))
        .collect();
    let mut load = Load::new();
    let mut p99 = vec![Vec::new(); VARIANTS.len()];
    let mut rates = vec![0; VARIANTS.len()];
    println!(
        "{:<30} {:>12} {:>10} {:>10} {:>10}",
        "variant", "calls/s", "p50 µs", "p99 µs", "ratio"
    );
    for round in 0..=rounds {
        for (variant, server) in servers.iter().enumerate() {
            let open = load.open(protection.door(&server.address, VARIANTS[variant].kind));
            let began = Instant::now();
            load.run(&open, CALLS);
            let millis = usize::try_from(began.elapsed().as_millis()).expect("a short run");
            let rate = CALLS * 1000 / millis.max(1) / 2;
            rates[variant] = rate;
            let latencies = load.paced(&open, rate, u32::try_from(seconds).expect("a few"));
            let at = |permille: usize| f64::from(latencies[latencies.len() * permille / 1000]);
            // The first round warms up.
            if round > 0 {
                p99[variant].push((at(500), at(990)));
            }
        }
        eprintln!("round {round} of {rounds} done");
    }
    for (variant, measured) in p99.iter().enumerate() {
        let of = |pick: fn(&(f64, f64)) -> f64| median(&measured.iter().map(pick).collect::<Vec<_>>());
        let ratio = VARIANTS[variant].baseline.map(|baseline| {
            let ratios: Vec<_> = measured.iter().zip(&p99[baseline]).map(|(a, b)| a.1 / b.1).collect();
            format!("{:.2} ×", median(&ratios))
        });
        println!(
            "{:<30} {:>12} {:>10.0} {:>10.0} {:>10}",
            VARIANTS[variant].name,
            rates[variant],
            of(|m| m.0),
            of(|m| m.1),
            ratio.unwrap_or_default()
        );
    }
}
