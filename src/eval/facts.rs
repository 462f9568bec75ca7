//! The properties that a report slices by, read from a comment's text alone: its length, its script, whether it links.

use linkify::{LinkFinder, LinkKind};
use unicode_script::{Script, UnicodeScript};

/// The length of a text, in characters, as a range.
pub(super) fn length(text: &str) -> &'static str {
    match text.chars().count() {
        0..40 => "under 40 characters",
        40..160 => "40 to 159",
        160..640 => "160 to 639",
        _ => "640 and more",
    }
}

/// The order in which lengths are shown.
pub(super) const LENGTHS: [&str; 4] = ["under 40 characters", "40 to 159", "160 to 639", "640 and more"];

/// The script that most of a text's letters are of, by its Unicode name; "no letters" if there are none.
pub(super) fn script(text: &str) -> &'static str {
    let mut counts: Vec<(Script, usize)> = Vec::new();
    for script in text
        .chars()
        .filter(|c| c.is_alphabetic())
        .take(1000)
        .map(|c| c.script())
    {
        match counts.iter_mut().find(|(known, _)| *known == script) {
            Some((_, count)) => *count += 1,
            None => counts.push((script, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    let dominant = counts.iter().find(|(_, count)| Some(*count) == most);
    dominant.map_or("no letters", |(script, _)| script.full_name())
}

/// Returns true if a text holds a link, with or without `https://`.
pub(super) fn has_link(text: &str) -> bool {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]).url_must_have_scheme(false);
    finder.links(text).next().is_some()
}

/// A text's shape, for reports that others may read: letters become x, X or o (a script without case), digits 0;
/// marks, spaces and the place of links stay. Cut at `chars_max`.
pub(super) fn shape(text: &str, chars_max: usize) -> String {
    let redacted = |c: char| match c {
        c if c.is_numeric() => '0',
        c if c.is_uppercase() => 'X',
        c if c.is_lowercase() => 'x',
        c if c.is_alphabetic() => 'o',
        c => c,
    };
    one_line(text, chars_max).chars().map(redacted).collect()
}

/// A text without what could drive a terminal or turn a line round: control characters and the marks of direction.
pub(super) fn harmless(text: &str) -> String {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// A text on one line, harmless, cut at `chars_max`.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.chars().count() > chars_max {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > chars_max {
        line = line.chars().take(chars_max).chain(['…']).collect();
    }
    harmless(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_of_most_letters() {
        for (text, expected) in [
            ("Hello мир", "Latin"),
            ("привет, ok", "Cyrillic"),
            ("良い記事 a", "Han"),
            ("12 :-)", "no letters"),
            ("", "no letters"),
        ] {
            assert_eq!(script(text), expected, "{text}");
        }
    }

    #[test]
    fn links_with_and_without_a_scheme() {
        for (text, expected) in [
            ("see https://example.org/a", true),
            ("see example.com now", true),
            ("no link. None", false),
            ("a@example.org", false),
        ] {
            assert_eq!(has_link(text), expected, "{text}");
        }
    }

    #[test]
    fn shapes_tell_nothing_but_shape() {
        assert_eq!(shape("Call Ann:\n+49 30 Straße 記", 100), "Xxxx Xxx: +00 00 Xxxxxx o");
        assert_eq!(shape("abcdef", 3), "xxx…");
    }

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\u{202e}c", 100), "a\u{fffd}[31mb\u{fffd}c");
    }

    #[test]
    fn every_length_is_shown() {
        for n in [0, 39, 40, 159, 160, 639, 640, 5000] {
            assert!(LENGTHS.contains(&length(&"a".repeat(n))));
        }
    }
}
