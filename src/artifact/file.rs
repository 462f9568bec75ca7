//! A model file: load and verify; save without ever leaving half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::format::{Evidence, decode, decode_parts, encode};
use super::history::HistoryError;
use super::input::FormatError;
use super::{EMBEDDED, SHIPPED};
use crate::model::{Parts, SpamModel};

/// Files larger than this are not read: no model is.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The reason why a model file was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadModelError {
    /// The file cannot be read.
    #[error("read the model {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a model that this program can use.
    #[error("load the model {path}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The error in its bytes.
        source: FormatError,
    },
    /// The file is too large to be a model.
    #[error("load the model {path}: expected at most {FILE_BYTES_MAX} bytes, found {found}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
    },
    /// The file was put in a model directory under the name of another.
    #[error("load the model {path}: its content is version {found}; promote the right file again")]
    OtherVersion {
        /// The file, named for the version that was expected.
        path: PathBuf,
        /// The version that it holds.
        found: String,
    },
    /// The model directory's history cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Nothing was promoted yet.
    #[error("the model directory {path} is empty: moderato model promote --model-dir {path} FILE")]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

/// The reason why a model was not saved. What stood at the path still does.
#[derive(Debug, thiserror::Error)]
pub enum SaveModelError {
    /// The model cannot be written as bytes.
    #[error("write the model {path}")]
    Format {
        /// The file to write.
        path: PathBuf,
        /// The reason.
        source: FormatError,
    },
    /// The file cannot be written.
    #[error("write the model {path}")]
    Write {
        /// The file to write.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The bytes that were read back differ from those that were written.
    #[error("write the model {path}: what was read back differs from what was written; is the disk sound?")]
    ReadBack {
        /// The file to write.
        path: PathBuf,
    },
}

/// Loads a model from a file, or the current one of a model directory. `shipped` is the model of this program, and so
/// is a directory in which nothing was promoted.
///
/// # Errors
/// [`LoadModelError`]: the path, what was expected and what was found.
pub fn load(path: &Path) -> Result<SpamModel, LoadModelError> {
    if !is_shipped(path) && path.is_dir() {
        return match super::ModelDir::new(path).load_current() {
            Err(LoadModelError::Empty { .. }) => super::embedded(),
            loaded => loaded,
        };
    }
    load_file(path).map(|(model, _)| model)
}

/// Loads what a model is made of, with what training goes on from, and its version; of a model directory, the current
/// one's.
///
/// # Errors
/// As [`load`].
pub fn load_parts(path: &Path) -> Result<(Parts, String), LoadModelError> {
    let path = if !is_shipped(path) && path.is_dir() {
        let dir = super::ModelDir::new(path);
        match dir.current() {
            Ok(current) => dir.artifact(&current),
            Err(LoadModelError::Empty { .. }) => PathBuf::from(SHIPPED),
            Err(error) => return Err(error),
        }
    } else {
        path.to_owned()
    };
    decode_parts(&read(&path)?, Evidence::Read).map_err(|source| LoadModelError::Format { path, source })
}

/// Loads a model file and hands over its bytes as well.
pub(super) fn load_file(path: &Path) -> Result<(SpamModel, Vec<u8>), LoadModelError> {
    let bytes = read(path)?;
    let model = decode(&bytes).map_err(|source| LoadModelError::Format {
        path: path.to_owned(),
        source,
    })?;
    Ok((model, bytes))
}

/// True for the name of the model that this program was built with.
fn is_shipped(path: &Path) -> bool {
    path.as_os_str() == SHIPPED
}

/// The bytes of a model file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadModelError> {
    if is_shipped(path) {
        return Ok(EMBEDDED.to_vec());
    }
    let read = |source| LoadModelError::Read {
        path: path.to_owned(),
        source,
    };
    let found = fs::metadata(path).map_err(read)?.len();
    if found > FILE_BYTES_MAX {
        return Err(LoadModelError::TooLarge {
            path: path.to_owned(),
            found,
        });
    }
    fs::read(path).map_err(read)
}

/// Saves a model: into a temporary file beside `path`, synced, read back, verified, and only then put in its place.
/// Returns the model as it will be loaded.
///
/// # Errors
/// [`SaveModelError`]; what stood at the path still does.
pub fn save(parts: &Parts, path: &Path) -> Result<SpamModel, SaveModelError> {
    let format = |source| SaveModelError::Format {
        path: path.to_owned(),
        source,
    };
    let bytes = encode(parts).map_err(format)?;
    let model = decode(&bytes).map_err(format)?;
    replace(path, &bytes)?;
    Ok(model)
}

/// Puts these bytes where `path` is: into a temporary file beside it, synced, read back, and only then renamed. Whoever
/// opens the path sees the old bytes or the new ones, also after a power cut.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SaveModelError> {
    let write = |source| SaveModelError::Write {
        path: path.to_owned(),
        source,
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".moderato-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(write)?;
    file.write_all(bytes).map_err(write)?;
    file.as_file().sync_all().map_err(write)?;
    if fs::read(file.path()).map_err(write)? != bytes {
        return Err(SaveModelError::ReadBack { path: path.to_owned() });
    }
    set_readable(file.as_file()).map_err(write)?;
    file.persist(path).map_err(|e| write(e.error))?;
    // The new name is on the disk once its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(write)
}

/// Temporary files are their owner's alone; a model is for the service, which may be another user.
#[cfg(unix)]
fn set_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::parts;

    #[test]
    fn saves_and_loads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.moderato");
        let saved = save(&parts(), &path).unwrap();
        assert_eq!(load(&path).unwrap().version(), saved.version());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_failed_save_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.moderato");
        save(&parts(), &path).unwrap();
        let before = fs::read(&path).unwrap();
        let mut broken = parts();
        broken.base_log_odds = f64::NAN;
        assert!(save(&broken, &path).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn errors_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.moderato");
        assert!(load(&path).unwrap_err().to_string().contains("none.moderato"));
        fs::write(&path, b"MODER").unwrap();
        let error = load(&path).unwrap_err();
        assert!(error.to_string().contains("none.moderato"));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("expected a moderato model"), "{source}");
    }
}
