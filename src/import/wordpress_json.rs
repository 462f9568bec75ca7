//! The JSON of `wp comment list`: one array of objects, whose values are text or numbers.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::bytes::Input;
use super::wordpress::{kind, state};
use super::{ImportError, PastComment, Take, known, moment};

/// The message about a field that has to be asked for: by default WP-CLI leaves the text out.
const ASK_FOR: &str = "the comments have no comment_content; ask for it: wp comment list --format=json --fields=comment_ID,\
    comment_post_ID,comment_date_gmt,comment_approved,comment_type,comment_parent,comment_author,comment_author_url,\
    comment_content";

/// A comment as WP-CLI prints it. E-mail and network addresses are not even read.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "comment_ID", default)]
    id: Text,
    #[serde(rename = "comment_post_ID", default)]
    article_id: Text,
    #[serde(rename = "comment_date_gmt", default)]
    date_gmt: Text,
    #[serde(rename = "comment_approved", default)]
    approved: Text,
    #[serde(rename = "comment_type", default)]
    comment_type: Text,
    #[serde(rename = "comment_parent", default)]
    parent_id: Text,
    #[serde(rename = "comment_author", default)]
    author_name: Text,
    #[serde(rename = "comment_author_url", default)]
    author_url: Text,
    #[serde(rename = "comment_content")]
    content: Option<Text>,
}

/// Text, or a number as text; `null` is no text.
#[derive(Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Reads the array element by element.
pub(super) fn read(input: Input, take: Take<'_>) -> Result<(), ImportError> {
    let shared = Shared(std::cell::RefCell::new(input));
    let mut stopped = None;
    let mut deserializer = serde_json::Deserializer::from_reader(&shared);
    let rows = Rows {
        shared: &shared,
        take,
        stopped: &mut stopped,
    };
    let outcome = rows.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    let input = shared.0.borrow();
    match (stopped, outcome) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if error.is_io() => Err(input.read_error(error.into())),
        (None, Err(error)) => {
            let what = match error.classify() {
                serde_json::error::Category::Eof => "the JSON ends too early: the file is cut short",
                serde_json::error::Category::Data if error.to_string().starts_with(ASK_FOR) => ASK_FOR,
                serde_json::error::Category::Data => "not a comment as wp comment list --format=json prints it",
                _ => "broken JSON",
            };
            let place = super::bytes::Place {
                line: error.line() as u64,
                byte: input.piece().byte,
            };
            Err(input.broken(place, format!("{what} (column {})", error.column())))
        }
        (None, Ok(())) => Ok(()),
    }
}

/// The input, read by the parser and asked for its place by us.
struct Shared(std::cell::RefCell<Input>);

impl std::io::Read for &Shared {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().read(into)
    }
}

struct Rows<'a, 'b> {
    shared: &'a Shared,
    take: Take<'b>,
    stopped: &'a mut Option<ImportError>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of comments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        self.shared.0.borrow_mut().begin_piece();
        while let Some(row) = rows.next_element::<Listed>()? {
            let Some(Text(content)) = row.content else {
                return Err(A::Error::custom(ASK_FOR));
            };
            let comment = PastComment {
                id: known(&row.id.0),
                state: state(&row.approved.0),
                kind: kind(&row.comment_type.0),
                content,
                author_name: known(&row.author_name.0),
                author_url: known(&row.author_url.0),
                submitted_at: moment(&row.date_gmt.0),
                labeled_at: None,
                article_id: known(&row.article_id.0),
                parent_id: known(&row.parent_id.0).filter(|id| id != "0"),
                source: None,
            };
            let n_read = self.shared.0.borrow().n_read();
            if let Err(error) = (self.take)(Ok(comment), n_read) {
                *self.stopped = Some(error);
                // Anything ends the parser; what it says is not looked at.
                return Err(A::Error::custom("stopped"));
            }
            self.shared.0.borrow_mut().begin_piece();
        }
        Ok(())
    }
}
