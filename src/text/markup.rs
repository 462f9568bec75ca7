//! HTML and BBCode: entities are read as what they stand for, tags are skipped and counted.

/// The longest entity, from behind its ampersand to its semicolon.
pub(super) const ENTITY_BYTES_MAX: usize = 9;

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

/// The kinds of tags.
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

/// Schemes of what a browser does not open as a page.
const NO_PAGES: [&str; 3] = ["mailto:", "tel:", "sms:"];

/// Returns true for an opening `<a …>`, from bracket to bracket, that leads to no other host: without an address, to a
/// place on the page or on its own host, to a mailbox or a telephone.
pub(super) fn leads_to_no_host(anchor: &str) -> bool {
    let Some(address) = attribute(anchor, "href") else {
        return true;
    };
    let address = address.trim();
    if NO_PAGES.into_iter().any(|scheme| {
        let start = address.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    }) {
        return true;
    }
    let mut first = address.bytes();
    match (first.next(), first.next()) {
        (None | Some(b'#' | b'?'), _) => true,
        // Two slashes, either way round, begin a host.
        (Some(b'/'), second) => !matches!(second, Some(b'/' | b'\\')),
        (Some(b'\\'), _) => false,
        // A path, unless a scheme stands before it, or something that passes for a host.
        _ => {
            let end = address.find(['/', '?', '#']).unwrap_or(address.len());
            !address[..end].contains([':', '.', '\\'])
        }
    }
}

/// The value of an attribute of a tag, as it is written.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let lower = tag.to_ascii_lowercase();
    let is_name = |at: &usize| {
        let before = lower.as_bytes()[..*at].last();
        before.is_some_and(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'/'))
            && lower[at + name.len()..].trim_start().starts_with('=')
    };
    let at = lower.match_indices(name).map(|(at, _)| at).find(is_name)?;
    let value = tag[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let end = |value: &str, is_end: fn(char) -> bool| value.find(is_end).unwrap_or(value.len());
    Some(match value.as_bytes().first() {
        Some(b'"') => &value[1..][..end(&value[1..], |c| c == '"')],
        Some(b'\'') => &value[1..][..end(&value[1..], |c| c == '\'')],
        _ => &value[..end(value, |c| c.is_whitespace() || c == '>')],
    })
}

/// Tags longer than this are text.
const TAG_BYTES_MAX: usize = 1_000;

/// Finds the tags of a text. It knows where the next one could end, so that a text of brackets that open and never
/// close is searched once and not once for each of them.
#[derive(Debug)]
pub(super) struct Tags<'a> {
    text: &'a str,
    angles: Closes,
    squares: Closes,
}

/// The place of the next closing bracket, for any place between `from` and there.
#[derive(Debug, Default)]
struct Closes {
    from: usize,
    next: Option<usize>,
    is_known: bool,
}

impl Closes {
    /// The first `close` at or behind `at`.
    fn behind(&mut self, text: &str, at: usize, close: char) -> Option<usize> {
        if !self.is_known || at < self.from || self.next.is_some_and(|next| next < at) {
            *self = Self {
                from: at,
                next: text[at..].find(close).map(|n| at + n),
                is_known: true,
            };
        }
        self.next
    }
}

impl<'a> Tags<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            angles: Closes::default(),
            squares: Closes::default(),
        }
    }

    /// The tag that begins at byte `at`, and its length in bytes.
    pub(super) fn at(&mut self, at: usize) -> Option<(Tag, usize)> {
        let bytes = &self.text.as_bytes()[at..];
        let is_square = match bytes.first()? {
            b'<' => false,
            b'[' => true,
            _ => return None,
        };
        let name_at = 1 + usize::from(bytes.get(1) == Some(&b'/'));
        let name_len = bytes[name_at..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric())
            .count();
        if name_len == 0 && (is_square || bytes.get(1) != Some(&b'!')) {
            return None;
        }
        let name = &bytes[name_at..name_at + name_len];
        let is_one_of = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()));
        if is_square {
            let kind = if is_one_of(&["url", "link", "img", "email"]) {
                Tag::BbLink
            } else if is_one_of(&[
                "b", "i", "u", "s", "quote", "size", "color", "code", "list", "center", "font",
            ]) {
                Tag::BbCode
            } else {
                return None;
            };
            // [b] and [b=1], but not [buy now]
            let after = bytes.get(name_at + name_len);
            let fits = matches!(after, Some(b']' | b'=' | b' '));
            return fits.then_some((kind, self.len(at, is_square)?));
        }
        let kind = if is_one_of(&["a"]) {
            Tag::Anchor
        } else if is_one_of(&["br", "p", "div", "li"]) {
            Tag::Break
        } else {
            Tag::Html
        };
        // `a<b` is arithmetic; an anchor that never ends is what a cut-off advertisement leaves.
        match self.len(at, is_square) {
            Some(len) => Some((kind, len)),
            None if kind == Tag::Anchor && bytes.get(2) == Some(&b' ') => Some((kind, 3)),
            None => None,
        }
    }

    /// The length from a bracket to the one that closes it, both included.
    fn len(&mut self, at: usize, is_square: bool) -> Option<usize> {
        let close = if is_square {
            self.squares.behind(self.text, at, ']')
        } else {
            self.angles.behind(self.text, at, '>')
        };
        close.map(|close| close + 1 - at).filter(|&len| len <= TAG_BYTES_MAX)
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
            assert_eq!(Tags::new(text).at(0), Some((kind, n)), "{text}");
        }
        for text in ["< b", "<3", "[1]", "[buy now]", "<b", "[", "<"] {
            assert_eq!(Tags::new(text).at(0), None, "{text}");
        }
    }

    #[test]
    fn tags_may_be_asked_for_in_any_order() {
        let text = "<b>[i]</b";
        let mut tags = Tags::new(text);
        for at in [3, 0, 6, 3] {
            let expected = [(0, Some((Tag::Html, 3))), (3, Some((Tag::BbCode, 3))), (6, None)];
            let (_, expected) = expected.into_iter().find(|(other, _)| *other == at).unwrap();
            assert_eq!(tags.at(at), expected, "{at}");
        }
    }
}
