//! What a letter looks like, and which script it is of.

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

/// Latin letters in another dress that normalisation leaves alone, and the plain one.
const DRESSED: &[(&str, &str)] = &[
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz"),
    ("ɑɡɩɛɔʋɓɗƒꞁɐɘɾʇʌʍʎɯɥ", "agieovbdflaertvwymh"),
];

/// Letters of living alphabets that carry their mark inside, and the letter without it.
const MARKED: (&str, &str) = ("øłđıħŧØŁĐĦŦ", "oldihtOLDHT");

fn find(tables: &[(&str, &str)], c: char) -> Option<char> {
    tables.iter().find_map(|(from, to)| {
        let at = from.chars().position(|other| other == c)?;
        to.chars().nth(at)
    })
}

/// The Latin letter that `c`, of another script, passes for.
pub(super) fn look_alike(c: char) -> Option<char> {
    matches!(c, '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{a640}'..='\u{a69f}')
        .then(|| find(LOOK_ALIKES, c))
        .flatten()
}

/// The plain letter of a Latin letter in fancy dress: small capitals, letters in black squares and circles.
pub(super) fn dressed(c: char) -> Option<char> {
    let nth = |first: u32| char::from_u32('a' as u32 + (c as u32 - first));
    match c {
        '\u{1f150}'..='\u{1f169}' => nth(0x1f150),
        '\u{1f170}'..='\u{1f189}' => nth(0x1f170),
        '\u{180}'..='\u{2af}' | '\u{1d00}'..='\u{1d7f}' | '\u{a720}'..='\u{a7ff}' => find(DRESSED, c),
        _ => None,
    }
}

/// The letter without its inner mark.
pub(super) fn unmarked(c: char) -> Option<char> {
    matches!(c, '\u{d8}'..='\u{17f}').then(|| find(&[MARKED], c)).flatten()
}

/// Is this a character that normalisation turns into a plain letter or digit, and that people do not type?
pub(super) fn is_styled(c: char) -> bool {
    matches!(c,
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}'
        | '\u{1d400}'..='\u{1d7ff}' | '\u{249c}'..='\u{24e9}' | '\u{1f110}'..='\u{1f149}' | '\u{2102}'..='\u{2138}')
}

/// Has no shape of its own.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
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

    /// Is it written without spaces between words?
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
