//! How commands speak: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use super::{Exit, Failure};

/// Prints a line of results. A reader that has closed the pipe has seen enough: that ends the command quietly.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(Exit::Ok, error)),
        result => result.map_err(|error| Failure::new(Exit::Unexpected, error)),
    }
}

/// Standard output for many lines; write errors are for [`failed`], and the end is to be flushed.
pub(super) fn bulk() -> Box<dyn Write> {
    Box::new(io::BufWriter::new(io::stdout().lock()))
}

/// What it means that results could not be written: a reader that has closed the pipe has seen enough.
pub(super) fn failed(error: io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::BrokenPipe {
        Exit::Ok
    } else {
        Exit::Unexpected
    };
    Failure::new(exit, error)
}

/// Prints an error with its causes.
pub(super) fn error(error: &anyhow::Error) {
    let closed_pipe = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(closed_pipe) {
        return;
    }
    let mut err = io::stderr().lock();
    let (bold, plain) = if err.is_terminal() {
        ("\u{1b}[1;31m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    let mut text = error.to_string();
    // A message that already ends in its cause is not repeated.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) && !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    // There is nowhere left to report a failure to write to standard error.
    let _ = writeln!(err, "{bold}error:{plain} {text}");
}

/// Prints a warning to standard error, red on a terminal.
pub(super) fn warn(text: &str) {
    let mut err = io::stderr().lock();
    let (red, plain) = if err.is_terminal() {
        ("\u{1b}[31m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    // There is nowhere left to report that this cannot be written.
    let _ = writeln!(err, "{red}warning: {text}{plain}");
}

/// Prints a remark for a person to standard error.
pub(super) fn note(text: &str) {
    // There is nowhere left to report that this cannot be written.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
