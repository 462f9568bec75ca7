//! Weighs a comment that is no longer there, by the features that were kept of it.

use super::score::Tally;
use super::{Assessment, Reading, SpamModel};
use crate::comment::Example;
use crate::text::{Features, VIEWS};

impl SpamModel {
    /// Weighs a labeled comment: by its features where its text was not kept. Features that cannot be read weigh as a
    /// comment without text does; whoever reads a corpus refuses them.
    pub fn assess_example(&self, example: &Example) -> Assessment {
        match &example.features {
            Some(bytes) => self.assess_features(&Features::from_bytes(bytes.expose()).unwrap_or_default()),
            None => self.assess(&Reading::from(example)),
        }
    }

    /// Weighs a comment by its features: as [`SpamModel::assess`] would weigh the comment itself, replying to nothing.
    pub fn assess_features(&self, features: &Features) -> Assessment {
        let mut tally = Tally {
            n_distinct: features.n_distinct(),
            n_linked: features.n_linked,
            n_anchored: features.n_anchored,
            is_foreign: features.is_foreign,
            ..Tally::default()
        };
        for view in VIEWS.map(|view| view as usize) {
            tally.sums[view] = self.table.sum(&features.terms[view]);
        }
        for &(hash, n) in &features.spoken {
            tally.n_spoken = tally.n_spoken.saturating_add(n);
            if self.table.find(hash).is_some_and(|worth| worth.in_ham) {
                tally.n_known = tally.n_known.saturating_add(n);
            }
        }
        self.conclude(&tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Scratch;

    fn check(model: &SpamModel, content: &str) {
        let features = Features::read(content, &[], &mut Scratch::default());
        assert_eq!(
            model.assess_features(&features),
            model.assess(&Reading::of(content)),
            "{content}"
        );
    }

    fn model() -> SpamModel {
        let examples = crate::train::testing::sample(40);
        let params = crate::train::TrainParams::default();
        let trained = crate::train::train(&examples, &[], &params, &mut |_| ()).unwrap();
        trained.model().unwrap()
    }

    #[test]
    fn features_weigh_what_the_comment_weighs() {
        let model = model();
        for content in [
            "",
            "the mayor should answer the mayor",
            "buy cheap pills now http://pills.example/buy or mail x@pills.example",
            "see <a href=\"http://a.example/b\">the mayor</a>",
            "дёшево http://a.example http://b.example дёшево купить",
        ] {
            check(&model, content);
        }
        let mut runner = proptest::test_runner::TestRunner::default();
        let texts = "(cheap|the mayor|http://a.example/b|<a href=http://a.example>|[a-zа-я<>@.]{1,6}| |,){0,30}";
        runner
            .run(&texts, |content| {
                check(&model, &content);
                Ok(())
            })
            .unwrap();
    }
}
