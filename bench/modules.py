"""What is measured on the modules of `examples/pulumi-modules`: what a change affects, and builds."""

import os
import shutil
import subprocess
from pathlib import Path

from material import Workspace
from measure import Contender, aside, compare
from scenarios import against

EXAMPLE = Path(__file__).resolve().parent.parent / "examples/pulumi-modules"
PROVIDERS = "apis/org/project_planton/provider"
FILES = 10_000
WHO = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Modules(Workspace):
    """The modules in a repository with a remote, each of them released; `more` files beside them."""

    def __init__(self, forge, folder, more):
        super().__init__(forge, folder)
        subprocess.run([EXAMPLE / "generate", self.root], check=True)
        for i in range(more):
            self.file(f"docs/{i // 100}/{i}.md", f"page {i}\n")
        self.file(".gitignore", ".forge/\nout/\n")
        self.folders = sorted(path.parent for path in (self.root / PROVIDERS).glob("*/*/v*/iac/pulumi/main.go"))
        self.git("init", "--quiet", "--initial-branch=main")
        subprocess.run(["git", "init", "--quiet", "--bare", folder / "origin.git"], check=True)
        self.git("remote", "add", "origin", folder / "origin.git")
        self.commit("all")
        refs = "".join(f"create refs/tags/pulumi-module-{path.parts[-4]}-20260101.0 HEAD\n" for path in self.folders)
        self.git("update-ref", "--stdin", given=refs)
        self.git("push", "--quiet", "--tags", "origin", "main")

    def git(self, *words, given=None):
        subprocess.run(["git", *words], cwd=self.root, env=os.environ | WHO, input=given, text=True, check=True)

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", message)

    def touch(self):
        """Changes one module."""
        with (self.folders[0] / "main.go").open("a") as out:
            out.write("\n// changed\n")


def modules(bench):
    """What a change affects among 129 modules, and building them: all, none again, one that changed."""
    yield from affected(bench)
    if shutil.which("go"):
        yield from builds(bench)


def affected(bench):
    work = Modules(bench.forge, bench.folder / "modules-affected", FILES)
    work.git("tag", "before")
    work.touch()
    work.commit("one")
    results = bench.compare([
        Contender("forge", work.command("affected", "--since", "before"), work.root, env=work.env),
        Contender("git", ["git", "diff", "--name-only", "before"], work.root),
    ], budget=10)
    yield from against(f"affected since a tag, {FILES:,} files", results, "git", 2.0, "`git diff --name-only`")
    script = "git ls-remote --tags origin > out.tags && git diff --name-only pulumi-module-awscomponent1-20260101.0"
    results = bench.compare([
        Contender("forge", work.command("affected"), work.root, env=work.env),
        Contender("git", ["sh", "-c", script], work.root),
    ], budget=10)
    yield from against("the same since each module's last release", results, "git", None, "`git ls-remote` and one diff")


def few(bench, contenders):
    """For what takes minutes."""
    return compare(contenders, min(bench.rounds or 3, 3))


def builds(bench):
    """`go build` of each module as forge does it, against the same command by `xargs`."""
    work = Modules(bench.forge, bench.folder / "modules-builds", 0)
    names = "".join(f"{path} {path.parts[-4]}\n" for path in work.folders)
    work.file("out/list", names)
    flags = "-buildvcs=false -trimpath -ldflags '-s -w'"
    line = f'cd "$0" && CGO_ENABLED=0 go build {flags} -o "{work.root}/out/$1" .'
    each = ["xargs", "-a", work.root / "out/list", "-P", str(bench.jobs), "-n", "2", "sh", "-c", line]
    trash = bench.folder / "trash"
    trash.mkdir(exist_ok=True)
    command = work.command("ensure:all", "--offline")
    goes = {name: {"GOCACHE": str(bench.folder / f"gocache-{name}")} for name in ("forge", "xargs")}
    kept = {name: env["GOCACHE"] for name, env in goes.items()}

    def contenders(prepare_forge, prepare_xargs):
        return [
            Contender("forge", command, work.root, prepare_forge, work.env | goes["forge"]),
            Contender("xargs", each, work.root, prepare_xargs, goes["xargs"]),
        ]

    def away(*steps):
        return lambda: [step() for step in steps]

    def nothing():
        pass

    label = "`go build` of each by `xargs -P`"
    cold = contenders(away(work.blank(trash), aside(trash, kept["forge"] + "/")), aside(trash, kept["xargs"] + "/"))
    yield from against("129 modules, cold", few(bench, cold), "xargs", None, label)
    yield from against("the same, nothing changed", bench.compare(contenders(nothing, nothing)), "xargs", None, label)
    yield from against("the same, one module changed", few(bench, contenders(work.touch, nothing)), "xargs", None, label)
