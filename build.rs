//! Compiles the protos without a system `protoc`, and notes which commit is built.

use std::path::PathBuf;
use std::process::Command;
use std::{env, error, fs};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts through the environment"
)]
fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .open_file("moderato/v1/moderation.proto")?;
    // Reflection serves what the code was made from.
    let out = PathBuf::from(env::var("OUT_DIR")?).join("moderato.v1.descriptors");
    fs::write(out, compiler.encode_file_descriptor_set())?;
    // The comments become the documentation of the generated types.
    compiler.include_source_info(true);
    tonic_prost_build::configure()
        // Error details have their types from tonic.
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds(compiler.file_descriptor_set())?;
    println!("cargo:rustc-env=MODERATO_COMMIT={}", commit().unwrap_or_default());
    // It grows with each commit. A path that is not there would make cargo run this every time.
    let log = ".git/logs/HEAD";
    // In a linked worktree .git is a file, which makes asking for what is in it an error.
    if fs::exists(log).unwrap_or(false) {
        println!("cargo:rerun-if-changed={log}");
    }
    Ok(())
}

/// The short hash of the commit, if this is a git checkout and git is there.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()?;
    let hash = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| hash.trim().to_owned())
}
