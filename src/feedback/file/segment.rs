//! A segment is one file of the store: a header, then frames that are only ever appended.
//!
//! ```text
//! header  "MODFEED1", 8 bytes of nonce
//! frame   marker u32, length u32, CRC-32 u32 of the nonce, the length and the payload; then the payload; little-endian
//! ```
//!
//! The nonce is random and in every checksum: nobody who writes a comment can write a frame. What does not check out at
//! the end of the last file is a frame that was being written when the process died: it was not acknowledged, and is
//! cut off. Elsewhere it is damage of the disk: it is passed over to the next frame that checks out, and reported.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"MODFEED1";
/// Bytes of the header.
pub(super) const HEADER: u64 = 16;
const MARKER: u32 = 0x4d66_b1a7;
const FRAME_HEAD: usize = 12;

/// Bytes of a frame at most: features of the longest text that is kept take a tenth of it.
const PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// The position of a frame in the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the segment.
    pub(super) segment: u64,
    /// The offset of the frame in its segment, in bytes.
    pub(super) offset: u64,
    /// The whole frame's length.
    pub(super) len: u32,
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) file: File,
    nonce: [u8; 8],
    /// The offset at which the next frame is written, in bytes.
    pub(super) end: u64,
    /// Bytes of frames that are still needed.
    pub(super) live: u64,
}

/// The damage that reading a segment found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flaws {
    /// Bytes behind the last whole frame.
    pub(super) torn: u64,
    /// Bytes between frames that are none.
    pub(super) damaged: u64,
}

/// The name of a segment's file.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.feedback"))
}

/// The numbers of the segments in a directory, ascending.
pub(super) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".feedback"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Syncs a directory, which makes the names in it as durable as the files.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl Segment {
    /// Makes a new segment with this name; a file that has it already is overwritten.
    pub(super) fn create(path: &Path, number: u64, nonce: [u8; 8]) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        file.write_all_at(&[MAGIC.as_slice(), &nonce].concat(), 0)?;
        Ok(Self {
            number,
            file,
            nonce,
            end: HEADER,
            live: 0,
        })
    }

    /// Opens a segment and hands over every payload with its place. `None` if the file has no header: then it died
    /// while it was made, and holds nothing.
    pub(super) fn read(
        path: &Path,
        number: u64,
        writable: bool,
        see: &mut dyn FnMut(Place, &[u8]),
    ) -> io::Result<(Option<Self>, Flaws)> {
        let file = OpenOptions::new().read(true).write(writable).open(path)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut &file, &mut bytes)?;
        let Some(nonce) = nonce(&bytes) else {
            let torn = bytes.len() as u64;
            return Ok((None, Flaws { torn, damaged: 0 }));
        };
        let mut flaws = Flaws::default();
        let mut at = usize::try_from(HEADER).unwrap_or(bytes.len());
        let mut end = at;
        while at < bytes.len() {
            if let Some(payload) = frame(&bytes[at..], nonce) {
                let len = FRAME_HEAD + payload.len();
                flaws.damaged += (at - end) as u64;
                let place = Place {
                    segment: number,
                    offset: at as u64,
                    len: u32::try_from(len).unwrap_or(u32::MAX),
                };
                see(place, payload);
                at += len;
                end = at;
            } else {
                // Nothing but the end should ever be like this; then this is the way to the next frame.
                let marker = MARKER.to_le_bytes();
                let next = bytes[at + 1..]
                    .windows(marker.len())
                    .position(|window| window == marker);
                at = next.map_or(bytes.len(), |next| at + 1 + next);
            }
        }
        flaws.torn = (bytes.len() - end) as u64;
        let segment = Self {
            number,
            file,
            nonce,
            end: end as u64,
            live: 0,
        };
        Ok((Some(segment), flaws))
    }

    /// Appends a frame to those that wait in `buffer` to be written at the end; returns its position.
    pub(super) fn frame(&self, payload: &[u8], buffer: &mut Vec<u8>) -> Place {
        let place = Place {
            segment: self.number,
            offset: self.end + buffer.len() as u64,
            len: u32::try_from(FRAME_HEAD + payload.len()).unwrap_or(u32::MAX),
        };
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        buffer.extend(MARKER.to_le_bytes());
        buffer.extend(len.to_le_bytes());
        buffer.extend(checksum(self.nonce, len, payload).to_le_bytes());
        buffer.extend(payload);
        place
    }

    /// Writes the frames that wait in the buffer.
    pub(super) fn write(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.file.write_all_at(buffer, self.end)?;
        self.end += buffer.len() as u64;
        buffer.clear();
        Ok(())
    }

    /// The payload at a position.
    pub(super) fn payload(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; place.len as usize];
        self.file.read_exact_at(&mut bytes, place.offset)?;
        let Some(payload) = frame(&bytes, self.nonce) else {
            let what = format!("segment {} is damaged at byte {}", place.segment, place.offset);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        Ok(payload.to_vec())
    }
}

fn nonce(bytes: &[u8]) -> Option<[u8; 8]> {
    bytes.strip_prefix(MAGIC.as_slice())?.first_chunk().copied()
}

/// The payload of the frame that begins here, if one does.
fn frame(bytes: &[u8], nonce: [u8; 8]) -> Option<&[u8]> {
    let number = |at: usize| -> Option<u32> {
        let four = bytes.get(at..at + 4)?.first_chunk()?;
        Some(u32::from_le_bytes(*four))
    };
    let (marker, len, crc) = (number(0)?, number(4)?, number(8)?);
    if marker != MARKER || len as usize > PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload = bytes.get(FRAME_HEAD..FRAME_HEAD + len as usize)?;
    (checksum(nonce, len, payload) == crc).then_some(payload)
}

fn checksum(nonce: [u8; 8], len: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&nonce);
    hasher.update(&len.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(payloads: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), 1);
        let mut segment = Segment::create(&path, 1, [7; 8]).unwrap();
        let mut buffer = Vec::new();
        for payload in payloads {
            segment.frame(payload, &mut buffer);
        }
        segment.write(&mut buffer).unwrap();
        (dir, path)
    }

    fn read(path: &Path) -> (Vec<Vec<u8>>, Flaws) {
        let mut payloads = Vec::new();
        let (_, flaws) = Segment::read(path, 1, false, &mut |_, payload| payloads.push(payload.to_vec())).unwrap();
        (payloads, flaws)
    }

    proptest! {
        #[test]
        fn cut_anywhere_it_gives_the_frames_before_the_cut(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6), cut: proptest::sample::Index,
        ) {
            let (_dir, path) = written(&payloads);
            let bytes = std::fs::read(&path).unwrap();
            let cut = cut.index(bytes.len() + 1);
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let (found, flaws) = read(&path);
            prop_assert_eq!(&found[..], &payloads[..found.len()]);
            let whole: usize = found.iter().map(|payload| FRAME_HEAD + payload.len()).sum();
            prop_assert_eq!(flaws.damaged, 0);
            prop_assert!(cut < 16 || flaws.torn == (cut - 16 - whole) as u64);
            prop_assert!(found.len() == payloads.len() || cut < bytes.len());
        }

        #[test]
        fn one_flipped_byte_costs_one_frame(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 2..6), at: proptest::sample::Index, flip in 1..=255_u8,
        ) {
            let (_dir, path) = written(&payloads);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = 16 + at.index(bytes.len() - 16);
            bytes[at] ^= flip;
            std::fs::write(&path, &bytes).unwrap();
            let (found, flaws) = read(&path);
            prop_assert_eq!(found.len(), payloads.len() - 1);
            prop_assert!(found.iter().all(|payload| payloads.contains(payload)));
            prop_assert!(flaws.damaged + flaws.torn > 0);
        }
    }

    #[test]
    fn a_frame_inside_of_a_damaged_one_is_none_without_the_nonce() {
        let dir = tempfile::tempdir().unwrap();
        let (mut forged, mut buffer) = (Vec::new(), Vec::new());
        let foreign = Segment::create(&path(dir.path(), 2), 2, [8; 8]).unwrap();
        foreign.frame(b"I am a label", &mut forged);
        let mut segment = Segment::create(&path(dir.path(), 1), 1, [7; 8]).unwrap();
        segment.frame(&forged, &mut buffer);
        buffer[5] ^= 1;
        segment.write(&mut buffer).unwrap();
        assert_eq!(read(&path(dir.path(), 1)).0, Vec::<Vec<u8>>::new());
    }
}
