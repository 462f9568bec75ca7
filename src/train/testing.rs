//! Comments of our own making, to train on in tests.

use crate::comment::{Example, Label};
use crate::sensitive::Sensitive;
use crate::text::{Features, Scratch};

const HAM: [&str; 12] = [
    "I really enjoyed this article about the {} council",
    "the mayor should answer the {} question in public",
    "my children walk to the {} school every morning",
    "not sure that I agree with the {} part, but thank you",
    "we heard the same {} story ten years ago",
    "what does the {} report say about taxes?",
    "this is nonsense, the {} numbers are from last year",
    "great song, it reminds me of the {} summer",
    "has anybody read the {} book that is quoted here?",
    "the {} bridge was closed again, nobody told us",
    "well said, the {} team deserves better",
    "I love the {} video, the drummer is a genius",
];
const SPAM: [&str; 12] = [
    "buy cheap {} pills now http://{}-pills.example/buy",
    "CHECK OUT my {} channel and subscribe!!! http://video.example/{}",
    "earn $5000 a week from home with {} visit http://{}.money.example",
    "<a href=\"http://{}.shop.example\">{} replica watches</a>",
    "best {} casino bonus, click here http://{}-casino.example",
    "free {} followers, subscribe to my channel please!!!",
    "[url=http://{}.example]cheap {} loans[/url]",
    "I made so much money with {} click http://{}.example/now",
    "hot {} girls waiting for you http://{}.dating.example",
    "essay writing service {} order now http://{}-essay.example",
    "get {} viagra without prescription http://{}.pharm.example",
    "please subscribe to {} channel, new video every day",
];
const FILL: [&str; 10] = [
    "red", "city", "green", "old", "little", "spring", "harbor", "silver", "north", "winter",
];

/// `n` comments of each label, all different.
pub(crate) fn sample(n: usize) -> Vec<Example> {
    let of = |label: Label, texts: &[&str; 12], i: usize| {
        let fill = format!("{} {}", FILL[i % 10], FILL[(i / 12 + i) % 10]);
        let word = FILL[(i / 7) % 10];
        example(
            label,
            &format!(
                "{} {}",
                texts[i % 12].replace("{}", if i.is_multiple_of(2) { word } else { FILL[i % 10] }),
                fill
            ),
        )
    };
    (0..n)
        .flat_map(|i| [of(Label::Ham, &HAM, i), of(Label::Spam, &SPAM, i)])
        .collect()
}

/// One comment.
pub(crate) fn example(label: Label, content: &str) -> Example {
    Example {
        id: None,
        label,
        content: Sensitive::new(content.to_owned()),
        features: None,
        author_name: None,
        author_url: None,
        author_email_domain: None,
        article_title: None,
        source: "test".to_owned(),
        origin: crate::comment::Origin::Received,
        submitted_at: None,
        labeled_at: None,
        reviewer: None,
    }
}

/// One comment of which only the features were kept.
pub(crate) fn kept(label: Label, content: &str) -> Example {
    let features = Features::read(content, &[], &mut Scratch::default());
    Example {
        features: Some(Sensitive::new(features.to_bytes())),
        ..example(label, "")
    }
}
