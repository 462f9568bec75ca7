//! A table with a row of names: comma-separated, or by semicolons or tabs as spreadsheets of other countries write it.

use csv::{ReaderBuilder, StringRecord};

use super::bytes::{Input, Place};
use super::{ImportError, Kind, PastComment, Skipped, State, Take, known, moment};

/// The meanings of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// People's decision. Required.
    Label,
    /// The text. Required.
    Content,
    /// The comment's id.
    Id,
    /// The name the author gave.
    AuthorName,
    /// The website the author gave.
    AuthorUrl,
    /// The moment at which it was submitted, in UTC.
    SubmittedAt,
    /// The moment at which it was decided, in UTC.
    LabeledAt,
    /// The article's id.
    ArticleId,
    /// The id of the comment that it replies to.
    ParentId,
    /// The collection that it is from.
    Source,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Label,
        Self::Content,
        Self::Id,
        Self::AuthorName,
        Self::AuthorUrl,
        Self::SubmittedAt,
        Self::LabeledAt,
        Self::ArticleId,
        Self::ParentId,
        Self::Source,
    ];

    /// The name that it has unless another is stated: that of the training format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Content => "content",
            Self::Id => "id",
            Self::AuthorName => "author_name",
            Self::AuthorUrl => "author_url",
            Self::SubmittedAt => "submitted_at",
            Self::LabeledAt => "labeled_at",
            Self::ArticleId => "article_id",
            Self::ParentId => "parent_id",
            Self::Source => "source",
        }
    }
}

/// The meaning of a table's columns.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// Columns with names of their own.
    pub named: Vec<(Column, String)>,
    /// Labels that mean ham, besides `ham` and `approved`.
    pub ham: Vec<String>,
    /// Labels that mean spam, besides `spam`.
    pub spam: Vec<String>,
    /// The delimiter of fields; found out unless stated.
    pub delimiter: Option<u8>,
}

impl Columns {
    fn name(&self, column: Column) -> &str {
        let stated = self.named.iter().rev().find(|(named, _)| *named == column);
        stated.map_or(column.name(), |(_, name)| name)
    }

    /// The position of each column among these names.
    fn places(&self, names: &StringRecord) -> [Option<usize>; Column::ALL.len()] {
        Column::ALL.map(|column| {
            let wanted = self.name(column);
            names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted))
        })
    }

    fn state(&self, label: &str) -> State {
        let label = label.trim();
        let is = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(label));
        if is(&self.ham) {
            return State::Approved;
        }
        if is(&self.spam) {
            return State::Spam;
        }
        match label.to_ascii_lowercase().as_str() {
            "ham" | "approved" | "approve" | "published" => State::Approved,
            "spam" => State::Spam,
            "pending" | "hold" | "unapproved" => State::Pending,
            "trash" | "deleted" | "removed" | "post-trashed" => State::Removed,
            _ => State::Unknown,
        }
    }
}

/// Reads a table.
pub(super) fn read(mut input: Input, columns: &Columns, take: Take<'_>) -> Result<(), ImportError> {
    let delimiter = match columns.delimiter {
        Some(delimiter) => delimiter,
        None => delimiter(&mut input)?,
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(input);
    let names = match reader.headers() {
        Ok(names) => names.clone(),
        Err(error) => return Err(broken(reader.get_ref(), error)),
    };
    let places = columns.places(&names);
    for required in [Column::Label, Column::Content] {
        if places[required as usize].is_none() {
            return Err(reader.get_ref().other(
                "a table with a row of names, among them those of the label and the text",
                format!(
                    "{} columns, none of them named {:?} (--column {}=NAME says which it is)",
                    names.len(),
                    columns.name(required),
                    required.name()
                ),
            ));
        }
    }
    let mut row = StringRecord::new();
    loop {
        reader.get_mut().begin_piece();
        match reader.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(broken(reader.get_ref(), error)),
        }
        let n_read = reader.get_ref().n_read();
        let field = |column: Column| places[column as usize].and_then(|at| row.get(at)).unwrap_or_default();
        let some = |column| known(field(column));
        let found = if row.len() == names.len() {
            Ok(PastComment {
                id: some(Column::Id),
                state: columns.state(field(Column::Label)),
                kind: Kind::Comment,
                content: field(Column::Content).to_owned(),
                author_name: some(Column::AuthorName),
                author_url: some(Column::AuthorUrl),
                submitted_at: moment(field(Column::SubmittedAt)),
                labeled_at: moment(field(Column::LabeledAt)),
                article_id: some(Column::ArticleId),
                parent_id: some(Column::ParentId),
                source: some(Column::Source),
            })
        } else {
            Err(Skipped::BadRow)
        };
        take(found, n_read)?;
    }
}

/// Finds the delimiter of the names in the first line: whichever of these stands there most often.
fn delimiter(input: &mut Input) -> Result<u8, ImportError> {
    use std::io::BufRead;
    input.first_byte()?;
    let head = match input.fill_buf() {
        Ok(head) => head.split(|&b| b == b'\n').next().unwrap_or_default().to_vec(),
        Err(error) => return Err(input.read_error(error)),
    };
    let count = |delimiter: &u8| head.iter().filter(|b| *b == delimiter).count();
    // The first of equals: a comma.
    Ok(*b"\t;,".iter().max_by_key(|delimiter| count(delimiter)).unwrap_or(&b','))
}

fn broken(input: &Input, error: csv::Error) -> ImportError {
    let at = error.position().map_or_else(
        || input.piece(),
        |position| Place {
            line: position.line(),
            byte: position.byte(),
        },
    );
    match error.into_kind() {
        csv::ErrorKind::Io(error) => input.read_error(error),
        _ => input.broken(at, "a row that cannot be read".to_owned()),
    }
}
