use tempfile::TempDir;

use super::super::format::encode;
use super::*;
use crate::model::testing::parts;

const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A place with a model directory in it and files of models that differ.
struct Desk {
    folder: TempDir,
    dir: ModelDir,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let dir = ModelDir::new(&folder.path().join("models"));
        Self { folder, dir }
    }

    /// A file that holds the model of this number.
    fn file(&self, number: u32) -> PathBuf {
        let mut parts = parts();
        parts.card.name = format!("model {number}");
        let path = self.folder.path().join(format!("m{number}.moderato"));
        fs::write(&path, encode(&parts).unwrap()).unwrap();
        path
    }

    fn promote(&self, number: u32) -> String {
        let promotion = self.dir.promote(&self.file(number), Some("because"), NOON).unwrap();
        promotion.model.version().to_owned()
    }

    fn current(&self) -> String {
        let model = self.dir.load_current().unwrap();
        assert_eq!(self.dir.history().unwrap().current(), Some(model.version()));
        model.version().to_owned()
    }
}

#[test]
fn promotes_and_rolls_back_step_by_step() {
    let desk = Desk::new();
    let [a, b, c] = [1, 2, 3].map(|number| desk.promote(number));
    assert_eq!(desk.current(), c);
    let back = |to| desk.dir.rollback(to, None, NOON).map(|p| p.model.version().to_owned());
    assert_eq!(back(Target::Before).unwrap(), b);
    assert_eq!(back(Target::Before).unwrap(), a);
    let shipped = super::super::embedded().unwrap().version().to_owned();
    assert_eq!(
        back(Target::Before).unwrap(),
        shipped,
        "what was at work before the first"
    );
    assert_eq!(desk.current(), shipped);
    assert!(matches!(back(Target::Before), Err(ModelDirError::NothingBefore { .. })));
    assert_eq!(back(Target::Version(&c)).unwrap(), c, "forward again, by name");
    assert_eq!(back(Target::Before).unwrap(), shipped);
    assert_eq!(back(Target::Version(&c)).unwrap(), c);
    assert!(matches!(
        back(Target::Version("000000000000")),
        Err(ModelDirError::NeverCurrent { .. })
    ));
    let history = desk.dir.history().unwrap();
    assert_eq!(history.entries.len(), 9);
    assert_eq!(history.entries[1].previous.as_deref(), Some(a.as_str()));
    assert_eq!(history.entries[1].reason.as_deref(), Some("because"));
    assert_eq!(history.entries[1].at, "2023-11-14T22:13:20Z");
}

#[test]
fn the_current_model_is_not_promoted_twice_and_a_damaged_one_is_mended() {
    let desk = Desk::new();
    let a = desk.promote(1);
    fs::write(desk.dir.artifact(&a), "damaged").unwrap();
    assert!(desk.dir.load_current().is_err());
    let again = desk.dir.promote(&desk.file(1), None, NOON).unwrap();
    assert!(!again.changed);
    assert_eq!(desk.current(), a);
    assert_eq!(desk.dir.history().unwrap().entries.len(), 1);
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    let desk = Desk::new();
    let broken = desk.folder.path().join("broken.moderato");
    fs::write(&broken, "MODERATO, but not really").unwrap();
    assert!(desk.dir.promote(&broken, None, NOON).is_err());
    assert!(!desk.dir.path().exists(), "not even the directory is made");
    let (a, b) = (desk.promote(1), desk.promote(2));
    let mut bytes = fs::read(desk.file(3)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&broken, bytes).unwrap();
    assert!(matches!(
        desk.dir.promote(&broken, None, NOON),
        Err(ModelDirError::Artifact(_))
    ));
    // What stood before the current one has been damaged on the disk since.
    fs::write(desk.dir.artifact(&a), "damaged").unwrap();
    assert!(matches!(
        desk.dir.rollback(Target::Before, None, NOON),
        Err(ModelDirError::Artifact(_))
    ));
    // Another's content under its name is not it.
    fs::copy(desk.dir.artifact(&b), desk.dir.artifact(&a)).unwrap();
    assert!(matches!(desk.dir.load(&a), Err(LoadModelError::OtherVersion { .. })));
    assert_eq!(desk.current(), b);
}

#[test]
fn many_operators_at_once_lose_nothing() {
    let desk = Desk::new();
    let files: Vec<PathBuf> = (0..24).map(|number| desk.file(number)).collect();
    std::thread::scope(|scope| {
        for six in files.chunks(6) {
            let dir = &desk.dir;
            scope.spawn(move || {
                for file in six {
                    dir.promote(file, None, NOON).unwrap();
                }
            });
        }
    });
    let history = desk.dir.history().unwrap();
    assert_eq!(history.versions().len(), 24);
    let chained = history
        .entries
        .windows(2)
        .all(|w| w[1].previous.as_deref() == Some(w[0].version.as_str()));
    assert!(chained, "each knows what it replaced");
    desk.current();
}

#[test]
fn an_empty_directory_is_a_beginning_and_a_missing_one_a_mistake() {
    let desk = Desk::new();
    assert!(desk.dir.history().is_err());
    assert!(desk.dir.rollback(Target::Before, None, NOON).is_err());
    fs::create_dir(desk.dir.path()).unwrap();
    assert_eq!(desk.dir.history().unwrap(), History::default());
    let error = desk.dir.load_current().unwrap_err().to_string();
    assert!(error.contains("model promote --model-dir"), "{error}");
}

#[test]
fn words_for_versions() {
    let desk = Desk::new();
    let (a, b) = (desk.promote(1), desk.promote(2));
    let history = desk.dir.history().unwrap();
    let resolve = |words: &str| desk.dir.resolve(&history, words);
    assert_eq!(resolve("current").unwrap(), b);
    assert_eq!(resolve("previous").unwrap(), a);
    assert_eq!(resolve(&a[..6]).unwrap(), a);
    assert_eq!(resolve("../x"), None);
}

#[test]
fn shipped_is_a_model_wherever_one_is_taken() {
    let desk = Desk::new();
    let shipped = super::super::embedded().unwrap().version().to_owned();
    let named = |path: &Path| {
        (
            file::load(path).unwrap().version().to_owned(),
            file::load_parts(path).unwrap().1,
        )
    };
    assert_eq!(named(Path::new(SHIPPED)), (shipped.clone(), shipped.clone()));
    fs::create_dir(desk.dir.path()).unwrap();
    assert_eq!(
        named(desk.dir.path()),
        (shipped.clone(), shipped.clone()),
        "an empty directory"
    );
    let promoted = desk.dir.promote(Path::new(SHIPPED), None, NOON).unwrap();
    assert!(promoted.changed && promoted.previous.is_none());
    assert_eq!(desk.current(), shipped);
    let back = desk.dir.rollback(Target::Before, None, NOON);
    assert!(matches!(back, Err(ModelDirError::NothingBefore { .. })), "{back:?}");
}
