//! The signs of an offer in a text: how its readers are to answer, what it promises, and what trade it is in.
//!
//! An advertisement names a messenger, a price, a guarantee and a trade, in whatever language. The words differ from
//! one language to another, but what comes together does not: a sign stands for the words of some thirty languages
//! (`lexicon.txt`), so that what is learned of one language's advertisements holds for those of the others. A reader
//! writes each of these words as well; that is why every pair of signs is a term of its own.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::hash::mix;
use super::letters::{Script, is_alphabetic};
use super::stream::{EMAIL, LINK, Scratch, Token};
use super::view::{Sink, View};

/// One sign of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Sign {
    /// A messenger or a network is named.
    Messenger,
    /// Readers are asked to write or to call.
    Direct,
    /// Readers are sent to a profile, a page or a search.
    Pointer,
    /// Readers are asked to join, to register or to follow.
    Join,
    /// Something is for sale.
    Sale,
    /// Something is free, or a bonus.
    Free,
    /// Something is guaranteed or called trustworthy.
    Assure,
    /// Somebody is thanked or recommended for help.
    Testimony,
    /// An amount of money.
    Money,
    /// Income, investments, jobs.
    Earn,
    /// Digital currencies.
    Crypto,
    /// Loans and debts.
    Loan,
    /// Games of chance and bets.
    Gamble,
    /// Remedies and diets.
    Cure,
    /// Identity papers, certificates, counterfeits.
    Papers,
    /// Spells and fortune-telling.
    Magic,
    /// Erotic offers.
    Adult,
    /// Services for hire, links and followers among them.
    Service,
    /// Money or accounts to be recovered, hackers for hire.
    Recovery,
    /// An article is praised.
    Praise,
    /// The blog or the website is spoken of.
    Blog,
    /// By day, week or month.
    Period,
    /// An address spelled out so that no link is seen.
    Spelled,
    /// A name with an @ before it.
    Handle,
    /// A telephone number.
    Telephone,
    /// An e-mail address.
    Address,
    /// A link.
    Link,
    /// A percentage.
    Percent,
    /// A word of letters and digits, as user names and codes are.
    Code,
    /// A number of five digits or more.
    Number,
    /// Letters in disguise: styled, borrowed from another script, set apart, replaced by digits.
    Disguise,
}

impl Sign {
    /// All signs, in the order of their numbers.
    const ALL: [Self; 31] = [
        Self::Messenger,
        Self::Direct,
        Self::Pointer,
        Self::Join,
        Self::Sale,
        Self::Free,
        Self::Assure,
        Self::Testimony,
        Self::Money,
        Self::Earn,
        Self::Crypto,
        Self::Loan,
        Self::Gamble,
        Self::Cure,
        Self::Papers,
        Self::Magic,
        Self::Adult,
        Self::Service,
        Self::Recovery,
        Self::Praise,
        Self::Blog,
        Self::Period,
        Self::Spelled,
        Self::Handle,
        Self::Telephone,
        Self::Address,
        Self::Link,
        Self::Percent,
        Self::Code,
        Self::Number,
        Self::Disguise,
    ];

    /// The sign as explanations spell it.
    const fn phrase(self) -> &'static str {
        match self {
            Self::Messenger => "a messenger",
            Self::Direct => "a request to write or call",
            Self::Pointer => "a pointer to a page or profile",
            Self::Join => "an invitation to join",
            Self::Sale => "something for sale",
            Self::Free => "something for free",
            Self::Assure => "a guarantee",
            Self::Testimony => "a recommendation of somebody",
            Self::Money => "an amount of money",
            Self::Earn => "talk of income",
            Self::Crypto => "digital currencies",
            Self::Loan => "loans",
            Self::Gamble => "gambling",
            Self::Cure => "remedies",
            Self::Papers => "identity papers",
            Self::Magic => "spells",
            Self::Adult => "erotic offers",
            Self::Service => "services for hire",
            Self::Recovery => "recovery of money or accounts",
            Self::Praise => "praise of an article",
            Self::Blog => "talk of the blog",
            Self::Period => "a rate by day, week or month",
            Self::Spelled => "an address spelled out",
            Self::Handle => "a user name behind an @",
            Self::Telephone => "a telephone number",
            Self::Address => "an e-mail address",
            Self::Link => "a link",
            Self::Percent => "a percentage",
            Self::Code => "a word of letters and digits",
            Self::Number => "a long number",
            Self::Disguise => "letters in disguise",
        }
    }

    /// The sign of a section of the lexicon.
    fn of_section(name: &str) -> Option<Self> {
        Some(match name {
            "messenger" => Self::Messenger,
            "direct" => Self::Direct,
            "pointer" => Self::Pointer,
            "join" => Self::Join,
            "sale" => Self::Sale,
            "free" => Self::Free,
            "assure" => Self::Assure,
            "testimony" => Self::Testimony,
            "money" => Self::Money,
            "earn" => Self::Earn,
            "crypto" => Self::Crypto,
            "loan" => Self::Loan,
            "gamble" => Self::Gamble,
            "cure" => Self::Cure,
            "papers" => Self::Papers,
            "magic" => Self::Magic,
            "adult" => Self::Adult,
            "service" => Self::Service,
            "recovery" => Self::Recovery,
            "praise" => Self::Praise,
            "blog" => Self::Blog,
            "period" => Self::Period,
            "spelled" => Self::Spelled,
            _ => return None,
        })
    }
}

/// The words of each sign.
const WORDS: &str = include_str!("lexicon.txt");

/// Entries of fewer letters stand for whole words only: too many other words begin with them.
const PREFIX_LETTERS_MIN: usize = 4;

/// Digits, percent signs and the sign before a user name in the stream.
const DIGIT: u32 = b'0' as u32;
const PERCENT: u32 = b'%' as u32;
const AT: u32 = b'@' as u32;
/// Bytes of the shortest user name behind an @.
const HANDLE_BYTES_MIN: usize = 4;

/// The lexicon, ready to be looked for.
struct Lexicon {
    automaton: Option<AhoCorasick>,
    entries: Vec<Entry>,
}

/// The meaning of the automaton's pattern of the same number.
struct Entry {
    sign: Sign,
    /// The characters that must not stand beside it.
    bounds: Bounds,
}

/// The bounds of a word around an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bounds {
    /// Anywhere: a script that sets no blanks between words, or writes prefixes.
    None,
    /// A word begins with it.
    Prefix,
    /// A word is it.
    Whole,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(WORDS));

impl Lexicon {
    fn read(words: &str) -> Self {
        let (mut patterns, mut entries) = (Vec::new(), Vec::new());
        let mut scratch = Scratch::default();
        for (sign, entry) in entries_of(words) {
            let (is_whole, text) = entry.strip_prefix('=').map_or((false, entry), |rest| (true, rest));
            let pattern = spelled(text, &mut scratch);
            if !pattern.is_empty() {
                let bounds = Bounds::of(&pattern, is_whole);
                patterns.push(pattern);
                entries.push(Entry { sign, bounds });
            }
        }
        // A DFA would be faster and take 16 MB.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&patterns);
        Self {
            automaton: automaton.ok(),
            entries,
        }
    }
}

/// The entries of a lexicon with their signs.
fn entries_of(words: &str) -> impl Iterator<Item = (Sign, &str)> {
    let mut sign = None;
    words
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(','))
        .filter_map(move |entry| {
            let entry = entry.trim();
            match entry
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(Sign::of_section)
            {
                Some(named) => {
                    sign = Some(named);
                    None
                }
                None => sign.filter(|_| !entry.is_empty()).map(|sign| (sign, entry)),
            }
        })
}

/// A text as the stream spells it, without the blanks around it.
fn spelled(text: &str, scratch: &mut Scratch) -> String {
    scratch.read(text, &[]);
    let mut spelled = String::new();
    spell(scratch, &mut spelled);
    spelled.trim().to_owned()
}

fn spell(scratch: &Scratch, into: &mut String) {
    into.clear();
    into.extend(scratch.codes.iter().filter_map(|&code| char::from_u32(code)));
}

impl Bounds {
    fn of(pattern: &str, is_whole: bool) -> Self {
        let mut letters = pattern.chars().filter(|&c| is_alphabetic(c)).peekable();
        let Some(&first) = letters.peek() else {
            return Self::Prefix;
        };
        let script = Script::of(first);
        if script.is_unspaced() && !first.is_ascii() {
            return if is_whole { Self::Whole } else { Self::None };
        }
        let n_letters = letters.count();
        if is_whole || (n_letters < PREFIX_LETTERS_MIN && script != Script::Hangul) {
            Self::Whole
        } else if matches!(script, Script::Arabic | Script::Hebrew) {
            Self::None
        } else {
            Self::Prefix
        }
    }

    /// True if an entry may stand at these bytes of the text.
    fn hold(self, text: &str, start: usize, end: usize) -> bool {
        let before = || text[..start].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let behind = || text[end..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        match self {
            Self::None => true,
            Self::Prefix => before(),
            Self::Whole => before() && behind(),
        }
    }
}

/// The signs of one text, with the place of each one's first word in the stream.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    /// A bit for each sign.
    signs: u32,
    at: [Option<(u32, u32)>; Sign::ALL.len()],
}

impl Found {
    fn has(&self, sign: Sign) -> bool {
        self.signs >> sign as u32 & 1 == 1
    }

    fn add(&mut self, sign: Sign, at: Option<(u32, u32)>) {
        if !self.has(sign) {
            self.signs |= 1 << sign as u32;
            self.at[sign as usize] = at;
        }
    }
}

/// Names of terms of a sign, or of two, begin so; the rest is English.
pub(crate) const SIGN: &str = "sign: ";
/// The name of the term that says how many signs there are begins so; the rest is a number.
pub(crate) const NUMBER_OF_SIGNS: &str = "number of signs ";

/// More signs than this are counted as this many.
const COUNTED_MAX: u32 = 9;

/// Hands out each sign of the cleaned text that was read last, each pair of them, and how many there are.
pub(super) fn emit_signs<S: Sink>(cleaned: &str, scratch: &mut Scratch, sink: &mut S) {
    let found = find(cleaned, scratch);
    // Of two signs the first one has the place: both have their own term.
    let place = |sign: Sign| {
        let (start, end) = found.at[sign as usize]?;
        let at = |code: u32| scratch.at.get(code as usize).map(|&at| at as usize);
        at(start).zip(at(end))
    };
    let present = || Sign::ALL.into_iter().filter(|&sign| found.has(sign));
    for first in present() {
        let raw = 1 + first as u64;
        sink.fact(View::Signs, mix(View::Signs, raw), place(first), || {
            format!("{SIGN}{}", first.phrase())
        });
        for second in present().filter(|&second| (second as u8) > first as u8) {
            let raw = raw << 8 | (1 + second as u64);
            sink.fact(View::Signs, mix(View::Signs, raw), place(first), || {
                format!("{SIGN}{} with {}", first.phrase(), second.phrase())
            });
        }
    }
    // Also where there is none: a text that was read has a term of this view, one that was not has none.
    let n = found.signs.count_ones().min(COUNTED_MAX);
    sink.fact(
        View::Signs,
        mix(View::Signs, u64::from(n) << 32 | 1 << 24),
        None,
        || format!("{NUMBER_OF_SIGNS}{n}"),
    );
}

fn find(cleaned: &str, scratch: &mut Scratch) -> Found {
    let mut found = Found::default();
    let mut text = std::mem::take(&mut scratch.spelled);
    spell(scratch, &mut text);
    if let Some(automaton) = &LEXICON.automaton {
        for one in automaton.find_overlapping_iter(text.as_str()) {
            let entry = &LEXICON.entries[one.pattern().as_usize()];
            if !found.has(entry.sign) && entry.bounds.hold(&text, one.start(), one.end()) {
                let at = (codes(&text[..one.start()]), codes(&text[..one.end()]));
                found.add(entry.sign, Some(at));
            }
        }
    }
    scratch.spelled = text;
    let mut handle_end = 0;
    for (i, token) in scratch.tokens.iter().enumerate() {
        let at = Some((token.start, token.end));
        let start = scratch.at[token.start as usize] as usize;
        match scratch.codes[token.start as usize] {
            LINK => found.add(Sign::Link, at),
            EMAIL => found.add(Sign::Address, at),
            PERCENT => found.add(Sign::Percent, at),
            AT => {
                let behind = scratch.at[token.end as usize - 1] as usize + 1;
                let name = cleaned.as_bytes()[behind..].iter().take_while(|b| is_of_handle(**b));
                let n = name.count();
                handle_end = behind + n;
                // In front of a text stands who is answered.
                if i > 0 && n >= HANDLE_BYTES_MIN {
                    found.add(Sign::Handle, at);
                }
            }
            _ if start >= handle_end => {
                if let Some(sign) = sign_of_digits(scratch.digits(cleaned, *token)) {
                    found.add(sign, at);
                }
            }
            _ => {}
        }
    }
    if scratch.shape.n_phones > 0 {
        found.add(Sign::Telephone, None);
    }
    if scratch.shape.n_disguises() > 0 {
        found.add(Sign::Disguise, None);
    }
    found
}

/// True for a byte of a user name.
const fn is_of_handle(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')
}

/// The sign of a token of so many letters and digits.
const fn sign_of_digits((n_letters, n_digits): (usize, usize)) -> Option<Sign> {
    match n_digits {
        5.. if n_letters == 0 => Some(Sign::Number),
        2.. if n_letters > 0 => Some(Sign::Code),
        _ => None,
    }
}

fn codes(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

impl Scratch {
    /// The number of letters and of digits of a token with a digit in the text; the stream shortens runs of digits.
    fn digits(&self, cleaned: &str, token: Token) -> (usize, usize) {
        let own = token.start as usize..token.end as usize;
        if !self.codes[own].contains(&DIGIT) {
            return (0, 0);
        }
        let rest = &cleaned.as_bytes()[self.at[token.start as usize] as usize..];
        let word = rest.iter().take_while(|b| b.is_ascii_alphanumeric());
        word.fold((0, 0), |(n_letters, n_digits), b| {
            let is_digit = b.is_ascii_digit();
            (n_letters + usize::from(!is_digit), n_digits + usize::from(is_digit))
        })
    }
}

#[cfg(test)]
mod tests;
