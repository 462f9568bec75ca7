//! Records out of an XML file of any size: elements of one name, each with the fields that are wanted of it.
//!
//! Names are compared without their prefix. Exports of the wild are mended where it does no harm: characters that XML
//! forbids are dropped, names of entities that XML does not know stay as they are written (a model's reading knows
//! HTML's), and an ampersand may stand alone. Tags that do not match, and an end before the end, are errors: what
//! follows would be somebody else's words.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::bytes::{Input, Place};
use super::{CONTENT_BYTES_MAX, ImportError};

/// The shape of a file.
pub(super) struct Shape {
    /// The name of the outermost element.
    pub(super) root: &'static str,
    /// The expected kind of file, for people.
    pub(super) expected: &'static str,
    /// The name of a record's element.
    pub(super) record: &'static str,
    /// The elements of a record that are fields: paths as `author/name`, and attributes as `thread@id`.
    pub(super) fields: &'static [&'static str],
    /// The elements outside of records that hold for those that follow.
    pub(super) context: &'static [&'static str],
}

/// The fields of a record, by path.
pub(super) type Fields = BTreeMap<&'static str, String>;

/// Hands over each record's fields, with those of its context.
pub(super) fn records(
    input: Input,
    shape: &Shape,
    take: &mut dyn FnMut(Fields, u64) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut reader = Reader::from_reader(input);
    reader.config_mut().allow_dangling_amp = true;
    let mut walk = Walk {
        shape,
        open: Vec::new(),
        record_depth: None,
        field: None,
        fields: Fields::new(),
        context: Fields::new(),
    };
    let mut buffer = Vec::with_capacity(1 << 16);
    let mut root_place = None;
    loop {
        buffer.clear();
        reader.get_mut().begin_piece();
        let event = match reader.read_event_into(&mut buffer) {
            Ok(event) => event,
            Err(error) => return Err(broken(&reader, error)),
        };
        let place = reader.get_ref().piece();
        match event {
            Event::Start(start) => {
                if walk.open.is_empty() {
                    root_place = Some(place);
                    check_root(&start, shape, &reader)?;
                }
                walk.start(&start);
            }
            Event::Empty(start) => {
                if walk.open.is_empty() {
                    check_root(&start, shape, &reader)?;
                }
                walk.start(&start);
                if let Some(record) = walk.end() {
                    take(record, reader.get_ref().n_read())?;
                }
            }
            Event::End(_) => {
                if let Some(record) = walk.end() {
                    take(record, reader.get_ref().n_read())?;
                }
            }
            Event::Text(text) => walk.text(&text.xml10_content()),
            Event::CData(text) => walk.text(&text.xml10_content()),
            Event::GeneralRef(reference) => walk.reference(&reference),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
        }
    }
    let input = reader.get_ref();
    match (walk.open.last(), root_place) {
        (Some(open), _) => Err(input.broken(
            input.piece(),
            format!("the file ends inside of <{open}>: it is cut short"),
        )),
        (None, None) => Err(input.other(shape.expected, "a file without any element".to_owned())),
        (None, Some(_)) => Ok(()),
    }
}

fn check_root(start: &BytesStart<'_>, shape: &Shape, reader: &Reader<Input>) -> Result<(), ImportError> {
    let name = start.local_name();
    let name: &str = name.as_ref();
    if name == shape.root {
        return Ok(());
    }
    let found = match name {
        "rss" => "an RSS file such as WordPress exports: moderato import wordpress".to_owned(),
        "disqus" => "a Disqus export: moderato import disqus".to_owned(),
        "html" => "a web page; was the export answered with an error?".to_owned(),
        _ => format!("a file whose first element is <{name}>"),
    };
    Err(reader.get_ref().other(shape.expected, found))
}

fn broken(reader: &Reader<Input>, error: quick_xml::Error) -> ImportError {
    let input = reader.get_ref();
    match error {
        quick_xml::Error::Io(error) => input.read_error(std::io::Error::new(error.kind(), error.to_string())),
        error => {
            let Place { line, .. } = input.piece();
            let byte = reader.error_position();
            input.broken(Place { line, byte }, format!("broken XML: {error}"))
        }
    }
}

/// The position in the file.
struct Walk<'a> {
    shape: &'a Shape,
    /// The names of the open elements.
    open: Vec<String>,
    /// The number of elements were open when the record began.
    record_depth: Option<usize>,
    /// The field whose text comes.
    field: Option<&'static str>,
    fields: Fields,
    context: Fields,
}

impl Walk<'_> {
    fn start(&mut self, start: &BytesStart<'_>) {
        let name = start.local_name();
        let name: &str = name.as_ref();
        self.open.push(name.to_owned());
        match self.record_depth {
            None if name == self.shape.record => {
                self.record_depth = Some(self.open.len());
                self.fields = self.context.clone();
                self.attributes("", start);
            }
            None => {
                self.field = self.shape.context.iter().copied().find(|field| *field == name);
                if let Some(field) = self.field {
                    self.context.insert(field, String::new());
                }
            }
            Some(depth) => {
                let path = self.open[depth..].join("/");
                self.field = self.shape.fields.iter().copied().find(|field| *field == path);
                if let Some(field) = self.field {
                    self.fields.insert(field, String::new());
                }
                self.attributes(&path, start);
            }
        }
    }

    fn attributes(&mut self, path: &str, start: &BytesStart<'_>) {
        let wanted = self.shape.fields.iter().filter_map(|&field| {
            let (of, name) = field.split_once('@')?;
            (of == path).then_some((field, name))
        });
        for (field, name) in wanted {
            // Disqus' own exports have been seen without quotes.
            let found = start
                .html_attributes()
                .with_checks(false)
                .filter_map(Result::ok)
                .find(|attribute| {
                    let key = attribute.key.local_name();
                    let key: &str = key.as_ref();
                    key == name
                });
            if let Some(attribute) = found {
                self.fields.insert(field, attribute.value.into_owned());
            }
        }
    }

    /// Gives back the record that ends here.
    fn end(&mut self) -> Option<Fields> {
        let is_record = self.record_depth == Some(self.open.len());
        self.open.pop();
        self.field = None;
        is_record.then(|| {
            self.record_depth = None;
            std::mem::take(&mut self.fields)
        })
    }

    fn text(&mut self, text: &str) {
        let Some(field) = self.field else { return };
        let fields = if self.record_depth.is_some() {
            &mut self.fields
        } else {
            &mut self.context
        };
        let into = fields.entry(field).or_default();
        // One byte more than the longest says that it was too long.
        let left = (CONTENT_BYTES_MAX + 1).saturating_sub(into.len());
        into.extend(text.chars().filter(|&c| is_xml(c)).scan(left, |left, c| {
            *left = left.checked_sub(c.len_utf8())?;
            Some(c)
        }));
    }

    fn reference(&mut self, reference: &BytesRef<'_>) {
        let name = reference.xml10_content();
        match reference.resolve_char_ref() {
            Ok(Some(c)) => self.text(c.encode_utf8(&mut [0; 4])),
            // A number that is no character.
            Err(_) => {}
            Ok(None) => match resolve_xml_entity(&name) {
                Some(text) => self.text(text),
                None => self.text(&format!("&{name};")),
            },
        }
    }
}

/// Returns true if XML 1.0 knows the character.
const fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
