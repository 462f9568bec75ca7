//! The author's name, website and e-mail domain as terms: most blog spam carries its sign there and not in the text.
//!
//! Every word, run of letters, host, path word and domain of a field may name a person, and is handed out as
//! [`Sort::Personal`]: a model keeps it only where at least three groups of its training data have it. Counts and
//! shapes are [`Sort::Shape`]. The local part of an e-mail address is not read at all.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use xxhash_rust::xxh3::xxh3_64;

use super::hash::{BASE, POWERS, fill_prefix, mix, stretch, stretches};
use super::letters::is_alphabetic;
use super::links;
use super::stream::{LINK, Scratch, Token, is_letter};
use super::view::{Sink, Sort, View};

/// The fields of the form beside the text. `None` is a field that the caller did not send: it adds no term. An empty
/// string is a field that its author left empty, which is a fact.
#[derive(Debug, Clone, Copy, Default)]
pub struct Form<'a> {
    /// The author's name as typed.
    pub name: Option<&'a str>,
    /// The author's website as typed.
    pub website: Option<&'a str>,
    /// The domain of the author's e-mail address.
    pub email_domain: Option<&'a str>,
}

impl Form<'_> {
    /// True if the caller sent no field at all.
    pub fn is_unknown(&self) -> bool {
        self.name.is_none() && self.website.is_none() && self.email_domain.is_none()
    }
}

/// Bytes of a field beyond these are not read: WordPress stores at most 245 of a name and 200 of a website.
const FIELD_BYTES_MAX: usize = 256;
/// Characters of a run in a name or a host.
const N_RUN: usize = 4;
/// Words of a path that are read.
const PATH_WORDS_MAX: usize = 12;
/// Letters of the shortest word that is looked for in another field.
const SHARED_LETTERS_MIN: usize = 3;

/// Hands the terms of the form to the sink. `text` has just read the comment's content, `field` is memory for the
/// fields.
pub fn emit_form<S: Sink>(form: Form<'_>, text: &Scratch, field: &mut Scratch, sink: &mut S) {
    let website = form.website.map(|website| Website::of(beginning(website.trim())));
    if let Some(name) = form.name {
        emit_name(beginning(name.trim()), website.as_ref(), text, field, sink);
    }
    if let Some(website) = &website {
        website.emit(field, sink);
    }
    if let Some(domain) = form.email_domain {
        emit_email(&domain.trim().to_lowercase(), website.as_ref(), sink);
    }
}

/// The first bytes of a field.
fn beginning(field: &str) -> &str {
    &field[..field.floor_char_boundary(FIELD_BYTES_MAX)]
}

/// Hands out one term of a field, named `kind value`.
fn fact<S: Sink>(sink: &mut S, view: View, sort: Sort, kind: &'static str, value: &str) {
    let raw = xxh3_64(kind.as_bytes()).wrapping_mul(BASE) ^ xxh3_64(value.as_bytes());
    sink.field(view, mix(view, raw), sort, || format!("{kind} {value}"));
}

/// Hands out one count of a field.
fn shape<S: Sink>(sink: &mut S, view: View, kind: &'static str, value: u32) {
    let raw = xxh3_64(kind.as_bytes()).wrapping_add(u64::from(value) << 8);
    sink.field(view, mix(view, raw), Sort::Shape, || format!("{kind} {value}"));
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The number of limits, ascending, that `n` reaches.
fn bucket(n: usize, limits: &[usize]) -> u32 {
    count(limits.iter().take_while(|&&limit| n >= limit).count())
}

/// Words, pairs, runs of letters and shape of a name, and how much of it stands in the website's host and in the text.
fn emit_name<S: Sink>(name: &str, website: Option<&Website>, text: &Scratch, field: &mut Scratch, sink: &mut S) {
    const VIEW: View = View::Name;
    field.read(name, &[]);
    fill_prefix(&field.codes, &mut field.prefix);
    let words: Vec<Token> = field.words().collect();
    let mut last = 0_u64;
    for (i, &token) in words.iter().enumerate() {
        let word = stretch(&field.prefix, token.start as usize, token.end as usize);
        let spelled = || field.spelled(token);
        sink.field(VIEW, mix(VIEW, word), Sort::Personal, || {
            format!("name word {}", spelled())
        });
        sink.field(View::Offer, mix(View::Offer, word), Sort::Personal, || {
            format!("offer {}", spelled())
        });
        if i > 0 {
            let pair = last.wrapping_mul(0xa076_1d64_78bd_642f).wrapping_add(word);
            sink.field(VIEW, mix(VIEW, pair), Sort::Personal, || {
                format!("name words {} {}", field.spelled(words[i - 1]), spelled())
            });
        }
        last = word;
    }
    emit_runs(VIEW, field, sink);
    let shape_of = &field.shape;
    let n_chars = name.chars().count();
    shape(sink, VIEW, "name length", bucket(n_chars, &[1, 5, 10, 15, 20, 28, 40]));
    shape(sink, VIEW, "name words", count(words.len()).min(6));
    shape(
        sink,
        VIEW,
        "name digits",
        bucket(shape_of.n_digits as usize, &[1, 2, 4]),
    );
    shape(sink, VIEW, "name signs", shape_of.n_signs.min(3));
    let n_capital = name
        .split_whitespace()
        .filter(|word| word.starts_with(char::is_uppercase))
        .count();
    let n_typed = name.split_whitespace().count();
    shape(
        sink,
        VIEW,
        "name capitals",
        8 * count(n_typed).min(4) + count(n_capital).min(4),
    );
    for (kind, holds) in [
        (
            "name in capitals",
            shape_of.n_letters > 3 && shape_of.n_upper == shape_of.n_letters,
        ),
        (
            "name with a link",
            shape_of.n_links + shape_of.n_anchors + shape_of.n_bblinks > 0,
        ),
        ("name with an address", shape_of.n_emails > 0),
        ("name is a handle", name.starts_with('@')),
        (
            "name in another script",
            !words.is_empty() && field.is_foreign() != text.is_foreign(),
        ),
    ] {
        if holds {
            shape(sink, VIEW, kind, 1);
        }
    }
    let long = || {
        words
            .iter()
            .filter(|token| (token.end - token.start) as usize >= SHARED_LETTERS_MIN)
    };
    let n_long = count(long().count()).min(3);
    let raw_words =
        |scratch: &Scratch, token: &Token| stretch(&scratch.prefix, token.start as usize, token.end as usize);
    let n_in_text = long()
        .filter(|token| {
            let word = raw_words(field, token);
            text.words().any(|other| raw_words(text, &other) == word)
        })
        .count();
    shape(
        sink,
        VIEW,
        "name words in the text",
        4 * n_long + count(n_in_text).min(3),
    );
    if let Some(website) = website.filter(|website| !website.host.is_empty()) {
        let n_in_host = long()
            .filter(|&&token| website.host.contains(&field.spelled(token)))
            .count();
        shape(
            sink,
            VIEW,
            "name words in the host",
            4 * n_long + count(n_in_host).min(3),
        );
    }
}

/// Runs of four characters of the stream that was read last, spaces between words among them.
fn emit_runs<S: Sink>(view: View, field: &Scratch, sink: &mut S) {
    let n = field.codes.len().saturating_sub(N_RUN - 1);
    let raws = stretches(
        &field.prefix[..n],
        &field.prefix[field.prefix.len() - n..],
        POWERS[N_RUN],
    );
    for (start, raw) in (0_u32..).zip(raws) {
        let token = Token { start, end: start + 4 };
        sink.field(view, mix(view, raw ^ BASE), Sort::Personal, || {
            format!("{} letters {}", view.name(), field.spelled(token))
        });
    }
}

/// A website, taken apart.
struct Website {
    /// The host without `www.`; empty if the field is, or if it holds no address.
    host: String,
    domain: String,
    suffix: String,
    rest: String,
    is_empty: bool,
    is_https: bool,
}

impl Website {
    fn of(typed: &str) -> Self {
        // The prefill of many forms.
        let is_empty = matches!(typed, "" | "http://" | "https://");
        let parts = links::parse(typed, typed.contains("://")).filter(|_| !is_empty);
        let (host, domain, suffix, rest) = parts.map_or_else(Default::default, |parts| {
            (parts.host, parts.domain, parts.suffix, parts.rest)
        });
        Self {
            host,
            domain,
            suffix,
            rest,
            is_empty,
            is_https: typed.starts_with("https:"),
        }
    }

    /// The registered name, without its suffix.
    fn label(&self) -> &str {
        let label = self.domain.strip_suffix(self.suffix.as_str()).unwrap_or(&self.domain);
        label.trim_end_matches('.')
    }

    fn emit<S: Sink>(&self, field: &mut Scratch, sink: &mut S) {
        const VIEW: View = View::Website;
        if self.host.is_empty() {
            let kind = if self.is_empty {
                "website left empty"
            } else {
                "website is no address"
            };
            return shape(sink, VIEW, kind, 1);
        }
        fact(sink, VIEW, Sort::Personal, "website", &self.domain);
        fact(sink, VIEW, Sort::Shape, "website at", &self.suffix);
        let label = self.label();
        let below = self.host.strip_suffix(self.domain.as_str()).unwrap_or_default();
        shape(
            sink,
            VIEW,
            "website's name length",
            bucket(label.len(), &[4, 8, 12, 16, 20, 26]),
        );
        shape(
            sink,
            VIEW,
            "website's hyphens",
            count(label.matches('-').count()).min(3),
        );
        let n_digits = self.host.bytes().filter(u8::is_ascii_digit).count();
        shape(sink, VIEW, "website's digits", bucket(n_digits, &[1, 2, 4]));
        shape(
            sink,
            VIEW,
            "website's subdomains",
            count(below.matches('.').count()).min(2),
        );
        let depth = self.rest.split(['/', '?']).filter(|part| !part.is_empty()).count();
        shape(sink, VIEW, "website's depth", count(depth).min(4));
        for (kind, holds) in [
            ("website with a query", self.rest.contains('?')),
            (
                "website's page is a file",
                self.rest.contains(".htm") || self.rest.contains(".php"),
            ),
            ("website over https", self.is_https),
        ] {
            if holds {
                shape(sink, VIEW, kind, 1);
            }
        }
        let path = self.rest.split(|c: char| !is_alphabetic(c));
        for word in path
            .filter(|word| word.len() >= SHARED_LETTERS_MIN)
            .take(PATH_WORDS_MAX)
        {
            fact(sink, VIEW, Sort::Personal, "website's path", word);
            emit_offer(word, sink);
        }
        for word in label.split(|c: char| !is_alphabetic(c)).chain(below.split(['.', '-'])) {
            if word.len() >= SHARED_LETTERS_MIN {
                fact(sink, VIEW, Sort::Personal, "website's word", word);
                emit_offer(word, sink);
            }
        }
        // As one word, hyphens and all: a host sets no blanks.
        field.clear();
        field.push_word(label);
        fill_prefix(&field.codes, &mut field.prefix);
        emit_runs(VIEW, field, sink);
    }
}

/// A word of a host or a path, as the same term that it is in a name.
fn emit_offer<S: Sink>(word: &str, sink: &mut S) {
    let raw = word.chars().fold(0_u64, |hash, c| {
        hash.wrapping_mul(BASE).wrapping_add(u64::from(u32::from(c)) + 1)
    });
    sink.field(View::Offer, mix(View::Offer, raw), Sort::Personal, || {
        format!("offer {word}")
    });
}

/// The domain, its suffix, and whether it is the website's.
fn emit_email<S: Sink>(domain: &str, website: Option<&Website>, sink: &mut S) {
    const VIEW: View = View::Email;
    if domain.is_empty() {
        return shape(sink, VIEW, "e-mail left empty", 1);
    }
    fact(sink, VIEW, Sort::Personal, "e-mail at", domain);
    if let Some(suffix) = domain.rsplit('.').next() {
        fact(sink, VIEW, Sort::Shape, "e-mail domain ends in", suffix);
    }
    if let Some(website) = website.filter(|website| !website.host.is_empty()) {
        let is_same = website.domain == domain || website.host == domain;
        shape(sink, VIEW, "e-mail at the website", u32::from(is_same));
    }
}

impl Scratch {
    /// The words of what was read last: tokens with a letter in them.
    fn words(&self) -> impl Iterator<Item = Token> {
        let begins_word = |token: &Token| {
            let code = self.codes[token.start as usize];
            code != LINK && is_letter(code)
        };
        self.tokens.iter().copied().filter(begins_word)
    }

    /// The hashes of words that tell what a text is about.
    fn topic_words(&self) -> impl Iterator<Item = u64> {
        self.words()
            .filter(|token| (token.end - token.start) as usize >= TOPIC_LETTERS_MIN)
            .map(|token| stretch(&self.prefix, token.start as usize, token.end as usize))
    }

    /// The characters of a token.
    fn spelled(&self, token: Token) -> String {
        let codes = &self.codes[token.start as usize..token.end as usize];
        codes.iter().filter_map(|&code| char::from_u32(code)).collect()
    }
}

/// The article that a comment stands under, and the comment that it answers. `None` is what was not sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Article<'a> {
    /// The article's title.
    pub title: Option<&'a str>,
    /// The article's text.
    pub text: Option<&'a str>,
    /// The text that the comment answers.
    pub parent: Option<&'a str>,
}

/// Bytes of an article beyond these are not read.
const ARTICLE_BYTES_MAX: usize = 32_768;
/// Letters of the shortest word that tells what a text is about.
const TOPIC_LETTERS_MIN: usize = 4;

/// Hands out how many words the text shares with the article. `text` has just read the comment's content.
pub fn emit_article<S: Sink>(article: Article<'_>, text: &Scratch, field: &mut Scratch, sink: &mut S) {
    let parts = [article.title, article.text, article.parent];
    if parts.iter().flatten().all(|part| part.trim().is_empty()) {
        return;
    }
    let mut topic: HashSet<u64, FixedState> = HashSet::default();
    for part in parts.into_iter().flatten() {
        field.read(&part[..part.floor_char_boundary(ARTICLE_BYTES_MAX)], &[]);
        fill_prefix(&field.codes, &mut field.prefix);
        topic.extend(field.topic_words());
    }
    if topic.is_empty() {
        return;
    }
    let mut own: Vec<u64> = text.topic_words().collect();
    own.sort_unstable();
    own.dedup();
    let n_shared = own.iter().filter(|word| topic.contains(word)).count();
    let length = bucket(own.len(), &[1, 4, 10, 25]);
    shape(sink, View::Article, "words of the article", count(n_shared).min(4));
    shape(
        sink,
        View::Article,
        "words of the article and own ones",
        8 * length + count(n_shared).min(4),
    );
}
