//! Writes a text as advertisers do who know that they are read by a machine. Ours; others do otherwise.

/// A sequence of numbers that the seed decides.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn look_alike(c: char) -> Option<char> {
    let at = "aceopxyijsABEHKMOPCTX".chars().position(|other| other == c)?;
    "асеорхуіјѕАВЕНКМОРСТХ".chars().nth(at)
}

fn greek(c: char) -> Option<char> {
    let at = "aeiouvnkptxw".chars().position(|other| other == c)?;
    "αειουνηκρτχω".chars().nth(at)
}

fn leet(c: char) -> Option<char> {
    let at = "aeiost".chars().position(|other| other == c.to_ascii_lowercase())?;
    "@31057".chars().nth(at)
}

fn styled(c: char) -> Option<char> {
    let shift = |from: char, to: u32| char::from_u32(to + c as u32 - from as u32);
    match c {
        'a'..='z' => shift('a', 0x1d41a),
        'A'..='Z' => shift('A', 0x1d400),
        _ => None,
    }
}

fn full_width(c: char) -> Option<char> {
    c.is_ascii_alphanumeric()
        .then(|| char::from_u32(c as u32 + 0xfee0))
        .flatten()
}

/// Disguises words of a text: about two in three of those of four letters or more. Links stay.
pub(crate) fn obfuscate(text: &str, dice: &mut Dice) -> String {
    let way = dice.below(7);
    let mut out = String::new();
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let plain = word.chars().filter(char::is_ascii_alphabetic).count() < 4
            || word.contains("://")
            || word.contains("www.")
            || word.contains('<')
            || word.contains('.');
        if plain || dice.below(3) == 0 {
            out.push_str(word);
            continue;
        }
        for (k, c) in word.chars().enumerate() {
            let other = match way {
                0 => look_alike(c),
                1 => greek(c),
                2 => leet(c).filter(|_| dice.below(2) == 0),
                3 => styled(c),
                4 => full_width(c),
                _ => None,
            };
            if k > 0 && way == 5 && dice.below(2) == 0 {
                out.push('\u{200b}');
            }
            if k > 0 && way == 6 {
                out.push(['.', '-', ' ', '_'][i % 4]);
            }
            out.push(other.unwrap_or(c));
        }
    }
    out
}
