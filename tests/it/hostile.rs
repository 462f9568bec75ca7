//! Hostile input: everything in the fuzzers' corpora, which holds their seeds and whatever they found, at every build.

use std::path::Path;

#[path = "../fuzz/src/targets.rs"]
#[expect(
    unreachable_pub,
    reason = "the fuzzers' own package reaches them; a target that cannot be set up has nothing to say"
)]
mod targets;

#[test]
fn the_corpora_are_stood() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, target) in targets::ALL {
        let mut seeds = 0;
        for entry in std::fs::read_dir(corpora.join(name)).unwrap() {
            let path = entry.unwrap().path();
            // What fails says which seed it was.
            println!("{}", path.display());
            target(&std::fs::read(path).unwrap());
            seeds += 1;
        }
        assert!(seeds >= 8, "{name} has {seeds} seeds");
    }
}
