//! Links and addresses: found by linkify, taken apart by url and psl.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::RandomState;
use linkify::{LinkFinder, LinkKind};

/// A link or an e-mail address in a cleaned text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_email: bool,
    pub(super) has_scheme: bool,
    /// Stands in the article too: no evidence.
    pub(super) is_neutral: bool,
}

/// Top-level domains that are also short English words: "the end.So we" is no link.
const ALSO_WORDS: &[&str] = &[
    "am", "as", "at", "be", "by", "do", "fm", "id", "im", "in", "is", "it", "la", "ma", "me", "my", "no", "pm", "re",
    "sh", "so", "to", "us", "you", "how", "now", "here", "for", "one", "all", "fun", "help", "so", "pa", "mo", "ad",
    "md", "ms",
];

/// Top-level domains that are also what files are called by: "urls.py and main.rs" are no links.
const ALSO_FILES: &[&str] = &[
    "py", "rs", "pl", "cc", "ps", "ml", "mk", "st", "zip", "mov", "java", "gz",
];

/// Links beyond this many are counted, but not taken apart: what leads to so many places is known by that.
pub(super) const TAKEN_APART_MAX: usize = 256;

/// Finds the links, in order. With or without a scheme; without one the end must be a known top-level domain.
pub(super) fn find(text: &str, into: &mut Vec<Span>) {
    into.clear();
    if !text.bytes().any(|b| b == b'.' || b == b'@' || b == b':') {
        return;
    }
    let searched = without_crowds(text);
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    for link in finder.links(&searched) {
        let is_email = *link.kind() == LinkKind::Email;
        let found = &text[link.start()..link.end()];
        let has_scheme = found.contains("://");
        if is_email || has_scheme || is_bare_link(found) {
            into.push(Span {
                start: link.start(),
                end: link.end(),
                is_email,
                has_scheme,
                is_neutral: false,
            });
        }
    }
}

/// Dots behind labels, of those without anything between them that is part of no host, before this many last ones begin
/// none.
const HOST_DOTS_MAX: usize = 12;

/// The text with hyphens for dots where they crowd together as in no host. linkify tries every dot as one of a host,
/// and each time reads on to the end of what could be one: `a._a._a._…` would cost the square of its length.
fn without_crowds(text: &str) -> Cow<'_, str> {
    if text.bytes().filter(|&b| b == b'.').count() <= HOST_DOTS_MAX {
        return Cow::Borrowed(text);
    }
    let is_label = |b: u8| b.is_ascii_alphanumeric() || !b.is_ascii();
    let may_be_host = |b: u8| is_label(b) || matches!(b, b'-' | b'.' | b'_' | b'~' | b':');
    let mut masked = String::new();
    let mut start = 0;
    for chain in text.as_bytes().chunk_by(|&a, &b| may_be_host(a) == may_be_host(b)) {
        let ends_label = |&dot: &usize| chain[dot] == b'.' && is_label(chain[dot - 1]);
        if let Some(last) = (1..chain.len()).rev().filter(ends_label).nth(HOST_DOTS_MAX) {
            let crowd = &text[start..=start + last];
            masked.push_str(&text[masked.len()..start]);
            masked.push_str(&crowd.replace('.', "-"));
        }
        start += chain.len();
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[masked.len()..]);
    Cow::Owned(masked)
}

/// `shop.example.com/x`, but not `end.So`.
fn is_bare_link(text: &str) -> bool {
    let end = text.bytes().position(|b| matches!(b, b'/' | b'?' | b'#' | b':'));
    let host = &text[..end.unwrap_or(text.len())];
    let lower = if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    };
    let Some(tld) = lower.rsplit('.').next() else {
        return false;
    };
    let known = psl::suffix(lower.as_bytes()).is_some_and(|suffix| suffix.is_known());
    known
        && (lower.starts_with("www.")
            || text.len() > host.len() + 1
            || !(ALSO_WORDS.contains(&tld)
                || ALSO_FILES.contains(&tld)
                || host.chars().rev().nth(tld.len() - 1).is_some_and(char::is_uppercase)))
}

/// A link, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// The host without `www.`, lower case, in its ASCII form.
    pub(super) host: String,
    /// The part of the host that somebody registered.
    pub(super) domain: String,
    /// The public suffix.
    pub(super) suffix: String,
    /// The rest: path and query.
    pub(super) rest: String,
}

/// Takes a link apart, or `None` if it is none after all.
pub(super) fn parse(link: &str, has_scheme: bool) -> Option<Parts> {
    let with_scheme;
    let link = if has_scheme {
        link
    } else {
        with_scheme = format!("http://{link}");
        &with_scheme
    };
    let url = url::Url::parse(link).ok()?;
    let host = url.host_str()?.to_ascii_lowercase();
    let host = host
        .strip_prefix("www.")
        .unwrap_or(&host)
        .trim_end_matches('.')
        .to_owned();
    // The numbers of an address are no labels.
    let is_named = matches!(url.host(), Some(url::Host::Domain(_)));
    let domain = psl::domain_str(&host).filter(|_| is_named).unwrap_or(&host).to_owned();
    let suffix = psl::suffix_str(&host).filter(|_| is_named).unwrap_or("").to_owned();
    let mut rest = url.path().to_ascii_lowercase();
    if let Some(query) = url.query() {
        rest.push('?');
        rest.push_str(&query.to_ascii_lowercase());
    }
    Some(Parts {
        host,
        domain,
        suffix,
        rest,
    })
}

/// The host of a link as [`parse`] gives it, if it is plain: ASCII, and nothing about it needs a closer look. That is a
/// fraction of the cost, and nearly every link is.
pub(super) fn plain_host(link: &str, has_scheme: bool) -> Option<String> {
    let rest = if has_scheme {
        let (scheme, rest) = link.split_once("://")?;
        if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) {
            return None;
        }
        rest
    } else {
        link
    };
    let end = rest.bytes().position(|b| matches!(b, b'/' | b'?' | b'#'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let host = match authority.split_once(':') {
        Some((host, port)) if (1..=4).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    let is_plain = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if !is_plain {
        return None;
    }
    let mut host = host.to_ascii_lowercase();
    // Numbers at the end are an address, however they are written; `xn--` may be no name at all.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_named = last.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !is_named || host.contains("xn--") || host.contains("..") || host.starts_with('.') {
        return None;
    }
    if host.starts_with("www.") {
        host.drain(.."www.".len());
    }
    host.truncate(host.trim_end_matches('.').len());
    (!host.is_empty()).then_some(host)
}

/// The registered domain of a host; all of an address.
fn registered(host: &str) -> &str {
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    psl::domain_str(host).filter(|_| !is_address).unwrap_or(host)
}

/// Hosts beyond this many are not looked at.
const HOSTS_MAX: usize = 256;

/// Hosts that links may lead to without being evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(HashSet<String, RandomState>);

impl Hosts {
    /// Reads hosts as a site states them, with or without `www.`. What is no host is passed over.
    pub fn new(hosts: &[String]) -> Self {
        let plain = |host: &String| {
            let host = url::Host::parse(host.trim().trim_end_matches('.')).ok()?.to_string();
            Some(host.strip_prefix("www.").map_or_else(|| host.clone(), str::to_owned))
        };
        Self(hosts.iter().take(HOSTS_MAX).filter_map(plain).collect())
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hosts, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns true if the link leads to one of them, or to a part of its site. `blog.example.org` is a part of
    /// `example.org`; nothing is a part of a suffix under which anybody may register, or of a site that merely has the
    /// same owner.
    pub(super) fn have(&self, host: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut name = host;
        while !self.0.contains(name) {
            let Some((_, parent)) = name.split_once('.') else {
                return false;
            };
            name = parent;
        }
        name.len() == host.len() || name.len() >= registered(host).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        find(text, &mut found);
        let found: Vec<&str> = found.iter().map(|span| &text[span.start..span.end]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn links_are_found_and_sentences_are_not() {
        check("see http://a.example/x?y=1, ok", &["http://a.example/x?y=1"]);
        check("go to cheap-pills.com now", &["cheap-pills.com"]);
        check("www.site.ru and mail me@site.ru", &["www.site.ru", "me@site.ru"]);
        check("That is the end.So what? I agree.It is. Yes.No", &[]);
        check(
            "<a href=\"https://x.de/a\">x</a> [url=http://y.fr]y[/url]",
            &["https://x.de/a", "http://y.fr"],
        );
        check(
            "edit settings.py and urls.py, run manage.py, see README.md, main.rs and build.sh",
            &[],
        );
        check(
            "http://a.py www.sklep.pl sklep.pl/x",
            &["http://a.py", "www.sklep.pl", "sklep.pl/x"],
        );
        check("version 1.2.3 at 10.30 e.g. this", &[]);
    }

    #[test]
    fn dots_that_crowd_are_no_host_and_hide_none() {
        let crowd = "a._".repeat(5_000);
        check(&format!("{crowd} shop.example.com/x"), &["shop.example.com/x"]);
        check(
            &format!("http://a.example/{}", "b.".repeat(20) + "c"),
            &[&format!("http://a.example/{}", "b.".repeat(20) + "c")],
        );
        check(
            "I...think...that...this...is...all...that...there...is...to...say...about_cheap-pills.com now",
            &["cheap-pills.com"],
        );
    }

    #[test]
    fn parts() {
        let parts = parse("https://www.Blog.Example.co.uk/Buy-Now?x=1", true).unwrap();
        assert_eq!(
            (
                parts.host.as_str(),
                parts.domain.as_str(),
                parts.suffix.as_str(),
                parts.rest.as_str()
            ),
            ("blog.example.co.uk", "example.co.uk", "co.uk", "/buy-now?x=1")
        );
        let address = parse("http://192.168.7.4/x", true).unwrap();
        assert_eq!((address.domain.as_str(), address.suffix.as_str()), ("192.168.7.4", ""));
    }

    #[test]
    fn hosts_are_those_stated_and_what_stands_below_them() {
        let check = |link: &str, hosts: &[&str], expected: bool| {
            let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
            let parts = parse(link, true).unwrap();
            assert_eq!(Hosts::new(&hosts).have(&parts.host), expected, "{link} {hosts:?}");
        };
        check("https://blog.example.co.uk/x", &["", "a b", "WWW.Example.co.uk."], true);
        check("https://www.example.org", &["example.org"], true);
        check("https://example.org", &["www.example.org"], true);
        check("https://sites.google.com/view/pills", &["news.google.com"], false);
        check("https://google.com", &["news.google.com"], false);
        check("https://badexample.org", &["example.org"], false);
        check("https://shop.example.com", &["com", "co.uk"], false);
        check("https://pills.github.io", &["github.io"], false);
        check("http://10.1.2.3/", &["2.3", "9.1.2.3"], false);
        check("http://10.1.2.3/", &["10.1.2.3"], true);
        check("https://xn--e1afmkfd.example/", &["пример.example"], true);
    }

    #[test]
    fn most_hosts_are_plain() {
        for (link, has_scheme, host) in [
            ("HTTP://www.Shop.example:8080/x?y", true, Some("shop.example")),
            ("a-b.example.co.uk./x", false, Some("a-b.example.co.uk")),
            ("http://10.1.2.3/", true, None),
            ("http://0x7f.1/", true, None),
            ("http://u@a.example/", true, None),
            ("ftp://a.example/", true, None),
            ("http://m\u{fc}nchen.example/", true, None),
            ("http://xn--80ak6aa92e.com/", true, None),
        ] {
            assert_eq!(plain_host(link, has_scheme).as_deref(), host, "{link}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_host_is_the_one_that_a_closer_look_finds(
            link in "(http|HTTPS|ftp)?(://)?(www\\.)?[a-zA-Z0-9._\\-@:%]{0,12}(\\.com|\\.0x1|\\.)?(:[0-9]{0,5})?([/?#\\\\][a-z.:@]{0,4})?"
        ) {
            let has_scheme = link.contains("://");
            if let Some(host) = plain_host(&link, has_scheme) {
                prop_assert_eq!(Some(host), parse(&link, has_scheme).map(|parts| parts.host), "{}", link);
            }
        }
    }
}
