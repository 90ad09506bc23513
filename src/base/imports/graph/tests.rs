//! What programs import, over packages, embedded files and modules.

use std::process::Command;

use super::*;

fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn reach(dir: &tempfile::TempDir, start: &str) -> ImportClosure {
    let programs = [vec![start.to_owned()]];
    Graph::new(dir.path()).reach_all(&programs).unwrap().remove(0)
}

const SHARED: &[(&str, &str)] = &[
    ("go.mod", "module example.org/m\n\ngo 1.20\n"),
    ("cmd/a/main.go", "package main\nimport \"example.org/m/libs/one\"\nfunc main() { one.F() }\n"),
    ("cmd/b/main.go", "package main\nfunc main() {}\n"),
    (
        "libs/one/one.go",
        "package one\nimport (\n\t\"fmt\"\n\t\"example.org/m/libs/two\"\n)\nfunc F() { fmt.Println(two.X) }\n",
    ),
    ("libs/one/one_test.go", "package one\nimport _ \"example.org/m/libs/three\"\n"),
    ("libs/two/two.go", "package two\nimport _ \"embed\"\n//go:embed data/*.txt\nvar X string\n"),
    ("libs/two/data/x.txt", "x"),
    ("libs/two/data/x.md", "x"),
    ("libs/three/three.go", "package three\n"),
];

#[test]
fn what_is_imported_counts_with_what_it_imports_and_embeds_and_no_more() {
    let dir = workspace(SHARED);
    let a = reach(&dir, "cmd/a");
    assert_eq!(a.packages.iter().collect::<Vec<_>>(), ["libs/one", "libs/two"]);
    let files: Vec<_> = a.files.iter().map(String::as_str).collect();
    assert_eq!(files, ["go.mod", "libs/one/one.go", "libs/two/data/x.txt", "libs/two/two.go"]);
    for path in
        ["libs/one/new.go", "libs/two/data/y.txt", "go.sum", "go.work", "libs/one/x_arm64.s"]
    {
        assert!(a.covers(path), "{path}");
    }
    for path in
        ["libs/one/one_test.go", "libs/three/three.go", "libs/one/README.md", "libs/two/data/x.md"]
    {
        assert!(!a.covers(path), "{path}");
    }
    assert!(reach(&dir, "cmd/b").packages.is_empty());
}

#[test]
fn replaced_used_and_vendored_modules_are_found() {
    let code = "package main\nimport _ \"example.org/lib/x\"\nfunc main() {}\n";
    let files = [
        ("app/main.go", code),
        (
            "app/go.mod",
            "module example.org/app\nrequire example.org/lib v0.0.0\nreplace example.org/lib => ../lib\n",
        ),
        ("used/main.go", code),
        ("used/go.mod", "module example.org/used\n"),
        ("go.work", "use (\n\t./used\n\t./lib\n)\n"),
        ("vendored/main.go", code),
        ("vendored/go.mod", "module example.org/vendored\n"),
        ("vendored/vendor/modules.txt", ""),
        ("vendored/vendor/example.org/lib/x/x.go", "package x\n"),
        ("lib/go.mod", "module example.org/lib\n"),
        ("lib/x/x.go", "package x\n"),
    ];
    let dir = workspace(&files);
    for start in ["app", "used"] {
        let reach = reach(&dir, start);
        assert_eq!(reach.packages.iter().collect::<Vec<_>>(), ["lib/x"], "{start}");
        assert!(reach.covers("lib/go.mod"), "{start}");
    }
    let vendored = reach(&dir, "vendored");
    let packages: Vec<_> = vendored.packages.iter().collect();
    assert_eq!(packages, ["vendored/vendor/example.org/lib/x"]);
}

#[test]
fn the_go_command_says_the_same() {
    if Command::new("go").arg("version").output().is_err() {
        return;
    }
    let dir = workspace(SHARED);
    let output = Command::new("go")
        .args(["list", "-deps", "-f", "{{if not .Standard}}{{.Dir}}{{end}}", "./cmd/a"])
        .current_dir(dir.path())
        .envs([("GOWORK", "off"), ("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let root = dir.path().canonicalize().unwrap();
    let listed: BTreeSet<String> = text
        .lines()
        .map(|line| Path::new(line).strip_prefix(&root).unwrap().display().to_string())
        .filter(|folder| folder != "cmd/a")
        .collect();
    assert_eq!(reach(&dir, "cmd/a").packages, listed, "{error}");
}
