//! The corpus format: JSON Lines, one labeled comment a line.
//!
//! `label` and `content` are required; what moderators labeled may carry `features` instead of `content`: what
//! [`Features::to_bytes`] gives, in base64 without padding. Labels that say neither spam nor ham (`abuse`, `off_topic`,
//! `withdrawn`) are counted and teach nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::comment::{Example, Label, Origin};
use crate::sensitive::Sensitive;
use crate::text::Features;

/// The reason why a corpus could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The file could not be opened or read.
    #[error("read the training file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line is not a labeled comment.
    #[error("read {path} line {line}: {problem} (--skip-bad counts such lines and goes on)")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The problem, without a quote.
        problem: String,
    },
}

/// The summary of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// The file's name without its folder: folders say more about the machine than about the data.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Labeled comments read.
    pub n_examples: u64,
    /// The spam among them.
    pub n_spam: u64,
    /// Lines that were skipped because they were bad.
    pub n_bad: u64,
    /// Comments without any text, which teach nothing.
    pub n_blank: u64,
    /// Comments whose label is neither spam nor ham, which teach nothing either.
    pub n_neither: u64,
}

/// Labeled comments, in file order, and what became of the lines that are not among them.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    /// The comments, in the order of the files and of their lines.
    pub examples: Vec<Example>,
    /// One summary a file.
    pub files: Vec<FileSummary>,
}

/// A source of labeled comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Rows in memory.
    Rows {
        /// The name of the rows.
        name: String,
        /// The lines, as a file would hold them.
        lines: Vec<u8>,
    },
}

impl Source {
    /// The file, or the name of the rows.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Rows { name, .. } => Path::new(name),
        }
    }

    fn open(&self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(match self {
            Self::File(path) => Box::new(BufReader::with_capacity(1 << 18, File::open(path)?)),
            Self::Rows { lines, .. } => Box::new(lines.as_slice()),
        })
    }
}

/// One line as it is written. A field that is missing or null is unknown, and so is an empty one, but for the website.
#[derive(Deserialize)]
struct Row {
    id: Option<String>,
    decision_id: Option<String>,
    label: String,
    content: Option<String>,
    features: Option<String>,
    author_name: Option<String>,
    author_url: Option<String>,
    author_email: Option<String>,
    author_email_domain: Option<String>,
    article_title: Option<String>,
    source: Option<String>,
    origin: Option<String>,
    submitted_at: Option<String>,
    labeled_at: Option<String>,
    reviewer: Option<String>,
}

/// The content of a line.
enum Line {
    Example(Box<Example>),
    Blank,
    Neither,
    Empty,
}

/// Reads the files, one after the other. A bad line is an error, or counted if `skip_bad`.
///
/// # Errors
/// [`CorpusError`], naming the file, and the line if one is bad.
pub fn read<P: AsRef<Path>>(paths: &[P], skip_bad: bool) -> Result<Corpus, CorpusError> {
    let files: Vec<Source> = paths
        .iter()
        .map(|path| Source::File(path.as_ref().to_owned()))
        .collect();
    read_all(&files, skip_bad)
}

/// As [`read`], of files and of rows in memory.
///
/// # Errors
/// [`CorpusError`], naming the source, and the line if one is bad.
pub fn read_all(sources: &[Source], skip_bad: bool) -> Result<Corpus, CorpusError> {
    let mut corpus = Corpus::default();
    for source in sources {
        let summary = read_each(source, skip_bad, &mut |example| corpus.examples.push(example))?;
        corpus.files.push(summary);
    }
    Ok(corpus)
}

/// Reads one source, handing over each comment as it comes, so that a corpus need not fit into memory.
///
/// # Errors
/// [`CorpusError`], naming the source, and the line if one is bad.
pub fn read_each(source: &Source, skip_bad: bool, take: &mut dyn FnMut(Example)) -> Result<FileSummary, CorpusError> {
    let mut workers = [Vec::new()];
    read_batches(
        source,
        skip_bad,
        &mut workers,
        Vec::push,
        |_| (),
        |workers| {
            workers[0].drain(..).for_each(&mut *take);
        },
    )
}

/// Lines of a batch, at most.
const BATCH_LINES: usize = 4_096;
/// A batch is read no further once it holds so many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// Reads one source in batches, and lets the workers share each: in the order of the lines, the first worker has the
/// first part of it, and so on. `work` takes each comment and `end` comes after a worker's part, both on the worker's
/// thread; `after` comes after each batch.
///
/// # Errors
/// [`CorpusError`], naming the source, and the line if one is bad.
pub(super) fn read_batches<W: Send>(
    source: &Source,
    skip_bad: bool,
    workers: &mut [W],
    work: impl Fn(&mut W, Example) + Sync,
    end: impl Fn(&mut W) + Sync,
    mut after: impl FnMut(&mut [W]),
) -> Result<FileSummary, CorpusError> {
    let path = source.path();
    let io_error = |source| CorpusError::Read {
        path: path.to_owned(),
        source,
    };
    let bad_line = |(line, problem)| CorpusError::BadLine {
        path: path.to_owned(),
        line,
        problem,
    };
    let mut reader = source.open().map_err(io_error)?;
    let mut digest = Sha256::new();
    let mut tally = Tally::default();
    let name_of = |name: Option<&std::ffi::OsStr>| name.map(|name| name.to_string_lossy().into_owned());
    let fallback_source = name_of(path.file_stem()).unwrap_or_default();
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let mut n_lines = 0;
    loop {
        bytes.clear();
        ends.clear();
        while ends.len() < BATCH_LINES && bytes.len() < BATCH_BYTES {
            if reader.read_until(b'\n', &mut bytes).map_err(io_error)? == 0 {
                break;
            }
            ends.push(bytes.len());
        }
        if ends.is_empty() {
            break;
        }
        digest.update(&bytes);
        let part_len = ends.len().div_ceil(workers.len());
        let parse_part = |nth: usize, worker: &mut W| {
            let mut tally = Tally::default();
            let mut from = (nth * part_len).checked_sub(1).map_or(0, |last| ends[last]);
            for (&to, i) in ends[nth * part_len..].iter().zip(0_u64..).take(part_len) {
                let line = n_lines + (nth * part_len) as u64 + i + 1;
                let parsed = parse(&bytes[from..to], &fallback_source);
                from = to;
                if let Some(example) = tally.add(parsed, skip_bad).map_err(|problem| (line, problem))? {
                    work(worker, *example);
                }
            }
            end(worker);
            Ok(tally)
        };
        let n_parts = ends.len().div_ceil(part_len);
        let (first, rest) = workers.split_at_mut(1);
        let tallies = thread::scope(|scope| {
            let parts: Vec<_> = rest[..n_parts - 1]
                .iter_mut()
                .zip(1..)
                .map(|(worker, nth)| scope.spawn(move || parse_part(nth, worker)))
                .collect();
            let mut tallies = vec![parse_part(0, &mut first[0])];
            // A panic is a bug: it must not end as fewer comments than there are.
            tallies.extend(
                parts
                    .into_iter()
                    .map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))),
            );
            tallies
        });
        for part in tallies {
            tally += part.map_err(bad_line)?;
        }
        n_lines += ends.len() as u64;
        after(workers);
    }
    Ok(FileSummary {
        name: name_of(path.file_name()).unwrap_or_default(),
        sha256: hex::encode(digest.finalize()),
        n_examples: tally.n_examples,
        n_spam: tally.n_spam,
        n_bad: tally.n_bad,
        n_blank: tally.n_blank,
        n_neither: tally.n_neither,
    })
}

/// Counts of lines by outcome.
#[derive(Default)]
struct Tally {
    n_examples: u64,
    n_spam: u64,
    n_bad: u64,
    n_blank: u64,
    n_neither: u64,
}

impl Tally {
    /// Counts a line. Returns its comment, if it is one to learn from.
    fn add(&mut self, line: Result<Line, String>, skip_bad: bool) -> Result<Option<Box<Example>>, String> {
        match line {
            Ok(Line::Blank) => self.n_blank += 1,
            Ok(Line::Neither) => self.n_neither += 1,
            Ok(Line::Example(example)) => {
                self.n_examples += 1;
                self.n_spam += u64::from(example.label == Label::Spam);
                return Ok(Some(example));
            }
            Ok(Line::Empty) => {}
            Err(_) if skip_bad => self.n_bad += 1,
            Err(problem) => return Err(problem),
        }
        Ok(None)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.n_examples += other.n_examples;
        self.n_spam += other.n_spam;
        self.n_bad += other.n_bad;
        self.n_blank += other.n_blank;
        self.n_neither += other.n_neither;
    }
}

/// One line, or what is wrong with it in words that quote nothing of it.
fn parse(line: &[u8], fallback_source: &str) -> Result<Line, String> {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return Ok(Line::Empty);
    }
    let text = std::str::from_utf8(line).map_err(|e| format!("not UTF-8 at byte {}", e.valid_up_to()))?;
    let row: Row = serde_json::from_str(text).map_err(|e| describe(&e))?;
    let label = match row.label.as_str() {
        "spam" => Label::Spam,
        "ham" => Label::Ham,
        "abuse" | "off_topic" | "withdrawn" => return Ok(Line::Neither),
        _ => return Err("`label` must be \"spam\" or \"ham\"".to_owned()),
    };
    let known = |field: Option<String>| field.filter(|text| !text.trim().is_empty());
    let domain_of = |email: String| email.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let features = match (&row.content, known(row.features)) {
        (None, Some(features)) => Some(checked(&features)?),
        _ => None,
    };
    let content = match row.content {
        Some(content) => content,
        None if features.is_some() => String::new(),
        None => return Err("`content` is missing".to_owned()),
    };
    if features.is_none() && content.trim().is_empty() {
        return Ok(Line::Blank);
    }
    Ok(Line::Example(Box::new(Example {
        id: row.id.or(row.decision_id),
        label,
        content: Sensitive::new(content),
        features: features.map(Sensitive::new),
        author_name: known(row.author_name).map(Sensitive::new),
        // A website that was left empty is a fact; a name or an address without a letter was not kept.
        author_url: row.author_url.map(Sensitive::new),
        author_email_domain: known(row.author_email_domain)
            .or_else(|| known(row.author_email).and_then(domain_of))
            .map(Sensitive::new),
        article_title: known(row.article_title),
        source: known(row.source).unwrap_or_else(|| fallback_source.to_owned()),
        origin: match row.origin.as_deref() {
            None | Some("received") => Origin::Received,
            Some("written") => Origin::Written,
            Some(_) => return Err("`origin` must be \"received\" or \"written\"".to_owned()),
        },
        submitted_at: known(row.submitted_at),
        labeled_at: known(row.labeled_at),
        reviewer: known(row.reviewer),
    })))
}

/// The bytes of features that this program can read.
fn checked(features: &str) -> Result<Vec<u8>, String> {
    let bytes = STANDARD_NO_PAD
        .decode(features.trim_end_matches('='))
        .map_err(|_| "`features` is not base64".to_owned())?;
    Features::from_bytes(&bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// serde's message may quote the text of the comment; this one says the kind of mistake and its place.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Data => {
            "not a labeled comment: `label` and `content` (or `features`) are required, and every field must be text"
        }
        serde_json::error::Category::Io => "unreadable",
    };
    format!("{what} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(lines: &[&str]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        file
    }

    #[test]
    fn reads_what_is_known_and_leaves_the_rest_unknown() {
        let f = file(&[
            r#"{"label":"ham","content":"hello","author_name":"","source":"a"}"#,
            "",
            r#"{"label":"spam","content":"buy","author_email":"x@shop.example"}"#,
            r#"{"label":"ham","content":"  "}"#,
        ]);
        let corpus = read(&[f.path()], false).unwrap();
        assert_eq!(corpus.examples.len(), 2);
        assert!(corpus.examples[0].author_name.is_none());
        assert_eq!(
            corpus.examples[1].author_email_domain.as_ref().unwrap().expose(),
            "shop.example"
        );
        assert_eq!(corpus.files[0].n_blank, 1);
        assert_eq!(corpus.files[0].n_spam, 1);
    }

    #[test]
    fn a_bad_line_is_named_and_never_quoted() {
        let f = file(&[
            r#"{"label":"ham","content":"hello"}"#,
            r#"{"label":"maybe","content":"secret"}"#,
        ]);
        let error = read(&[f.path()], false).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("label"), "{error}");
        assert!(!error.contains("secret") && !error.contains("maybe"), "{error}");
        let corpus = read(&[f.path()], true).unwrap();
        assert_eq!((corpus.examples.len(), corpus.files[0].n_bad), (1, 1));
    }

    #[test]
    fn what_moderators_labeled_may_come_without_its_text() {
        let features = Features::read("buy cheap pills", &[], &mut crate::text::Scratch::default());
        let encoded = STANDARD_NO_PAD.encode(features.to_bytes());
        let f = file(&[
            &format!(
                r#"{{"decision_id":"d1","label":"spam","features":"{encoded}","reviewer":"r","labeled_at":"2026-01-02T03:04:05Z"}}"#
            ),
            r#"{"decision_id":"d2","label":"abuse","content":"you fool"}"#,
            r#"{"decision_id":"d3","label":"withdrawn"}"#,
        ]);
        let corpus = read(&[f.path()], false).unwrap();
        let example = &corpus.examples[0];
        assert_eq!(example.id.as_deref(), Some("d1"));
        assert_eq!(
            Features::from_bytes(example.features.as_ref().unwrap().expose()),
            Ok(features)
        );
        assert_eq!(
            (example.reviewer.as_deref(), example.labeled_at.is_some()),
            (Some("r"), true)
        );
        assert_eq!((corpus.examples.len(), corpus.files[0].n_neither), (1, 2));
    }

    #[test]
    fn types_and_syntax_are_told_apart() {
        for (line, says) in [
            (r#"{"label":"ham","content":7}"#, "every field must be text"),
            (r#"{"label":"ham","content":"x""#, "ends too early"),
            ("nonsense", "not JSON"),
            (r#"{"label":"ham"}"#, "`content` is missing"),
            (r#"{"label":"ham","features":"%%"}"#, "`features` is not base64"),
            (r#"{"label":"ham","features":"AgAA"}"#, "damaged"),
        ] {
            let error = read(&[file(&[line]).path()], false).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
