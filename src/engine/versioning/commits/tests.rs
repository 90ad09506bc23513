//! Tables of commits and versions, and a model that says the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{Precedence, Scheme};

fn commit(number: usize, message: &str) -> Commit {
    Commit { hash: format!("{number:040x}"), message: message.into(), ..Commit::default() }
}

/// Commits as `git log` lists them: `messages` are the oldest first.
fn commits(messages: &[&str]) -> Vec<Commit> {
    messages.iter().enumerate().rev().map(|(at, message)| commit(at, message)).collect()
}

fn scheme(first: &str) -> Commits {
    let channels = [("dev", "dev"), ("next", "rc")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    Commits { first: first.into(), bump_minor_pre_major: false, channels: channels.into() }
}

fn label(next: NextVersion) -> String {
    match next {
        NextVersion::Release { label, .. } => label,
        NextVersion::Nothing { .. } => "-".into(),
    }
}

/// What follows `labels` on `branch` if `messages` are new.
fn after(labels: &str, branch: &str, messages: &[&str]) -> String {
    let scheme = scheme("0.1.0");
    let line = VersionLine::from_labels(&scheme, labels.split_whitespace(), Some(branch));
    let commits = commits(messages);
    label(line.next(&commits, &commits, None))
}

#[test]
fn commits_say_how_far_a_release_goes() {
    for (labels, branch, messages, expected) in [
        ("1.2.3", "main", &["fix: a"][..], "1.2.4"),
        ("1.2.3", "main", &["fix: a", "feat: b", "fix: c"], "1.3.0"),
        ("1.2.3", "main", &["feat: a", "chore!: b"], "2.0.0"),
        ("1.2.3", "main", &["chore: a", "docs: b", "words"], "-"),
        ("1.2.3", "main", &[], "-"),
        ("0.4.2", "main", &["feat!: a"], "1.0.0"),
        ("", "main", &["fix: a"], "0.1.0"),
        ("", "main", &["chore: a"], "-"),
        ("", "dev", &["feat!: a"], "0.1.0-dev.1"),
        // The highest counts, not the last one listed; what the scheme does not make does not.
        ("1.10.0 1.9.0 v3.0.0 20260107.0 2.0 2.0.0-beta.1", "main", &["fix: a"], "1.10.1"),
        // Channels.
        ("1.2.0", "dev", &["feat: a"], "1.3.0-dev.1"),
        ("1.2.0 1.3.0-dev.1", "dev", &["feat: a", "fix: b"], "1.3.0-dev.2"),
        ("1.2.0 1.3.0-dev.9 1.3.0-dev.10", "dev", &["feat: a"], "1.3.0-dev.11"),
        ("1.2.0 1.3.0-dev.2", "dev", &["feat: a", "fix!: b"], "2.0.0-dev.1"),
        ("1.2.0 2.0.0-dev.1", "dev", &["fix: a"], "2.0.0-dev.2"),
        ("1.2.0 1.3.0-dev.2", "main", &["feat: a", "fix: b"], "1.3.0"),
        ("1.3.0 1.3.0-dev.2", "dev", &["fix: a"], "1.3.1-dev.1"),
        ("1.2.0 1.3.0-dev.2", "next", &["feat: a"], "1.3.0-rc.1"),
        ("0.1.0-dev.1", "dev", &["fix: a"], "0.1.0-dev.2"),
    ] {
        assert_eq!(after(labels, branch, messages), expected, "{labels} {branch} {messages:?}");
    }
}

#[test]
fn before_1_0_0_a_breaking_change_may_be_minor() {
    let careful = Commits { bump_minor_pre_major: true, ..scheme("v0.1.0") };
    let next = |label_now: &str, over: Option<Override>| {
        let commits = commits(&["feat!: a"]);
        label(VersionLine::from_labels(&careful, [label_now], None).next(
            &commits,
            &commits,
            over.as_ref(),
        ))
    };
    assert_eq!(next("v0.4.2", None), "v0.5.0");
    assert_eq!(next("v1.4.2", None), "v2.0.0");
    assert_eq!(next("v0.4.2", Some(Override::flag(BumpRequest::Release(Bump::Major)))), "v1.0.0");
}

#[test]
fn who_asks_is_heard() {
    let scheme = scheme("0.1.0");
    let line = VersionLine::from_labels(&scheme, ["1.2.3"], None);
    let new = commits(&["feat: a"]);
    let next = |commits: &[Commit], over: Override| line.next(commits, commits, Some(&over));
    for (wish, expected) in
        [("major", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.2.4"), ("skip", "-")]
    {
        let wish: BumpRequest = wish.parse().unwrap();
        assert_eq!(label(next(&new, Override::flag(wish))), expected);
        assert_eq!(label(next(&new, Override::label(wish))), expected);
        // A label speaks of the commits of its pull request: what they do not touch stays.
        assert_eq!(label(next(&[], Override::flag(wish))), expected);
        assert_eq!(label(next(&[], Override::label(wish))), "-");
    }
}

#[test]
fn the_reason_is_told() {
    let scheme = scheme("0.1.0");
    let line = VersionLine::from_labels(&scheme, ["1.2.3", "1.3.0-dev.1"], Some("dev"));
    assert_eq!((line.stable(), line.last()), (Some("1.2.3"), Some("1.3.0-dev.1")));
    let why = |messages: &[&str], over: Option<Override>| {
        let commits = commits(messages);
        match line.next(&commits, &commits, over.as_ref()) {
            NextVersion::Release { label, why } => format!("{label}, {why}"),
            NextVersion::Nothing { why } => why,
        }
    };
    let skip = Some(Override::label(BumpRequest::Skip));
    let told = [
        why(&["fix: a", "feat(ui): b\n\nbody", "fix: c"], None),
        why(&["fix: a"], None),
        why(&["chore: a", "b"], None),
        why(&[], None),
        why(&["fix: a"], skip),
        why(&["fix: a"], Some(Override::flag(BumpRequest::Release(Bump::Major)))),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    1.3.0-dev.2, minor: `feat(ui): b` (0000000000) and 2 more since 1.2.3
    1.3.0-dev.2, patch: `fix: a` (0000000000) since 1.2.3
    2 commits since 1.3.0-dev.1, none of which is to be released
    no commit touches it since 1.3.0-dev.1
    the label `release:skip` forbids a release
    2.0.0-dev.1, `--bump major` asks for a major release
    ");
}

#[test]
fn what_was_taken_back_before_its_release_never_was() {
    let revert = |number: usize| format!("Revert \"x\"\n\nThis reverts commit {number:040x}.");
    let (back, back_again) = (revert(0), revert(1));
    assert_eq!(after("1.2.3", "main", &["feat: x", &back]), "-");
    assert_eq!(after("1.2.3", "main", &["feat: x", &back, &back_again]), "1.3.0");
    assert_eq!(after("1.2.3", "main", &["feat: x", &back, "fix: y"]), "1.2.4");
    // What was released is taken back by a fix.
    assert_eq!(after("1.2.3", "main", &[&revert(99)]), "1.2.4");
    assert_eq!(after("1.2.3", "main", &["revert: let us forget it"]), "1.2.4");
    // It was in a pre-release: there is a next one, and no stable release has anything of it.
    let scheme = scheme("0.1.0");
    let all = commits(&["feat: x", &back]);
    let labels = ["1.2.3", "1.3.0-dev.1"];
    let dev = VersionLine::from_labels(&scheme, labels, Some("dev")).next(&all, &all[..1], None);
    assert_eq!(label(dev), "1.3.0-dev.2");
    assert_eq!(
        label(VersionLine::from_labels(&scheme, labels, Some("main")).next(&all, &all, None)),
        "-"
    );
}

#[test]
fn numbers_that_cannot_go_on_are_told() {
    let label = format!("1.{}.0", u64::MAX);
    assert_eq!(after(&label, "main", &["feat: a"]), "-");
    assert_eq!(after(&label, "main", &["fix: a"]), format!("1.{}.1", u64::MAX));
    assert_eq!(after("1.99999999999999999999.0 1.0.0", "main", &["fix: a"]), "1.0.1");
}

/// What happens to a repository.
#[derive(Clone, Copy, Debug)]
enum Step {
    Commit(Option<Bump>),
    /// A release from `main`, or from `dev`.
    Release {
        dev: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let bump = prop_oneof![
        2 => Just(None),
        4 => Just(Some(Bump::Patch)),
        2 => Just(Some(Bump::Minor)),
        1 => Just(Some(Bump::Major)),
    ];
    prop_oneof![3 => bump.prop_map(Step::Commit), 2 => any::<bool>().prop_map(|dev| Step::Release { dev })]
}

/// The model: versions are four numbers (the last is that of the pre-release), and what is not
/// released yet are two lists of wishes.
#[derive(Default)]
struct Model {
    stable: Option<[u64; 3]>,
    pre: Option<([u64; 3], u64)>,
    since_stable: Vec<Option<Bump>>,
    since_pre: Vec<Option<Bump>>,
}

impl Model {
    fn commit(&mut self, bump: Option<Bump>) {
        self.since_stable.push(bump);
        self.since_pre.push(bump);
    }

    fn target(&self) -> Option<[u64; 3]> {
        let bump = self.since_stable.iter().copied().flatten().max()?;
        Some(match (self.stable, bump) {
            (None, _) => [0, 1, 0],
            (Some([major, ..]), Bump::Major) => [major + 1, 0, 0],
            (Some([major, minor, _]), Bump::Minor) => [major, minor + 1, 0],
            (Some([major, minor, patch]), Bump::Patch) => [major, minor, patch + 1],
        })
    }

    fn release(&mut self, dev: bool) -> Option<String> {
        let target = self.target()?;
        let new = if dev { &mut self.since_pre } else { &mut self.since_stable };
        if std::mem::take(new).iter().all(Option::is_none) {
            return None;
        }
        let text = |v: [u64; 3]| format!("{}.{}.{}", v[0], v[1], v[2]);
        if !dev {
            self.stable = Some(target);
            // The branch begins again from there, whatever its last version was.
            self.since_pre.clear();
            return Some(text(target));
        }
        let continued = self.pre.map(|(core, number)| (core, number + 1));
        let (core, number) = continued.into_iter().chain([(target, 1)]).max()?;
        self.pre = Some((core, number));
        Some(format!("{}-dev.{number}", text(core)))
    }
}

proptest! {
    #[test]
    fn versions_are_those_of_the_model(steps in proptest::collection::vec(step(), 0..40)) {
        let scheme = scheme("0.1.0");
        let mut model = Model::default();
        let mut log: Vec<Commit> = Vec::new();
        // Each label with how many commits there were.
        let mut tags: BTreeMap<String, usize> = BTreeMap::new();
        for step in steps {
            let dev = match step {
                Step::Commit(bump) => {
                    let kind = match bump {
                        None => "chore",
                        Some(Bump::Patch) => "fix",
                        Some(Bump::Minor) => "feat",
                        Some(Bump::Major) => "feat!",
                    };
                    log.insert(0, commit(log.len(), &format!("{kind}: x")));
                    model.commit(bump);
                    continue;
                }
                Step::Release { dev } => dev,
            };
            let branch = if dev { "dev" } else { "main" };
            let line = VersionLine::from_labels(&scheme, tags.keys().map(String::as_str), Some(branch));
            let since = |label: Option<&str>| &log[..log.len() - label.map_or(0, |label| tags[label])];
            let next = line.next(since(line.stable()), since(line.last()), None);
            let NextVersion::Release { label, .. } = next else {
                prop_assert_eq!(model.release(dev), None);
                continue;
            };
            let expected = model.release(dev);
            prop_assert_eq!(Some(&label), expected.as_ref());
            prop_assert!(Scheme::Commits(scheme.clone()).makes(&label), "{}", label);
            // It is new, and higher than all stable ones and all of its channel.
            let precedence = Precedence::parse(&label).unwrap();
            for older in tags.keys().filter(|older| dev || !older.contains('-')) {
                prop_assert!(Precedence::parse(older).unwrap() < precedence, "{} < {}", older, label);
            }
            tags.insert(label, log.len());
        }
    }

    #[test]
    fn no_label_panics(labels in proptest::collection::vec("v?[0-9.]{0,8}(-dev\\.[0-9]{0,20})?\\PC{0,2}", 0..5)) {
        let scheme = scheme("0.1.0");
        let line = VersionLine::from_labels(&scheme, labels.iter().map(String::as_str), Some("dev"));
        let new = commits(&["feat: a"]);
        if let NextVersion::Release { label, .. } = line.next(&new, &new, None) {
            prop_assert!(!labels.contains(&label));
        }
    }
}
