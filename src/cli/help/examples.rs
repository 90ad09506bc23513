//! An example for each verb. A test parses them all.

/// Lines that people can copy, by verb.
const EXAMPLES: [(&str, &[&str]); 72] = [
    ("init", &["forge init", "forge init --dry-run"]),
    (
        "add",
        &[
            "forge add go:github.com/mikefarah/yq/v4",
            "forge add github:jqlang/jq@jq-1.7.1",
            "forge add crate:ripgrep --dry-run",
        ],
    ),
    ("ps", &["forge ps --json"]),
    ("attach", &["forge attach nats"]),
    ("stop", &["forge stop nats"]),
    ("restart", &["forge restart nats"]),
    ("self-update", &["forge self-update --check"]),
    ("cache", &["forge cache", "forge cache prune --days 30"]),
    ("fmt", &["forge fmt", "forge fmt --check"]),
    ("remove", &["forge remove yq"]),
    ("migrate", &["forge migrate . --into migrated"]),
    ("doctor", &["forge doctor"]),
    ("ensure", &["forge ensure", "forge ensure nats liftbridge"]),
    ("exec", &["forge exec yq .name file.yml", "forge x -- make test"]),
    ("list", &["forge list --json"]),
    ("plan", &["forge plan nats"]),
    ("status", &["forge status"]),
    ("explain", &["forge explain nats", "forge explain test"]),
    ("verify", &["forge verify --running"]),
    ("which", &["forge which nats-server"]),
    ("why", &["forge why nats"]),
    ("tree", &["forge tree nats"]),
    ("env", &["eval \"$(forge env)\"", "forge env --hook bash"]),
    ("clean", &["forge clean bin"]),
    ("run", &["forge run test", "forge run build test NAME=value -- -v"]),
    ("up", &["forge up", "forge up -f nats"]),
    ("down", &["forge down"]),
    ("logs", &["forge logs -f nats"]),
    ("reload", &["forge reload nats"]),
    ("package", &["forge package nats --into out"]),
    ("package:bundle", &["forge package:bundle --all-platforms"]),
    ("image", &["forge image", "forge image api --load"]),
    ("release:image", &["forge release:image --dry-run", "forge release:image api"]),
    ("release:binary", &["forge release:binary nats"]),
    ("release:all", &["forge release:all --affected"]),
    ("release:bundle", &["forge release:bundle v1.2.0"]),
    ("release:list", &["forge release:list nats"]),
    ("release:notes", &["forge release:notes v1.2.0"]),
    ("release:wait", &["forge release:wait --timeout 10m"]),
    ("release:audit", &["forge release:audit --deep"]),
    ("release:prune", &["forge release:prune --keep 3", "forge release:prune --keep 3 --yes"]),
    ("promote", &["forge promote nats"]),
    ("history", &["forge history nats"]),
    (
        "deploy",
        &[
            "forge deploy test",
            "forge deploy production api --from test",
            "forge deploy test --dry-run",
        ],
    ),
    ("rollback", &["forge rollback production api", "forge rollback production api --to v1.1.0"]),
    ("drift", &["forge drift production"]),
    ("ci:deploy", &["forge ci:deploy"]),
    ("deployments", &["forge deployments", "forge deployments test", "forge deployments --log 7"]),
    (
        "serve",
        &[
            "forge serve",
            "forge serve --listen 0.0.0.0:7420 --tokens tokens --certificate cert.pem --key key.pem",
        ],
    ),
    ("preview", &["forge preview", "forge preview api --pr 7"]),
    ("preview:destroy", &["forge preview:destroy 7"]),
    ("preview:sweep", &["forge preview:sweep"]),
    ("outdated", &["forge outdated"]),
    ("bump", &["forge bump nats", "forge bump nats v2.11.0"]),
    ("lock", &["forge lock --update"]),
    ("version:next", &["forge version:next arc"]),
    ("changelog", &["forge changelog --since v1.1.0"]),
    ("lint:title", &["forge lint:title \"fix: no panic on an empty file\""]),
    ("ci", &["forge ci --plan", "forge ci"]),
    ("ci:init", &["forge ci:init", "forge ci:init --matrix"]),
    ("ci:build", &["forge ci:build"]),
    ("ci:test", &["forge ci:test nats"]),
    ("ci:package", &["forge ci:package"]),
    ("ci:release", &["forge ci:release"]),
    ("ci:pages", &["forge ci:pages"]),
    ("ci:close", &["forge ci:close plan=success build=failure"]),
    ("affected", &["forge affected --since origin/main"]),
    ("matrix", &["forge matrix --affected"]),
    ("check", &["forge check"]),
    ("graph", &["forge graph --format dot"]),
    ("schema", &["forge schema spec", "forge schema api"]),
    ("completions", &["forge completions zsh"]),
];

/// The examples of the verb `name`.
pub(in super::super) fn examples_of(name: &str) -> &'static [&'static str] {
    const OF_HELP: &[&str] = &["forge help ensure", "forge help spec", "forge help --man man1"];
    let known = EXAMPLES.iter().find(|(verb, _)| *verb == name).map(|(_, lines)| *lines);
    known.unwrap_or(if name == "help" { OF_HELP } else { &[] })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::{habits::rewrite, verb_names},
            command,
        },
        *,
    };

    #[test]
    fn each_verb_has_an_example_that_is_a_command_line() {
        let command = command();
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            assert!(!examples_of(name).is_empty(), "{name} has no example");
            for line in examples_of(name) {
                let inner = line.trim_start_matches("eval \"$(").trim_end_matches(")\"");
                let (plain, quoted) = inner.split_once('"').unwrap_or((inner, ""));
                let words = plain.split_whitespace().map(str::to_owned);
                let last = quoted.trim_end_matches('"').to_owned();
                let words = words.chain((!last.is_empty()).then_some(last));
                let words = words.map(std::ffi::OsString::from).collect();
                let words = rewrite(words, &verb_names(&command));
                let parsed = command.clone().try_get_matches_from(&words);
                let parsed = parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(parsed.subcommand_name(), Some(name), "{line}");
            }
        }
        for (verb, _) in EXAMPLES {
            assert!(command.find_subcommand(verb).is_some(), "{verb} is not a verb");
        }
    }
}
