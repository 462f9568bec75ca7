//! Unicode as it was meant: one spelling of every letter, nothing invisible, no borrowed letters.
//!
//! ASCII without entities is left as it is, which is the fast path: most comments take it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::decompose_canonical;

use super::letters::{
    Bits, Script, dressed, is_alphabetic, is_invisible, is_styled, is_syllable, look_alike, unmarked,
};
use super::links;
use super::markup::{self, Tags};

/// A cleaned text. Case is kept: capitals are evidence.
#[derive(Debug, Clone)]
pub struct Clean<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// The origin of each byte of `text`, and of its end; `None` if nothing moved.
    origin: Option<Vec<u32>>,
    /// The counts of what was undone.
    pub undone: Undone,
}

/// The counts of what was undone that readers do not do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Undone {
    /// Invisible characters between letters.
    pub invisible: u32,
    /// Letters in fancy dress: full width, mathematical, circled.
    pub styled: u32,
    /// Words that mixed look-alike letters of another script with Latin ones, or consisted of them.
    pub look_alike: u32,
}

impl Clean<'_> {
    /// The origin of byte `at` of the cleaned text.
    pub(super) fn origin(&self, at: usize) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
        self.origin
            .as_ref()
            .map_or(at as u32, |origin| origin.get(at).copied().unwrap_or(u32::MAX))
    }

    /// The place of bytes of the cleaned text in `content`, which it was made of, on character boundaries.
    pub(super) fn range(&self, content: &str, start: usize, end: usize) -> Range<usize> {
        let start = (self.origin(start) as usize).min(content.len());
        // The end of the last character, not the beginning of the next: what was left out between them is not meant.
        let last = self.text[..end.min(self.text.len())].char_indices().next_back();
        let last = last.map_or(start, |(at, _)| self.origin(at) as usize);
        let len = content.get(last..).and_then(|rest| {
            let entity = markup::entity(rest).map(|(_, n)| n);
            entity.or_else(|| rest.chars().next().map(char::len_utf8))
        });
        start..(last + len.unwrap_or(0)).max(start)
    }
}

/// Cleans a text. Cleaning twice is cleaning once.
pub fn clean(content: &str) -> Clean<'_> {
    if content.is_ascii() && !content.contains('&') {
        return Clean {
            text: Cow::Borrowed(content),
            origin: None,
            undone: Undone::default(),
        };
    }
    let mut undone = Undone::default();
    let mut letters = compose(content, &mut undone);
    fold_look_alikes(&mut letters, &mut undone);
    let mut text = String::with_capacity(content.len());
    let mut origin = Vec::with_capacity(content.len() + 1);
    for (c, at) in letters {
        text.push(c);
        origin.resize(text.len(), at);
    }
    #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
    origin.push(content.len() as u32);
    Clean {
        text: Cow::Owned(text),
        origin: Some(origin),
        undone,
    }
}

/// Entities, invisible characters, compatibility forms and marks: every character with its place in the original.
fn compose(content: &str, undone: &mut Undone) -> Vec<(char, u32)> {
    let mut out: Vec<(char, u32)> = Vec::with_capacity(content.len());
    let mut hidden = false;
    let mut next = 0;
    while let Some(mut c) = content[next..].chars().next() {
        #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
        let at = next as u32;
        next += c.len_utf8();
        if c == '&'
            && let Some((meant, n)) = markup::entity(&content[at as usize..])
        {
            c = meant;
            next = at as usize + n;
        }
        if c.is_ascii() {
            undone.invisible += u32::from(hidden && c.is_ascii_alphabetic());
            hidden = false;
            out.push((c, at));
        } else if is_invisible(c) {
            // Between emoji and in scripts that join their letters it is spelling; in Latin it is hiding.
            hidden = out.last().is_some_and(|(last, _)| last.is_ascii_alphabetic());
        } else if !matches!(c, '\u{300}'..='\u{36f}') {
            undone.styled += u32::from(is_styled(c));
            hidden = false;
            plain(c, undone, &mut |c| out.push((c, at)));
        }
    }
    without_new_entities(&mut out);
    out
}

/// Takes the ampersands out that begin an entity only now: something stood between it and the rest, or the rest was
/// spelled otherwise. No page shows that character, and reading again would find another text.
fn without_new_entities(letters: &mut Vec<(char, u32)>) {
    if !letters.iter().any(|&(c, _)| c == '&') {
        return;
    }
    let mut piece = String::new();
    // From the end, for what stands behind an ampersand that is taken out is read with the one before it.
    let mut kept = letters.len();
    for at in (0..letters.len()).rev() {
        let letter = letters[at];
        let rest = letters[kept..].iter().map(|&(c, _)| c);
        let may_begin = |c: char| c == '#' || c.is_ascii_lowercase();
        if letter.0 == '&' && rest.clone().next().is_some_and(may_begin) {
            piece.clear();
            piece.push('&');
            piece.extend(rest.take(markup::ENTITY_BYTES_MAX));
            if markup::entity(&piece).is_some() {
                continue;
            }
        }
        kept -= 1;
        letters[kept] = letter;
    }
    letters.drain(..kept);
}

/// One character in its plain spelling: NFKC, and without the marks of Latin, Greek and Cyrillic letters.
fn plain(c: char, undone: &mut Undone, push: &mut dyn FnMut(char)) {
    if is_syllable(c) || IS_PLAIN.get(c) == Some(true) {
        return push(c);
    }
    normalize(c, undone, push);
}

/// Characters that are their own plain spelling.
static IS_PLAIN: LazyLock<Bits> = LazyLock::new(|| {
    Bits::new(|c| {
        let (mut n, mut same, mut undone) = (0, true, Undone::default());
        normalize(c, &mut undone, &mut |plain| {
            n += 1;
            same &= plain == c;
        });
        n == 1 && same && undone == Undone::default()
    })
});

fn normalize(c: char, undone: &mut Undone, push: &mut dyn FnMut(char)) {
    for c in std::iter::once(c).nfkc() {
        if let Some(letter) = dressed(c) {
            undone.styled += 1;
            push(letter);
            continue;
        }
        let (mut base, mut only_marks) = (c, true);
        let mut first = true;
        decompose_canonical(c, |part| {
            if first {
                base = part;
                first = false;
            } else {
                only_marks &= matches!(part, '\u{300}'..='\u{36f}');
            }
        });
        let letter = if only_marks { base } else { c };
        if !is_invisible(letter) && !matches!(letter, '\u{300}'..='\u{36f}' | '&') {
            push(unmarked(letter).unwrap_or(letter));
        }
    }
}

/// Turns borrowed letters into the Latin ones that they pass for: in words that mix them with Latin letters, and in
/// words made only of them if the text is otherwise written in Latin.
fn fold_look_alikes(letters: &mut [(char, u32)], undone: &mut Undone) {
    if !letters.iter().any(|&(c, _)| look_alike(c).is_some()) {
        return;
    }
    // Mixed words first, whatever stands around them: the counts below are then the same before folding as after it, so
    // that folding twice is folding once.
    let mut n_mixed = 0;
    let mut start = 0;
    while let Some((from, end)) = next_word(letters, start) {
        start = end;
        let word = &mut letters[from..end];
        if word.iter().any(|(c, _)| c.is_ascii()) && word.iter().any(|(c, _)| look_alike(*c).is_some()) {
            n_mixed += 1;
            fold(word);
        }
    }
    undone.look_alike += n_mixed;
    let is_markup = markup_of(letters);
    let mut masked: Vec<(usize, usize)> = Vec::new();
    let mut n_latin = 0;
    let mut is_written = [false; Script::ALL.len()];
    start = 0;
    while let Some((from, end)) = next_word(letters, start) {
        start = end;
        let word = &letters[from..end];
        if word.iter().all(|(c, _)| look_alike(*c).is_some()) {
            masked.push((from, end));
        } else if !is_markup[from] {
            n_latin += usize::from(word.iter().any(|(c, _)| c.is_ascii()));
            for (c, _) in word.iter().filter(|(c, _)| look_alike(*c).is_none()) {
                is_written[Script::of(*c) as usize] = true;
            }
        }
    }
    // Readers of other scripts write Latin names and links among their words, and hardly write a text without a letter
    // that no Latin one looks like. One such letter, and the script is meant.
    let in_latin = n_latin > 0 && (n_mixed > 0 || n_latin > masked.len());
    for (from, end) in masked {
        if in_latin && !is_written[Script::of(letters[from].0) as usize] {
            undone.look_alike += 1;
            fold(&mut letters[from..end]);
        }
    }
}

/// The next run of letters.
fn next_word(letters: &[(char, u32)], start: usize) -> Option<(usize, usize)> {
    let from = start + letters[start..].iter().position(|(c, _)| is_alphabetic(*c))?;
    let n = letters[from..].iter().take_while(|(c, _)| is_alphabetic(*c)).count();
    Some((from, from + n))
}

fn fold(word: &mut [(char, u32)]) {
    for (c, _) in word {
        *c = look_alike(*c).unwrap_or(*c);
    }
}

/// Marks the characters of links and tags: in Latin whatever the text is written in.
fn markup_of(letters: &[(char, u32)]) -> Vec<bool> {
    let text: String = letters.iter().map(|&(c, _)| c).collect();
    let mut spans = Vec::new();
    links::find(&text, &mut spans);
    let mut spans = spans.into_iter().map(|span| (span.start, span.end)).peekable();
    let mut tags = Tags::new(&text);
    let mut until = 0;
    text.char_indices()
        .map(|(at, c)| {
            while let Some((_, end)) = spans.next_if(|&(start, _)| start <= at) {
                until = until.max(end);
            }
            if at >= until
                && matches!(c, '<' | '[')
                && let Some((_, n)) = tags.at(at)
            {
                until = at + n;
            }
            at < until
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: &str) -> Undone {
        let cleaned = clean(content);
        assert_eq!(cleaned.text, expected);
        assert_eq!(clean(&cleaned.text).text, expected, "twice");
        cleaned.undone
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert_eq!(check("Hello, World!", "Hello, World!"), Undone::default());
        assert_eq!(check("Привет, мир", "Привет, мир"), Undone::default());
        assert_eq!(check("水微晶玻尿酸", "水微晶玻尿酸"), Undone::default());
        assert_eq!(check("한국어", "한국어"), Undone::default());
        assert_eq!(check("für Müller – ça va", "fur Muller – ca va"), Undone::default());
    }

    #[test]
    fn obfuscation_is_undone_and_counted() {
        assert_eq!(check("frее vіdео", "free video").look_alike, 2);
        assert_eq!(check("рау here now", "pay here now").look_alike, 1);
        assert_eq!(check("v\u{200b}i\u{200b}deo", "video").invisible, 2);
        assert_eq!(check("ｆｒｅｅ 𝐯𝐢𝐝𝐞𝐨", "free video").styled, 9);
        assert_eq!(check("ꜰʀᴇᴇ 🅲🅰🆂🅷", "free cash").styled, 8);
        assert_eq!(check("f\u{301}r\u{308}ee", "free"), Undone::default());
        assert_eq!(check("&lt;a&gt; &amp;amp; b", "<a> & b"), Undone::default());
    }

    #[test]
    fn cleaning_makes_no_entities() {
        check("a &\u{358}#x404e; b", "a #x404e; b");
        check("a &#\u{200b}65; b", "a #65; b");
        check("a &\u{ff03}65; b", "a #65; b");
        check("a &&#35;65; b", "a #65; b");
        check("a &amp;\u{301}amp;#65; b", "a amp;#65; b");
        check("a &&&\u{301}lt; b", "a lt; b");
        check("a &\u{301}b; & &\u{301} R&\u{301}D", "a &b; & & R&D");
    }

    #[test]
    fn words_of_another_script_among_links_and_latin_names_are_no_disguise() {
        for content in [
            "Не согласен с автором: https://www.bbc.com/russian/features-39000000 и http://a.example/b/c/d",
            "Интересно, но не ново <a href=\"https://ru.wikipedia.org/wiki/Python\">Python</a>",
            "Автор прав, но Python тут ни при чем, а вот Ruby, Perl, Java and so on and so forth, да",
            "Спасибо! see https://habr.com/ru/post/12345/ и мир",
        ] {
            let cleaned = clean(content);
            assert_eq!(cleaned.undone, Undone::default(), "{content}");
            assert_eq!(clean(&cleaned.text).text, cleaned.text, "{content}");
        }
        // The disguise of one script is undone although another one is meant.
        assert_eq!(check("рау here now 水を飲む", "pay here now 水を飲む").look_alike, 1);
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let cleaned = clean("é&amp;\u{200b}ｘ");
        assert_eq!(cleaned.text, "e&x");
        assert_eq!([0, 1, 2, 3].map(|at| cleaned.origin(at)), [0, 2, 10, 13]);
    }
}
