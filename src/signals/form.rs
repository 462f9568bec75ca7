//! The reply form: are the required fields filled in, are they what they claim to be, do they fit.

use std::time::Duration;

use email_address::{EmailAddress, Options};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use url::{Host, Url};

use super::Signal;
use crate::comment::Comment;
use crate::site::{Field, FieldSet, Lengths};
use crate::verdict::ReasonCode;

/// Every fault of the form at once.
pub(super) fn faults(comment: &Comment, required: FieldSet, lengths: &Lengths) -> Vec<Signal> {
    let mut faults = Vec::new();
    let mut fault = |code, params| faults.push(Signal { code, params });
    let author = &comment.author;

    let name = shown(author.name.expose());
    if required.has(Field::AuthorName) && !name.chars().any(is_telling) {
        fault(ReasonCode::AuthorNameMissing, Vec::new());
    }
    too_long(
        name.chars().count(),
        lengths.author_name_chars_max,
        ReasonCode::AuthorNameTooLong,
        &mut fault,
    );

    let email = shown(author.email.expose());
    if email.is_empty() {
        if required.has(Field::AuthorEmail) {
            fault(ReasonCode::AuthorEmailMissing, Vec::new());
        }
    } else if !is_email(email) {
        fault(ReasonCode::AuthorEmailInvalid, Vec::new());
    }
    too_long(
        email.chars().count(),
        lengths.author_email_chars_max,
        ReasonCode::AuthorEmailTooLong,
        &mut fault,
    );

    let url = without_prefill(shown(author.url_or_empty().expose()));
    if url.is_empty() {
        if required.has(Field::AuthorUrl) {
            fault(ReasonCode::AuthorUrlMissing, Vec::new());
        }
    } else if !is_web_address(url) {
        fault(ReasonCode::AuthorUrlInvalid, Vec::new());
    }
    too_long(
        url.chars().count(),
        lengths.author_url_chars_max,
        ReasonCode::AuthorUrlTooLong,
        &mut fault,
    );

    let content = comment.content.expose();
    if required.has(Field::Content) && is_blank(content) {
        fault(ReasonCode::ContentMissing, Vec::new());
    }
    too_long(
        content.len(),
        lengths.content_bytes_max,
        ReasonCode::ContentTooLong,
        &mut fault,
    );
    faults
}

/// A form that came back sooner than a person can read it. Programs that announce links have no form.
pub(super) fn too_fast(comment: &Comment, min: Duration) -> Option<Signal> {
    let age = comment
        .form_age
        .filter(|age| *age < min && !comment.kind.is_of_program())?;
    let params = vec![
        ("form_age_ms", age.as_millis().to_string()),
        ("min_ms", min.as_millis().to_string()),
    ];
    Some(Signal {
        code: ReasonCode::FormTooFast,
        params,
    })
}

/// Without what cannot be seen at either end: pasting brings it along.
fn shown(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_ignorable(c))
}

/// A website without what many forms fill in before anybody has typed.
fn without_prefill(url: &str) -> &str {
    let lower = url.to_ascii_lowercase();
    let is_prefill = matches!(
        lower.as_str(),
        "http" | "http:" | "http:/" | "http://" | "https:" | "https:/" | "https://"
    ) || matches!(lower.as_str(), "http://www." | "https://www." | "www.");
    if is_prefill { "" } else { url }
}

fn too_long(
    length: usize,
    max: usize,
    code: ReasonCode,
    fault: &mut impl FnMut(ReasonCode, Vec<(&'static str, String)>),
) {
    if length > max {
        fault(code, vec![("max", max.to_string()), ("length", length.to_string())]);
    }
}

/// The entities that rich-text editors put where nothing is.
const BLANK_ENTITIES: [&str; 6] = ["&nbsp;", "&#160;", "&#xa0;", "&#xA0;", "&#8203;", "&ZeroWidthSpace;"];

/// Tags that show nothing by themselves.
const BLANK_TAGS: [&str; 12] = [
    "p", "br", "div", "span", "b", "i", "u", "em", "strong", "ul", "ol", "li",
];

/// Returns true if a text shows nothing to a reader: only white space, invisible characters, or the empty paragraphs
/// that rich-text editors send.
pub fn is_blank(text: &str) -> bool {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if first == '<' {
            empty_tag(rest)
        } else if first == '&' {
            let known = BLANK_ENTITIES.iter().find(|entity| rest.starts_with(**entity));
            known.map_or(0, |entity| entity.len())
        } else if first.is_whitespace() || is_ignorable(first) {
            first.len_utf8()
        } else {
            0
        };
        if skipped == 0 {
            return false;
        }
        rest = &rest[skipped..];
    }
    true
}

/// The length of the tag at the start of the text if it is one that shows nothing by itself, or 0.
fn empty_tag(text: &str) -> usize {
    let Some(end) = text.find('>') else { return 0 };
    let name = text[1..end].trim_start_matches('/').trim_end_matches('/').trim();
    let word = name.split_ascii_whitespace().next().unwrap_or("");
    let shows_nothing = BLANK_TAGS.iter().any(|tag| word.eq_ignore_ascii_case(tag));
    if shows_nothing { end + 1 } else { 0 }
}

/// A character that a name may consist of: a letter, a number, or a pictograph. Not punctuation, not symbols that are
/// used as punctuation, and nothing that cannot be seen.
fn is_telling(c: char) -> bool {
    use unicode_properties::GeneralCategory::OtherSymbol;
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    let group = c.general_category_group();
    let telling = matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
        || c.general_category() == OtherSymbol;
    telling && !is_ignorable(c)
}

/// A character without ink: Unicode's `Default_Ignorable_Code_Point` and controls, and the blank Braille pattern.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || c.is_control()
}

/// The longest local part that the library takes (RFC 5321); what is longer is read up to here.
const LOCAL_BYTES_MAX: usize = 64;

/// Syntax only (RFC 5321 and RFC 6531: other scripts are welcome on both sides of the @); nothing is looked up.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    if domain.contains('%') {
        return false; // The parser below knows hosts of web addresses, where this escapes a character.
    }
    // The domain in the form that the name system knows (UTS #46), which is also the one whose length is bounded.
    let Ok(Host::Domain(domain)) = Host::parse(domain) else {
        return false;
    };
    let top = domain.rsplit('.').next().unwrap_or("");
    if !domain.contains('.') || !domain.split('.').all(is_label) || top.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    // The library knows the grammar, but not all letters of other scripts (marks that follow a letter, for one), nor
    // the mailboxes of carriers that allow dots in a row and at the end, nor relays whose names are longer than RFC
    // 5321 says.
    let letter = |(at, c): (usize, char)| {
        let is_read_by_it = c.is_ascii() || c.is_whitespace() || is_ignorable(c);
        if is_read_by_it && (c != '.' || at == 0) { c } else { 'x' }
    };
    let is_quoted = local.starts_with('"');
    let local: String = local.char_indices().map(letter).collect();
    let local = if is_quoted {
        &*local
    } else {
        &local[..local.floor_char_boundary(LOCAL_BYTES_MAX)]
    };
    let options = Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    EmailAddress::parse_with_options(&format!("{local}@{domain}"), options).is_ok()
}

/// A label of a host name: letters, digits and inner hyphens.
fn is_label(label: &str) -> bool {
    let edges = !label.starts_with('-') && !label.ends_with('-');
    edges && !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A web address, with or without its scheme: people type `example.org`.
fn is_web_address(text: &str) -> bool {
    let parsed = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        // `example.org:8080` parses as a scheme; a real other scheme (javascript:, mailto:, ftp:) is refused.
        Ok(url) if !text.contains("//") && url.scheme().contains('.') => Url::parse(&format!("http://{text}")).ok(),
        Ok(_) => None,
        Err(_) => Url::parse(&format!("http://{text}")).ok(),
    };
    parsed.is_some_and(|url| match url.host() {
        Some(Host::Domain(domain)) => domain.trim_end_matches('.').contains('.'),
        Some(_) => true,
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{faults, is_blank, is_email, is_telling, is_web_address};
    use crate::comment::{Author, Comment};
    use crate::sensitive::Sensitive;
    use crate::site::{Field, Lengths};
    use crate::verdict::ReasonCode;

    const LENGTHS: Lengths = Lengths {
        author_name_chars_max: 245,
        author_email_chars_max: 100,
        author_url_chars_max: 200,
        content_bytes_max: 65_525,
    };

    fn codes(name: &str, email: &str, url: &str, content: &str) -> Vec<&'static str> {
        let s = |text: &str| Sensitive::new(text.to_owned());
        let author = Author {
            name: s(name),
            email: s(email),
            url: Some(s(url)),
            ..Author::default()
        };
        let comment = Comment {
            content: s(content),
            author,
            ..Comment::default()
        };
        let required = [Field::AuthorName, Field::AuthorEmail, Field::Content]
            .into_iter()
            .collect();
        faults(&comment, required, &LENGTHS)
            .iter()
            .map(|fault| fault.code.as_str())
            .collect()
    }

    #[test]
    fn a_filled_form_has_no_fault() {
        assert!(codes(" Ann ", " ann@example.org ", "", "Hello").is_empty());
        assert!(codes("Ann", "a@b.cd", "\u{feff}https://example.org", "Hi").is_empty());
        assert!(codes("Ann", "a@b.cd", "\u{200b}", "Hi").is_empty());
        for prefill in ["http://", "HTTPS://", " http:// ", "www.", "http://www."] {
            assert!(codes("Ann", "a@b.cd", prefill, "Hi").is_empty(), "{prefill}");
        }
        assert!(codes("Taro", "taro..yama.@docomo.ne.jp", "", "Hi").is_empty());
        let relay = format!("{}@relay.example.org", "a".repeat(70));
        assert!(codes("Ann", &relay, "", "Hi").is_empty());
        assert!(codes("Ζωή", "ζωή@παράδειγμα.ελ", "example.org", "!").is_empty());
    }

    #[test]
    fn every_fault_at_once() {
        let all = codes(" . ", "ann@", "javascript:alert(1)", "<p>&nbsp;</p>");
        assert_eq!(
            all,
            [
                "author_name.missing",
                "author_email.invalid",
                "author_url.invalid",
                "content.missing"
            ]
        );
        assert_eq!(
            codes("", "", "", " \u{200b}\n"),
            ["author_name.missing", "author_email.missing", "content.missing"]
        );
    }

    #[test]
    fn lengths_are_counted_in_characters_and_the_text_in_bytes() {
        let name = |n| "ä".repeat(n);
        assert!(codes(&name(245), "a@b.cd", "", "x").is_empty());
        assert_eq!(
            codes(&name(246), "a@b.cd", "", "x"),
            [ReasonCode::AuthorNameTooLong.as_str()]
        );
        let email = |n: usize| format!("{}@{}.{}.org", "a".repeat(20), "b".repeat(40), "c".repeat(n - 66));
        assert!(codes("A", &email(100), "", "x").is_empty());
        assert_eq!(codes("A", &email(101), "", "x"), ["author_email.too_long"]);
        assert!(codes("A", "a@b.cd", "", &"é".repeat(32_762)).is_empty());
        assert_eq!(codes("A", "a@b.cd", "", &"é".repeat(32_763)), ["content.too_long"]);
    }

    #[test]
    fn names_need_something_to_read() {
        for name in [
            "...",
            "-_-",
            "\u{200b}\u{3164}",
            "\u{2800}",
            "$$$",
            "¿?",
            "“”",
            "\u{300}",
        ] {
            assert!(!name.chars().any(is_telling), "{name:?}");
        }
        for name in ["X", "李", "7", "🦊", "O'Neil", "ـم"] {
            assert!(name.chars().any(is_telling), "{name:?}");
        }
    }

    #[test]
    fn email_syntax() {
        let good = "हिन्दी@उदाहरण.भारत ผู้ใช้@ตัวอย่าง.ไทย rene\u{301}@example.org a@b.cd first.last+tag@example.co.uk user@bücher.example 用户@例え.jp o'neil@example.org x_y@sub.example.org a..b@c.de a.@b.cd";
        for email in good.split(' ') {
            assert!(is_email(email), "{email}");
        }
        let bad = "a@127.0.0.1 a@1.2 a@b%2ecd a\u{200b}b@c.de a a@ @b.cd a@b a@b..cd a@.b.cd a@-b.cd a@b-.cd .a@b.cd a@b@c.de Ann<a@b.cd> a@[127.0.0.1] a@b_c.de";
        for email in bad.split(' ') {
            assert!(!is_email(email), "{email}");
        }
        assert!(!is_email("a b@c.de") && !is_email("a@b.c d"));
    }

    #[test]
    fn web_addresses() {
        for url in [
            "https://example.org/x?y",
            "example.org",
            "www.example.org/a b",
            "http://127.0.0.1/",
            "bücher.example",
            "example.org:8080/x",
        ] {
            assert!(is_web_address(url), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            "mailto:a@b.cd",
            "ftp://example.org",
            "none",
            "http://",
            "data:text/html,x",
            "my site",
        ] {
            assert!(!is_web_address(url), "{url}");
        }
    }

    #[test]
    fn blank_is_what_shows_nothing() {
        for text in [
            "",
            "  \n",
            "\u{200b}",
            "<p></p>",
            "<p><br/></p>",
            "<DIV class=x>&nbsp;</DIV>",
            "\u{2800}",
            "<p>&#160;<strong></strong></p>",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["!", "<img src=x>", "< p", "a<p>", "<", "🙂"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
