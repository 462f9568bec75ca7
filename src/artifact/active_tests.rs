use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::super::directory::Target;
use super::super::format::encode;
use super::*;
use crate::model::testing::parts;

const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn model_file(folder: &Path, number: u32) -> PathBuf {
    let mut parts = parts();
    parts.card.name = format!("model {number}");
    let path = folder.join(format!("m{number}.moderato"));
    fs::write(&path, encode(&parts).unwrap()).unwrap();
    path
}

fn promote(dir: &ModelDir, folder: &Path, number: u32) -> String {
    let promotion = dir.promote(&model_file(folder, number), None, NOON).unwrap();
    promotion.model.version().to_owned()
}

fn followed(folder: &TempDir) -> (ModelDir, ActiveModel) {
    let dir = ModelDir::new(folder.path());
    let live = ActiveModel::start(Source::Directory(dir.clone()), NOON).unwrap();
    (dir, live)
}

fn version(live: &ActiveModel) -> String {
    live.current().unwrap().model.version().to_owned()
}

#[test]
fn an_empty_directory_starts_with_the_built_in_model_and_follows_promotions() {
    let folder = TempDir::new().unwrap();
    let (dir, live) = followed(&folder);
    let built_in = version(&live);
    assert!(live.poll(NOON).is_none());
    assert!(!live.reload(NOON).unwrap().changed);
    let snapshot = live.current().unwrap();
    let a = promote(&dir, folder.path(), 1);
    let reload = live.poll(NOON).unwrap().unwrap();
    assert_eq!(
        (reload.version.as_str(), reload.previous),
        (a.as_str(), Some(built_in.clone()))
    );
    assert_eq!(version(&live), a);
    assert_eq!(
        snapshot.model.version(),
        built_in,
        "a request goes on with what it took"
    );
    assert!(live.poll(NOON).is_none());
    let b = promote(&dir, folder.path(), 2);
    dir.rollback(Target::Before, None, NOON).unwrap();
    assert!(live.poll(NOON).is_none(), "there and back between two looks");
    dir.rollback(Target::Version(&b), None, NOON).unwrap();
    assert!(live.reload(NOON).unwrap().changed);
    assert_eq!(version(&live), b);
}

#[test]
fn a_bad_artifact_is_refused_once_and_the_old_model_stays_until_it_is_mended() {
    let folder = TempDir::new().unwrap();
    let (dir, live) = followed(&folder);
    let a = promote(&dir, folder.path(), 1);
    live.poll(NOON).unwrap().unwrap();
    let b = promote(&dir, folder.path(), 2);
    let whole = fs::read(dir.artifact(&b)).unwrap();
    fs::write(dir.artifact(&b), &whole[..whole.len() - 7]).unwrap();
    let error = live.poll(NOON).unwrap().unwrap_err().to_string();
    assert!(
        error.contains(&b) && error.contains("damaged") && error.contains(&a),
        "{error}"
    );
    assert!(live.poll(NOON).is_none(), "said once");
    assert!(live.reload(NOON).is_err(), "but whoever asks is told again");
    assert_eq!(version(&live), a);
    assert_eq!(*live.last_error().unwrap(), error);
    fs::write(dir.artifact(&b), &whole).unwrap();
    assert!(live.poll(NOON).unwrap().unwrap().changed);
    assert!(live.last_error().is_none());
    assert_eq!(version(&live), b);
}

#[test]
fn rolling_back_a_bad_artifact_clears_the_error() {
    let folder = TempDir::new().unwrap();
    let (dir, live) = followed(&folder);
    let a = promote(&dir, folder.path(), 1);
    live.poll(NOON).unwrap().unwrap();
    let b = promote(&dir, folder.path(), 2);
    fs::remove_file(dir.artifact(&b)).unwrap();
    assert!(live.poll(NOON).unwrap().is_err());
    dir.rollback(Target::Before, None, NOON).unwrap();
    assert!(!live.poll(NOON).unwrap().unwrap().changed);
    assert!(live.last_error().is_none() && live.poll(NOON).is_none());
    assert_eq!(version(&live), a);
}

#[test]
fn a_broken_history_is_said_once() {
    let folder = TempDir::new().unwrap();
    let (dir, live) = followed(&folder);
    promote(&dir, folder.path(), 1);
    live.poll(NOON).unwrap().unwrap();
    let history = folder.path().join("history.jsonl");
    let whole = fs::read(&history).unwrap();
    fs::write(&history, "{\n").unwrap();
    assert!(live.poll(NOON).unwrap().is_err());
    assert!(live.poll(NOON).is_none());
    fs::write(&history, whole).unwrap();
    assert!(!live.poll(NOON).unwrap().unwrap().changed);
    assert!(live.last_error().is_none());
}

#[test]
fn a_start_with_a_bad_current_version_takes_the_one_before_and_says_so() {
    let folder = TempDir::new().unwrap();
    let dir = ModelDir::new(folder.path());
    let a = promote(&dir, folder.path(), 1);
    let b = promote(&dir, folder.path(), 2);
    fs::write(dir.artifact(&b), "damaged").unwrap();
    let (_, live) = followed(&folder);
    assert_eq!(version(&live), a);
    assert!(live.last_error().unwrap().contains(&b));
    assert!(live.poll(NOON).is_none());
    fs::write(dir.artifact(&a), "damaged").unwrap();
    assert!(
        ActiveModel::start(Source::Directory(dir), NOON).is_err(),
        "nothing is left"
    );
}

#[test]
fn a_file_is_read_again_when_asked() {
    let folder = TempDir::new().unwrap();
    let path = model_file(folder.path(), 1);
    let live = ActiveModel::start(Source::File(path.clone()), NOON).unwrap();
    fs::copy(model_file(folder.path(), 2), &path).unwrap();
    assert!(live.poll(NOON).is_none(), "not by itself");
    assert!(live.reload(NOON).unwrap().changed);
    fs::remove_file(&path).unwrap();
    assert!(live.reload(NOON).is_err());
    assert_eq!(ActiveModel::fixed(None).reload(NOON), Err(ReloadError::NoSource));
}

#[test]
fn versions_that_are_not_current_are_found_by_their_cards_too() {
    let folder = TempDir::new().unwrap();
    let (dir, live) = followed(&folder);
    let a = promote(&dir, folder.path(), 1);
    let b = promote(&dir, folder.path(), 2);
    let c = promote(&dir, folder.path(), 3);
    live.poll(NOON).unwrap().unwrap();
    let named = |names: &'static [&str]| move |card: &Card| names.contains(&card.name.as_str());
    let found = live.versions_where(&named(&["model 1", "model 3"]));
    assert_eq!(found, BTreeSet::from([a.clone(), c.clone()]));
    fs::remove_file(dir.artifact(&a)).unwrap();
    let found = live.versions_where(&|_| true);
    assert_eq!(found, BTreeSet::from([b, c]), "what is gone cannot be read");
}
