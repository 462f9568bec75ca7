//! The looks of letters, and their scripts.

use std::sync::LazyLock;

/// Letters of other scripts that pass for a Latin one, and the Latin one.
const LOOK_ALIKES: &[(&str, &str)] = &[
    // Cyrillic
    ("авгеёзикмнопрстухѕіјԛԝһԁьяѵґєӏүԍꙅ", "abreeznkmhonpctyxsijqwhdbrvrelygs"),
    ("АВЕКМНОРСТУХЅІЈԚԜҺԌЬЯИӀ", "ABEKMHOPCTYXSIJQWHGBRNI"),
    // Greek
    ("αβγεζηικλμνξοπρσςτυφχωϲϳ", "abyezniklmveonpostufxwcj"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧΣΛΔϹ", "ABEZHIKMNOPTYXSAAC"),
    // Armenian
    ("օոսհցզաղյՏՕՍԼ", "onuhgqwnjSOUL"),
    // Cherokee
    ("ᎪᏴᏟᎠᎬᎶᎻᏆᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᎩᏃ", "ABCDEGHIJKLMPRSTVWYZ"),
];

/// Latin letters in another dress that normalization leaves alone, and the plain one.
const DRESSED: &[(&str, &str)] = &[
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz"),
    ("ɑɡɩɛɔʋɓɗƒꞁɐɘɾʇʌʍʎɯɥ", "agieovbdflaertvwymh"),
];

/// Letters of living alphabets that carry their mark inside, and the letter without it.
const MARKED: (&str, &str) = ("øłđıħŧØŁĐĦŦ", "oldihtOLDHT");

/// Letters with their plain ones, in the order of the letters.
type Pairs = LazyLock<Vec<(char, char)>>;

static PLAIN_OF_LOOK_ALIKE: Pairs = LazyLock::new(|| pairs(LOOK_ALIKES));
static PLAIN_OF_DRESSED: Pairs = LazyLock::new(|| pairs(DRESSED));
static PLAIN_OF_MARKED: Pairs = LazyLock::new(|| pairs(&[MARKED]));

fn pairs(tables: &[(&str, &str)]) -> Vec<(char, char)> {
    let mut pairs: Vec<(char, char)> = tables
        .iter()
        .flat_map(|(from, to)| from.chars().zip(to.chars()))
        .collect();
    pairs.sort_unstable();
    pairs
}

fn find(pairs: &[(char, char)], c: char) -> Option<char> {
    let at = pairs.binary_search_by_key(&c, |&(from, _)| from).ok()?;
    Some(pairs[at].1)
}

/// The Latin letter that `c`, of another script, passes for.
pub(super) fn look_alike(c: char) -> Option<char> {
    matches!(c, '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{a640}'..='\u{a69f}')
        .then(|| find(&PLAIN_OF_LOOK_ALIKE, c))
        .flatten()
}

/// The plain letter of a Latin letter in fancy dress: small capitals, letters in black squares and circles.
pub(super) fn dressed(c: char) -> Option<char> {
    let nth = |first: u32| char::from_u32('a' as u32 + (c as u32 - first));
    match c {
        '\u{1f150}'..='\u{1f169}' => nth(0x1f150),
        '\u{1f170}'..='\u{1f189}' => nth(0x1f170),
        '\u{180}'..='\u{2af}' | '\u{1d00}'..='\u{1d7f}' | '\u{a720}'..='\u{a7ff}' => find(&PLAIN_OF_DRESSED, c),
        _ => None,
    }
}

/// The letter without its inner mark.
pub(super) fn unmarked(c: char) -> Option<char> {
    matches!(c, '\u{d8}'..='\u{17f}')
        .then(|| find(&PLAIN_OF_MARKED, c))
        .flatten()
}

/// Returns true if this is a character that normalization turns into a plain letter or digit, and that people do not
/// type.
pub(super) fn is_styled(c: char) -> bool {
    matches!(c,
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}'
        | '\u{1d400}'..='\u{1d7ff}' | '\u{249c}'..='\u{24e9}' | '\u{1f110}'..='\u{1f149}' | '\u{2102}'..='\u{2138}')
}

/// Returns true if the character has no shape of its own.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

/// Characters below this stand in tables: all living alphabets.
const N_IN_TABLE: u32 = 0x3000;

/// A property of each character below [`N_IN_TABLE`], a bit each.
#[derive(Debug)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn new(has: impl Fn(char) -> bool) -> Self {
        let bit = |code: u32| u64::from(char::from_u32(code).is_some_and(&has)) << (code % 64);
        let word = |first: u32| (first..first + 64).map(bit).sum();
        Self((0..N_IN_TABLE / 64).map(|word_at| word(word_at * 64)).collect())
    }

    /// `None` for characters that stand in no table.
    #[inline]
    pub(super) fn get(&self, c: char) -> Option<bool> {
        let code = c as u32;
        self.0.get(code as usize / 64).map(|word| word >> (code % 64) & 1 == 1)
    }
}

static ALPHABETIC: LazyLock<Bits> = LazyLock::new(|| Bits::new(char::is_alphabetic));
static ALPHANUMERIC: LazyLock<Bits> = LazyLock::new(|| Bits::new(char::is_alphanumeric));

/// As `char::is_alphabetic`, which searches for what is no ASCII: a long text of those would cost milliseconds.
#[inline]
pub(super) fn is_alphabetic(c: char) -> bool {
    c.is_ascii_alphabetic()
        || (!c.is_ascii() && (is_syllable(c) || ALPHABETIC.get(c).unwrap_or_else(|| c.is_alphabetic())))
}

/// As `char::is_alphanumeric`, in the same way.
#[inline]
pub(super) fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || (!c.is_ascii() && (is_syllable(c) || ALPHANUMERIC.get(c).unwrap_or_else(|| c.is_alphanumeric())))
}

/// One of the many characters of Han and Hangul.
#[inline]
pub(super) const fn is_syllable(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// Scripts as the reading tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Script {
    Latin,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Indic,
    Thai,
    Hangul,
    Kana,
    Han,
    Other,
}

impl Script {
    pub(super) const ALL: [Self; 11] = [
        Self::Latin,
        Self::Greek,
        Self::Cyrillic,
        Self::Hebrew,
        Self::Arabic,
        Self::Indic,
        Self::Thai,
        Self::Hangul,
        Self::Kana,
        Self::Han,
        Self::Other,
    ];

    /// The script of a letter.
    pub(super) fn of(c: char) -> Self {
        match c {
            '\0'..='\u{36f}' | '\u{1d00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}' => {
                Self::Latin
            }
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Self::Greek,
            '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{a640}'..='\u{a69f}' => Self::Cyrillic,
            '\u{590}'..='\u{5ff}' => Self::Hebrew,
            '\u{600}'..='\u{7ff}' | '\u{8a0}'..='\u{8ff}' | '\u{fb50}'..='\u{feff}' => Self::Arabic,
            '\u{900}'..='\u{dff}' => Self::Indic,
            '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Self::Thai,
            '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7af}' => Self::Hangul,
            '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' => Self::Kana,
            '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Self::Han,
            _ => Self::Other,
        }
    }

    /// Returns true if it is written without spaces between words.
    pub(super) fn is_unspaced(self) -> bool {
        matches!(self, Self::Thai | Self::Kana | Self::Han)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_as_long_on_both_sides() {
        for (from, to) in LOOK_ALIKES.iter().chain(DRESSED).chain([&MARKED]) {
            assert_eq!(from.chars().count(), to.chars().count(), "{from}");
            assert!(to.is_ascii());
        }
    }

    #[test]
    fn letters_are_those_of_unicode() {
        for c in '\0'..=char::MAX {
            assert_eq!(is_alphabetic(c), c.is_alphabetic(), "{c:?}");
            assert_eq!(is_alphanumeric(c), c.is_alphanumeric(), "{c:?}");
        }
    }

    #[test]
    fn tables_are_reached_through_their_ranges() {
        for (from, _) in LOOK_ALIKES {
            assert!(from.chars().all(|c| look_alike(c).is_some()), "{from}");
        }
        for (from, _) in DRESSED {
            assert!(from.chars().all(|c| dressed(c).is_some()), "{from}");
        }
        assert!(MARKED.0.chars().all(|c| unmarked(c).is_some()));
    }
}
