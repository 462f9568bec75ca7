use proptest::prelude::*;

use super::*;

fn signs(text: &str) -> Vec<Sign> {
    let mut scratch = Scratch::default();
    let cleaned = scratch.read(text, &[]);
    let found = find(&cleaned.text, &mut scratch);
    Sign::ALL.into_iter().filter(|&sign| found.has(sign)).collect()
}

#[test]
fn signs_are_found_in_any_language() {
    use Sign::{Assure, Crypto, Direct, Earn, Handle, Loan, Messenger, Money, Period, Telephone};
    for (text, expected) in [
        (
            "Write me on WhatsApp: +1 555 010 4477",
            [Messenger, Direct, Telephone].as_slice(),
        ),
        ("Earn $500 daily with bitcoin!", &[Money, Earn, Crypto, Period]),
        (
            "Заработок от 5000 руб. в день, пиши в лс",
            &[Direct, Money, Earn, Period],
        ),
        ("加微信 abc，贷款 秒批，保证", &[Messenger, Assure, Loan]),
        (
            "Günlük 500 TL kazanç, telegramdan yazın",
            &[Messenger, Direct, Money, Earn, Period],
        ),
        ("للتواصل واتساب قروض مضمونة", &[Messenger, Direct, Assure, Loan]),
        ("dm @hacker_joe", &[Direct, Sign::Recovery, Handle]),
    ] {
        let found = signs(text);
        for sign in expected {
            assert!(found.contains(sign), "{sign:?} of {text}: {found:?}");
        }
    }
}

#[test]
fn ordinary_words_are_no_signs() {
    for text in [
        "I disagree with the second paragraph.",
        "The minister passed the law in spring",
        "Das Wetter war schön, wir waren wandern",
        "他说的对",
        "Wczoraj padał deszcz",
    ] {
        assert_eq!(signs(text), [], "{text}");
    }
    assert!(
        !signs("alphabet soup").contains(&Sign::Gamble),
        "a short entry is a whole word"
    );
    assert!(signs("place your bet").contains(&Sign::Gamble));
    assert!(!signs("unbuyable").contains(&Sign::Sale), "an entry begins a word");
}

#[test]
fn user_names_and_codes_are_told_from_answers() {
    assert_eq!(signs("@anna_maria2201 das sehe ich auch so"), []);
    assert_eq!(signs("so is it, @anna_maria"), [Sign::Handle]);
    assert_eq!(signs("kfc1145 and 100200"), [Sign::Code, Sign::Number]);
    assert_eq!(signs("in 2015 the 3rd of 27"), []);
}

#[test]
fn disguise_hides_no_sign() {
    assert!(signs("t e l e g r a m").contains(&Sign::Messenger));
    assert!(signs("𝐖𝐡𝐚𝐭𝐬𝐀𝐩𝐩 me").contains(&Sign::Messenger));
    assert!(signs("in your 𝐂𝐀𝐒𝐈𝐍𝐎").contains(&Sign::Disguise));
}

#[test]
fn every_entry_of_the_lexicon_is_looked_for() {
    let mut scratch = Scratch::default();
    let mut sections = [0; Sign::ALL.len()];
    for (sign, entry) in entries_of(WORDS) {
        sections[sign as usize] += 1;
        let text = entry.trim_start_matches('=');
        assert!(!spelled(text, &mut scratch).is_empty(), "nothing is left of {entry:?}");
        assert!(signs(text).contains(&sign), "{entry:?} is no {sign:?}");
    }
    let n_sections = sections.iter().filter(|n| **n > 0).count();
    assert_eq!(n_sections, 23, "signs that the lexicon has words of");
    assert!(LEXICON.automaton.is_some());
    let headers = WORDS.lines().filter(|line| line.starts_with('[')).count();
    assert_eq!(headers, n_sections, "every section is known");
}

proptest! {
    #[test]
    fn more_text_takes_no_sign_away(before in "[a-z ,.]{0,30}", behind in "[a-z ,.]{0,30}") {
        let words = "write me on whatsapp for a loan";
        let all = signs(&format!("{before}. {words} .{behind}"));
        for sign in signs(words) {
            prop_assert!(all.contains(&sign), "{:?}", sign);
        }
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,80}") {
        signs(&text);
    }
}
