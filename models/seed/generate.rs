//! Generates labeled comments from the grammar files beside this program, as JSON Lines on standard output.
//!
//! ```sh
//! cargo run --release --example seed -- models/seed/*.toml > seed.jsonl
//! ```
//!
//! The same files, count and seed give the same bytes. models/seed/README.md describes the grammar.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use serde::Deserialize;
use serde_json::json;

/// Comments generated from each text of a block, unless `--per-text N` says otherwise.
const PER_TEXT: usize = 4;
/// One spam text in this many is disguised.
const ONE_DISGUISED_IN: u64 = 10;
/// A symbol may stand for texts with symbols, so deep.
const DEPTH_MAX: usize = 24;

type Symbols = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grammar {
    language: String,
    /// Comments generated from each text, where the texts have so many choices that four would waste them.
    per_text: Option<usize>,
    #[serde(default)]
    symbols: Symbols,
    #[serde(default)]
    spam: Vec<Block>,
    #[serde(default)]
    reader: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    kind: String,
    /// Comments of a place without a form: neither website nor e-mail address is known.
    #[serde(default)]
    bare: bool,
    #[serde(default)]
    titles: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    websites: Vec<String>,
    #[serde(default)]
    emails: Vec<String>,
    texts: Vec<String>,
}

/// SplitMix64 (Steele, Lea and Flood 2014): the draws must be the same on every machine and in every version.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        usize::try_from(self.below(all.len() as u64))
            .ok()
            .and_then(|at| all.get(at))
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// One comment being made: symbols in capitals are drawn once for it.
struct Draw<'a> {
    symbols: &'a Symbols,
    random: &'a mut Random,
    bound: BTreeMap<String, String>,
}

impl Draw<'_> {
    /// Replaces every `{symbol}` and `{a|b}` of a text.
    fn expand(&mut self, text: &str, depth: usize) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err(format!("symbols stand for each other without end in {text:?}"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                out.push_str(&rest[..1]);
                rest = &rest[2..];
            } else if rest.starts_with('}') {
                return Err(format!("a brace is closed that was not opened in {text:?}"));
            } else {
                let (choices, n) = choices(rest).ok_or_else(|| format!("a brace is not closed in {text:?}"))?;
                rest = &rest[n..];
                let expanded = match choices.as_slice() {
                    [symbol] => self.symbol(symbol, depth)?,
                    several => {
                        let chosen = self.random.pick(several).copied().unwrap_or_default();
                        self.expand(chosen, depth + 1)?
                    }
                };
                out.push_str(&expanded);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn symbol(&mut self, name: &str, depth: usize) -> Result<String, String> {
        if let Some(drawn) = self.bound.get(name) {
            return Ok(drawn.clone());
        }
        let drawn = match self.symbols.get(name) {
            Some(all) => {
                let chosen = self.random.pick(all).cloned().unwrap_or_default();
                self.expand(&chosen, depth + 1)?
            }
            None => self.built_in(name)?,
        };
        if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            self.bound.insert(name.to_owned(), drawn.clone());
        }
        Ok(drawn)
    }

    /// Symbols that every file may use.
    fn built_in(&mut self, name: &str) -> Result<String, String> {
        let shape = match name {
            "d" => "#",
            "dd" => "##",
            "phone" => *self.random.pick(PHONES).unwrap_or(&""),
            "amount" => *self.random.pick(AMOUNTS).unwrap_or(&""),
            "handle" => *self.random.pick(HANDLES).unwrap_or(&""),
            "badhost" => *self.random.pick(BAD_HOSTS).unwrap_or(&""),
            "badtld" => *self.random.pick(BAD_TLDS).unwrap_or(&""),
            "freemail" => *self.random.pick(FREE_MAIL).unwrap_or(&""),
            "firm" => *self.random.pick(FIRMS).unwrap_or(&""),
            "shorturl" => *self.random.pick(SHORT_LINKS).unwrap_or(&""),
            "newslink" => *self.random.pick(NEWS_LINKS).unwrap_or(&""),
            _ => return Err(format!("there is no symbol {{{name}}}")),
        };
        let mut out = String::new();
        for c in shape.chars() {
            match c {
                '#' => out.push(char::from(b'0' + self.digit())),
                '~' => out.push(char::from(b'a' + u8::try_from(self.random.below(26)).unwrap_or(0))),
                '*' => out.push_str(self.random.pick(SYLLABLES).unwrap_or(&"")),
                '%' => out.push_str(self.random.pick(TRADES).unwrap_or(&"")),
                '^' => out.push_str(self.random.pick(BAD_TLDS).unwrap_or(&"")),
                '=' => out.push_str(self.random.pick(GOOD_TLDS).unwrap_or(&"")),
                _ => out.push(c),
            }
        }
        Ok(out)
    }

    fn digit(&mut self) -> u8 {
        u8::try_from(self.random.below(10)).unwrap_or(0)
    }

    fn one_of(&mut self, all: &[String]) -> Result<Option<String>, String> {
        match self.random.pick(all).cloned() {
            Some(chosen) => self.expand(&chosen, 0).map(Some),
            None => Ok(None),
        }
    }
}

/// The alternatives of the brace that `text` begins with, and its length.
fn choices(text: &str) -> Option<(Vec<&str>, usize)> {
    let (mut depth, mut start) = (0, 1);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    found.push(&text[start..at]);
                    return Some((found, at + 1));
                }
            }
            '|' if depth == 1 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

const PHONES: &[&str] = &[
    "+1 (###) ###-####",
    "+44 7### ######",
    "+234 80# ### ####",
    "+91 9#### #####",
    "0## ### ####",
    "+62 8##-####-####",
    "+7 9## ###-##-##",
    "+49 15# #######",
    "+33 6 ## ## ## ##",
    "+1##########",
    "(###) ###-####",
    "+86 1## #### ####",
    "+55 11 9####-####",
    "+971 5# ### ####",
    "###-###-####",
    "+27 6# ### ####",
];
const AMOUNTS: &[&str] = &[
    "$#,###",
    "$##,###",
    "$###",
    "€#.###",
    "€###",
    "£#,###",
    "##.000 €",
    "#,### USD",
    "####$",
    "$#.#k",
    "##,000 dollars",
];
const HANDLES: &[&str] = &[
    "@**_fx",
    "@**##",
    "@%_**",
    "@**%##",
    "@~~**_%",
    "@mrs_**",
    "@**trade#",
    "@**_support",
    "@**hub",
];
const BAD_HOSTS: &[&str] = &[
    "%-**.^",
    "**%.^",
    "best-%-##.^",
    "www.%%.^",
    "**##.^",
    "%online**.com",
    "my%##.^",
    "%-%.com",
    "**-%.net",
    "the%store.^",
    "**.**.^",
    "%4u.^",
    "top%##.^",
];
const BAD_TLDS: &[&str] = &[
    "xyz", "top", "shop", "icu", "online", "site", "com", "net", "info", "store", "club", "live", "click", "ru", "co",
    "biz", "vip", "buzz", "com", "com", "org", "space", "website", "pro",
];
const GOOD_TLDS: &[&str] = &[
    "com", "com", "net", "org", "me", "io", "dev", "blog", "eu", "co.uk", "de", "ca", "com.au",
];
const FREE_MAIL: &[&str] = &[
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "yahoo.com",
    "hotmail.com",
    "outlook.com",
    "icloud.com",
    "proton.me",
    "aol.com",
    "live.com",
    "gmx.com",
    "mail.com",
    "yandex.com",
    "mail.ru",
];
const FIRMS: &[&str] = &[
    "**.=",
    "****.=",
    "**-**.=",
    "**design.=",
    "studio**.=",
    "***.=",
    "**and**.=",
];
const SHORT_LINKS: &[&str] = &[
    "https://bit.ly/#~~#~~",
    "bit.ly/~~##~",
    "https://tinyurl.com/~~~###",
    "https://t.ly/~#~#",
    "https://is.gd/~~#~~",
    "https://cutt.ly/~~##~",
    "https://rb.gy/~#~~",
];
const NEWS_LINKS: &[&str] = &[
    "https://www.bbc.com/news/world-########",
    "https://www.nytimes.com/20##/0#/1#/us/**-**.html",
    "https://en.wikipedia.org/wiki/**",
    "https://www.theguardian.com/world/20##/**-**",
    "https://youtu.be/~#~~#~~#~",
    "https://www.youtube.com/watch?v=~~#~~#~~~",
    "https://github.com/**/**/issues/###",
    "https://www.reuters.com/world/**-**",
    "https://stackoverflow.com/questions/########/**-**",
    "https://www.washingtonpost.com/politics/**",
];
const SYLLABLES: &[&str] = &[
    "ma", "ro", "lin", "ta", "ken", "vo", "sa", "bel", "ri", "no", "dan", "fe", "lu", "mar", "co", "pe", "tin", "zo",
    "har", "el", "wes", "ton", "bra", "nia", "gre", "ka", "lo", "mi", "ster", "val",
];
const TRADES: &[&str] = &[
    "cheap", "deal", "shop", "loan", "crypto", "pills", "casino", "seo", "trade", "bet", "slot", "replica", "bags",
    "watch", "movers", "vape", "diet", "keto", "herbal", "credit", "invest", "bonus", "luxury", "essay", "iptv",
    "hack", "recovery", "visa", "forex", "gold", "jersey", "shoes", "outlet", "clinic", "escort", "dating", "win",
    "cash", "fund", "agency",
];

/// What stands in a host or before an @: lower case, without marks and blanks.
fn as_address(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'ą' | 'ä' | 'á' | 'à' | 'â' | 'ã' | 'å' | 'Ä' | 'Á' => out.push('a'),
            'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' | 'Ö' | 'Ó' => out.push('o'),
            'ü' | 'ú' | 'ù' | 'û' | 'Ü' | 'Ú' => out.push('u'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' | 'É' => out.push('e'),
            'í' | 'ì' | 'î' | 'ï' | 'ı' | 'İ' => out.push('i'),
            'ç' | 'ć' | 'č' | 'Ç' => out.push('c'),
            'ñ' | 'ń' => out.push('n'),
            'ß' => out.push_str("ss"),
            'ş' | 'ś' | 'š' | 'Ş' => out.push('s'),
            'ł' | 'Ł' => out.push('l'),
            'ğ' | 'Ğ' => out.push('g'),
            'ż' | 'ź' | 'ž' => out.push('z'),
            _ if c.is_ascii_graphic() => out.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    out
}

/// Disguises a text as spammers do: one word or all of them.
fn disguise(text: &str, random: &mut Random) -> String {
    let style = random.below(5);
    let whole = random.one_in(3);
    let mut out = Vec::new();
    for word in text.split(' ') {
        let is_plain = word.len() > 3 && word.chars().all(|c| c.is_ascii_alphanumeric());
        out.push(if is_plain && (whole || random.one_in(3)) {
            dress(word, style)
        } else {
            word.to_owned()
        });
    }
    out.join(" ")
}

fn dress(word: &str, style: u64) -> String {
    let styled = |first_upper: u32, first_lower: u32| {
        let dressed = |c: char| match c {
            'A'..='Z' => char::from_u32(first_upper + (c as u32 - 'A' as u32)),
            'a'..='z' => char::from_u32(first_lower + (c as u32 - 'a' as u32)),
            _ => None,
        };
        word.chars().map(|c| dressed(c).unwrap_or(c)).collect()
    };
    match style {
        0 => styled(0x1d5d4, 0x1d5ee),
        1 => styled(0xff21, 0xff41),
        2 => word.chars().map(String::from).collect::<Vec<_>>().join(" "),
        3 => word.replace('o', "0").replace('i', "1").replace('e', "3"),
        _ => word
            .replace('a', "\u{430}")
            .replace('o', "\u{43e}")
            .replace('e', "\u{435}")
            .replace('c', "\u{441}"),
    }
}

fn write_block(
    out: &mut impl Write,
    grammar: &Grammar,
    (block, is_spam): (&Block, bool),
    titles: &[String],
    per_text: usize,
    random: &mut Random,
) -> Result<(), Box<dyn Error>> {
    for text in &block.texts {
        for _ in 0..per_text {
            let mut draw = Draw {
                symbols: &grammar.symbols,
                random,
                bound: BTreeMap::new(),
            };
            let mut content = draw.expand(text, 0)?;
            let name = draw.one_of(&block.names)?;
            let website = draw.one_of(&block.websites)?.map(|site| as_address(&site));
            let email = draw.one_of(&block.emails)?.map(|email| as_address(&email));
            let title = draw.one_of(if is_spam { titles } else { &block.titles })?;
            if is_spam && random.one_in(ONE_DISGUISED_IN) {
                content = disguise(&content, random);
            }
            let mut row = json!({
                "label": if is_spam { "spam" } else { "ham" },
                "content": content,
                "source": "seed",
                "origin": "written",
                "lang": grammar.language,
                "kind": block.kind,
            });
            for (field, value) in [
                ("author_name", name),
                ("author_url", website.filter(|_| !block.bare)),
                ("author_email", email.filter(|_| !block.bare)),
                ("article_title", title),
            ] {
                if let (Some(value), Some(row)) = (value, row.as_object_mut()) {
                    row.insert(field.to_owned(), value.into());
                }
            }
            writeln!(out, "{row}")?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut paths, mut per_text, mut seed) = (Vec::new(), PER_TEXT, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--per-text" => per_text = arguments.next().ok_or("--per-text takes a number")?.parse()?,
            "--seed" => seed = arguments.next().ok_or("--seed takes a number")?.parse()?,
            _ => paths.push(argument),
        }
    }
    if paths.is_empty() {
        return Err("usage: seed FILE.toml… [--per-text N] [--seed N]; writes JSON Lines to standard output".into());
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for path in &paths {
        let text = std::fs::read_to_string(path).map_err(|error| format!("read {path}: {error}"))?;
        let grammar: Grammar = toml::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        let titles: Vec<String> = grammar.reader.iter().flat_map(|block| block.titles.clone()).collect();
        let mut random = Random(seed);
        let blocks = grammar.spam.iter().map(|block| (block, true));
        for block in blocks.chain(grammar.reader.iter().map(|block| (block, false))) {
            write_block(
                &mut out,
                &grammar,
                block,
                &titles,
                grammar.per_text.unwrap_or(per_text),
                &mut random,
            )
            .map_err(|error| format!("{path}, kind {}: {error}", block.0.kind))?;
        }
    }
    out.flush()?;
    Ok(())
}
