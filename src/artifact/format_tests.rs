use proptest::prelude::*;

use super::*;
use crate::model::testing::parts;

#[test]
fn what_was_written_is_read_again() {
    let parts = parts();
    let bytes = encode(&parts).unwrap();
    let (read, version) = decode_parts(&bytes, Evidence::Read).unwrap();
    assert_eq!(read, parts);
    assert_eq!(version.len(), 12);
    assert_eq!(decode(&bytes).unwrap().version(), version);
}

/// As the formats before wrote the tiny model: hashes by differences, SHA-256 at the end.
fn old(format: u8) -> Vec<u8> {
    let parts = parts();
    let new = encode(&parts).unwrap();
    let halves_at = 16 + serde_json::to_vec(&parts.card).unwrap().len() + 8 + 4 + 4;
    let n_halves = Input {
        bytes: &new,
        at: halves_at,
    }
    .u32("")
    .unwrap() as usize;
    // Three hashes: 0; 70,000; and the highest.
    let differences = [0, 0xf0, 0xa2, 0x04, 0x8f, 0xdd, 0xfb, 0xff, 0x0f];
    let mut bytes = new[..halves_at].to_vec();
    bytes[8] = format;
    bytes.extend_from_slice(&9_u32.to_le_bytes());
    bytes.extend_from_slice(&differences);
    let rest = &new[halves_at + 4 + n_halves + 6..new.len() - Checksum::Fast.len()];
    bytes.extend_from_slice(if format == 1 { &rest[..7] } else { rest });
    sealed(bytes)
}

/// The old reader refuses the new format by its number; the new one reads the old.
#[test]
fn models_of_the_versions_before_are_read() {
    let mut parts = parts();
    let (read, version) = decode_parts(&old(2), Evidence::Read).unwrap();
    assert_eq!(read, parts);
    assert_eq!(version, hex::encode(&Sha256::digest(&old(2)[..old(2).len() - 32])[..6]));
    parts.evidence = None;
    assert_eq!(decode_parts(&old(1), Evidence::Read).unwrap().0, parts);
    let mut unended = old(1);
    unended.truncate(unended.len() - 32);
    unended[8] = 2;
    check(&sealed(unended), "cut short");
}

#[test]
fn a_model_without_evidence_is_a_model() {
    let mut parts = parts();
    let (read, _) = decode_parts(&encode(&parts).unwrap(), Evidence::Skip).unwrap();
    parts.evidence = None;
    assert_eq!(read, parts);
    assert_eq!(decode_parts(&encode(&parts).unwrap(), Evidence::Read).unwrap().0, parts);
}

#[test]
fn counts_of_other_views_are_not_gone_on_from() {
    let mut parts = parts();
    parts.card.reading = 1;
    let error = decode_parts(&encode(&parts).unwrap(), Evidence::Read).unwrap_err();
    assert!(error.to_string().contains("train it again"), "{error}");
}

#[test]
fn a_model_that_read_the_text_alone_is_gone_on_from() {
    let mut parts = parts();
    parts.card.reading = 2;
    let Some(evidence) = &mut parts.evidence else { panic!() };
    let all = evidence.rounds.clone();
    for round in &mut evidence.rounds {
        round.factors.truncate(7 * round.is_spam.len());
    }
    let read = decode_parts(&encode(&parts).unwrap(), Evidence::Read).unwrap().0;
    for (round, before) in read.evidence.unwrap().rounds.iter().zip(all) {
        let n = 7 * before.is_spam.len();
        assert_eq!(round.factors[..n], before.factors[..n]);
        assert!(round.factors[n..].iter().all(|&factor| factor == 0.0));
        assert_eq!(round.factors.len(), before.factors.len());
    }
}

fn check(bytes: &[u8], says: &str) {
    let error = decode(bytes).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn each_kind_of_damage_is_named() {
    let bytes = encode(&parts()).unwrap();
    check(b"", "an empty file");
    check(b"{}", "JSON");
    check(b"PK\x03\x04 something else", "begin with 0x504b");
    check(&bytes[..10], "cut short");
    check(&bytes[..bytes.len() - 1], "damaged");
    check(&bytes[..bytes.len() / 2], "damaged");
    let mut other = bytes.clone();
    other[8] = 9;
    check(&other, "a format version from 1 to 3, found 9");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    check(&flipped, "damaged");
}

/// Bytes with a right checksum, so that what is behind it is reached.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let checksum = if body[8] <= 2 { Checksum::Sha256 } else { Checksum::Fast };
    let digest = checksum.of(&body);
    body.extend_from_slice(&digest);
    body
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn a_right_checksum_around_a_wrong_body_never_panics(
        is_old in any::<bool>(),
        (at, from_end) in (12_usize..1_200, any::<bool>()),
        value in any::<u8>(),
        cut in prop_oneof![Just(0_usize), 0_usize..200],
    ) {
        let mut bytes = if is_old { old(2) } else { encode(&parts()).unwrap() };
        let checksum = if is_old { Checksum::Sha256 } else { Checksum::Fast };
        bytes.truncate(bytes.len() - checksum.len());
        let n = bytes.len();
        let at = 12 + at % (n - 12);
        // The card, at the front, is the longest part.
        let at = if from_end { n - 1 - (at - 12) } else { at };
        bytes[at] = value;
        bytes.truncate(n - cut.min(n - 12));
        let _ = decode_parts(&sealed(bytes), Evidence::Read);
    }
}
