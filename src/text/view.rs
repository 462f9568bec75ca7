//! The views of a comment, and the sink that takes their terms.

/// One way of reading a comment, with its own naive Bayes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum View {
    /// Words, links, signs.
    Words,
    /// Two in a row.
    Pairs,
    /// Three in a row.
    Triples,
    /// Three characters in a row, within a word.
    Chars3,
    /// Six letters in a row, whatever stands between them.
    Letters,
    /// The destinations of links.
    Links,
    /// The shape of the comment.
    Shape,
    /// The author's name: its words, runs of letters and shape.
    Name,
    /// The author's website: its host, its path and their shape.
    Website,
    /// The domain of the author's e-mail address.
    Email,
    /// Words of the name, the host and the path as one vocabulary: an offer is worded alike in all three.
    Offer,
    /// The share of the text's vocabulary that stands in the article and in the comment that it answers.
    Article,
    /// The signs of an offer in the text, whatever its language, and each pair of them.
    Signs,
}

/// The number of views.
pub const N_VIEWS: usize = 13;

/// All views, in the order of their numbers.
pub const VIEWS: [View; N_VIEWS] = [
    View::Words,
    View::Pairs,
    View::Triples,
    View::Chars3,
    View::Letters,
    View::Links,
    View::Shape,
    View::Name,
    View::Website,
    View::Email,
    View::Offer,
    View::Article,
    View::Signs,
];

/// The views of the text alone, in the order in which features are kept.
pub const TEXT_VIEWS: [View; 8] = [
    View::Words,
    View::Pairs,
    View::Triples,
    View::Chars3,
    View::Letters,
    View::Links,
    View::Shape,
    View::Signs,
];

impl View {
    /// The view's name, as explanations and reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Pairs => "pairs",
            Self::Triples => "triples",
            Self::Chars3 => "chars3",
            Self::Letters => "letters",
            Self::Links => "links",
            Self::Shape => "shape",
            Self::Name => "name",
            Self::Website => "website",
            Self::Email => "email",
            Self::Offer => "offer",
            Self::Article => "article",
            Self::Signs => "signs",
        }
    }
}

/// Takes the terms of a comment. A term may come more than once.
pub trait Sink {
    /// A term that stands in the text: the stream's characters from `start` to `end`.
    fn piece(&mut self, view: View, hash: u32, start: u32, end: u32);

    /// Terms that stand in a row, and where each stands, as in [`Sink::piece`].
    #[inline]
    fn row(&mut self, view: View, hashes: &[u32], places: impl Iterator<Item = (u32, u32)>) {
        for (&hash, (start, end)) in hashes.iter().zip(places) {
            self.piece(view, hash, start, end);
        }
    }

    /// A term that is an observation; `place` is the bytes of the cleaned text that it is about, if any.
    fn fact(&mut self, view: View, hash: u32, place: Option<(usize, usize)>, name: impl FnOnce() -> String);

    /// A term of a form field or of the article, by its name.
    fn field(&mut self, view: View, hash: u32, sort: Sort, name: impl FnOnce() -> String);

    /// A word with a letter in it, by its hash in [`View::Words`], each time that it comes.
    fn spoken(&mut self, hash: u32);

    /// A link or an address that stands in the text.
    fn linked(&mut self);

    /// A link that is written as markup.
    fn anchored(&mut self);
}

/// Tells terms that may name a person from those that cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A word, a run of letters, a host or a domain.
    Personal,
    /// A count, a script, a top-level domain.
    Shape,
}
