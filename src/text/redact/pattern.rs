//! The patterns of e-mail addresses, handles, network addresses and telephone numbers, also spelled out.

use std::net::Ipv6Addr;
use std::sync::LazyLock;

use regex::Regex;

use super::Edit;

/// Takes the place of an e-mail address. The domain can never exist (RFC 2606).
const MAILBOX: &str = "someone@mail.invalid";

struct Patterns {
    /// Each match is an e-mail address.
    email: Regex,
    /// Group 1 is a handle without its `@`, or the name in `u/name`.
    handle: Regex,
    /// Group 1 may be an IPv6 address.
    ipv6: Regex,
    ipv4: Regex,
    /// At least six digits with little between them.
    number: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    // A letter, digit or mark of any script.
    let word = r"[\p{L}\p{M}\p{N}_]";
    let local = r"[\p{L}\p{N}_][\p{L}\p{M}\p{N}._%+\-'~!#$*^{|}]*";
    let label = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}_\-]*";
    let dot_word = "(?:dot|d0t|punkt|punto|ponto|точка)";
    let dot =
        format!(r"(?:\.|\s{{0,2}}[\[({{<]\s?(?:\.|{dot_word}|point)\s?[\])}}>]\s{{0,2}}|\s{{1,2}}{dot_word}\s{{1,2}})");
    let at_word = "(?:arroba|arobase|chiocciola|kukac|собака|собачка)";
    let at_in_brackets = format!(r"\s{{0,2}}[\[({{<]\s?(?:@|at|a|{at_word})\s?[\])}}>]\s{{0,2}}");
    let email = [
        // "ann reader"@example.org
        format!(r#""[^"\n]{{1,64}}"@{label}(?:\.{label})*"#),
        // ann@example.org, ann@example[dot]org, ann%40example.org
        format!("{local}(?:@|%40){label}(?:{dot}{label})+"),
        // ann@localhost, but not p@ss
        format!("{word}{{3,}}@{word}{{3,}}"),
        // ann (at) example
        format!(r"(?:{label}\s+{dot_word}\s+)*{local}{at_in_brackets}{label}(?:{dot}{label})*"),
        // ann @ example.org
        format!(r"{local}\s{{0,2}}@\s{{0,2}}{label}(?:{dot}{label})+"),
        // ann dot reader at example dot org
        format!(r"(?:{label}\s+{dot_word}\s+)*{local}\s+at\s+{label}(?:\s+{dot_word}\s+{label})+"),
        // ann arroba example punto org
        format!(
            r"(?:{label}\s+(?:{dot_word}|point)\s+)*{local}\s+{at_word}\s+{label}(?:(?:\.|\s+(?:{dot_word}|point)\s+){label})+"
        ),
    ];
    let octet = "[0-9]{1,3}";
    let ipv4_dot = r"\s?(?:\.|[\[(]\.[\])]|[\[(]dot[\])])\s?";
    let compile = |pattern: String| {
        #[expect(
            clippy::expect_used,
            reason = "the patterns are constant, and every test of this room compiles them"
        )]
        Regex::new(&pattern).expect("the patterns are constant")
    };
    Patterns {
        // What an address swallowed may have been the beginning of the next.
        email: compile(format!(r"(?i)(?:{})(?:@{label}(?:\.{label})*)*", email.join("|"))),
        handle: compile(
            r"(?i)(?:^|[^\p{L}\p{M}\p{N}_@.])(?:@([\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.\-]*[\p{L}\p{M}\p{N}_])?)|u/([a-z0-9_\-]{3,})|([\p{L}\p{N}_.]{2,32})#[0-9]{4}\b)"
                .to_owned(),
        ),
        ipv6: compile(r"(?i)(?:^|[^\p{L}\p{N}:.])([0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*[0-9a-f:])".to_owned()),
        ipv4: compile(format!(r"{octet}(?:{ipv4_dot}{octet}){{3}}")),
        number: compile(r"\p{Nd}(?:[\s.\-‐‑‒–—/()·+\u{fe0f}\u{20e3}]{0,3}\p{Nd}){5,}".to_owned()),
    }
});

/// Finds them, in the order of precedence.
pub(super) fn find(text: &str, edits: &mut Vec<Edit>) {
    let patterns = &*PATTERNS;
    for found in patterns.email.find_iter(text) {
        edits.push(Edit {
            place: found.range(),
            with: MAILBOX,
        });
    }
    for found in patterns.handle.captures_iter(text) {
        let handle = found.get(1).or_else(|| found.get(2)).or_else(|| found.get(3));
        edits.extend(handle.map(|handle| Edit {
            place: handle.range(),
            with: super::SOMEONE,
        }));
    }
    if text.contains(':') {
        ipv6(text, &patterns.ipv6, edits);
    }
    for found in patterns.ipv4.find_iter(text) {
        edits.push(Edit {
            place: found.range(),
            with: "0.0.0.0",
        });
    }
    for found in patterns.number.find_iter(text) {
        for (at, c) in found.as_str().char_indices().filter(|(_, c)| c.is_numeric()) {
            let at = found.start() + at;
            edits.push(Edit {
                place: at..at + c.len_utf8(),
                with: "0",
            });
        }
    }
}

fn ipv6(text: &str, pattern: &Regex, edits: &mut Vec<Edit>) {
    for found in pattern.captures_iter(text).filter_map(|found| found.get(1)) {
        let candidate = found.as_str().trim_end_matches('.');
        // With a full stop or a colon behind it, too.
        let mut ends = [candidate, candidate.trim_end_matches(':')].into_iter();
        let followed_by_word = |end: usize| text[end..].starts_with(|c: char| c.is_alphanumeric());
        let address = ends.find(|end| end.parse::<Ipv6Addr>().is_ok() && !followed_by_word(found.start() + end.len()));
        edits.extend(address.map(|address| Edit {
            place: found.start()..found.start() + address.len(),
            with: "::",
        }));
    }
}
