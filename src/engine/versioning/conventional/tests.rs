//! The sixteen rules, what they leave open, and what no message may do.

use proptest::prelude::*;

use super::*;

/// A message in a few words: type, scope, mark, description, body, footers, and what it leads to.
fn told(text: &str) -> String {
    let Ok(message) = Message::read(text) else { return "-".into() };
    let scope = message.scope.map(|scope| format!("({scope})")).unwrap_or_default();
    let mark = if message.is_marked { "!" } else { "" };
    let mut told =
        format!("{}{scope}{mark}|{}|{}", message.kind, message.description, message.body);
    for footer in &message.footers {
        told.push_str(&format!("|{}={}", footer.token, footer.value));
    }
    let bump = message.bump().map_or("-".into(), |bump| bump.to_string());
    format!("{told}|{bump}").replace('\n', "~")
}

/// The sixteen rules of the specification, in order, each with messages that keep and that break it.
#[test]
fn the_sixteen_rules() {
    for (rule, message, expected) in [
        (1, "feat: x", "feat|x||minor"),
        (1, "feat(a)!: x", "feat(a)!|x||major"),
        (1, "x", "-"),
        (1, ": x", "-"),
        (1, "feat:x", "-"),
        (1, "feat x", "-"),
        (2, "feat: a feature", "feat|a feature||minor"),
        (3, "fix: a bug", "fix|a bug||patch"),
        (4, "fix(parser): x", "fix(parser)|x||patch"),
        (4, "fix(the parser/2): x", "fix(the parser/2)|x||patch"),
        (4, "fix(parser: x", "-"),
        (4, "fix[parser]: x", "-"),
        (5, "fix: array parsing issue when: spaces", "fix|array parsing issue when: spaces||patch"),
        (5, "fix: ", "-"),
        (6, "fix: x\n\nlonger", "fix|x|longer|patch"),
        (7, "fix: x\n\nfree\nform\n\nany number", "fix|x|free~form~~any number|patch"),
        (8, "fix: x\n\nbody\n\nReviewed-by: Z\nRefs #1", "fix|x|body|Reviewed-by=Z|Refs=1|patch"),
        (8, "fix: x\n\nRefs: 1", "fix|x||Refs=1|patch"),
        (8, "fix: x\n\nbody\nRefs: 1", "fix|x|body~Refs: 1|patch"),
        (9, "fix: x\n\nAcked-by: Z", "fix|x||Acked-by=Z|patch"),
        (9, "fix: x\n\nAcked by: Z", "fix|x|Acked by: Z|patch"),
        (10, "fix: x\n\nNote: a\nb\n\nc\nRefs: 1", "fix|x||Note=a~b~~c|Refs=1|patch"),
        (11, "docs!: x", "docs!|x||major"),
        (11, "docs: x\n\nBREAKING CHANGE: y", "docs|x||BREAKING CHANGE=y|major"),
        (
            12,
            "chore: x\n\nBREAKING CHANGE: environment variables now win",
            "chore|x||BREAKING CHANGE=environment variables now win|major",
        ),
        (12, "chore: x\n\nBREAKING CHANGES: y", "chore|x|BREAKING CHANGES: y|-"),
        (13, "chore(a)!: drop b", "chore(a)!|drop b||major"),
        (13, "chore!(a): drop b", "-"),
        (14, "docs: x", "docs|x||-"),
        (14, "whatever: x", "whatever|x||-"),
        (15, "FEAT: x", "FEAT|x||minor"),
        (15, "Fix: x", "Fix|x||patch"),
        (15, "fix: x\n\nreviewed-BY: Z", "fix|x||reviewed-BY=Z|patch"),
        (15, "fix: x\n\nbreaking change: y", "fix|x|breaking change: y|patch"),
        (15, "fix: x\n\nbreaking-change: y", "fix|x||breaking-change=y|patch"),
        (16, "fix: x\n\nBREAKING-CHANGE: y", "fix|x||BREAKING-CHANGE=y|major"),
    ] {
        assert_eq!(told(message), expected, "rule {rule}: {message:?}");
    }
}

/// What the specification leaves open.
#[test]
fn decisions() {
    for (message, expected) in [
        ("Revert \"feat: x\"", "revert|feat: x||patch"),
        ("Revert \"feat: x\" (#12)", "revert|feat: x||patch"),
        ("revert: let us never speak of it", "revert|let us never speak of it||patch"),
        ("Reapply \"feat(a): x\"", "feat(a)|x||minor"),
        ("Reapply \"x\"", "-"),
        ("Revert \"", "-"),
        // A blank line is easily forgotten.
        ("fix: x\nBREAKING CHANGE: y", "fix|x||BREAKING CHANGE=y|major"),
        ("fix: x\n\nbody\nBREAKING CHANGE: y\n", "fix|x|body|BREAKING CHANGE=y|major"),
        ("fix: x\n\nBREAKING CHANGE:\ny\nz", "fix|x||BREAKING CHANGE=y~z|major"),
        ("fix: x\r\n\r\nbody\r\n\r\nRefs: 1\r\n", "fix|x|body|Refs=1|patch"),
        ("feat(): x", "feat|x||minor"),
        ("feat:  x ", "feat|x||minor"),
        ("perf: x", "perf|x||patch"),
        ("deprecate: x", "deprecate|x||minor"),
        ("Merge branch 'main'", "-"),
        ("Merge pull request #1: x", "-"),
        ("", "-"),
    ] {
        assert_eq!(told(message), expected, "{message:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        kind in "[a-zA-Z][a-z0-9-]{0,6}",
        scope in proptest::option::of("[a-z][a-z/ ]{0,5}[a-z]"),
        mark in any::<bool>(),
        description in "[a-zé\"(][a-z:()! ]{0,12}[a-z)]",
        body in proptest::option::of("[a-z][a-z ,\n]{0,20}[a-z]"),
        footers in proptest::collection::vec(("[A-Z][a-z]{1,4}(-by)?", "[a-z0-9 ]{0,8}[a-z]"), 0..3),
    ) {
        let written_scope = scope.as_ref().map(|scope| format!("({scope})")).unwrap_or_default();
        let written_mark = if mark { "!" } else { "" };
        let mut text = format!("{kind}{written_scope}{written_mark}: {description}");
        if let Some(body) = &body {
            text.push_str(&format!("\n\n{body}"));
        }
        for (at, (token, value)) in footers.iter().enumerate() {
            text.push_str(if at == 0 { "\n\n" } else { "\n" });
            text.push_str(&format!("{token}: {value}"));
        }
        let message = Message::read(&text).unwrap();
        prop_assert_eq!(message.kind, kind);
        prop_assert_eq!(message.scope, scope.as_deref());
        prop_assert_eq!((message.is_marked, message.is_breaking()), (mark, mark));
        prop_assert_eq!(message.description, description.trim());
        prop_assert_eq!(message.body, body.unwrap_or_default());
        let read: Vec<_> = message.footers.iter().map(|one| (one.token, one.value)).collect();
        let written: Vec<_> = footers.iter().map(|(token, value)| (token.as_str(), value.trim())).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn any_bytes_are_a_message_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(message) = Message::read(&text) {
            let _ = (message.bump(), message.breaks());
        }
    }

    #[test]
    fn no_message_panics(text in "[a-z(]{0,4}[)!: ]{0,3}\\PC{0,10}(\n(BREAKING CHANGE|A)?:?\\PC{0,8}){0,4}") {
        if let Ok(message) = Message::read(&text) {
            let _ = (message.bump(), message.breaks());
        }
    }
}
