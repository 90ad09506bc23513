//! Builds on workers, which have no network and nothing but what is sent: sources from elsewhere, modules, crates, tools.

use std::{fs, io::Write, path::Path, process::Command};

use crate::{
    conformance::servers::Running,
    remote_execution::{has_engine, start_engine, start_engine_with, workspace},
    support::{Asset, Invocation, Sandbox, git, is_here, sha256},
};

/// Says where it ran: on a worker there is nothing of this machine.
const SCRIPT: &str = "#!/bin/sh\necho tool\n";

fn engine(folder: &Path) -> Running {
    start_engine(folder, 2)
}

fn is_built_on_a_worker(sandbox: &Sandbox, invocation: Invocation) {
    let run = invocation.succeeds();
    let document = run.json();
    assert_eq!(document["artifacts"][0]["how"], "built", "{run}");
    assert_eq!(document["remote"]["executed"], 1, "{run}");
    sandbox.forge("explain tool").succeeds().says("on a worker");
}

#[test]
fn a_source_from_git_is_sent_without_its_history() {
    if !has_engine() || !is_here("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path());
    let sandbox = workspace(engine.port, "", "  x: 'true'\n");
    let upstream = sandbox.beside("upstream");
    fs::create_dir_all(upstream.join("sub")).unwrap();
    fs::write(upstream.join("sub/tool.sh"), SCRIPT).unwrap();
    std::os::unix::fs::symlink("sub/tool.sh", upstream.join("link.sh")).unwrap();
    git(&upstream, &["init", "-q", "-b", "main"]);
    git(&upstream, &["add", "-A"]);
    git(&upstream, &["commit", "-q", "-m", "one"]);
    git(&upstream, &["tag", "v1"]);
    let commit = git(&upstream, &["rev-parse", "HEAD"]);
    let spec = format!(
        "source: {{ git: {} }}\nbuild:\n  remote: true\n  run:\n    - test ! -e .git -a ! -e {}\n    - test {{{{ commit }}}} = {}\n    - cp link.sh {{{{ out }}}}/tool\n",
        upstream.display(),
        upstream.display(),
        commit.trim()
    );
    let sandbox = sandbox.spec("tool", "v1", &spec);
    sandbox.forge("plan tool").succeeds().says("built on a worker");
    is_built_on_a_worker(&sandbox, sandbox.forge("ensure tool --json"));
    assert_eq!(sandbox.run_binary("tool"), "tool\n");
}

#[test]
fn a_source_from_an_archive_is_sent() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path());
    // What its .gitignore names is part of what was packed.
    let archive = Asset::new()
        .file("src-1.0/tool.sh", SCRIPT.as_bytes())
        .file("src-1.0/.gitignore", b"*.sh\n")
        .gz();
    let sandbox = workspace(engine.port, "", "  x: 'true'\n");
    fs::write(sandbox.path("src.tar.gz"), &archive).unwrap();
    let spec = format!(
        "source: {{ archive: src.tar.gz, sha256: {}, strip: 1 }}\nbuild: {{ remote: true, run: 'cp tool.sh {{{{ out }}}}/tool' }}\n",
        sha256(&archive)
    );
    let sandbox = sandbox.spec("tool", "v1", &spec);
    is_built_on_a_worker(&sandbox, sandbox.forge("ensure tool --json"));
    assert_eq!(sandbox.run_binary("tool"), "tool\n");
}

#[test]
fn what_a_build_needs_is_sent_and_comes_first_on_its_path() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path());
    let spec = "source: { path: code/tool }\nbuild_needs: [hello]\nbuild:\n  remote: true\n  tools: [hello]\n  run: ['printf \"#!/bin/sh\\necho %s\\n\" \"$(hello)\" > {{ out }}/tool']\n";
    let sandbox = workspace(engine.port, "", "  x: 'true'\n")
        .file("code/tool/x", "x")
        .spec("tool", "v1", spec);
    let run = sandbox.forge("ensure tool --json").succeeds();
    assert_eq!(run.json()["remote"]["executed"], 1, "{run}");
    assert_eq!(sandbox.run_binary("tool"), "hello v1\n");
    // A worker of another kind cannot run it, so it is built here.
    let other = ", properties: { OSFamily: plan9 }";
    let other = workspace(engine.port, other, "  x: 'true'\n")
        .file("code/tool/x", "x")
        .spec("tool", "v1", spec);
    other.forge("explain tool").succeeds().says("the worker is another");
    let run = other.forge("ensure tool --json").succeeds();
    assert_eq!(run.json()["remote"]["executed"], 0, "{run}");
}

#[test]
fn a_worker_without_a_tool_is_said_by_the_name_of_the_tool() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(folder.path());
    let spec = "source: { path: code/tool }\nbuild: { remote: true, tools: [no-such-tool-1], run: ['true'] }\n";
    let sandbox = workspace(engine.port, "", "  x: 'true'\n")
        .file("code/tool/x", "x")
        .spec("tool", "v1", spec);
    let run = sandbox.forge("ensure tool").exits(1);
    run.says("no-such-tool-1 is not on the worker").says("properties");
    let task = "  make: { inputs: [a.txt], outputs: [out], remote: { tools: [no-such-tool-2] }, run: 'cp a.txt out' }\n";
    let sandbox = workspace(engine.port, "", task).file("a.txt", "a\n");
    sandbox.forge("run make").exits(1).says("no-such-tool-2 is not on the worker");
}

#[test]
fn what_fetches_its_source_by_itself_is_built_here() {
    let spec = "build: { remote: true, run: ['echo \"#!/bin/sh\" > {{ out }}/tool'] }\n";
    let sandbox = workspace(1, "", "  x: 'true'\n").spec("tool", "v1", spec);
    sandbox.forge("explain tool").succeeds().says("here: its commands fetch its source");
    sandbox.forge("plan tool").succeeds().keeps_quiet_about("worker");
    let run = sandbox.forge("ensure tool --json").succeeds();
    assert_eq!(run.json()["artifacts"][0]["how"], "built", "{run}");
}

/// A proxy of Go modules in a folder.
struct GoProxy {
    folder: std::path::PathBuf,
}

impl GoProxy {
    fn publish(&self, module: &str, version: &str, files: &[(&str, &str)]) {
        let folder = self.folder.join(module).join("@v");
        fs::create_dir_all(&folder).unwrap();
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in files {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(format!("{module}@{version}/{name}"), options).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let bytes = zip.finish().unwrap().into_inner();
        fs::write(folder.join(format!("{version}.zip")), bytes).unwrap();
        fs::write(folder.join(format!("{version}.mod")), files[0].1).unwrap();
        let info = format!("{{\"Version\":\"{version}\",\"Time\":\"2026-01-01T00:00:00Z\"}}");
        fs::write(folder.join(format!("{version}.info")), info).unwrap();
        fs::write(folder.join("list"), format!("{version}\n")).unwrap();
    }

    fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }
}

const GREET: &str = "package greet\n\nimport \"example.com/Words\"\n\nfunc Hello() string { return \"hello \" + words.World }\n";
const MAIN: &str = "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/greet\"\n)\n\nfunc main() { os.Stdout.WriteString(greet.Hello() + \"\\n\") }\n";
const LIBRARY: &str =
    "package lib\n\nimport \"example.com/greet\"\n\nfunc Hello() string { return greet.Hello() }\n";
const REQUIRES: &str =
    "go 1.21\n\nrequire example.com/greet v1.0.0\n\nrequire example.com/Words v0.2.0 // indirect\n";

/// With a module, one that it requires, and one that it requires by that; and a program as a module.
fn modules(sandbox: &Sandbox) -> GoProxy {
    let proxy = GoProxy { folder: sandbox.beside("proxy") };
    let words = "module example.com/Words\n\ngo 1.21\n";
    let code = "package words\n\nconst World = \"world\"\n";
    // Capitals are spelled in another way.
    let spelled = GoProxy { folder: proxy.folder.clone() };
    spelled.publish("example.com/Words", "v0.2.0", &[("go.mod", words), ("words.go", code)]);
    fs::rename(proxy.folder.join("example.com/Words"), proxy.folder.join("example.com/!words"))
        .unwrap();
    let greet = "module example.com/greet\n\ngo 1.21\n\nrequire example.com/Words v0.2.0\n";
    proxy.publish("example.com/greet", "v1.0.0", &[("go.mod", greet), ("greet.go", GREET)]);
    sandbox.write("code/greeter/go.mod", &format!("module example.com/greeter\n\n{REQUIRES}"));
    sandbox.write("code/greeter/main.go", MAIN);
    let tidy = with_go(Command::new("go"), sandbox, &proxy)
        .args(["mod", "tidy"])
        .current_dir(sandbox.path("code/greeter"))
        .output()
        .expect("go");
    assert!(tidy.status.success(), "{}", String::from_utf8_lossy(&tidy.stderr));
    let sum = sandbox.read("code/greeter/go.sum");
    // A module beside another one of the workspace, which it imports.
    sandbox.write("mono/go.work", "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n");
    sandbox.write("mono/lib/go.mod", &format!("module example.com/lib\n\n{REQUIRES}"));
    sandbox.write("mono/lib/go.sum", &sum);
    sandbox.write("mono/lib/lib.go", LIBRARY);
    sandbox.write("mono/app/go.mod", "module example.com/app\n\ngo 1.21\n");
    sandbox.write(
        "mono/app/main.go",
        &MAIN.replace("example.com/greet", "example.com/lib").replace("greet.", "lib."),
    );
    let module = format!("module example.com/tool\n\n{REQUIRES}");
    proxy.publish(
        "example.com/tool",
        "v1.2.0",
        &[("go.mod", &module), ("go.sum", &sum), ("main.go", MAIN)],
    );
    proxy
}

fn with_go(mut command: Command, sandbox: &Sandbox, proxy: &GoProxy) -> Command {
    let home = sandbox.beside("home");
    fs::create_dir_all(&home).unwrap();
    command
        .env("HOME", home)
        .env("GOPROXY", proxy.url())
        .env("GOSUMDB", "off")
        .env("GOFLAGS", "-modcacherw")
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOMODCACHE")
        .env_remove("GOPATH");
    command
}

#[test]
fn a_go_program_with_modules_is_built_without_a_network() {
    if !has_engine() || !is_here("go") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = Command::new("go").args(["env", "GOROOT"]).output().expect("go").stdout;
    let root = String::from_utf8(root).expect("a path");
    let engine = start_engine_with(folder.path(), 2, &[(root.trim(), "/opt/go")]);
    let path = "env: { PATH: '/opt/go/bin:/usr/bin:/bin' }";
    let sandbox = workspace(engine.port, "", "  x: 'true'\n")
        .spec(
            "greeter",
            "v1.0.0",
            &format!("source: {{ path: code/greeter }}\nbuild: {{ go: ., remote: true, {path} }}\n"),
        )
        .spec(
            "tool",
            "v1.2.0",
            &format!("build: {{ go: {{ module: example.com/tool }}, remote: true, {path} }}\n"),
        )
        .spec(
            "app",
            "v1.0.0",
            &format!(
                "source: {{ path: mono/app, imports: go }}\nbuild: {{ go: ., remote: true, {path} }}\n"
            ),
        );
    let proxy = modules(&sandbox);
    for name in ["greeter", "tool", "app"] {
        sandbox.forge(&format!("plan {name}")).succeeds().says("built on a worker");
        let mut ensure = sandbox.forge(&format!("ensure {name} --json"));
        let command = std::mem::replace(ensure.command(), Command::new("true"));
        *ensure.command() = with_go(command, &sandbox, &proxy);
        let run = ensure.succeeds();
        assert_eq!(run.json()["artifacts"][0]["how"], "built", "{run}");
        assert_eq!(run.json()["remote"]["executed"], 1, "{run}");
        assert_eq!(sandbox.run_binary(name), "hello world\n");
    }
}

/// The entry of `name` in forge's own lock file.
fn locked_crate(name: &str) -> (String, String) {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let entry = text.split("[[package]]").find(|it| it.contains(&format!("name = \"{name}\"\n")));
    let entry = entry.expect("a crate that forge has, too").trim().to_owned();
    let version = entry.lines().find_map(|line| line.strip_prefix("version = \"")).unwrap();
    (version.trim_end_matches('"').to_owned(), entry)
}

#[test]
fn a_rust_program_with_crates_is_built_without_a_network() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc").stdout;
    let root = String::from_utf8(root).expect("a path");
    let engine = start_engine_with(folder.path(), 2, &[(root.trim(), "/opt/rust")]);
    let (version, entry) = locked_crate("itoa");
    let manifest = format!(
        "[package]\nname = \"tool\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"={version}\"\n[workspace]\n"
    );
    let lock = format!(
        "version = 4\n\n[[package]]\n{entry}\n\n[[package]]\nname = \"tool\"\nversion = \"1.0.0\"\ndependencies = [\n \"itoa\",\n]\n"
    );
    let main = "fn main() { println!(\"{}\", itoa::Buffer::new().format(42)); }\n";
    let spec = "source: { path: code/tool }\nbuild: { cargo: ., remote: true, env: { PATH: '/opt/rust/bin:/usr/bin:/bin' } }\n";
    let sandbox = workspace(engine.port, "", "  x: 'true'\n")
        .file("code/tool/Cargo.toml", &manifest)
        .file("code/tool/Cargo.lock", &lock)
        .file("code/tool/src/main.rs", main)
        .spec("tool", "v1.0.0", spec);
    // Its crate is here already, since forge has it, too.
    let home = std::env::var("HOME").unwrap_or_default();
    let place =
        |name: &str, below: &str| std::env::var(name).unwrap_or_else(|_| format!("{home}/{below}"));
    let ensure = sandbox
        .forge("ensure tool --json")
        .env("CARGO_HOME", place("CARGO_HOME", ".cargo"))
        .env("RUSTUP_HOME", place("RUSTUP_HOME", ".rustup"))
        .env("CARGO_NET_OFFLINE", "true");
    is_built_on_a_worker(&sandbox, ensure);
    assert_eq!(sandbox.run_binary("tool"), "42\n");
}
