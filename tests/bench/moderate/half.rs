//! Latency, at the client's side, at half of the load that a server can bear: beside the baseline, each at half of its
//! own.

use std::time::Instant;

use crate::load::Load;
use crate::protection::Protection;
use crate::{Server, VARIANTS, chosen, quartiles, server};

/// Calls that saturation is measured by.
const CALLS: usize = 20_000;

pub(crate) fn run(rounds: usize, seconds: usize, only: &str) {
    let redis = server::Redis::start();
    let protection = Protection::new();
    let mut load = Load::new();
    let servers: Vec<_> = chosen(only)
        .map(|at| {
            let server = Server::start(&VARIANTS[at], &redis.url, &protection);
            let open = load.open(protection.door(&server.address, VARIANTS[at].kind));
            (at, server, open)
        })
        .collect();
    let mut p99 = vec![Vec::new(); VARIANTS.len()];
    let mut rates = vec![0; VARIANTS.len()];
    println!(
        "{:<30} {:>12} {:>10} {:>10} {:>22}",
        "variant", "calls/s", "p50 µs", "p99 µs", "ratio"
    );
    for round in 0..=rounds {
        for (variant, _server, open) in &servers {
            let variant = *variant;
            let began = Instant::now();
            load.run(open, CALLS);
            let millis = usize::try_from(began.elapsed().as_millis()).expect("a short run");
            let rate = CALLS * 1000 / millis.max(1) / 2;
            rates[variant] = rate;
            let latencies = load.paced(open, rate, u32::try_from(seconds).expect("a few"));
            let at = |permille: usize| f64::from(latencies[latencies.len() * permille / 1000]);
            // The first round warms up.
            if round > 0 {
                p99[variant].push((at(500), at(990)));
            }
        }
        eprintln!("round {round} of {rounds} done");
    }
    for (variant, measured) in p99.iter().enumerate().filter(|(_, measured)| !measured.is_empty()) {
        let of = |pick: fn(&(f64, f64)) -> f64| quartiles(&measured.iter().map(pick).collect::<Vec<_>>())[1];
        let ratio = VARIANTS[variant].baseline.map(|baseline| {
            let ratios: Vec<_> = measured.iter().zip(&p99[baseline]).map(|(a, b)| a.1 / b.1).collect();
            let [low, middle, high] = quartiles(&ratios);
            format!("{middle:.2} × ({low:.2} – {high:.2})")
        });
        println!(
            "{:<30} {:>12} {:>10.0} {:>10.0} {:>22}",
            VARIANTS[variant].name,
            rates[variant],
            of(|m| m.0),
            of(|m| m.1),
            ratio.unwrap_or_default()
        );
    }
}
