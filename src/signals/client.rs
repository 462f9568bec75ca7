//! The headers of the request that brought the comment: a program that sends comments often names itself, and a form is
//! sent from the page that holds it.
//!
//! No header is ever quoted: a `User-Agent` tells one reader from another, and a `Referer` tells what was read.

use super::Signal;
use crate::comment::Comment;
use crate::site::SitePolicy;
use crate::text::{Hosts, Link};
use crate::verdict::ReasonCode;

/// HTTP libraries and command-line tools, by the product that their `User-Agent` begins with, in lower case and in
/// order.
const PROGRAMS: [&str; 36] = [
    "aiohttp",
    "apache-httpclient",
    "axios",
    "colly",
    "curl",
    "faraday",
    "go-http-client",
    "got",
    "guzzlehttp",
    "httpie",
    "insomnia",
    "java",
    "java-http-client",
    "libcurl",
    "libwww-perl",
    "lwp-trivial",
    "lwp::simple",
    "mechanize",
    "node",
    "node-fetch",
    "okhttp",
    "php",
    "postmanruntime",
    "pycurl",
    "python",
    "python-httpx",
    "python-requests",
    "python-urllib",
    "python-urllib3",
    "reqwest",
    "ruby",
    "scrapy",
    "undici",
    "wget",
    "winhttp",
    "www-mechanize",
];

/// Browsers that nobody looks at, which otherwise say what a reader's browser says, in lower case.
const HEADLESS: [&str; 2] = ["headlesschrome/", "phantomjs/"];

/// Reports a comment that a program sent, or a browser that says nothing of itself. Pingbacks and trackbacks come from
/// programs by their nature and have reasons of their own.
pub(super) fn program(comment: &Comment) -> Option<Signal> {
    let user_agent = comment.user_agent.as_ref()?;
    let found = !comment.kind.is_of_program() && is_program(user_agent.expose());
    found.then(|| Signal::bare(ReasonCode::ClientProgram))
}

fn is_program(user_agent: &str) -> bool {
    let user_agent = user_agent.trim().to_ascii_lowercase();
    let product = user_agent.split(['/', ' ']).next().unwrap_or_default();
    let is_browser = user_agent.contains("mozilla/");
    product.is_empty()
        || (!is_browser && PROGRAMS.contains(&product))
        || HEADLESS.iter().any(|name| user_agent.contains(name))
}

/// Reports a form that was sent from a page on another host than the comment's page and the site's own hosts. Where
/// neither is known, or the header is no address, nothing can be said.
pub(super) fn foreign_referrer(comment: &Comment, policy: &SitePolicy) -> Option<Signal> {
    let referrer = comment.referrer.expose().trim();
    if referrer.is_empty() {
        return None;
    }
    let from = Link::of_address(referrer)?;
    let page = Link::of_address(comment.permalink.trim()).map(|page| Hosts::new(&[page.host]));
    let own = &policy.links.own_hosts;
    let is_known = page.is_some() || *own != Hosts::default();
    let is_ours = from.leads_to(own) || page.is_some_and(|page| from.leads_to(&page));
    (is_known && !is_ours).then(|| Signal::bare(ReasonCode::ReferrerForeign))
}

#[cfg(test)]
mod tests {
    use super::{PROGRAMS, is_program};

    #[test]
    fn programs_name_themselves_first() {
        for program in [
            "",
            "  ",
            "curl/8.5.0",
            "python-requests/2.31.0",
            "Python/3.11 aiohttp/3.9.1",
            "Go-http-client/1.1",
            "Java/17.0.1",
            "libwww-perl/6.67",
            "Wget/1.21.4",
            "Scrapy/2.11.0 (+https://scrapy.org)",
            "okhttp/4.12.0",
            "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
        ] {
            assert!(is_program(program), "{program}");
        }
    }

    #[test]
    fn browsers_and_apps_are_no_programs() {
        for reader in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
            "okhttp/4.12.0 Mozilla/5.0 (Linux; Android 14) Chrome/126.0.0.0 Mobile",
            "Gazette/3.1 okhttp/4.12.0",
            "Gazette/3.1 CFNetwork/1496.0.7 Darwin/23.5.0",
            "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80)",
            "Lynx/2.9.0 libwww-FM/2.14",
            "Javelin/1.0",
        ] {
            assert!(!is_program(reader), "{reader}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_in_lower_case() {
        assert!(PROGRAMS.is_sorted());
        assert!(PROGRAMS.iter().all(|name| *name == name.to_ascii_lowercase()));
    }
}
