//! The `moderato` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    moderato::cli::main()
}
