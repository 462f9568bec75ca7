//! A file as a stream of UTF-8 that knows where it stands: decompressed, decoded, and bounded in what one piece may
//! take.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::bufread::MultiGzDecoder;

use super::ImportError;

/// No piece of an export (a tag, a text, a row) is longer, in bytes. In a file whose end is missing somewhere the rest
/// would be one piece, and a gigabyte of memory.
const PIECE_BYTES_MAX: u64 = 32 << 20;

/// A place in the decoded text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The line, from 1.
    pub(super) line: u64,
    /// The byte, from 0.
    pub(super) byte: u64,
}

/// The decoded text of a file.
pub(super) struct Input {
    path: PathBuf,
    text: BufReader<Box<dyn Read>>,
    read_of_file: Rc<Cell<u64>>,
    at: Place,
    piece: Place,
}

/// The encoding of this name, if one is stated.
pub(super) fn encoding(name: Option<&str>) -> Result<Option<&'static Encoding>, ImportError> {
    let Some(name) = name else { return Ok(None) };
    let unknown = || ImportError::Encoding { name: name.to_owned() };
    Encoding::for_label(name.as_bytes()).map(Some).ok_or_else(unknown)
}

/// Opens a file; `-` is standard input.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, ImportError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|source| ImportError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Box::new(file))
}

/// Opens the text of `file`, which is called `path`; its first bytes tell if it is compressed.
pub(super) fn text_of(
    path: &Path,
    file: Box<dyn Read>,
    encoding: Option<&'static Encoding>,
) -> Result<Input, ImportError> {
    let read_error = |source| ImportError::Read {
        path: path.to_owned(),
        source,
    };
    let read_of_file = Rc::new(Cell::new(0));
    let counted = Counted {
        file,
        n: Rc::clone(&read_of_file),
    };
    let mut file = BufReader::with_capacity(1 << 16, counted);
    let is_gzip = file.fill_buf().map_err(read_error)?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn BufRead> = if is_gzip {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    };
    decoded(path, plain, encoding, read_of_file).map_err(read_error)
}

fn decoded(
    path: &Path,
    mut plain: Box<dyn BufRead>,
    encoding: Option<&'static Encoding>,
    read_of_file: Rc<Cell<u64>>,
) -> io::Result<Input> {
    // What XML says of its own encoding, in its first line.
    let stated = encoding.or_else(|| stated(plain.fill_buf().ok()?));
    // A byte order mark outweighs everything. What is not in the encoding becomes U+FFFD, one wrong byte at a time.
    let decoder = DecodeReaderBytesBuilder::new()
        .encoding(Some(stated.unwrap_or(encoding_rs::UTF_8)))
        .bom_override(true)
        .strip_bom(true)
        .build(plain);
    let start = Place { line: 1, byte: 0 };
    Ok(Input {
        path: path.to_owned(),
        text: BufReader::with_capacity(1 << 16, Box::new(Filled(decoder))),
        read_of_file,
        at: start,
        piece: start,
    })
}

/// The encoding that an XML declaration names.
fn stated(head: &[u8]) -> Option<&'static Encoding> {
    let head = &head[..head.len().min(200)];
    let declaration = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &declaration[..declaration.windows(2).position(|two| two == b"?>")?];
    let text = std::str::from_utf8(declaration).ok()?;
    let (_, rest) = text.split_once("encoding")?;
    let name = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = name.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Encoding::for_label(name[1..].split(quote).next()?.as_bytes())
}

impl Input {
    /// Says that what comes is another piece.
    pub(super) const fn begin_piece(&mut self) {
        self.piece = self.at;
    }

    /// The place where the piece began.
    pub(super) const fn piece(&self) -> Place {
        self.piece
    }

    /// The number of bytes of the file were read.
    pub(super) fn n_read(&self) -> u64 {
        self.read_of_file.get()
    }

    /// The first byte that is no space; it stays to be read.
    pub(super) fn first_byte(&mut self) -> Result<Option<u8>, ImportError> {
        loop {
            let buffer = match self.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) => return Err(self.read_error(error)),
            };
            if buffer.is_empty() {
                return Ok(None);
            }
            match buffer.iter().position(|b| !b.is_ascii_whitespace()) {
                Some(at) => {
                    let first = buffer[at];
                    self.consume(at);
                    return Ok(Some(first));
                }
                None => {
                    let n = buffer.len();
                    self.consume(n);
                }
            }
        }
    }

    /// An error of reading: the system's, or a piece without end.
    pub(super) fn read_error(&self, source: io::Error) -> ImportError {
        if source.kind() == io::ErrorKind::FileTooLarge {
            return self.broken(
                self.piece,
                "what begins here does not end within 32 MiB; is something cut out of the file?".to_owned(),
            );
        }
        ImportError::Read {
            path: self.path.clone(),
            source,
        }
    }

    /// An error of the file.
    pub(super) fn broken(&self, at: Place, problem: String) -> ImportError {
        ImportError::Broken {
            path: self.path.clone(),
            line: at.line,
            byte: at.byte,
            problem,
        }
    }

    /// An error of choosing the file.
    pub(super) fn other(&self, expected: &'static str, found: String) -> ImportError {
        ImportError::Other {
            path: self.path.clone(),
            expected,
            found,
        }
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let buffer = self.fill_buf()?;
        let n = buffer.len().min(into.len());
        into[..n].copy_from_slice(&buffer[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at.byte - self.piece.byte > PIECE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        let lines = self.text.buffer()[..n].iter().filter(|&&b| b == b'\n').count();
        self.at.line += lines as u64;
        self.at.byte += n as u64;
        self.text.consume(n);
    }
}

/// Reads as much as is asked for: the decoder looks for a byte order mark in a first, tiny, read.
struct Filled<R>(R);

impl<R: Read> Read for Filled<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < into.len() {
            match self.0.read(&mut into[n..]) {
                Ok(0) => break,
                Ok(more) => n += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n)
    }
}

/// Counts what is read.
struct Counted {
    file: Box<dyn Read>,
    n: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(into)?;
        self.n.set(self.n.get() + n as u64);
        Ok(n)
    }
}
