//! The lists of a site: entries written in the configuration or in files that it names, compiled.
//!
//! `"file:lists/words.txt"` in a list stands for the lines of that file, looked for beside the configuration. Sites
//! with the same lists share one compiled copy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::site::Lists;
use crate::site::lists::{InvalidEntry, Names, Networks, People, WordsBuilder};

/// A file beyond this many bytes is not read: a million entries fit.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Mistakes of one file beyond this many are counted, not quoted.
const MISTAKES_SHOWN: usize = 20;

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLists {
    allow: RawAllow,
    moderate: RawModerate,
    block: RawBlock,
    disposable: RawDisposable,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct RawAllow {
    networks: Vec<String>,
    accounts: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct RawModerate {
    words: Vec<String>,
    substrings: Vec<String>,
    hosts: Vec<String>,
    networks: Vec<String>,
    accounts: Vec<String>,
    email_domains: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    hosts: Vec<String>,
    networks: Vec<String>,
    accounts: Vec<String>,
    email_domains: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct RawDisposable {
    email_domains: Vec<String>,
}

/// Compiles the lists of all sites of one configuration.
pub(super) struct Compiler<'a> {
    /// The folder that relative paths begin at.
    dir: &'a Path,
    /// Each file is read once; `None` could not be read.
    files: BTreeMap<PathBuf, Option<Arc<str>>>,
    compiled: BTreeMap<RawLists, Arc<Lists>>,
}

/// An entry and where it stands.
struct Entry {
    text: String,
    /// The file and its line, counted from 1.
    place: Option<(Arc<str>, usize)>,
}

impl<'a> Compiler<'a> {
    /// For a configuration in `path`.
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            dir: path.parent().unwrap_or(Path::new("")),
            files: BTreeMap::new(),
            compiled: BTreeMap::new(),
        }
    }

    /// The files that were named so far.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        self.files.keys().cloned().collect()
    }

    /// The lists of `[{path}.lists]`. Every mistake is added to `problems`.
    pub(super) fn compile(&mut self, raw: &RawLists, path: &str, problems: &mut Vec<String>) -> Arc<Lists> {
        if let Some(known) = self.compiled.get(raw) {
            return Arc::clone(known);
        }
        let mut one = One {
            compiler: self,
            path: format!("{path}.lists"),
            digest: Sha256::new(),
            problems,
        };
        let RawLists {
            allow,
            moderate,
            block,
            disposable,
        } = raw;
        let mut lists = Lists {
            allow: one.people("allow", &allow.networks, &allow.accounts, &[]),
            moderate: one.people(
                "moderate",
                &moderate.networks,
                &moderate.accounts,
                &moderate.email_domains,
            ),
            block: one.people("block", &block.networks, &block.accounts, &block.email_domains),
            block_hosts: one.names("block.hosts", &block.hosts),
            moderate_hosts: one.names("moderate.hosts", &moderate.hosts),
            disposable: one.names("disposable.email_domains", &disposable.email_domains),
            words: Default::default(),
            digest: [0; 8],
        };
        let mut words = WordsBuilder::default();
        one.each("moderate.words", &moderate.words, |entry| words.word(entry));
        one.each("moderate.substrings", &moderate.substrings, |entry| words.part(entry));
        lists.words = words.build();
        let digest = one.digest.finalize();
        lists.digest.copy_from_slice(&digest[..8]);
        let lists = Arc::new(lists);
        self.compiled.insert(raw.clone(), Arc::clone(&lists));
        lists
    }
}

/// The lists of one site at work.
struct One<'c, 'a> {
    compiler: &'c mut Compiler<'a>,
    path: String,
    digest: Sha256,
    problems: &'c mut Vec<String>,
}

impl One<'_, '_> {
    fn people(&mut self, list: &str, networks: &[String], accounts: &[String], domains: &[String]) -> People {
        let mut people = People::default();
        let key = format!("{list}.networks");
        let entries = self.entries(&key, networks);
        let (networks, mistakes) = Networks::new(entries.iter().map(|entry| entry.text.as_str()));
        people.networks = networks;
        self.mistakes(&key, &entries, mistakes);
        self.each(&format!("{list}.accounts"), accounts, |id| {
            people.accounts.insert(id.into());
            Ok(())
        });
        self.each(&format!("{list}.email_domains"), domains, |entry| {
            people.email_domains.add(entry.strip_prefix('@').unwrap_or(entry))
        });
        people
    }

    fn names(&mut self, key: &str, list: &[String]) -> Names {
        let mut names = Names::default();
        self.each(key, list, |entry| names.add(entry));
        names
    }

    fn each(&mut self, key: &str, list: &[String], mut add: impl FnMut(&str) -> Result<(), InvalidEntry>) {
        let entries = self.entries(key, list);
        let mistakes = entries.iter().enumerate();
        let mistakes = mistakes
            .filter_map(|(at, entry)| Some((at, add(&entry.text).err()?)))
            .collect();
        self.mistakes(key, &entries, mistakes);
    }

    /// The entries of a list with those of the files that it names.
    fn entries(&mut self, key: &str, list: &[String]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for item in list {
            let Some(name) = item.strip_prefix("file:") else {
                let text = item.trim().to_owned();
                if text.is_empty() {
                    let what = "an entry is empty; remove it";
                    self.problems.push(format!("{}.{key}: {what}", self.path));
                } else {
                    entries.push(Entry { text, place: None });
                }
                continue;
            };
            let Some(text) = self.file(key, name.trim()) else {
                continue;
            };
            let name: Arc<str> = name.trim().into();
            let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
            entries.extend(
                lines
                    .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
                    .map(|(n, line)| Entry {
                        text: line.to_owned(),
                        place: Some((Arc::clone(&name), n)),
                    }),
            );
        }
        self.digest.update(key);
        for entry in &entries {
            self.digest.update([0]);
            self.digest.update(&entry.text);
        }
        entries
    }

    fn file(&mut self, key: &str, name: &str) -> Option<Arc<str>> {
        let path = self.compiler.dir.join(name);
        if let Some(known) = self.compiler.files.get(&path) {
            return known.clone();
        }
        let read = read(&path);
        if let Err(problem) = &read {
            self.problems.push(format!("{}.{key}: {name}{problem}", self.path));
        }
        let text = read.ok();
        self.compiler.files.insert(path, text.clone());
        text
    }

    fn mistakes(&mut self, key: &str, entries: &[Entry], mistakes: Vec<(usize, InvalidEntry)>) {
        let n = mistakes.len();
        for (at, mistake) in mistakes.into_iter().take(MISTAKES_SHOWN) {
            let place = entries.get(at).and_then(|entry| entry.place.as_ref());
            let place = place.map_or_else(String::new, |(file, line)| format!("{file}, line {line}: "));
            self.problems.push(format!("{}.{key}: {place}{mistake}", self.path));
        }
        if n > MISTAKES_SHOWN {
            let more = n - MISTAKES_SHOWN;
            self.problems
                .push(format!("{}.{key}: and {more} more mistakes like these", self.path));
        }
    }
}

/// The text of a list's file, or what is to be said behind its name.
fn read(path: &Path) -> Result<Arc<str>, String> {
    let not_read = |error: std::io::Error| format!(": cannot be read ({error}); a path begins at the configuration's");
    let size = std::fs::metadata(path).map_err(not_read)?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!(": has {size} bytes; at most {FILE_BYTES_MAX} are read"));
    }
    let bytes = std::fs::read(path).map_err(not_read)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|b| **b == b'\n').count();
        format!(", line {line}: is not UTF-8; save the file as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).into())
}
