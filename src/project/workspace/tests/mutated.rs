//! No text makes loading panic, and every place told is in its file.

use proptest::prelude::*;

use super::{NATS, Sandbox, TELEMETRY};
use crate::workspace::LoadError;

const FILES: [(&str, &str); 3] = [
    ("versions.yml", TELEMETRY),
    ("subsystems/nats.yml", NATS),
    (
        "subsystems/arc.yml",
        "vars: {a: &x ['{{ name }}'], b: 'it''s'}\nbuild:\n  run: |\n    echo {{ out }}\n    {{ b }}\n  env: {K: \"\\u00e9{{ vars.b }}\"}\n",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_loading_panic(
        file in 0usize..3,
        edits in proptest::collection::vec(
            (any::<usize>(), 0usize..12, "[ -~\n\t]{0,4}|[{}%|'\"&*<:\\\\-]{1,3}|\\PC"), 1..4)
    ) {
        let sandbox = Sandbox::new(&FILES);
        let (path, text) = FILES[file];
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, piece) in edits {
            let at = at % (chars.len() + 1);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        let text: String = chars.into_iter().collect();
        sandbox.write(path, text.as_bytes());
        if let Err(LoadError::Problems(problems)) = sandbox.load() {
            prop_assert!(!problems.diagnostics.is_empty());
            for diagnostic in &problems.diagnostics {
                let related = diagnostic.related.iter().map(|(span, _)| span);
                for span in related.chain([&diagnostic.span]) {
                    prop_assert!(problems.texts[&span.file].get(span.bytes.clone()).is_some(), "{diagnostic:?}");
                }
            }
        }
    }
}
