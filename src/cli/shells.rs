//! Asks shells about commands, each once: side by side through the runner of this process, and never again
//! while the shell and the command are the same. What a shell can read is remembered between runs in the
//! user's cache; what it cannot read is about to be mended, and remembered for this run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    os::unix::ffi::OsStrExt,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{
    cache::{Cache, CommandDigest, MOST_COMMANDS},
    model::{FileStat, checksum},
    process::{Reading, ShellQuestion, Shells, SyntaxError, ask_shells},
};

use super::host::Host;

type Ask = dyn Fn(BTreeSet<ShellQuestion>) -> BTreeMap<ShellQuestion, Reading> + Send + Sync;

/// Shells that are asked about each command once.
pub(super) struct RememberingShells {
    cache: Option<Cache>,
    ask: Box<Ask>,
    memory: Mutex<Option<Memory>>,
}

/// What is known of commands.
#[derive(Default)]
struct Memory {
    /// What earlier runs found sound.
    before: BTreeSet<CommandDigest>,
    /// What this run had to know, and is sound.
    sound: BTreeSet<CommandDigest>,
    broken: BTreeMap<ShellQuestion, SyntaxError>,
}

impl RememberingShells {
    /// Those of the system, asked by the runner of `host`.
    pub(super) fn from_host(host: &Host) -> Self {
        let asking = host.clone();
        let ask = move |questions| {
            // A thread of its own: whoever loads a workspace may be at work on the runtime.
            thread::scope(|scope| {
                let asked = scope.spawn(|| {
                    let (runtime, runner) = (asking.runtime().ok()?, asking.runner(1));
                    Some(runtime.block_on(ask_shells(&runner, questions)))
                });
                asked.join().ok().flatten().unwrap_or_default()
            })
        };
        Self::new(Cache::of_user(host.user()).ok(), ask)
    }

    fn new(
        cache: Option<Cache>,
        ask: impl Fn(BTreeSet<ShellQuestion>) -> BTreeMap<ShellQuestion, Reading>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { cache, ask: Box::new(ask), memory: Mutex::default() }
    }

    fn remember(&self, memory: &Memory) {
        let Some(cache) = &self.cache else { return };
        let room = MOST_COMMANDS.saturating_sub(memory.sound.len());
        let mut all = memory.sound.clone();
        all.extend(memory.before.difference(&memory.sound).take(room).copied());
        // It only saves time: the next run asks again.
        let _ = cache.keep_sound_commands(&all);
    }
}

impl Shells for RememberingShells {
    fn errors(&self, questions: &BTreeSet<ShellQuestion>) -> BTreeMap<ShellQuestion, SyntaxError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.get_or_insert_with(|| {
            let before = self.cache.as_ref().map(Cache::sound_commands).unwrap_or_default();
            Memory { before, ..Memory::default() }
        });
        let digests = digests(questions);
        let mut open = BTreeSet::new();
        for (question, digest) in &digests {
            match digest {
                Some(digest) if memory.before.contains(digest) => {
                    memory.sound.insert(*digest);
                }
                Some(digest) if memory.sound.contains(digest) => {}
                _ if memory.broken.contains_key(*question) => {}
                _ => drop(open.insert((*question).clone())),
            }
        }
        if !open.is_empty() {
            for (question, reading) in (self.ask)(open) {
                match (reading, digests.get(&question)) {
                    (Some(error), _) => drop(memory.broken.insert(question, error)),
                    (None, Some(Some(digest))) => drop(memory.sound.insert(*digest)),
                    (None, _) => {}
                }
            }
            self.remember(memory);
        }
        let broken = questions.iter().filter_map(|one| memory.broken.get_key_value(one));
        broken.map(|(question, error)| (question.clone(), error.clone())).collect()
    }
}

/// The digest of each question; none if its shell cannot be looked at. Another file in the shell's place
/// makes other questions.
fn digests(questions: &BTreeSet<ShellQuestion>) -> BTreeMap<&ShellQuestion, Option<CommandDigest>> {
    let shells: BTreeSet<_> = questions.iter().map(|question| &question.shell).collect();
    let stat = |shell| Some((shell, FileStat::from_metadata(&fs::metadata(shell).ok()?)));
    let shells: BTreeMap<_, _> = shells.into_iter().filter_map(stat).collect();
    let digest = |question: &ShellQuestion| {
        let FileStat { size, mtime, ctime, inode, mode } = shells.get(&question.shell)?;
        let mut bytes = question.shell.as_os_str().as_bytes().to_vec();
        bytes.extend(format!("\0{size} {mtime} {ctime} {inode} {mode}\0").bytes());
        bytes.extend(question.line.bytes());
        Some(checksum(&bytes))
    };
    questions.iter().map(|question| (question, digest(question))).collect()
}

impl fmt::Debug for RememberingShells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberingShells")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    };

    use super::*;
    use crate::cache::SealKey;

    /// A run in which commands with `(` are broken: what is wrong, and how many were asked about.
    fn run(dir: &Path, shell: &str, lines: &[&str]) -> (Vec<String>, usize) {
        let cache = Cache::new(dir.join("cache"), SealKey::in_folder(&dir.join("data")));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let shells = RememberingShells::new(Some(cache), move |questions| {
            count.fetch_add(questions.len(), Ordering::SeqCst);
            let error = || SyntaxError { line: None, why: "open".into() };
            let read = |question: &ShellQuestion| question.line.contains('(').then(error);
            questions.into_iter().map(|question| (question.clone(), read(&question))).collect()
        });
        let question =
            |line: &&str| ShellQuestion { shell: shell.into(), line: (*line).to_owned() };
        let questions = lines.iter().map(question).collect();
        let broken = shells.errors(&questions);
        assert_eq!(shells.errors(&questions), broken, "the same again");
        (broken.into_keys().map(|question| question.line).collect(), asked.load(Ordering::SeqCst))
    }

    #[test]
    fn each_command_is_asked_about_once_and_what_is_sound_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let shell = dir.path().join("sh");
        fs::write(&shell, "").unwrap();
        let shell = shell.to_str().unwrap();
        let none = Vec::<String>::new();
        assert_eq!(run(dir.path(), shell, &["a", "b"]), (none.clone(), 2));
        assert_eq!(run(dir.path(), shell, &["a", "b"]), (none.clone(), 0));
        assert_eq!(run(dir.path(), shell, &["b", "c", "("]), (vec!["(".into()], 2));
        assert_eq!(run(dir.path(), shell, &["a", "c", "("]), (vec!["(".into()], 1), "not sound");
        fs::write(shell, "another").unwrap();
        assert_eq!(run(dir.path(), shell, &["a"]), (none.clone(), 1), "another shell");
        fs::write(dir.path().join("cache/sound-commands"), "").unwrap();
        assert_eq!(run(dir.path(), shell, &["a"]), (none, 1), "the memory was lost");
    }
}
