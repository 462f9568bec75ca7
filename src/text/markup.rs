//! HTML and BBCode: entities are read as what they stand for, tags are skipped and counted.

/// The longest entity, from behind its ampersand to its semicolon.
const ENTITY_BYTES_MAX: usize = 9;

/// The character that an entity at the beginning of `text` stands for, and the entity's length in bytes. `&amp;lt;` is
/// read as `&lt;` and so as `<`, so that reading twice is reading once.
pub(super) fn entity(text: &str) -> Option<(char, usize)> {
    let mut rest = text.strip_prefix('&')?;
    let mut depth = 0;
    while let Some(inner) = rest.strip_prefix("amp;") {
        rest = inner;
        depth += 1;
    }
    let amps = text.len() - rest.len();
    // Nine bytes at most: a text of ampersands alone must not be searched to its end for each of them.
    let end = rest.bytes().take(ENTITY_BYTES_MAX).position(|b| b == b';');
    let named = end.and_then(|end| {
        let c = match &rest[..end] {
            "lt" => '<',
            "gt" => '>',
            "apos" => '\'',
            "nbsp" => ' ',
            "hellip" => '…',
            "ndash" | "mdash" => '-',
            "rsquo" | "lsquo" => '’',
            "quot" | "rdquo" | "ldquo" => '"',
            name => {
                let digits = name.strip_prefix('#')?;
                let code = match digits.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => digits.parse().ok()?,
                };
                // An ampersand by number would begin the next entity.
                char::from_u32(code).filter(|&c| c != '&' && c != '\0')?
            }
        };
        Some((c, amps + end + 1))
    });
    named.or((depth > 0).then_some(('&', amps)))
}

/// What a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// An HTML link.
    Anchor,
    /// A line break or paragraph of HTML.
    Break,
    /// Another HTML tag.
    Html,
    /// A BBCode link.
    BbLink,
    /// Another BBCode tag.
    BbCode,
}

/// Tags longer than this are text.
const TAG_BYTES_MAX: usize = 1_000;

/// The tag at the beginning of `text`, and its length in bytes.
pub(super) fn tag(text: &str) -> Option<(Tag, usize)> {
    let bytes = text.as_bytes();
    let close = match bytes.first()? {
        b'<' => b'>',
        b'[' => b']',
        _ => return None,
    };
    let name_at = 1 + usize::from(bytes.get(1) == Some(&b'/'));
    let name_len = bytes[name_at..]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    if name_len == 0 && !(close == b'>' && bytes.get(1) == Some(&b'!')) {
        return None;
    }
    let name = text[name_at..name_at + name_len].to_ascii_lowercase();
    let end = bytes.iter().take(TAG_BYTES_MAX).position(|&b| b == close);
    if close == b']' {
        let kind = match name.as_str() {
            "url" | "link" | "img" | "email" => Tag::BbLink,
            "b" | "i" | "u" | "s" | "quote" | "size" | "color" | "code" | "list" | "center" | "font" => Tag::BbCode,
            _ => return None,
        };
        // [b] and [b=1], but not [buy now]
        let after = bytes.get(name_at + name_len);
        return matches!(after, Some(b']' | b'=' | b' ')).then_some((kind, end? + 1));
    }
    let kind = match name.as_str() {
        "a" => Tag::Anchor,
        "br" | "p" | "div" | "li" => Tag::Break,
        _ => Tag::Html,
    };
    // `a<b` is arithmetic; an anchor that never ends is what a cut-off advertisement leaves.
    match end {
        Some(end) => Some((kind, end + 1)),
        None if kind == Tag::Anchor && bytes.get(2) == Some(&b' ') => Some((kind, 3)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities() {
        for (text, c, n) in [
            ("&lt;x", '<', 4),
            ("&amp;lt;x", '<', 8),
            ("&amp; x", '&', 5),
            ("&#39;", '\'', 5),
            ("&#x430;", 'а', 7),
        ] {
            assert_eq!(entity(text), Some((c, n)), "{text}");
        }
        for text in ["& b", "&nosuch;", "&#xffffffff;", "&", "&#38;", "x"] {
            assert_eq!(entity(text), None, "{text}");
        }
    }

    #[test]
    fn an_entity_is_looked_for_nearby_only() {
        assert_eq!(entity("&#00000065;"), None);
        assert_eq!(entity("&#000065;"), Some(('A', 9)));
        assert_eq!(entity(&format!("&{};", "x".repeat(100_000))), None);
    }

    #[test]
    fn tags() {
        for (text, kind, n) in [
            ("<a href=http://x>y", Tag::Anchor, 17),
            ("<br />", Tag::Break, 6),
            ("</b>", Tag::Html, 4),
            ("[url=http://x]y", Tag::BbLink, 14),
            ("[/URL]", Tag::BbLink, 6),
            ("<a href", Tag::Anchor, 3),
        ] {
            assert_eq!(tag(text), Some((kind, n)), "{text}");
        }
        for text in ["< b", "<3", "[1]", "[buy now]", "<b", "[", "<"] {
            assert_eq!(tag(text), None, "{text}");
        }
    }
}
