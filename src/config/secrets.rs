//! Secrets: read from the environment or from a file, never from TOML, never printed.

use std::fmt;
use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::ConfigError;

/// The environment variable that holds the pseudonym key; with `_FILE` behind it, the path of a file that does.
const VARIABLE: &str = "MODERATO_PSEUDONYM_KEY";

/// The same for the key before it.
const VARIABLE_PREVIOUS: &str = "MODERATO_PSEUDONYM_KEY_PREVIOUS";

/// The fewest bytes that a key may have.
const BYTES_MIN: usize = 32;

/// The secret that pseudonyms of readers are made with.
#[derive(Clone)]
pub struct PseudonymKey(Vec<u8>);

impl PseudonymKey {
    /// The bytes, at least 32.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads hexadecimal or base64.
    ///
    /// # Errors
    /// Says what is wrong, without the value.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let bytes = hex::decode(text)
            .ok()
            .or_else(|| STANDARD.decode(text).ok())
            .or_else(|| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok());
        match bytes {
            Some(bytes) if bytes.len() >= BYTES_MIN => Ok(Self(bytes)),
            Some(bytes) => Err(ConfigError::Secret(format!(
                "the pseudonym key has {} bytes, and at least {BYTES_MIN} are needed: `moderato key new` prints one",
                bytes.len()
            ))),
            None => Err(ConfigError::Secret(
                "the pseudonym key is neither hexadecimal nor base64: `moderato key new` prints one".to_owned(),
            )),
        }
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(..)")
    }
}

/// A new random key of 32 bytes, in hexadecimal.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn new_key() -> Result<String, ConfigError> {
    random_bytes().map(hex::encode)
}

/// A new random key for a caller: 256 bits behind a word that tells what it is where it should not lie about.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn new_caller_key() -> Result<String, ConfigError> {
    new_key().map(|key| format!("moderato_{key}"))
}

/// The pseudonym key from the environment. Without one: an error if `required` (several processes must agree on it),
/// otherwise a random key of this process.
///
/// # Errors
/// A key is missing, malformed, or cannot be read.
pub fn pseudonym_key(required: bool) -> Result<PseudonymKey, ConfigError> {
    if let Some(key) = read(VARIABLE)? {
        return Ok(key);
    }
    if required {
        return Err(ConfigError::Secret(format!(
            "--redis needs {VARIABLE} (or {VARIABLE}_FILE), so that all replicas know an author by the same pseudonym \
             and Redis never sees an address: export {VARIABLE}=$(moderato key new)"
        )));
    }
    random_bytes().map(|bytes| PseudonymKey(bytes.to_vec()))
}

/// The pseudonym key from the environment, or the one that is kept in the data directory, which is made if there is
/// none: pseudonyms of reviewers and authors have to mean the same after a restart.
///
/// # Errors
/// A key is malformed, or cannot be read or written.
pub fn kept_key(data_dir: &Path, required: bool) -> Result<PseudonymKey, ConfigError> {
    if required || variable(VARIABLE).is_some() || variable(&format!("{VARIABLE}_FILE")).is_some() {
        return pseudonym_key(required);
    }
    let path = data_dir.join("pseudonym.key");
    let failed = |what: &str, error: &std::io::Error| {
        ConfigError::Secret(format!("{what} the pseudonym key in {}: {error}", path.display()))
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => return PseudonymKey::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read", &error)),
    }
    let key = new_key()?;
    let create = || -> std::io::Result<()> {
        std::fs::create_dir_all(data_dir)?;
        // Whole or not at all, and readable by nobody else.
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        writeln!(file, "{key}")?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    };
    create().map_err(|error| failed("keep", &error))?;
    let kept = std::fs::read_to_string(&path).map_err(|error| failed("read", &error))?;
    PseudonymKey::parse(&kept)
}

/// The key before the current one, while both are alive: what was counted under it still counts.
///
/// # Errors
/// It is malformed or cannot be read, there is no current key to follow it, or it is the same.
pub fn previous_pseudonym_key() -> Result<Option<PseudonymKey>, ConfigError> {
    let Some(previous) = read(VARIABLE_PREVIOUS)? else {
        return Ok(None);
    };
    match read(VARIABLE)? {
        None => Err(ConfigError::Secret(format!(
            "{VARIABLE_PREVIOUS} is set, but there is no {VARIABLE} to follow it: `moderato key new` prints one"
        ))),
        Some(current) if current.0 == previous.0 => Err(ConfigError::Secret(format!(
            "{VARIABLE_PREVIOUS} is the same key as {VARIABLE}: unset it, or set the new key as {VARIABLE}"
        ))),
        Some(_) => Ok(Some(previous)),
    }
}

/// The key in a variable, or in the file that the variable with `_FILE` behind it names.
fn read(name: &str) -> Result<Option<PseudonymKey>, ConfigError> {
    if let Some(text) = variable(name) {
        return PseudonymKey::parse(&text).map(Some);
    }
    let Some(path) = variable(&format!("{name}_FILE")) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(Path::new(&path))
        .map_err(|error| ConfigError::Secret(format!("read the pseudonym key from {path}: {error}")))?;
    PseudonymKey::parse(&text).map(Some)
}

/// Random bytes for one process.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn nonce() -> Result<[u8; 16], ConfigError> {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&random_bytes()?[..16]);
    Ok(nonce)
}

fn random_bytes() -> Result<[u8; BYTES_MIN], ConfigError> {
    let mut bytes = [0; BYTES_MIN];
    getrandom::fill(&mut bytes)
        .map_err(|error| ConfigError::Secret(format!("the operating system gave no randomness: {error}")))?;
    Ok(bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "config is the one room that reads the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{PseudonymKey, new_key};

    #[test]
    fn hex_and_base64() {
        let key = new_key().unwrap();
        assert_eq!(PseudonymKey::parse(&key).unwrap().expose().len(), 32);
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_eq!(PseudonymKey::parse(base64).unwrap().expose()[31], 31);
    }

    #[test]
    fn errors_do_not_show_the_key() {
        for bad in ["abcdef0123", "not a key at all!"] {
            let error = PseudonymKey::parse(bad).unwrap_err().to_string();
            assert!(!error.contains(bad) && error.contains("moderato key new"), "{error}");
        }
    }
}
