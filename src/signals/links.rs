//! Links: how many a reader sees, how they are written, and whether there is anything else.

use super::Signal;
use crate::comment::Comment;
use crate::site::SitePolicy;
use crate::text::{Hosts, Link, Seen, seen};
use crate::verdict::ReasonCode;

/// The links of a comment.
pub(super) struct Links {
    /// Those of the text.
    seen: Seen,
    /// The author's website.
    website: Option<Link>,
    /// The number of the text's count: not those to the site itself, nor those to where the article links.
    n_counted: usize,
    any_foreign: bool,
}

impl Links {
    pub(super) fn of(comment: &Comment, policy: &SitePolicy) -> Self {
        let seen = seen(comment.content.expose());
        let article = if seen.links.is_empty() {
            Hosts::default()
        } else {
            Hosts::new(&comment.article_hosts)
        };
        let is_free = |link: &&Link| link.leads_to(&policy.links.own_hosts) || link.leads_to(&article);
        let foreign = || seen.links.iter().filter(|link| !is_free(link));
        let website = comment.author.url_or_empty().expose();
        Self {
            // What was not looked at may lead anywhere.
            n_counted: foreign().filter(|link| link.counts).count() + seen.n_unread,
            any_foreign: foreign().next().is_some() || seen.n_unread > 0,
            website: (!website.is_empty())
                .then(|| Link::of_address(website.trim()))
                .flatten(),
            seen,
        }
    }

    /// The hosts that they lead to, or seem to lead to; the author's website last.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.seen
            .links
            .iter()
            .chain(&self.website)
            .flat_map(|link| [Some(&link.host), link.looks_like.as_ref()])
            .flatten()
            .map(String::as_str)
    }

    /// Says what is to be said of them.
    pub(super) fn report(&self, policy: &SitePolicy, signals: &mut Vec<Signal>) {
        if self.n_counted > policy.links.max {
            let params = vec![
                ("links", self.n_counted.to_string()),
                ("max", policy.links.max.to_string()),
            ];
            signals.push(Signal {
                code: ReasonCode::LinksTooMany,
                params,
            });
        }
        if !self.any_foreign {
            return;
        }
        for (found, code) in [
            (self.seen.has_bbcode, ReasonCode::LinksBbcode),
            (self.seen.has_html, ReasonCode::LinksHtml),
            (self.seen.is_only_links, ReasonCode::ContentOnlyLink),
        ] {
            if found {
                signals.push(Signal::bare(code));
            }
        }
    }
}
