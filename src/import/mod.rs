//! Past moderation as training data: the exports of WordPress and Disqus, and tables, as labeled comments.
//!
//! A file is read as a stream, whatever its size: decompressed, brought to UTF-8, taken apart comment by comment. What
//! people decided becomes a label; what nobody decided, or decided for other reasons than spam, is left out and
//! counted.
//!
//! It must never hand on an e-mail address or a network address of an author, never quote a comment in an error, and
//! never guess a label. Start reading at [`Rules::judge`], then [`read`].

mod bytes;
mod disqus;
mod error;
mod table;
mod wordpress;
mod wordpress_json;
mod write;
mod xml;

use std::io::Read;
use std::path::Path;

use crate::comment::Label;

use bytes::Input;
pub use error::ImportError;
pub use table::{Column, Columns};
pub use write::line;

/// The kind of file to read.
#[derive(Debug, Clone)]
pub enum Format {
    /// A WordPress export (WXR), or the JSON of `wp comment list`.
    WordPress,
    /// A Disqus export.
    Disqus,
    /// Comma-separated values, or separated by semicolons or tabs, with a row of names.
    Table(Columns),
}

/// People's decision about a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Published.
    Approved,
    /// Marked as spam.
    Spam,
    /// Nobody has decided yet.
    Pending,
    /// Thrown away or deleted, for whatever reason.
    Removed,
    /// A word that this program does not know.
    Unknown,
}

/// The kind of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A reader's.
    Comment,
    /// A pingback or trackback: a program's.
    Pingback,
    /// Something else that is kept among the comments: a shop's notes on orders, a log.
    Other,
}

/// A comment of the past. What is not known is `None`.
#[derive(Clone)]
pub struct PastComment {
    /// Its id in the export.
    pub id: Option<String>,
    /// People's decision.
    pub state: State,
    /// The kind of the comment.
    pub kind: Kind,
    /// Its text.
    pub content: String,
    /// The name the author gave.
    pub author_name: Option<String>,
    /// The website the author gave.
    pub author_url: Option<String>,
    /// The moment at which it was submitted, RFC 3339.
    pub submitted_at: Option<String>,
    /// The moment at which it was decided, RFC 3339.
    pub labeled_at: Option<String>,
    /// The export's id of the article or thread.
    pub article_id: Option<String>,
    /// The id of the comment that it replies to.
    pub parent_id: Option<String>,
    /// The collection that it is from, where the export says so for each comment.
    pub source: Option<String>,
}

impl std::fmt::Debug for PastComment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "PastComment({:?}, {:?}, {} bytes)",
            self.kind,
            self.state,
            self.content.len()
        )
    }
}

/// The rules for comments that nobody called good or spam.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// The label of what waits for a decision; left out unless stated.
    pub pending: Option<Label>,
    /// The label of what was thrown away; left out unless stated, for that is not always spam.
    pub removed: Option<Label>,
    /// True if pingbacks and trackbacks are taken.
    pub pingbacks: bool,
}

/// The reason why a comment was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// It waits for a decision.
    Pending,
    /// It was thrown away or deleted.
    Removed,
    /// It is a pingback or trackback.
    Pingback,
    /// It is no comment at all.
    OtherKind,
    /// Its state is a word that this program does not know.
    UnknownState,
    /// It has no text.
    Blank,
    /// It is longer than any comment.
    TooLong,
    /// Its row does not have as many fields as there are names.
    BadRow,
}

impl Skipped {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Removed,
        Self::Pingback,
        Self::OtherKind,
        Self::UnknownState,
        Self::Blank,
        Self::TooLong,
        Self::BadRow,
    ];

    /// The reason as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Removed => "removed",
            Self::Pingback => "pingback",
            Self::OtherKind => "other_kind",
            Self::UnknownState => "unknown_state",
            Self::Blank => "blank",
            Self::TooLong => "too_long",
            Self::BadRow => "bad_row",
        }
    }

    /// The reason for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Pending => "wait for a decision (--pending-as takes them)",
            Self::Removed => "in the trash or deleted, which is not always spam (--trash-as takes them)",
            Self::Pingback => "pingbacks and trackbacks (--pingbacks takes them)",
            Self::OtherKind => "not comments: notes on orders, logs",
            Self::UnknownState => "in a state that is not known (for a table: --ham, --spam)",
            Self::Blank => "without text",
            Self::TooLong => "longer than a mebibyte",
            Self::BadRow => "rows with more or fewer fields than there are names",
        }
    }
}

/// Longer texts are no comments, in bytes: WordPress keeps 65,525.
pub(crate) const CONTENT_BYTES_MAX: usize = 1 << 20;

impl Rules {
    /// The label of a comment, or why it is left out.
    ///
    /// # Errors
    /// The reason why the comment is left out.
    pub fn judge(&self, comment: &PastComment) -> Result<Label, Skipped> {
        match comment.kind {
            Kind::Other => return Err(Skipped::OtherKind),
            Kind::Pingback if !self.pingbacks => return Err(Skipped::Pingback),
            Kind::Pingback | Kind::Comment => {}
        }
        if comment.content.trim().is_empty() {
            return Err(Skipped::Blank);
        }
        if comment.content.len() > CONTENT_BYTES_MAX {
            return Err(Skipped::TooLong);
        }
        match comment.state {
            State::Approved => Ok(Label::Ham),
            State::Spam => Ok(Label::Spam),
            State::Pending => self.pending.ok_or(Skipped::Pending),
            State::Removed => self.removed.ok_or(Skipped::Removed),
            State::Unknown => Err(Skipped::UnknownState),
        }
    }
}

/// Something that was found in a file: a comment, or a row that is none.
pub type Found = Result<PastComment, Skipped>;

/// Reads a file (`-` is standard input) and hands over what it holds, one after the other. `progress` is told how many
/// bytes of the file were read. `encoding` is what the file is written in, if not UTF-8 and without a mark that says
/// so.
///
/// # Errors
/// The file cannot be read, is not what it was said to be, or breaks off; or what `take` gives back.
pub fn read(
    format: &Format,
    path: &Path,
    encoding: Option<&str>,
    progress: &mut dyn FnMut(u64),
    take: &mut dyn FnMut(Found) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let encoding = bytes::encoding(encoding)?;
    let input = bytes::text_of(path, bytes::open(path)?, encoding)?;
    read_text(format, input, progress, take)
}

/// As [`read`], of bytes from wherever; errors call them `path`.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(
    format: &Format,
    path: &Path,
    file: Box<dyn Read>,
    encoding: Option<&str>,
    progress: &mut dyn FnMut(u64),
    take: &mut dyn FnMut(Found) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let input = bytes::text_of(path, file, bytes::encoding(encoding)?)?;
    read_text(format, input, progress, take)
}

fn read_text(
    format: &Format,
    mut input: Input,
    progress: &mut dyn FnMut(u64),
    take: &mut dyn FnMut(Found) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut take = |found, n_bytes| {
        progress(n_bytes);
        take(found)
    };
    match format {
        Format::WordPress if input.first_byte()? == Some(b'[') => wordpress_json::read(input, &mut take),
        Format::WordPress => wordpress::read(input, &mut take),
        Format::Disqus => disqus::read(input, &mut take),
        Format::Table(columns) => table::read(input, columns, &mut take),
    }
}

/// Takes what was found, and how many bytes of the file were read until then.
type Take<'a> = &'a mut dyn FnMut(Found, u64) -> Result<(), ImportError>;

/// A field that says something.
fn known(text: &str) -> Option<String> {
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// A moment in UTC as exports write it (`2024-02-29 12:34:56`, `2024-02-29T12:34:56Z`), as RFC 3339. `None` for the
/// zeros that databases keep for an unknown moment, and for anything else.
fn moment(text: &str) -> Option<String> {
    let text = text.trim();
    let (date, time) = text.split_at_checked(10)?;
    let digits = |part: &str, separator: char| {
        part.split(separator)
            .map(|number| {
                number
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| number.parse::<u32>().ok())?
            })
            .collect::<Option<Vec<u32>>>()
    };
    let time = time.strip_prefix([' ', 'T'])?;
    let (time, zone) = time.split_at_checked(8)?;
    let &[year, month, day] = digits(date, '-')?.as_slice() else {
        return None;
    };
    let &[hour, minute, second] = digits(time, ':')?.as_slice() else {
        return None;
    };
    let is_real = year > 0 && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_utc = matches!(zone, "" | "Z" | "+00:00");
    (is_real && hour < 24 && minute < 60 && second <= 60 && is_utc).then(|| format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests;
