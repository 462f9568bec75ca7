//! The `moderato` command.

use std::process::ExitCode;

/// A call allocates some sixty times, in small pieces, on one thread and frees them on another: glibc's allocator took
/// up to a quarter of a call's time for that, where decisions are remembered in Redis.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    moderato::cli::main()
}
