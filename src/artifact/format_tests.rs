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

/// The old reader refuses the new format by its number; the new one reads the old.
#[test]
fn models_of_the_version_before_are_read() {
    let mut parts = parts();
    parts.evidence = None;
    let mut bytes = encode(&parts).unwrap();
    // Version 1 ended before the length of the evidence.
    bytes.truncate(bytes.len() - DIGEST_LEN - 4);
    bytes[8] = 1;
    let (read, _) = decode_parts(&sealed(bytes.clone()), Evidence::Read).unwrap();
    assert_eq!(read, parts);
    bytes[8] = 2;
    check(&sealed(bytes), "cut short");
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
    parts.card.reading -= 1;
    let error = decode_parts(&encode(&parts).unwrap(), Evidence::Read).unwrap_err();
    assert!(error.to_string().contains("train it again"), "{error}");
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
    check(&other, "format version 2 or 1, found 9");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    check(&flipped, "damaged");
}

/// Bytes with a right checksum, so that what is behind it is reached.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&body);
    body.extend_from_slice(&digest);
    body
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn a_right_checksum_around_a_wrong_body_never_panics(at in 12_usize..400, value in any::<u8>(), cut in 0_usize..200) {
        let mut bytes = encode(&parts()).unwrap();
        bytes.truncate(bytes.len() - DIGEST_LEN);
        let n = bytes.len();
        bytes[at % n] = value;
        bytes.truncate(n - cut.min(n - 12));
        let _ = decode_parts(&sealed(bytes), Evidence::Read);
    }
}
