//! The reason why an import stopped. Messages name the place in the file and never quote it.

use std::io;
use std::path::PathBuf;

/// The reason why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is broken. Lines and bytes are those of the text: decompressed, and in UTF-8.
    #[error("read {path} line {line}, byte {byte}: {problem}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1, in which what is broken begins.
        line: u64,
        /// The byte, from 0.
        byte: u64,
        /// The problem.
        problem: String,
    },
    /// The file is something else.
    #[error("read {path}: expected {expected}, found {found}")]
    Other {
        /// The file.
        path: PathBuf,
        /// The stated limit.
        expected: &'static str,
        /// A description of the file, and the remedy.
        found: String,
    },
    /// There is no such encoding.
    #[error("{name:?} is no encoding that is known: windows-1252, iso-8859-1, utf-16le, shift_jis …")]
    Encoding {
        /// The stated limit.
        name: String,
    },
    /// The result cannot be written.
    #[error("write the imported comments: {0}")]
    Write(#[from] io::Error),
}
