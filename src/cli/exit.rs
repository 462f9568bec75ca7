//! The documented exit codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// As asked.
    Ok = 0,
    /// Something unexpected.
    Unexpected = 1,
    /// The command line cannot be read.
    Usage = 2,
    /// Bad configuration: a taken port, a missing key.
    Config = 3,
    /// Bad data: a broken artifact, a bad training line.
    Data = 4,
    /// A quality budget was missed.
    Quality = 5,
    /// A dependency cannot be reached.
    Unreachable = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with the exit code it ends the process with.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What to tell the operator.
    pub error: anyhow::Error,
}

impl Failure {
    /// An error that ends the process with this code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Unexpected, error)
    }
}

/// What a command gives back.
pub type CommandResult = Result<Exit, Failure>;
