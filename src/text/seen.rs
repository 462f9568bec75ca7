//! The links of a text as a reader sees them: with a scheme or without, and one for each element of markup, whose target
//! and whose words may both be addresses.

use super::links::{self, Hosts, Span};
use super::markup::{Tag, Tags};

/// A link that a reader sees, or the target behind one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads: the host in its ASCII form, lower case, without `www.`.
    pub host: String,
    /// It is one more on the page; not so for the words of a link that are an address themselves.
    pub counts: bool,
    /// How many bytes at the end of the host somebody registered.
    domain_bytes: usize,
}

impl Link {
    /// Does it lead to one of these hosts, or to a part of such a site?
    pub fn leads_to(&self, hosts: &Hosts) -> bool {
        hosts.have_host(&self.host, self.domain_bytes)
    }

    /// The host of an address as it stands in a form field, with or without its scheme; `None` if it is none.
    pub fn of_address(address: &str) -> Option<Self> {
        let parts = links::parse(address, address.contains("://"))?;
        Some(Self {
            domain_bytes: parts.domain.len(),
            host: parts.host,
            counts: true,
        })
    }
}

/// What of a text's links can be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Every link, in order.
    pub links: Vec<Link>,
    /// There are links in HTML.
    pub has_html: bool,
    /// There are links in BBCode.
    pub has_bbcode: bool,
    /// There is a link, and not one letter or digit outside links.
    pub is_only_links: bool,
}

/// What a text links to. Links beyond `links_max` are not looked at.
pub fn seen(content: &str, links_max: usize) -> Seen {
    if !may_link(content) {
        return Seen::default();
    }
    let cleaned = super::clean::clean(content);
    let mut spans = Vec::new();
    links::find(&cleaned.text, &mut spans);
    spans.retain(|span| !span.is_email);
    if spans.is_empty() && !cleaned.text.bytes().any(|b| matches!(b, b'[' | b'<')) {
        return Seen::default();
    }
    spans.truncate(links_max);
    Walk::default().over(&cleaned.text, &spans)
}

/// Whether it is worth a closer look: markup, an entity, or a dot or colon with something right behind it. A sentence's
/// stop has a space there, so most comments are done with here.
fn may_link(content: &str) -> bool {
    let bytes = content.as_bytes();
    let within = |at: usize| bytes.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace());
    bytes.iter().enumerate().any(|(at, &b)| match b {
        b'[' | b'<' | b'&' => true,
        b'.' | b':' => within(at),
        // What passes for a dot or a colon: \u{2024}, \u{3002}, \u{fe13}, \u{fe52}, \u{fe55}, \u{ff0e}, \u{ff1a}, \u{ff61}.
        0xe2 => bytes[at..].starts_with("\u{2024}".as_bytes()),
        0xe3 => bytes[at..].starts_with("\u{3002}".as_bytes()),
        0xef => {
            let passes = ["\u{fe13}", "\u{fe52}", "\u{fe55}", "\u{ff0e}", "\u{ff1a}", "\u{ff61}"];
            passes.iter().any(|sign| bytes[at..].starts_with(sign.as_bytes()))
        }
        _ => false,
    })
}

/// One pass over a text.
#[derive(Default)]
struct Walk {
    seen: Seen,
    /// Inside the element of a link.
    in_element: bool,
    /// The element's link was counted, and so were its words.
    element_counted: bool,
    words_counted: bool,
    has_words: bool,
}

impl Walk {
    fn over(mut self, text: &str, spans: &[Span]) -> Seen {
        let mut spans = spans.iter().peekable();
        let mut tags = Tags::new(text);
        let mut pos = 0;
        while pos < text.len() {
            if let Some(span) = spans.next_if(|span| span.start <= pos) {
                self.link(&text[span.start..span.end], span.has_scheme, false);
                pos = pos.max(span.end);
                continue;
            }
            let rest = &text[pos..];
            if let Some((tag, n)) = tags.at(pos) {
                self.tag(tag, rest.as_bytes().get(1) == Some(&b'/'));
                let mut end = pos + n;
                while let Some(span) = spans.next_if(|span| span.start < end) {
                    self.link(&text[span.start..span.end], span.has_scheme, true);
                    // linkify may read on behind the bracket; what it took is the link's.
                    end = end.max(span.end.min(pos + n));
                }
                pos = end;
                continue;
            }
            let c = rest.chars().next().unwrap_or(' ');
            self.has_words |= !self.in_element && c.is_alphanumeric();
            pos += c.len_utf8();
        }
        self.seen.is_only_links = !self.has_words && self.seen.links.iter().any(|link| link.counts);
        self.seen
    }

    fn tag(&mut self, tag: Tag, closes: bool) {
        match tag {
            Tag::Anchor => self.seen.has_html |= !closes,
            Tag::BbLink => self.seen.has_bbcode |= !closes,
            Tag::Break | Tag::Html | Tag::BbCode => return,
        }
        self.in_element = !closes;
        self.element_counted = false;
        self.words_counted = false;
    }

    fn link(&mut self, text: &str, has_scheme: bool, in_tag: bool) {
        let Some(parts) = links::parse(text, has_scheme) else {
            self.has_words = true;
            return;
        };
        // Of an element, its target and the first address among its words are one link.
        let counts = !self.in_element || !self.element_counted || (!in_tag && self.words_counted);
        if self.in_element {
            self.words_counted |= !in_tag;
            self.element_counted = true;
        }
        self.seen.links.push(Link {
            domain_bytes: parts.domain.len(),
            host: parts.host,
            counts,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Link, seen};
    use crate::text::Hosts;
    use proptest::prelude::*;

    fn check(text: &str, counted: usize, is_only_links: bool) {
        let seen = seen(text, 100);
        let n = seen.links.iter().filter(|link| link.counts).count();
        assert_eq!((n, seen.is_only_links), (counted, is_only_links), "{text}: {seen:?}");
    }

    #[test]
    fn links_are_counted_as_a_reader_sees_them() {
        check("no link here. None at all.", 0, false);
        check("see http://a.example/x and shop.example.com/y or www.b.ru", 3, false);
        check("<a href=\"http://a.example/x\">http://a.example/x</a> nice", 1, false);
        check("<a href='http://a.example'>cheap pills</a>", 1, true);
        check(
            "[url=http://a.example]http://a.example[/url] [url]http://b.example[/url]",
            2,
            true,
        );
        check("[url=http://a.example]a.com b.com c.com[/url]", 3, true);
        check("mail me@a.com please", 0, false);
        check("http://a.example/x", 1, true);
        check("\u{1f44d} http://a.example/x !!!", 1, true);
        check("http\u{200b}://a.example/x look", 1, false);
        check("Schön. Besuch shop\u{ff0e}example.com/x bitte", 1, false);
        check("besuch www\u{2024}laden\u{2024}com bitte", 1, false);
        check("http://a.example/x &#119;ww.b.com", 2, true);
        check("<p>Hello</p>", 0, false);
        check("<p>http://a.example</p>", 1, true);
        check("nochmal: http://münchen.example/ schön", 1, false);
        check("<a name=x>hello", 0, false);
    }

    #[test]
    fn markup_is_told_apart() {
        let of = |text| (seen(text, 9).has_html, seen(text, 9).has_bbcode);
        assert_eq!(of("<a href=http://a.example>x</a>"), (true, false));
        assert_eq!(of("[URL=http://a.example]x[/URL]"), (false, true));
        assert_eq!(of("[b]bold[/b] <i>x</i> [1] a[0]"), (false, false));
    }

    #[test]
    fn hosts_are_known_with_what_stands_below_them() {
        let hosts = Hosts::new(&["gazette.example".to_owned()]);
        let leads = |address| Link::of_address(address).unwrap().leads_to(&hosts);
        assert!(leads("www.gazette.example") && leads("https://sport.gazette.example/x"));
        assert!(!leads("gazette.example.com") && !leads("notgazette.example"));
        assert_eq!(Link::of_address("no address"), None);
    }

    proptest! {
        #[test]
        fn any_text_has_links_that_can_be_counted(text in "[a-c./:<>&;\"=\\[\\]urlhtp@ é\u{200b}]{0,80}") {
            let seen = seen(&text, 5);
            prop_assert!(seen.links.len() <= 5);
        }
    }
}
