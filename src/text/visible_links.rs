//! The links of a text as a reader sees them: with a scheme or without, and one for each element of markup, whose
//! target and whose words may both be addresses.

use super::clean::Clean;
use super::idn_links;
use super::letters::is_invisible;
use super::links::{self, Hosts, Span};
use super::markup::{self, Tag, Tags};

/// A link that a reader sees, or the target behind one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The host that it leads to, in its ASCII form, lower case, without `www.`.
    pub host: String,
    /// The host that it seems to lead to, in the same form, if that is another one: without marks, and in Latin letters
    /// where those of another script pass for them.
    pub looks_like: Option<String>,
    /// It is one more on the page; not so for the words of a link that are an address themselves.
    pub counts: bool,
}

impl Link {
    /// Returns true if it leads to one of these hosts, or to a part of such a site.
    pub fn leads_to(&self, hosts: &Hosts) -> bool {
        hosts.have(&self.host)
    }

    /// The host of an address as it stands in a form field, with or without its scheme; `None` if it is none.
    pub fn of_address(address: &str) -> Option<Self> {
        Some(Self {
            host: links::parse(address, address.contains("://"))?.host,
            looks_like: None,
            counts: true,
        })
    }
}

/// The links of a text that can be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Every link, in order, but for those of `n_unread`.
    pub links: Vec<Link>,
    /// Links that need a closer look than so many may have, beyond 1,024.
    pub n_unread: usize,
    /// There are links in HTML.
    pub has_html: bool,
    /// There are links in BBCode.
    pub has_bbcode: bool,
    /// There is a link, and not one letter or digit outside links.
    pub is_only_links: bool,
}

/// Links whose hosts are not plain ASCII, or that are written in an unusual way, are looked at up to this many: each
/// takes microseconds. No reader writes so many; all others are looked at, however many they are.
const CLOSE_LOOKS_MAX: usize = 1_024;

/// Finds the links of a text that can be seen.
pub fn seen(content: &str) -> Seen {
    if !may_link(content) {
        return Seen::default();
    }
    let cleaned = super::clean::clean(content);
    let mut spans = Vec::new();
    links::find(&cleaned.text, &mut spans);
    idn_links::add(&cleaned.text, &mut spans);
    spans.retain(|span| !span.is_email);
    if spans.is_empty() && !cleaned.text.bytes().any(|b| matches!(b, b'[' | b'<')) {
        return Seen::default();
    }
    Walk::new(content, &cleaned).over(&spans)
}

/// Returns true if it is worth a closer look: markup, an entity, or a dot or colon with something right behind it. A
/// sentence's stop has a space there, so most comments are done with here.
fn may_link(content: &str) -> bool {
    let bytes = content.as_bytes();
    // Most stretches have nothing of the kind. No branch within them, or the compiler would look at byte after byte.
    let mut stretches = bytes.chunks(32).enumerate();
    stretches.any(|(n, stretch)| {
        let is_plain = stretch.iter().fold(true, |plain, &b| plain & !may_begin(b));
        !is_plain && (0..stretch.len()).any(|at| begins(bytes, 32 * n + at))
    })
}

/// Returns true if what is worth a closer look can begin with this byte.
const fn may_begin(b: u8) -> bool {
    matches!(b, b'[' | b'<' | b'&' | b'.' | b':' | 0xe2 | 0xe3 | 0xef)
}

/// Returns true if it begins there.
fn begins(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'[' | b'<' | b'&' => true,
        b'.' | b':' => bytes.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace()),
        // What passes for a dot or a colon: \u{2024}, \u{3002}, \u{fe13}, \u{fe52}, \u{fe55}, \u{ff0e}, \u{ff1a},
        // \u{ff61}.
        0xe2 => bytes[at..].starts_with("\u{2024}".as_bytes()),
        0xe3 => bytes[at..].starts_with("\u{3002}".as_bytes()),
        0xef => {
            let passes = ["\u{fe13}", "\u{fe52}", "\u{fe55}", "\u{ff0e}", "\u{ff1a}", "\u{ff61}"];
            passes.iter().any(|sign| bytes[at..].starts_with(sign.as_bytes()))
        }
        _ => false,
    }
}

/// One pass over a text.
struct Walk<'a> {
    content: &'a str,
    cleaned: &'a Clean<'a>,
    seen: Seen,
    n_close_looks: usize,
    /// Inside the element of a link.
    in_element: bool,
    /// The element's link was counted, and so were its words.
    element_counted: bool,
    words_counted: bool,
    has_words: bool,
}

/// The destination of a link.
enum Leads {
    To { host: String, looks_like: Option<String> },
    Nowhere,
    Unread,
}

impl<'a> Walk<'a> {
    fn new(content: &'a str, cleaned: &'a Clean<'a>) -> Self {
        Self {
            content,
            cleaned,
            seen: Seen::default(),
            n_close_looks: 0,
            in_element: false,
            element_counted: false,
            words_counted: false,
            has_words: false,
        }
    }

    fn over(mut self, spans: &[Span]) -> Seen {
        let text: &str = &self.cleaned.text;
        let mut spans = spans.iter().peekable();
        let mut tags = Tags::new(text);
        let mut pos = 0;
        while pos < text.len() {
            if let Some(span) = spans.next_if(|span| span.start <= pos) {
                self.link(*span, false);
                pos = pos.max(span.end);
                continue;
            }
            let rest = &text[pos..];
            if let Some((tag, n)) = tags.at(pos) {
                self.tag(tag, rest.as_bytes().get(1) == Some(&b'/'));
                let mut end = pos + n;
                while let Some(span) = spans.next_if(|span| span.start < end) {
                    self.link(*span, true);
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

    fn link(&mut self, span: Span, in_tag: bool) {
        let leads = self.leads(span);
        if matches!(leads, Leads::Nowhere) {
            self.has_words = true;
            return;
        }
        // Of an element, its target and the first address among its words are one link.
        let counts = !self.in_element || !self.element_counted || (!in_tag && self.words_counted);
        if self.in_element {
            self.words_counted |= !in_tag;
            self.element_counted = true;
        }
        match leads {
            Leads::To { host, looks_like } => self.seen.links.push(Link {
                host,
                looks_like,
                counts,
            }),
            _ => self.seen.n_unread += 1,
        }
    }

    fn leads(&mut self, span: Span) -> Leads {
        let text = &self.cleaned.text[span.start..span.end];
        let written = &self.content[self.cleaned.range(self.content, span.start, span.end)];
        if written == text
            && let Some(host) = links::plain_host(text, span.has_scheme)
        {
            return Leads::To { host, looks_like: None };
        }
        if self.n_close_looks == CLOSE_LOOKS_MAX {
            return Leads::Unread;
        }
        self.n_close_looks += 1;
        let host = |text: &str| links::parse(text, span.has_scheme).map(|parts| parts.host);
        let looks_like = host(text);
        let leads = if written == text { None } else { host(&meant(written)) };
        match (leads, looks_like) {
            (Some(host), looks_like) => Leads::To {
                looks_like: looks_like.filter(|other| *other != host),
                host,
            },
            (None, Some(host)) => Leads::To { host, looks_like: None },
            (None, None) => Leads::Nowhere,
        }
    }
}

/// A text as a page shows it: without entities and what has no shape. What else was cleaned a browser reads in its own
/// way.
fn meant(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(mut c) = rest.chars().next() {
        let mut n = c.len_utf8();
        if c == '&'
            && let Some((entity, len)) = markup::entity(rest)
        {
            (c, n) = (entity, len);
        }
        if !is_invisible(c) {
            text.push(c);
        }
        rest = &rest[n..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{CLOSE_LOOKS_MAX, Link, seen};
    use crate::text::Hosts;
    use proptest::prelude::*;

    fn check(text: &str, counted: usize, is_only_links: bool) {
        let seen = seen(text);
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
        let of = |text| (seen(text).has_html, seen(text).has_bbcode);
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

    #[test]
    fn hosts_in_any_script_are_seen_where_they_lead() {
        let hosts = |text: &str| -> Vec<(String, Option<String>)> {
            let links = seen(text).links.into_iter();
            links.map(|link| (link.host, link.looks_like)).collect()
        };
        let plain = |host: &str| (host.to_owned(), None);
        for (text, host) in [
            ("besuch münchen.de bald", "xn--mnchen-3ya.de"),
            ("besuch http://www.MÜNCHEN.de/x bald", "xn--mnchen-3ya.de"),
            ("besuch m&#252;nchen.de bald", "xn--mnchen-3ya.de"),
            ("besuch mu\u{308}nchen.de bald", "xn--mnchen-3ya.de"),
        ] {
            let looks_like = Some("munchen.de".to_owned());
            assert_eq!(hosts(text), [(host.to_owned(), looks_like)], "{text}");
        }
        for (text, host) in [
            ("заходи на казино.рф, там весело", "xn--80aodfsg.xn--p1ai"),
            ("заходи на http://казино.рф/x, там весело", "xn--80aodfsg.xn--p1ai"),
            ("заходи на КАЗИНО.рф/x, там весело", "xn--80aodfsg.xn--p1ai"),
            ("看 食狮.中国 吧", "xn--85x722f.xn--fiqs8s"),
            ("besuch shop\u{ff0e}example\u{ff0e}com schön", "shop.example.com"),
            ("besuch sh\u{200b}op.example.com schön", "shop.example.com"),
        ] {
            assert_eq!(hosts(text), [plain(host)], "{text}");
        }
        // A Cyrillic а: it leads elsewhere than it seems.
        assert_eq!(
            hosts("read http://g\u{430}zette.example/x please"),
            [("xn--gzette-3nf.example".to_owned(), Some("gazette.example".to_owned()))]
        );
    }

    #[test]
    fn every_plain_link_is_looked_at_and_the_others_up_to_a_bound() {
        let many = |piece: &str| seen(&format!("{} shop.example.com", piece.repeat(3_000)));
        let plain = many("a.example.org ");
        assert_eq!((plain.links.len(), plain.n_unread), (3_001, 0));
        let close = many("ü.example.org ");
        assert_eq!(
            (close.links.len(), close.n_unread),
            (CLOSE_LOOKS_MAX + 1, 3_000 - CLOSE_LOOKS_MAX)
        );
        assert_eq!(
            close.links.last().map(|link| link.host.as_str()),
            Some("shop.example.com")
        );
    }

    proptest! {
        #[test]
        fn any_text_has_links_that_can_be_counted(text in "[a-c./:<>&;\"=\\[\\]urlhtp@ éрф中国\u{200b}]{0,80}") {
            let seen = seen(&text);
            prop_assert!(seen.links.len() <= text.len());
        }
    }
}
