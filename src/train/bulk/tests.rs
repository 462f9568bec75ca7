use std::io::Write;

use super::super::testing::sample;
use super::*;
use crate::artifact;
use crate::model::Reading;

fn file(examples: &[Example]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for example in examples {
        let line = serde_json::json!({"label": example.label.as_str(), "content": example.content.expose()});
        writeln!(file, "{line}").unwrap();
    }
    file
}

fn learn(path: &Path, n_threads: usize) -> Result<Trained, BulkError> {
    let sources = [Source::File(path.to_owned())];
    let files = Files {
        sources: &sources,
        skip_bad: false,
        certify: &[],
        n_threads,
    };
    train_files(files, &TrainParams::default(), &mut |_| ()).map(|(trained, _)| trained)
}

#[test]
fn learns_the_same_with_any_number_of_threads() {
    let data = file(&sample(200));
    let one = learn(data.path(), 1).unwrap();
    let three = learn(data.path(), 3).unwrap();
    assert_eq!(
        artifact::encode(&one.parts).unwrap(),
        artifact::encode(&three.parts).unwrap()
    );
    let model = one.model().unwrap();
    let probability = |text: &str| model.assess(&Reading::of(text)).probability.get();
    assert!(probability("cheap pills, click here http://pills.example/buy") > 0.8);
    assert!(probability("the mayor should read this article, well said") < 0.2);
    assert_eq!(one.parts.card.training.n_examples, 400);
}

#[test]
fn too_few_and_bad_lines_are_named() {
    let few = learn(file(&sample(10)).path(), 2).unwrap_err().to_string();
    assert!(few.contains("10 comments labelled ham"), "{few}");
    let mut data = file(&sample(2_500));
    writeln!(data, "nonsense").unwrap();
    let bad = learn(data.path(), 2).unwrap_err().to_string();
    assert!(bad.contains("line 5001") && bad.contains("not JSON"), "{bad}");
}
