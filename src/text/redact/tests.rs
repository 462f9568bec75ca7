use super::{Persona, redact};
use proptest::prelude::*;

const AUTHOR: Persona<'static> = Persona {
    name: "Canaryname Quillfeather",
    accounts: &["canary-account-77", "canary.mailbox"],
};

#[track_caller]
fn check(content: &str, expected: &str) {
    assert_eq!(redact(content, &AUTHOR), expected, "{content}");
    assert_eq!(redact(expected, &AUTHOR), expected, "again: {content}");
}

#[track_caller]
fn by(name: &str, content: &str, expected: &str) {
    let author = Persona { name, accounts: &[] };
    assert_eq!(redact(content, &author), expected, "{content}");
}

#[test]
fn texts_without_anything_personal_stay() {
    for text in [
        "I walked past the new bridge today, and it is lovely.",
        "See http://shop.example.com/buy?id=12 or www.example.org, 50% off!!!",
        "p@ss me the s@lt, I loooove my ch@nnel",
        "It was 12:30:45 when std::vector met <b>Foo::bar</b>; 1,000 people, 3.14, v1.2.3",
        "Überraschend gut – Привет, 水晶, مرحبا",
        "look at it. point taken",
        "",
    ] {
        check(text, text);
    }
}

#[test]
fn emails() {
    for text in [
        "ann@example.org",
        "ann.reader+tag@mail.example.co.uk",
        "ANN＠EXAMPLE．ORG",
        "ann&#64;example.org",
        "an\u{200b}n@exam\u{200b}ple.org",
        "ann [at] example [dot] org",
        "ann(at)example(dot)org",
        "ann at example dot org",
        "ann dot reader at example dot org",
        "ann @ example.org",
        "ann arroba example punto org",
        "ann (ät) example.org",
        "ann dot reader (at) example [dot] org",
        "ann%40example.org",
        "анна@пример.рф",
        "анна собака пример точка рф",
        "ann@localhost",
        "\"ann reader\"@example.org",
    ] {
        check(text, "someone@mail.invalid");
    }
    check(
        "Write to ann@example.org, please.",
        "Write to someone@mail.invalid, please.",
    );
    check(
        "<a href=\"mailto:ann@example.org\">me</a>",
        "<a href=\"mailto:someone@mail.invalid\">me</a>",
    );
    check(
        "http://x.example/?m=ann%40a.example",
        "http://x.example/?m=someone@mail.invalid",
    );
}

#[test]
fn numbers_and_addresses() {
    check("call +49 (30) 901820 now", "call +00 (00) 000000 now");
    check("01 52-33.44/55", "00 00-00.00/00");
    check("٠١٢٣٤٥٦٧", "00000000");
    check("０１７１ ２３４５６７", "0000 000000");
    check("4️⃣9️⃣1️⃣7️⃣0️⃣1️⃣2️⃣", "0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣");
    check("my ip is 203.0.113.7, ok", "my ip is 0.0.0.0, ok");
    check("http://203.0.113.7/x", "http://0.0.0.0/x");
    check("1[.]2[.]3[.]4", "0.0.0.0");
    check("from 2001:db8::1.", "from ::.");
    check("[2001:DB8:0:0:1::7]:443", "[::]:443");
    check("::ffff:203.0.113.7", "::");
    check("in 2015, 3 of 12345", "in 2015, 3 of 12345");
}

#[test]
fn handles() {
    check("thanks @ann_reader!", "thanks @someone!");
    check("youtube.com/@annreader", "youtube.com/@someone");
    check("ping u/ann_reader or AnnReader#1234", "ping u/someone or someone#1234");
    check("@ann@social.example", "@someone@mail.invalid");
    check("＠ａｎｎ", "＠someone");
}

#[test]
fn the_authors_own_name() {
    for text in [
        "Canaryname",
        "CANARYNAME",
        "quillfeather",
        "ＣａｎａｒｙＮａｍｅ",
        "Canary\u{200d}name",
        "Çanarynáme",
        "Саnаrуnаmе",
        "canarynamequillfeather1985",
        "xXcanarynameXx",
        "c a n a r y n a m e",
        "C.a.n.a.r.y.n.a.m.e",
        "canary.mailbox",
        "Canary Account 77",
    ] {
        check(text, "someone");
    }
    check("-- Canaryname Quillfeather's blog", "-- someone's blog");
    by(
        "Ann of the Hill",
        "ann says the hill is Ann's, an annual hills",
        "someone says the someone is someone's, an annual someone",
    );
    by(
        "Анна Иванова",
        "Спросите Анну Иванову или Ивановой дочь",
        "Спросите someone someone или someone дочь",
    );
    by("李明", "我是李明，你好", "我是someone，你好");
    by("김철수", "저는 김철수입니다", "저는 someone입니다");
    by("Li Wu", "Li Wu was here, li", "someone was here, li");
    by("Bo", "Bo knows boats", "someone knows boats");
    by("X", "x marks the spot", "x marks the spot");
}

#[test]
fn a_name_that_is_part_of_a_handle_and_goes_on_behind_it() {
    let redacted = redact("u/Canaryname\u{663}Quillfeather was here", &AUTHOR);
    assert_eq!(redacted, "u/someone was here");
}

/// Stretches of text that make trouble, glued together at random.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("someone"),
        Just("@"),
        Just("."),
        Just(" at "),
        Just(" dot "),
        Just("(at)"),
        Just("[dot]"),
        Just("%40"),
        Just("ann"),
        Just("example.org"),
        Just("&#64;"),
        Just("&amp;"),
        Just("::"),
        Just(":"),
        Just("1"),
        Just("203.0.113.7"),
        Just("2001:db8::1"),
        Just("12345"),
        Just("-"),
        Just(" "),
        Just("#1234"),
        Just("u/"),
        Just("Canaryname"),
        Just("Quill"),
        Just("feather"),
        Just("\u{200b}"),
        Just("＠"),
        Just("а"),
        Just("李"),
        Just("\""),
        Just("mail.invalid"),
        Just("<b>"),
        Just("c a n a r y n a m e"),
        Just("\n"),
        Just("٣"),
        Just("ß"),
        Just("İ"),
        Just("0"),
        Just("s"),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn twice_is_once(text in prop_oneof![pieces(), "\\PC{0,60}"], which in 0..6_usize) {
        let name = ["Canaryname Quillfeather", "Mail Invalid", "Some One", "Invalid", "0000 00", "\u{430}\u{43d}\u{43d}\u{430}"][which];
        let author = Persona { name, accounts: &["canary.mailbox"] };
        let once = redact(&text, &author).into_owned();
        prop_assert_eq!(redact(&once, &author).into_owned(), once);
    }

    #[test]
    fn canaries_never_survive(before in pieces(), after in pieces(), which in 0..6_usize) {
        let canary = ["zq.vx@birdcage.example", "Quillfeather", "@zqvx_wk", "198.51.100.217", "+49 170 5559 217", "canary.mailbox"][which];
        let text = redact(&format!("{before} {canary} {after}"), &AUTHOR).into_owned().to_lowercase();
        for trace in ["zq", "birdcage", "quillfeather", "198.51", "5559", "canary.mailbox"] {
            prop_assert!(!text.contains(trace), "{} in {}", trace, text);
        }
    }
}
