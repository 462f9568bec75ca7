//! What loading a model takes: the one within the program, and one from a file, with the system's cache warm.
//!
//! ```sh
//! cargo bench --bench load                       # the built-in model
//! cargo bench --bench load -- my.moderato        # another one, from its file
//! cargo bench --bench load --no-run              # prints the program's path; then, for instructions:
//! valgrind --tool=callgrind --toggle-collect='*artifact*embedded*' PROGRAM once
//! ```
//!
//! The first load of a process is told apart: it meets cold caches and memory that the system has yet to hand over, and
//! it is what a start of the service pays.

use std::path::Path;
use std::time::{Duration, Instant};

use moderato::artifact::{self, LoadModelError};
use moderato::model::SpamModel;

/// Loads after the first.
const N_WARM: usize = 30;

fn timed(load: impl FnOnce() -> Result<SpamModel, LoadModelError>) -> Result<Duration, LoadModelError> {
    let began = Instant::now();
    let model = load()?;
    let taken = began.elapsed();
    drop(model);
    Ok(taken)
}

fn measure(
    name: &str,
    n_warm: usize,
    load: impl Fn() -> Result<SpamModel, LoadModelError>,
) -> Result<(), LoadModelError> {
    let first = timed(&load)?;
    let mut others = (0..n_warm).map(|_| timed(&load)).collect::<Result<Vec<_>, _>>()?;
    others.sort_unstable();
    let spread = match others.as_slice() {
        [] => String::new(),
        [best, .., worst] => format!(
            "; then median {:?} of {n_warm} ({best:?} to {worst:?})",
            others[others.len() / 2]
        ),
        [only] => format!("; then {only:?}"),
    };
    tell(&format!("{name}: first {first:?}{spread}"));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark speaks to a person")]
fn tell(text: &str) {
    println!("{text}");
}

fn main() -> Result<(), LoadModelError> {
    // Cargo hands `--bench` to every benchmark.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("once") => measure("built in", 0, artifact::embedded),
        Some(path) => measure(path, N_WARM, || artifact::load(Path::new(path))),
        None => measure("built in", N_WARM, artifact::embedded),
    }
}
