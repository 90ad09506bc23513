//! What ends a snapshot, and what does not.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use super::*;

struct SnapshotSample {
    dir: tempfile::TempDir,
    layout: Layout,
    key: SealKey,
    inputs: Vec<PathBuf>,
    /// What the first of these held.
    content: Option<WrittenText>,
    environment: BTreeMap<String, Option<String>>,
    started_with: Environment,
}

fn saved() -> SnapshotSample {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::at(dir.path().join("work"));
    fs::create_dir(layout.root()).unwrap();
    let inputs = vec![layout.root().join("spec"), dir.path().join("absent")];
    fs::write(&inputs[0], "x").unwrap();
    let environment = BTreeMap::from([("FORGE_SURELY_UNSET".to_owned(), None)]);
    let key = SealKey::in_folder(&dir.path().join("data"));
    let started_with = Environment::default();
    let it = SnapshotSample { dir, layout, key, inputs, content: None, environment, started_with };
    it.save(later());
    it
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(1)
}

impl SnapshotSample {
    fn path(&self) -> PathBuf {
        self.layout.state().join("snapshot")
    }

    fn save(&self, started: SystemTime) {
        let content = |at: usize| self.content.as_ref().filter(|_| at == 0);
        let inputs: Vec<_> = (self.inputs.iter().enumerate())
            .map(|(at, path)| SnapshotInput { path, content: content(at), line: 0 })
            .collect();
        self.save_as(&answer(), &inputs, started, &[], None);
    }

    fn save_as(
        &self,
        answer: &Snapshot,
        inputs: &[SnapshotInput],
        started: SystemTime,
        unsure: &[u32],
        before: Option<&SnapshotLook>,
    ) {
        let (environment, unsure) = (&self.environment, &unsure.iter().copied().collect());
        let basis = SnapshotBasis { started, inputs, environment, unsure, before };
        answer.save(self.kept(), "ensure", &basis);
    }

    fn looked_at(&self) -> Option<(Vec<String>, Vec<u32>)> {
        let look = SnapshotLook::at(self.kept(), "ensure")?;
        Some((look.answer, look.stale.into_iter().collect()))
    }

    fn load(&self) -> Option<Snapshot> {
        Snapshot::load(self.kept(), "ensure")
    }

    fn kept(&self) -> SnapshotPlace<'_> {
        let environment = &self.started_with;
        SnapshotPlace { layout: &self.layout, name: "snapshot", key: &self.key, environment }
    }
}

fn answer() -> Snapshot {
    Snapshot { answer: vec!["5 nats v1".into()] }
}

#[test]
fn it_holds_while_nothing_changes() {
    assert_eq!(saved().load(), Some(answer()));
}

#[test]
fn every_kind_of_change_ends_it() {
    let it = saved();
    assert_eq!(Snapshot::load(it.kept(), "ensure nats"), None, "another request");
    fs::write(&it.inputs[0], "yy").unwrap();
    assert_eq!(it.load(), None, "a changed file");
    let it = saved();
    fs::set_permissions(&it.inputs[0], fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(it.load(), None, "a changed mode");
    let it = saved();
    fs::write(&it.inputs[1], "").unwrap();
    assert_eq!(it.load(), None, "an added file");
    let it = saved();
    fs::remove_file(&it.inputs[0]).unwrap();
    assert_eq!(it.load(), None, "a removed file");
    let mut it = saved();
    it.environment.insert("FORGE_SURELY_UNSET".into(), Some("set when it was saved".into()));
    it.save(later());
    assert_eq!(it.load(), None, "a changed variable");
}

#[test]
fn among_very_many_files_each_one_counts() {
    let mut it = saved();
    for i in 0..2 * WORTH_A_THREAD {
        it.inputs.push(it.dir.path().join(format!("absent-{i}")));
    }
    it.save(later());
    assert_eq!(it.load(), Some(answer()));
    for at in [1, WORTH_A_THREAD, it.inputs.len() - 1] {
        fs::write(&it.inputs[at], "").unwrap();
        assert_eq!(it.load(), None, "file {at}");
        fs::remove_file(&it.inputs[at]).unwrap();
    }
}

#[test]
fn a_file_is_the_same_to_either_way_of_asking() {
    let it = saved();
    for time in [-1.5, 0.0, 1_700_000_000.25] {
        let file = File::options().write(true).open(&it.inputs[0]).unwrap();
        let away = Duration::from_secs_f64(f64::abs(time));
        let time = if time < 0.0 { UNIX_EPOCH - away } else { UNIX_EPOCH + away };
        file.set_modified(time).unwrap();
        let metadata = fs::symlink_metadata(&it.inputs[0]).unwrap();
        let stat = rustix::fs::stat(&it.inputs[0]).unwrap();
        assert_eq!(file_stat(&stat), FileStat::from_metadata(&metadata));
    }
}

#[test]
fn what_somebody_else_wrote_is_no_answer() {
    let it = saved();
    let other = SealKey::in_folder(&it.dir.path().join("other"));
    let body = fs::read(it.path()).unwrap();
    let at = body.iter().position(|byte| *byte == b'\n').unwrap();
    fs::write(it.path(), other.seal(PURPOSE, &body[at + 1..])).unwrap();
    assert_eq!(it.load(), None);
    assert!(Snapshot::load(SnapshotPlace { key: &other, ..it.kept() }, "ensure").is_some());
}

#[test]
fn a_file_written_with_its_time_put_back_ends_it() {
    let it = saved();
    let time = fs::metadata(&it.inputs[0]).unwrap().modified().unwrap();
    fs::write(&it.inputs[0], "y").unwrap();
    File::options().write(true).open(&it.inputs[0]).unwrap().set_modified(time).unwrap();
    assert_eq!(it.load(), None);
}

#[test]
fn a_file_that_was_touched_and_holds_the_same_ends_nothing() {
    let mut it = saved();
    let touch = |it: &SnapshotSample, text: &str, age: u64| {
        fs::remove_file(&it.inputs[0]).unwrap();
        fs::write(&it.inputs[0], text).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        File::options().write(true).open(&it.inputs[0]).unwrap().set_modified(time).unwrap();
    };
    it.content = Some(WrittenText { digest: checksum(b"x"), meaning: None });
    it.save(later());
    let before = fs::read(it.path()).unwrap();
    touch(&it, "x", 10);
    assert_eq!(it.load(), Some(answer()));
    assert_eq!(fs::read(it.path()).unwrap(), before, "touched a moment ago");
    thread::sleep(2 * FileStat::CLOCK_TICK);
    assert_eq!(it.load(), Some(answer()));
    assert_ne!(fs::read(it.path()).unwrap(), before, "it is known to be as it is now");
    assert_eq!(it.load(), Some(answer()));
    touch(&it, "y", 10);
    assert_eq!(it.load(), None, "another text of the same length");
    touch(&it, "x", 10);
    fs::set_permissions(&it.inputs[0], fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(it.load(), None, "another mode");
    fs::remove_file(&it.inputs[0]).unwrap();
    symlink("elsewhere", &it.inputs[0]).unwrap();
    fs::write(it.layout.root().join("elsewhere"), "x").unwrap();
    assert_eq!(it.load(), None, "a link");
    fs::remove_file(it.path()).unwrap();
    it.save(later());
    assert_eq!(it.load(), None, "what is behind a link may change unseen");
}

#[test]
fn damage_anywhere_ends_it() {
    let it = saved();
    let good = fs::read(it.path()).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(it.path(), &bad).unwrap();
        assert_eq!(it.load(), None, "byte {at}");
    }
}

#[test]
fn what_changed_a_moment_ago_is_not_trusted() {
    let it = saved();
    fs::remove_file(it.path()).unwrap();
    it.save(SystemTime::now());
    assert_eq!(it.load(), None);
}

#[test]
fn an_edit_ends_it_unless_the_file_says_what_it_said() {
    let mut it = saved();
    let write = |it: &SnapshotSample, text: &[u8], mode: u32| {
        let time = SystemTime::now() - Duration::from_secs(10);
        fs::remove_file(&it.inputs[0]).unwrap();
        fs::write(&it.inputs[0], text).unwrap();
        fs::set_permissions(&it.inputs[0], fs::Permissions::from_mode(mode)).unwrap();
        File::options().write(true).open(&it.inputs[0]).unwrap().set_modified(time).unwrap();
    };
    let text = b"versions:\n  a: v1\n";
    let meaning = semantic_digest(text);
    assert!(meaning.is_some());
    it.content = Some(WrittenText { digest: checksum(text), meaning });
    let commented: &[u8] = b"# x\nversions:\n  a: v1 # y\n";
    for (changed, mode, holds) in [
        (commented, 0o644, true),
        (b"versions: {a: v1}", 0o644, true),
        (commented, 0o755, false),
        (b"versions:\n  a: v2\n", 0o644, false),
        (b"versions:\n  a: 'v1'\n", 0o644, false),
        (b"versions:\n  a: v1\nx:\n", 0o644, false),
        (b"versions:\n  a: v1\n\xff", 0o644, false),
        (b"versions: [", 0o644, false),
        (b"# versions", 0o644, false),
        (b"", 0o644, false),
    ] {
        write(&it, text, 0o644);
        it.save(later());
        write(&it, changed, mode);
        thread::sleep(2 * FileStat::CLOCK_TICK);
        let shown = String::from_utf8_lossy(changed);
        assert_eq!(it.load().is_some(), holds, "{shown} {mode:o}");
        let before = fs::read(it.path()).unwrap();
        assert_eq!(it.load().is_some(), holds, "{shown} {mode:o} again");
        assert_eq!(fs::read(it.path()).unwrap(), before, "it is known to be as it is now");
    }
}

/// Of three lines, the first two rest on a file each, and all rest on another one.
fn of_lines() -> (SnapshotSample, [PathBuf; 3], Snapshot) {
    let it = saved();
    let files = ["a", "b", "all"].map(|name| it.layout.root().join(name));
    for file in &files {
        fs::write(file, "x").unwrap();
    }
    let answer = Snapshot { answer: ["a1", "b1", "c1"].map(str::to_owned).into() };
    (it, files, answer)
}

fn inputs(files: &[PathBuf; 3]) -> [SnapshotInput<'_>; 3] {
    let input = |at: usize, line| SnapshotInput { path: &files[at], content: None, line };
    [input(0, 1), input(1, 2), input(2, 0)]
}

#[test]
fn what_one_line_rests_on_makes_that_one_stale() {
    let (it, files, answer) = of_lines();
    it.save_as(&answer, &inputs(&files), later(), &[], None);
    assert_eq!(it.looked_at(), Some((answer.answer.clone(), vec![])));
    assert_eq!(it.load(), Some(answer.clone()));
    fs::write(&files[1], "yy").unwrap();
    assert_eq!(it.looked_at(), Some((answer.answer.clone(), vec![2])));
    assert_eq!(it.load(), None, "not all of it holds");
    fs::remove_file(&files[0]).unwrap();
    assert_eq!(it.looked_at(), Some((answer.answer, vec![1, 2])));
    fs::write(&files[2], "yy").unwrap();
    assert_eq!(it.looked_at(), None);
}

#[test]
fn what_is_too_young_or_was_made_is_looked_at_again() {
    let (it, files, answer) = of_lines();
    thread::sleep(2 * FileStat::CLOCK_TICK);
    let started = SystemTime::now();
    fs::write(&files[0], "yy").unwrap();
    it.save_as(&answer, &inputs(&files), started, &[3], None);
    assert_eq!(it.looked_at(), Some((answer.answer.clone(), vec![1, 3])));
    fs::write(&files[2], "yy").unwrap();
    fs::remove_file(it.path()).unwrap();
    it.save_as(&answer, &inputs(&files), started, &[], None);
    assert_eq!(it.looked_at(), None, "all rests on what is too young");
}

#[test]
fn lines_that_hold_rest_on_what_they_rested_on() {
    let (it, files, answer) = of_lines();
    it.save_as(&answer, &inputs(&files), later(), &[], None);
    fs::write(&files[0], "yy").unwrap();
    let before = SnapshotLook::at(it.kept(), "ensure").unwrap();
    fs::write(&files[1], "changed while the run looked at the first one").unwrap();
    let newer = Snapshot { answer: ["a2", "b1", "c1"].map(str::to_owned).into() };
    let more = it.layout.root().join("more");
    let mut again = inputs(&files).to_vec();
    again.push(SnapshotInput { path: &more, content: None, line: 1 });
    it.save_as(&newer, &again, later(), &[], Some(&before));
    assert_eq!(it.looked_at(), Some((newer.answer.clone(), vec![2])));
    fs::write(&files[1], "x").unwrap();
    fs::write(&more, "").unwrap();
    assert_eq!(it.looked_at().unwrap().1, [1, 2], "each by its own time");
    let before = SnapshotLook::at(it.kept(), "ensure").unwrap();
    it.save_as(&newer, &again, later(), &[1], Some(&before));
    assert_eq!(
        it.looked_at(),
        Some((newer.answer.clone(), vec![1])),
        "what was made of it is not known yet"
    );
    let mut other = it;
    other.started_with = Environment::from_iter([("FORGE_SURELY_UNSET", "x")]);
    assert_eq!(other.looked_at(), None, "the variable still counts");
}
