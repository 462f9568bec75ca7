//! Observations in words: `words a link 5` is "one link in about five words".

use crate::model::{NUMBER_OF_SIGNS, SIGN};

/// A term that is an observation, in words; `None` for a term that is quoted instead, or that words would not tell more
/// of.
pub(super) fn in_words(view: &str, term: &str) -> Option<String> {
    if view == "website"
        && let Some(suffix) = term.strip_prefix("website at ")
    {
        return (!suffix.is_empty()).then(|| format!("a website under .{suffix}"));
    }
    if view == "signs" {
        return of_signs(term);
    }
    let (kind, value) = term.rsplit_once(' ')?;
    let value: u32 = value.parse().ok()?;
    match view {
        "shape" => of_text(kind, value),
        "name" => of_name(kind, value),
        "website" => of_website(kind, value),
        "email" => of_email(kind, value),
        "article" => of_article(kind, value),
        _ => None,
    }
}

fn of_signs(term: &str) -> Option<String> {
    if let Some(phrase) = term.strip_prefix(SIGN) {
        return Some(phrase.to_owned());
    }
    let n: u32 = term.strip_prefix(NUMBER_OF_SIGNS)?.parse().ok()?;
    Some(format!("{} of an offer", counted(u64::from(n), "sign")))
}

fn of_text(kind: &str, value: u32) -> Option<String> {
    Some(match (kind, value) {
        ("words", 0) => "no words".to_owned(),
        ("words", v) => format!("a text of {}", about(v, "word")),
        ("length", v) => format!("a text of {}", about(v, "character")),
        ("links", n) => at_most(n, 5, "link"),
        ("links and words", v) if v % 100 == 0 => at_most(v / 100, 2, "link"),
        ("links and words", v) => format!("{} in {}", at_most(v / 100, 2, "link"), about(v % 100, "word")),
        ("words a link", 99) => "no links".to_owned(),
        ("words a link", 0) => "more links than words".to_owned(),
        ("words a link", v) => format!("one link in {}", about(v, "word")),
        ("capitals", eighths) => many(eighths, 8, "capital letters"),
        ("shouted", 0) => "few words in capitals".to_owned(),
        ("shouted", 1..=2) => "many words in capitals".to_owned(),
        ("shouted", _) => "nearly all words in capitals".to_owned(),
        ("digits", eighths) => many(eighths, 8, "digits"),
        ("signs", tenths) => many(tenths, 10, "punctuation marks"),
        ("exclaims", n) => at_most(n, 5, "exclamation mark"),
        ("questions", n) => at_most(n, 3, "question mark"),
        ("lines", n) => at_most(n, 6, "line break"),
        ("markup", bits) => markup(bits),
        ("contacts", 0) => "no e-mail address or telephone number".to_owned(),
        ("contacts", 1) | ("e-mail addresses", _) => "an e-mail address in the text".to_owned(),
        ("contacts", 2) | ("telephone numbers", _) => "a telephone number in the text".to_owned(),
        ("contacts", _) => "an e-mail address and a telephone number".to_owned(),
        ("anchors", n) => format!("{} in HTML", at_most(n, 3, "link")),
        ("bbcode links", n) => format!("{} in BBCode", at_most(n, 3, "link")),
        ("repeats", _) => "stretched words or signs".to_owned(),
        ("digits for letters", _) => "digits in the place of letters".to_owned(),
        ("letters set apart", _) => "words with their letters set apart".to_owned(),
        ("invisible characters", _) => "invisible characters".to_owned(),
        ("fancy letters", _) => "letters in fancy type".to_owned(),
        ("borrowed letters", _) => "letters borrowed from another script".to_owned(),
        ("disguises", _) => "disguised words".to_owned(),
        ("script", script) => format!("{} letters", script_name(script)?),
        ("scripts", n) => at_most(n, 3, "script"),
        _ => return None,
    })
}

fn of_name(kind: &str, value: u32) -> Option<String> {
    Some(match (kind, value) {
        ("name length", 0) => "no name".to_owned(),
        ("name length", 1..=2) => "a short name".to_owned(),
        ("name length", 5..) => "a long name".to_owned(),
        ("name words", 0) => "a name without words".to_owned(),
        ("name words", n) => format!("a name of {}", at_most(n, 6, "word")),
        ("name digits", 0) => "no digits in the name".to_owned(),
        ("name digits", _) => "digits in the name".to_owned(),
        ("name signs", 0) => "no punctuation marks in the name".to_owned(),
        ("name signs", _) => "punctuation marks in the name".to_owned(),
        ("name capitals", v) if v >= 8 && v % 8 == 0 => "a name in small letters".to_owned(),
        ("name capitals", v) if v >= 8 && v % 8 >= v / 8 => "a name with capital initials".to_owned(),
        ("name capitals", 8..) => "a name that is partly in small letters".to_owned(),
        ("name in capitals", _) => "a name in capitals".to_owned(),
        ("name with a link", _) => "a link in the name".to_owned(),
        ("name with an address", _) => "an e-mail address in the name".to_owned(),
        ("name is a handle", _) => "a handle for a name".to_owned(),
        ("name in another script", _) => "a name in another script than the text".to_owned(),
        ("name words in the text", v) => format!("{} the text", repeated(v)?),
        ("name words in the host", v) => format!("{} the website's address", repeated(v)?),
        _ => return None,
    })
}

/// The name's words that are repeated elsewhere, from four times how many could be and how many are.
fn repeated(value: u32) -> Option<&'static str> {
    (value >= 4).then_some(match value % 4 {
        0 => "none of the name's words in",
        _ => "the name's words again in",
    })
}

fn of_website(kind: &str, value: u32) -> Option<String> {
    Some(match (kind, value) {
        ("website left empty", _) => "no website".to_owned(),
        ("website is no address", _) => "a website that is no address".to_owned(),
        ("website's name length", 0..=1) => "a short website name".to_owned(),
        ("website's name length", 4..) => "a long website name".to_owned(),
        ("website's hyphens", n) => format!("{} in the website's name", at_most(n, 3, "hyphen")),
        ("website's digits", 0) => "no digits in the website's address".to_owned(),
        ("website's digits", _) => "digits in the website's address".to_owned(),
        ("website's subdomains", 0) => "a website without a subdomain".to_owned(),
        ("website's subdomains", _) => "a subdomain for a website".to_owned(),
        ("website's depth", 0) => "the front page of a website".to_owned(),
        ("website's depth", _) => "a page inside of a website".to_owned(),
        ("website with a query", _) => "a query in the website's address".to_owned(),
        ("website's page is a file", _) => "a file for a website".to_owned(),
        ("website over https", _) => "a website over https".to_owned(),
        _ => return None,
    })
}

fn of_email(kind: &str, value: u32) -> Option<String> {
    Some(match (kind, value) {
        ("e-mail left empty", _) => "no e-mail address".to_owned(),
        ("e-mail at the website", 0) => "an e-mail address elsewhere than the website".to_owned(),
        ("e-mail at the website", _) => "an e-mail address at the website".to_owned(),
        _ => return None,
    })
}

fn of_article(kind: &str, value: u32) -> Option<String> {
    let n_shared = match kind {
        "words of the article" => value,
        "words of the article and own ones" => value % 8,
        _ => return None,
    };
    Some(format!("{} shared with the article", at_most(n_shared, 4, "word")))
}

/// Numbers that are spelled out.
const NUMBERS: [&str; 13] = [
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];

fn number(n: u64) -> String {
    let spelled = usize::try_from(n).ok().and_then(|n| NUMBERS.get(n));
    spelled.map_or_else(|| n.to_string(), |&word| word.to_owned())
}

/// A number of things: `2 link` → "two links".
fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// A count that stops at `most`.
fn at_most(n: u32, most: u32, what: &str) -> String {
    let counted = counted(u64::from(n), what);
    if n < most {
        counted
    } else {
        format!("{counted} or more")
    }
}

/// A count in half octaves: bucket `b` holds each `n` with `2^b ≤ (n + 1)² < 2^(b + 1)`.
fn about(bucket: u32, what: &str) -> String {
    let first = |bucket: u32| {
        let square = 1_u64 << bucket.min(62);
        let root = square.isqrt();
        root + u64::from(root * root < square) - 1
    };
    let (low, high) = (first(bucket), first(bucket + 1).saturating_sub(1));
    if high <= low {
        return counted(low, what);
    }
    let middle = low.midpoint(high);
    let rounded = if middle > 20 { (middle + 2) / 5 * 5 } else { middle };
    format!("about {}", counted(rounded, what))
}

/// A share of all characters in steps of which `steps` are all.
fn many(share: u32, steps: u32, what: &str) -> String {
    let amount = match 8 * share / steps {
        0 => "few",
        1 => "some",
        2..=3 => "many",
        _ => "mostly",
    };
    format!("{amount} {what}")
}

fn markup(bits: u32) -> String {
    match bits {
        0 => "no markup",
        _ if bits & 3 == 3 => "links in HTML and in BBCode",
        _ if bits & 1 > 0 => "a link in HTML",
        _ if bits & 2 > 0 => "a link in BBCode",
        _ if bits & 4 > 0 => "HTML in the text",
        _ => "BBCode in the text",
    }
    .to_owned()
}

/// The name of a script by its number in the term.
fn script_name(script: u32) -> Option<&'static str> {
    const SCRIPTS: [&str; 11] = [
        "Latin", "Greek", "Cyrillic", "Hebrew", "Arabic", "Indic", "Thai", "Korean", "Japanese", "Chinese", "other",
    ];
    SCRIPTS.get(usize::try_from(script).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_in_words() {
        for (view, term, expected) in [
            ("shape", "links 1", "one link"),
            ("shape", "links 5", "five links or more"),
            ("shape", "words a link 99", "no links"),
            ("shape", "words a link 3", "one link in two words"),
            ("shape", "words a link 4", "one link in about three words"),
            ("shape", "words a link 6", "one link in about eight words"),
            ("shape", "links and words 106", "one link in about eight words"),
            ("shape", "words 12", "a text of about 75 words"),
            ("shape", "capitals 8", "mostly capital letters"),
            ("shape", "script 2", "Cyrillic letters"),
            ("shape", "exclaims 1", "one exclamation mark"),
            ("name", "name words 3", "a name of three words"),
            ("name", "name words in the text 5", "the name's words again in the text"),
            (
                "website",
                "website's hyphens 3",
                "three hyphens or more in the website's name",
            ),
            ("website", "website at xyz", "a website under .xyz"),
            ("website", "website left empty 1", "no website"),
            ("signs", "sign: a messenger with loans", "a messenger with loans"),
            ("signs", "number of signs 0", "no signs of an offer"),
            ("email", "e-mail at the website 1", "an e-mail address at the website"),
            (
                "article",
                "words of the article and own ones 16",
                "no words shared with the article",
            ),
        ] {
            assert_eq!(in_words(view, term).as_deref(), Some(expected), "{term}");
        }
        for (view, term) in [
            ("name", "name words cheap jerseys"),
            ("words", "99"),
            ("email", "e-mail at x.example"),
        ] {
            assert_eq!(in_words(view, term), None, "{term}");
        }
    }

    #[test]
    fn buckets_are_those_of_the_reading() {
        for n in 0..2_000_u64 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 22")]
            #[expect(clippy::cast_precision_loss, reason = "below 2,000")]
            let bucket = (2.0 * ((n + 1) as f64).log2()) as u32;
            let words = about(bucket, "word");
            if n < 3 {
                assert_eq!(words, counted(n, "word"));
            } else {
                assert!(words.starts_with("about "), "{n} {words}");
            }
        }
    }
}
