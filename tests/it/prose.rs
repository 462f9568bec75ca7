//! The rules of prose: doc comments that make sense in a tooltip, and lines that fit.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that begin a question or a fragment, not a sentence about a subject.
const NO_BEGINNINGS: &[&str] = &[
    "What", "Whether", "Who", "Whom", "Whose", "Which", "How", "Why", "When", "Where", "If", "Of", "From", "In", "Is",
    "Are", "Does", "Do", "Did", "Was", "Were", "Has", "May", "Would", "Will", "Can", "Should",
];

/// The longest line of a comment, in characters.
const LINE_CHARS_MAX: usize = 120;

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The first words of the doc comments of a file, with their lines.
fn beginnings(text: &str) -> Vec<(usize, &str)> {
    let mut last_was_doc = false;
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let doc = ["/// ", "//! "].into_iter().find_map(|mark| line.strip_prefix(mark));
        if let (Some(doc), false) = (doc, last_was_doc) {
            let word = doc.split(' ').next().unwrap_or_default();
            found.push((i + 1, word.trim_end_matches(|c: char| !c.is_alphanumeric())));
        }
        last_was_doc = line.starts_with("///") || line.starts_with("//!");
    }
    found
}

#[test]
fn doc_comments_name_their_subject() {
    assert_eq!(
        beginnings("/// What it is.\n/// Which.\nfn a() {}\n  //! Who, me?\n"),
        [(1, "What"), (4, "Who")]
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&root.join("src"), &mut all);
    let mut wrong = Vec::new();
    // The command line's doc comments are its help, in the words of a command.
    for path in all.iter().filter(|path| !path.starts_with(root.join("src/cli"))) {
        let text = fs::read_to_string(path).unwrap();
        for (line, word) in beginnings(&text) {
            if NO_BEGINNINGS.contains(&word) {
                wrong.push(format!("{}:{line}: a doc comment begins with {word:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn comments_fit_into_a_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for dir in ["src", "tests"] {
        files(&root.join(dir), &mut all);
    }
    let mut wrong = Vec::new();
    for path in &all {
        let text = fs::read_to_string(path).unwrap();
        for (i, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > LINE_CHARS_MAX {
                wrong.push(format!(
                    "{}:{}: more than {LINE_CHARS_MAX} characters",
                    path.display(),
                    i + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
