//! Specs that take what others say.

use crate::support::Sandbox;

#[test]
fn what_a_spec_takes_from_another_builds_it_and_is_explained() {
    let sandbox = Sandbox::new();
    sandbox.write("versions.yml", "versions: { a: v1.0.0, b: v2.0.0 }\n");
    sandbox.write(
        "shared/script.yml",
        "vars: { greeting: hello }\n\
         source: { path: '{{ name }}' }\n\
         build:\n  run: printf '#!/bin/sh\\necho {{ greeting }} {{ name }}\\n' > {{ out }}/{{ name }}; chmod +x {{ out }}/*\n\
         tasks: { try: '{{ name }}' }\n",
    );
    sandbox.write("subsystems/a.yml", "extends: shared/script.yml\n");
    sandbox.write("subsystems/b.yml", "extends: a\nvars: { greeting: good day }\n");
    sandbox.write("a/x", "");
    sandbox.write("b/x", "");
    sandbox.forge("ensure").succeeds();
    let said = |task: &str| sandbox.forge("run --output plain").arg(task).succeeds().stdout();
    assert_eq!([said("a:try"), said("b:try")], ["hello a\n", "good day b\n"]);
    let explained = sandbox.forge("explain b").succeeds().stdout();
    let lines: Vec<_> =
        explained.lines().map(str::trim).filter(|l| l.starts_with("extends")).collect();
    assert_eq!(
        lines,
        [
            "extends        subsystems/a.yml",
            "extends        shared/script.yml (source, build, tasks)"
        ]
    );
    assert!(explained.contains("echo good day b"), "{explained}");
    sandbox.write("shared/script.yml", "build: [\n");
    let broken = sandbox.forge("check").exits(2).stderr();
    assert!(broken.contains("shared/script.yml:1"), "{broken}");
}
