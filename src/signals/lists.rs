//! The site's lists, held against a comment: its words, where it links to, and who wrote it.

use super::Signal;
use super::links::Links;
use crate::comment::{Comment, Trust};
use crate::site::Lists;
use crate::site::lists::{Names, People};
use crate::text::fold;
use crate::verdict::ReasonCode;

/// At most one signal for each list and kind of entry, blocked ones first, held ones last.
pub(super) fn collect(comment: &Comment, links: &Links, lists: &Lists, signals: &mut Vec<Signal>) {
    if lists.is_empty() {
        return;
    }
    hosts(ReasonCode::ListBlocked, links, &lists.block_hosts, signals);
    people(ReasonCode::ListBlocked, comment, &lists.block, signals);
    if let Some(entry) = email_domain(comment).and_then(|domain| lists.disposable.find_typed(domain)) {
        let params = vec![("entry", entry.to_owned())];
        signals.push(Signal {
            code: ReasonCode::AuthorEmailDisposable,
            params,
        });
    }
    people(ReasonCode::ListAllowed, comment, &lists.allow, signals);
    words(comment, lists, signals);
    hosts(ReasonCode::ListModerated, links, &lists.moderate_hosts, signals);
    people(ReasonCode::ListModerated, comment, &lists.moderate, signals);
}

fn on_list(code: ReasonCode, list: &str, entry: Option<&str>) -> Signal {
    let mut params = vec![("list", list.to_owned())];
    params.extend(entry.map(|entry| ("entry", entry.to_owned())));
    Signal { code, params }
}

/// The words of the comment, then those of the author's name.
fn words(comment: &Comment, lists: &Lists, signals: &mut Vec<Signal>) {
    if lists.words.is_empty() {
        return;
    }
    let mut folded = String::new();
    for text in [comment.content.expose(), comment.author.name.expose()] {
        fold(text, &mut folded);
        if let Some(entry) = lists.words.find(&folded) {
            signals.push(on_list(ReasonCode::ListModerated, "words", Some(entry)));
            return;
        }
    }
}

fn hosts(code: ReasonCode, links: &Links, names: &Names, signals: &mut Vec<Signal>) {
    if let Some(entry) = links.hosts().find_map(|host| names.find(host)) {
        signals.push(on_list(code, "hosts", Some(entry)));
    }
}

/// Observes listed networks, accounts and e-mail domains. The entry of networks and accounts is not repeated: it may be
/// a reader's own. An account that nobody has signed in to cannot be let through.
fn people(code: ReasonCode, comment: &Comment, people: &People, signals: &mut Vec<Signal>) {
    let author = &comment.author;
    let address = author.address.as_ref().map(|address| *address.expose());
    if address.is_some_and(|address| people.has_address(address)) {
        signals.push(on_list(code, "networks", None));
    }
    let proves = code != ReasonCode::ListAllowed || author.trust >= Trust::Authenticated;
    if proves && people.has_account(author.id.expose()) {
        signals.push(on_list(code, "accounts", None));
    }
    if let Some(entry) = email_domain(comment).and_then(|domain| people.email_domains.find_typed(domain)) {
        signals.push(on_list(code, "email_domains", Some(entry)));
    }
}

fn email_domain(comment: &Comment) -> Option<&str> {
    comment.author.email.expose().rsplit_once('@').map(|(_, domain)| domain)
}
