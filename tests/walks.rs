//! The walks of three newcomers, each from a fresh home: a developer with two Go programs, who installs
//! forge by `install.sh`; a team with a Taskfile; and an engineer of CI. What they type is here, in that
//! order, and what they have to see.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
};

use forge::model::Platform;

use crate::support::{
    Asset, git,
    github::{GitHub, NewRelease},
    is_here, sha256,
};

/// A home with nothing in it but what was installed, and a folder to work in.
struct Newcomer {
    temp: tempfile::TempDir,
    github: GitHub,
}

impl Newcomer {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("shop")).unwrap();
        let newcomer = Self { temp, github: GitHub::new("acme/box") };
        let tool = Asset::new().file("box", b"#!/bin/sh\necho boxed \"$@\"\n").gz();
        let name = format!("box-v1.2.0-{}.tar.gz", Platform::host());
        let sums = format!("{}  {name}\n", sha256(&tool));
        let release = NewRelease::tagged("v1.2.0").asset(&name, tool);
        newcomer.github.add_release(release.asset("checksums.txt", sums.into_bytes()));
        newcomer
    }

    fn path(&self, path: &str) -> PathBuf {
        self.temp.path().join("shop").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, path: &str, before: &str, after: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(before), "{text}");
        self.write(path, &text.replacen(before, after, 1));
    }

    /// A release of forge in a folder, as `install.sh` takes it: a program that starts this forge.
    fn release_of_forge(&self) -> String {
        let folder = self.temp.path().join("releases/forge-v9.0.0");
        fs::create_dir_all(&folder).unwrap();
        let start = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_forge"));
        let packed = Asset::new().file("forge", start.as_bytes()).gz();
        let name = format!("forge-{}.tar.gz", Platform::host());
        fs::write(folder.join(format!("{name}.sha256")), format!("{}  {name}\n", sha256(&packed)))
            .unwrap();
        fs::write(folder.join(name), packed).unwrap();
        self.temp.path().join("releases").display().to_string()
    }

    fn install_forge(&self) {
        let install = fs::canonicalize("install.sh").unwrap();
        let from = self.release_of_forge();
        self.types(&format!("FORGE_SOURCE={from} sh {}", install.display()), &["forge"]);
    }

    /// A line that is typed in the folder; its output, and how it ended.
    fn shell(&self, line: &str) -> Output {
        let home = self.temp.path().join("home");
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.path("")).env_clear();
        shell.env("PATH", format!("{}/.local/bin:{path}", home.display())).env("HOME", home);
        shell.env("GITHUB_SERVER_URL", self.github.url());
        shell.env("GITHUB_API_URL", self.github.api_url());
        // What the standard library compiles to is no part of the walk.
        shell.env("GOCACHE", std::env::temp_dir().join("forge-test-go-cache"));
        shell.output().unwrap()
    }

    /// Types a line, which ends with `code`, and has to see `texts`.
    #[track_caller]
    fn ends(&self, code: i32, line: &str, texts: &[&str]) -> String {
        let output = self.shell(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "$ {line}\n{said}");
        for wanted in texts {
            assert!(said.contains(wanted), "$ {line}\nsays nowhere {wanted:?}:\n{said}");
        }
        said
    }

    #[track_caller]
    fn types(&self, line: &str, texts: &[&str]) -> String {
        self.ends(0, line, texts)
    }

    fn with_repository(self) -> Self {
        git(&self.path(""), &["init", "--quiet"]);
        git(&self.path(""), &["add", "."]);
        git(&self.path(""), &["commit", "--quiet", "-m", "begin"]);
        self
    }
}

/// A server in Go that listens at `port`, and says `words`.
fn server(port: u16, words: &str) -> String {
    format!(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n)\n\nvar version = \"dev\"\n\nfunc main() {{\n\tl, err := net.Listen(\"tcp\", \"127.0.0.1:{port}\")\n\tif err != nil {{\n\t\tpanic(err)\n\t}}\n\tfmt.Println(\"{words}\", version)\n\tfor {{\n\t\tc, _ := l.Accept()\n\t\tc.Close()\n\t}}\n}}\n"
    )
}

const CLI: &str = "package main\n\nimport \"fmt\"\n\nvar version = \"dev\"\n\nfunc main() { fmt.Println(\"cli\", version) }\n";

#[test]
fn a_developer_comes_from_install_sh_to_a_workspace_with_all_of_it() {
    if !is_here("go") || !is_here("git") {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let one = Newcomer::new();
    one.write("go.mod", "module example.org/shop\n\ngo 1.21\n");
    one.write("cmd/api/main.go", &server(port, "served"));
    one.write("cmd/cli/main.go", CLI);
    let one = one.with_repository();

    // forge itself.
    one.install_forge();
    one.types("forge --version", &["forge 0."]);
    one.types("forge help", &["Daily", "Tasks and services"]);

    // What is there becomes a workspace, and it works at once.
    one.types("forge init", &["->  api: v0.1.0, subsystems/api.yml", "now run `forge ensure`"]);
    one.types("forge ensure", &["2 ensured"]);
    one.types("git status --porcelain --ignored", &["!! .forge/"]);
    one.types("forge exec cli", &["cli v0.1.0"]);
    one.types("eval \"$(forge env)\" && cli", &["cli v0.1.0"]);
    one.types("forge ensure", &["2 fresh"]);

    // A tool of others.
    one.types("forge add github:acme/box", &["digests: published in checksums.txt"]);
    one.types("forge x box now", &["boxed now"]);
    one.types("forge which box", &[".forge/bin/box"]);
    one.types("forge why box", &["box v1.2.0"]);

    // Tasks.
    let tasks = "tasks:\n  check:cli: { desc: try it, needs: cli, run: \"cli | grep v0.1.0\" }\n  default: { desc: what one types, run: echo hello }\n";
    let manifest = fs::read_to_string(one.path("versions.yml")).unwrap();
    one.write("versions.yml", &(manifest + tasks));
    one.types("forge list", &["check:cli", "try it"]);
    one.types("forge check:cli", &["cli v0.1.0"]);
    one.types("forge", &["hello"]);

    // The inner loop: one dim word, and an answer to "why".
    one.replace("cmd/cli/main.go", "\"cli\"", "\"the cli\"");
    one.types("forge explain cli", &["source         differs: changed cmd/cli/main.go"]);
    let said = one.types("forge ensure cli", &["not released"]);
    assert!(!said.contains("warning"), "{said}");
    one.types("forge exec cli", &["the cli v0.1.0"]);
    one.types("forge ensure api", &["1 fresh"]);

    // A bump, and back.
    one.types("forge bump cli v0.2.0", &["v0.2.0"]);
    one.types("forge exec cli", &["the cli v0.2.0"]);
    one.types("forge ensure cli@v0.1.0 && .forge/bin/cli", &["cli v0.1.0"]);

    // CI, as it would run there.
    one.types("git add . && git -c user.name=a -c user.email=a@b commit -qm forge", &[]);
    one.types("forge ci", &["ensure"]);
    one.types("forge ci:init --forge https://example.org/forge --dry-run", &["permissions: {}"]);

    service(&one, port);
}

/// A service, without a compiler for its supervisor.
fn service(one: &Newcomer, port: u16) {
    let spec = fs::read_to_string(one.path("subsystems/api.yml")).unwrap();
    let ready = format!("service: {{ run: api, ready: {{ tcp: {port} }} }}\n");
    one.write("subsystems/api.yml", &(spec + &ready));
    one.ends(2, "forge check", &["`forge add pc` pins Process Compose"]);
    one.types("forge add pc --no-ensure", &["`pc: v1.87.0`"]);
    one.types("forge check", &["no problems"]);
    if !is_here("process-compose") {
        return;
    }
    // The vendor's archive is out of reach: what it holds is here.
    let copy = "binary: process-compose\nbuild: { run: 'cp \"$(command -v process-compose)\" {{ out }}/' }\n";
    one.write("subsystems/pc.yml", copy);
    one.types("forge up", &["api", "running", "yes"]);
    one.types("forge ps", &["running"]);
    one.types("forge logs api", &["served v0.1.0"]);
    one.types("forge restart api", &["running"]);
    one.types("forge stop api", &["ended api"]);
    one.types("forge down", &[]);
}

#[test]
fn a_team_with_a_taskfile_runs_it_and_moves() {
    let one = Newcomer::new();
    one.install_forge();
    one.write(
        "Taskfile.yml",
        "version: '3'\ntasks:\n  default: { cmds: [task: greet] }\n  greet:\n    desc: says hello\n    vars: { WHO: '{{.WHO | default \"world\"}}' }\n    cmds: ['echo hello {{.WHO}}']\n",
    );
    one.types("forge run --taskfile . --list", &["greet", "says hello"]);
    one.types("forge list --taskfile .", &["greet", "says hello"]);
    one.types("forge run --taskfile . greet WHO=you", &["hello you"]);
    one.types("forge run --taskfile .", &["hello world"]);
    one.ends(2, "forge init", &["`forge migrate` writes a workspace of it"]);
    one.types("forge migrate . --into moved", &[]);
    one.types("forge -C moved check", &["no problems"]);
    one.types("forge -C moved greet WHO=you", &["hello you"]);
}

#[test]
fn an_engineer_of_ci_gets_a_workflow_and_an_answer_for_each_event() {
    if !is_here("git") {
        return;
    }
    let one = Newcomer::new();
    one.install_forge();
    one.types("forge init", &["wrote subsystems/hello.yml"]);
    let one = one.with_repository();
    one.types(
        "forge ci:init --forge https://example.org/forge --dry-run",
        &["permissions: {}", "workflow_dispatch", "merge_group"],
    );
    one.types(
        "forge ci:init --host gitlab --forge https://example.org/forge --dry-run",
        &["forge ci"],
    );
    let event =
        "CI=true GITHUB_ACTIONS=true GITHUB_REF=refs/pull/7/merge GITHUB_EVENT_NAME=pull_request";
    one.types(&format!("{event} forge ci --plan"), &["names no `releases` to publish to"]);
    one.types("forge ci", &["hello"]);
    // Green means that something was done.
    one.write("versions.yml", "versions: {}\ntasks: { ci: echo MINE }\n");
    one.types("rm -r subsystems hello && git add -A . && git -c user.name=a -c user.email=a@b commit -qm less", &[]);
    let said = one.shell("forge ci");
    let text =
        String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() || text.contains("MINE"), "{text}");
}
