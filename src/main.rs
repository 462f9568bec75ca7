//! The `moderato` command.

use std::process::ExitCode;

/// A call allocates some sixty times, in small pieces, on one thread and frees them on another: glibc's allocator took a
/// sixth of a call's time for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    moderato::cli::main()
}
