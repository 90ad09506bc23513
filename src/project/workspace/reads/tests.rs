//! Which words of commands are inputs.

use std::{collections::BTreeMap, time::Duration};

use super::*;

/// A workspace with a source in `app`, and things around it.
fn workspace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in
        ["app/a.c", "app/sub/b.c", "scripts/x.sh", "scripts/y.sh", "VERSION", "a [1]", "lib/z/z.h"]
    {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    dir
}

fn reads_of(steps: &[&str], env: &[(&str, &str)], source: &Source, dir: Option<&str>) -> Reads {
    let workspace = workspace();
    let text = |text: &str| {
        let text = ["root", "src", "out"].iter().fold(text.to_owned(), |text, place| {
            text.replace(&format!("{{{{ {place} }}}}"), &Text::symbol(place))
        });
        Text::new(text.replace("ABSOLUTE", &workspace.path().display().to_string()))
    };
    let build = Build {
        remote: None,
        steps: steps.iter().map(|step| text(step)).collect(),
        dir: dir.map(text),
        pass_env: BTreeMap::default(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
        tools: BTreeMap::new(),
        rust_target: None,
        is_sandboxed: true,
        native_only: None,
        preset: None,
        module: None,
        timeout: Duration::ZERO,
    };
    reads(&build, source, workspace.path())
}

fn app() -> Source {
    Source::Path { dir: "app".into(), only: Vec::new() }
}

fn used(step: &str) -> Vec<String> {
    let found = reads_of(&[step], &[], &app(), None);
    assert_eq!(found.unseen, [], "{step}");
    found.used.into_iter().collect()
}

#[test]
fn what_commands_name_outside_of_the_source_is_used() {
    for (step, expected) in [
        ("../scripts/x.sh {{ out }}", &["scripts/x.sh"][..]),
        ("sh {{ root }}/scripts/x.sh {{ out }}", &["scripts/x.sh"]),
        ("sh \"{{ root }}/scripts\"/x.sh", &["scripts/x.sh"]),
        ("sh ABSOLUTE/scripts/x.sh", &["scripts/x.sh"]),
        ("sh {{ src }}/../scripts/x.sh", &["scripts/x.sh"]),
        ("cc -I../lib -include../VERSION a.c", &["VERSION", "lib"]),
        ("make -C ../lib V=$(cat ../VERSION)", &["VERSION", "lib"]),
        (
            "tool --file=../VERSION -v ../lib:/mnt <../scripts/x.sh",
            &["VERSION", "lib", "scripts/x.sh"],
        ),
        (". '../scripts/x.sh'; `../scripts/y.sh`", &["scripts/x.sh", "scripts/y.sh"]),
        ("sh -c 'cat ../VERSION | tr a b'", &["VERSION"]),
        ("cat ../scripts/*.sh", &["scripts/*.sh"]),
        ("cat '../a [1]'", &["a \\[1\\]"]),
        ("cd sub && cat ../../VERSION", &["VERSION"]),
        ("cd ../scripts && ./x.sh && . x.sh", &["scripts", "scripts/x.sh"]),
        ("sh $PWD/../scripts/x.sh", &["scripts/x.sh"]),
        ("D=../scripts; sh $D/x.sh", &["scripts", "scripts/x.sh"]),
        ("UP=.. ; export V=$UP/VERSION; cat \"$UP/lib/z/z.h\"", &["VERSION", "lib/z/z.h"]),
        ("bash -euc \"cat ../VERSION $X\"", &["VERSION"]),
        // Of what only the shell knows, the folder is known.
        ("sh ../scripts/$NAME.sh", &["scripts"]),
        // No input: what is in the source, is not there, is made, or says nothing of what is used.
        ("cat a.c sub/../a.c {{ src }}/a.c sub/$X", &[]),
        ("cd sub && cp ../a.c {{ out }}/x", &[]),
        ("mkdir build && cd build && cmake .. && ../configure $X/../y", &[]),
        ("cat ../none ../../VERSION /etc/passwd {{ root }}/.forge/x", &[]),
        ("echo 1 > ../VERSION 2>> ../scripts/x.sh; cc -o ../VERSION a.c; mkdir ../lib", &[]),
        ("cp a.c ../VERSION", &[]),
        ("cd sub && make # ../../VERSION", &[]),
        ("(cd .. && cat VERSION); { cd ..; cat lib/z/z.h; }", &["VERSION", "lib/z/z.h"]),
        ("cd {{ root }}; make -s -C lib", &["lib"]),
        ("env -C .. cat VERSION; tar -C ../lib -cf - z", &["VERSION", "lib", "lib/z"]),
        ("cat ../*/x.sh ../V* {{ root }}/l*/z/z.h", &["*/x.sh", "V*", "l*/z/z.h"]),
        ("R=$(cd .. && pwd); cat $R/VERSION", &["VERSION"]),
        ("cat $(git rev-parse --show-toplevel)/VERSION", &["VERSION"]),
        ("cat \"$(dirname \"$PWD\")/VERSION\" ${PWD%/*}/lib/z/z.h", &["VERSION", "lib/z/z.h"]),
        ("cat `realpath ..`/VERSION $(pwd)/../lib/z/z.h", &["VERSION", "lib/z/z.h"]),
        ("python3 -c 'print(open(\"../VERSION\").read())'", &["VERSION"]),
        ("awk 'BEGIN{while((getline l < \"../VERSION\")>0)print l}'", &["VERSION"]),
        ("C=\"cat ../VERSION\"; $C; trap \"cat ../lib/z/z.h\" EXIT", &["VERSION", "lib/z/z.h"]),
        ("cp -t {{ out }} ../VERSION", &["VERSION"]),
        ("ln -s {{ root }}/lib {{ out }}/up", &["lib"]),
        ("bash -c 'cat ../{lib/z,scripts}/z.h'", &["lib/z/z.h"]),
        (
            "echo '{\"a\":{\"b\":1,\"c\":{\"d\":{\"e\":2,\"f\":{\"g\":3}}}}}' | jq .a > {{ out }}/x",
            &[],
        ),
        ("ROOT={{ root }} make scripts lib", &[]),
    ] {
        assert_eq!(used(step), expected, "{step}");
    }
}

#[test]
fn variables_that_the_spec_sets_are_known() {
    let env = [("ROOT", "{{ root }}"), ("SCRIPT", "{{ root }}/scripts/x.sh"), ("UP", "..")];
    let found =
        reads_of(&["sh $ROOT/scripts/y.sh; sh $SCRIPT; cat \"${UP}/VERSION\""], &env, &app(), None);
    assert_eq!(Vec::from_iter(found.used), ["VERSION", "scripts/x.sh", "scripts/y.sh"]);
    assert_eq!(found.unseen, []);
}

#[test]
fn what_leads_out_in_a_way_that_only_the_shell_knows_is_told() {
    for step in [
        "cat ../$DIR/x",
        "cat {{ root }}/$DIR/x",
        "cat ../\"$(ls ..)\"",
        "cat ../`x`",
        "UP=..; cat $UP/$DIR/x",
        "sh -c \"cat ../$DIR/x\"",
        "cd .. && make",
        "make -C .. all",
        "for d in ..; do cat $d/x; done",
        "find .. -name x",
        "cp -r .. {{ out }}/all",
        "ln -s {{ root }} {{ out }}/up",
        "f() { cat $1/x; }; f ..",
        "set -- ..; cat $1/x",
    ] {
        let found = reads_of(&["true", step], &[], &app(), None);
        assert!(found.used.is_empty() && !found.unseen.is_empty(), "{step}: {found:?}");
        assert!(found.unseen.iter().all(|(at, _)| *at == 1), "{step}");
    }
    assert_eq!(reads_of(&["cat ../$DIR/x"], &[], &app(), None).unseen[0].1, "../$DIR/x");
    assert_eq!(reads_of(&["cd sub; cat ../$DIR/x"], &[], &app(), None).unseen, []);
}

#[test]
fn builds_without_a_source_in_the_workspace_and_in_other_folders_are_seen() {
    let git = Source::Git { url: "u".into(), reference: "v1".into() };
    let found = reads_of(&["git apply {{ root }}/scripts/x.sh ../VERSION"], &[], &git, None);
    assert_eq!(Vec::from_iter(found.used), ["scripts/x.sh"]);
    let found = reads_of(&["cat {{ root }}/$X/y"], &[], &Source::None, None);
    assert_eq!(found.unseen.len(), 1);
    let found =
        reads_of(&["sh scripts/x.sh; cat VERSION; make lib"], &[], &app(), Some("{{ root }}"));
    assert_eq!(Vec::from_iter(found.used), ["VERSION", "lib", "scripts/x.sh"]);
    let found = reads_of(&["make"], &[], &app(), Some("../lib"));
    assert_eq!(Vec::from_iter(found.used), ["lib"]);
}

#[test]
fn what_is_looked_at_is_bounded() {
    let doubling = format!("A=xx; {}cat ../$A", "A=$A$A; ".repeat(60));
    let nested = format!("echo {}true{}", "$(".repeat(20_000), ")".repeat(20_000));
    let counts = format!("echo {}1{}", "$((".repeat(20_000), "))".repeat(20_000));
    let settings = format!("{}true", "A=1 ".repeat(20_000));
    let moves = "cd a/;".repeat(20_000);
    let [few, braces, many] = [3, 60, 20_000].map(|n| format!("cat ../{}", "{a,b,c,d}".repeat(n)));
    for step in [doubling, nested, counts, settings, moves, few, braces, many] {
        let found = reads_of(&[&step], &[], &app(), None);
        assert!(found.used.is_empty() && found.unseen.len() <= 1, "{found:?}");
    }
}
