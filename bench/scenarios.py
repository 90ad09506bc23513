"""What is compared with what. Each scenario yields the rows of its table."""

import itertools
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from material import MB, Programs, Workspace, github, server, sha256
from measure import Contender, aside, compare, fresh, once, peak

MIB = 1 << 20


@dataclass
class Row:
    """One line of the table: forge against one peer."""

    what: str
    forge: str
    peer: str
    value: str
    ratio: float
    target: float = None  # the ratio must not be larger


@dataclass
class Bench:
    """What scenarios work with."""

    forge: str
    folder: object
    rounds: int
    jobs: int
    tools: dict
    github: object  # the program that stands in for GitHub

    def compare(self, contenders, budget=20.0):
        return compare([c for c in contenders if c], self.rounds, budget)

    def has(self, tool):
        return self.tools.get(tool)

    def programs(self):
        """8 programs of 30 MB."""
        folder = self.folder / "programs"
        paths = [folder / f"p{i}" for i in range(8)]
        if not folder.exists():
            maker = Programs(folder)
            for path in paths:
                maker.make(path.name, 30 * MB)
        return paths


def ms(seconds):
    return f"{seconds * 1000:.{2 if seconds < 0.01 else 1 if seconds < 0.1 else 0}f} ms"


def mib(size):
    return f"{size / MIB:.1f} MiB"


def against(what, results, peer, target=None, label=None):
    """forge's time against that of `peer`."""
    if peer not in results:
        return []
    forge, other = results["forge"], results[peer]
    return [Row(what, ms(forge), label or peer, ms(other), forge / other, target)]


def memory(what, contender, limit):
    """The peak memory of forge against a limit."""
    if not os.path.exists("/usr/bin/time"):
        return []
    most = peak(contender)
    return [Row(f"{what}: peak memory", mib(most), "limit", mib(limit), most / limit, 1.0)]


# ── no-op ────────────────────────────────────────────────────────────────────────────────────

IN_REPO = "source: {{ path: code/{0} }}\nbuild:\n  run: cp main.sh {{{{ out }}}}/{0}\n"
PINNED = "build:\n  run: cp {{{{ root }}}}/code/{0}/main.sh {{{{ out }}}}/{0}\n"


def many(bench, folder, count, spec):
    """`count` subsystems that are one `cp` each, as forge, ninja and Task know them."""
    work = Workspace(bench.forge, folder)
    names = [f"s{i:04}" for i in range(count)]
    for name in names:
        work.file(f"code/{name}/main.sh", f"#!/bin/sh\necho {name}\n")
        work.subsystem(name, spec.format(name))
    work.write()
    edges = [f"build out/{n}: cp code/{n}/main.sh" for n in names]
    work.file("build.ninja", "\n".join(["rule cp", "  command = cp $in $out", *edges, ""]))
    work.file("Taskfile.yml", taskfile(names))
    work.file("pairs", "".join(f"code/{n}/main.sh copied/{n}\n" for n in names))
    return work


def taskfile(names):
    tasks = ["version: '3'", "tasks:", "  all:", "    deps: [" + ", ".join(names) + "]"]
    for name in names:
        tasks += [
            f"  {name}:",
            "    status:",
            f"      - test -f bin/{name}",
            f"      - grep -q v1.0.0 bin/{name}.version",
            "    cmds:",
            f"      - mkdir -p bin && cp code/{name}/main.sh bin/{name} && echo v1.0.0 > bin/{name}.version",
        ]
    return "\n".join(tasks) + "\n"


def noop(bench):
    """Nothing to do."""
    yield from noop_of(bench, 8, PINNED, "pinned", 2.0, 1.0)
    yield from noop_of(bench, 8, IN_REPO, "in-repo", 2.0, 1.0)
    yield from noop_of(bench, 1000, PINNED, "pinned", 1.0, 0.01)
    yield from noop_of(bench, 1000, IN_REPO, "in-repo", 1.0, 0.01)


def noop_of(bench, count, spec, kind, ninja_target, task_target):
    work = many(bench, bench.folder / f"noop-{kind}{count}", count, spec)
    forge = Contender("forge", work.command("ensure:all"), work.root, env=work.env)
    ninja = Contender("ninja", ["ninja"], work.root)
    task = bench.has("task") and Contender("Task", [bench.tools["task"], "-s", "all"], work.root)
    for contender in filter(None, (forge, ninja, task)):
        settle(contender)
    results = bench.compare([forge, ninja], budget=6)
    what = f"no-op, {count:,} {kind} subsystems"
    yield from against(what, results, "ninja", ninja_target)
    if task:
        slow = bench.compare([forge, task], budget=10)
        yield from against(what, slow, "Task", task_target, "Task, `status:`")
    if count == 1000:
        yield from memory(what, forge, 30 * MIB)

    yield from off_the_shortcut(bench, work, forge, ninja, 3.0)


def off_the_shortcut(bench, work, forge, ninja, target):
    """The same after what is written was touched, or edited without a change of what it means."""
    for how, prepare in (("touched", touch), ("commented", comment), ("edited", edit)):
        forge.prepare = prepare(work.root / "versions.yml")
        ninja.prepare = prepare(work.root / "build.ninja")
        results = bench.compare([forge, ninja], budget=6)
        yield from against(f"the same after the manifest was {how}", results, "ninja", target)


def touch(path):
    return lambda: os.utime(path)


def comment(path):
    """A preparation: the file ends in another comment than before."""
    return another_end(path, "# {}\n")


def edit(path):
    """A preparation: the file says something else than before, which changes no artifact."""
    return another_end(path, "repository: https://example.org/p{}\n" if path.suffix == ".yml" else "unused = {}\n")


def another_end(path, line):
    text, numbers = path.read_text(), itertools.count()
    return lambda: path.write_text(text + line.format(next(numbers)))


def settle(contender):
    """Brings a contender to where there is nothing left to do."""
    for _ in range(3):
        once(contender)
        time.sleep(0.1)


# ── tasks ────────────────────────────────────────────────────────────────────────────────────


def task_files(bench, folder, count):
    """`count` tasks that copy one file each, as forge, ninja and Task know them."""
    names = [f"t{i:05}" for i in range(count)]
    lines = ["tasks:", "  all: { needs: [" + ", ".join(names) + "] }"]
    lines += [f"  {n}: {{ inputs: in/{n}, outputs: out/{n}, run: cp in/{n} out/{n} }}" for n in names]
    work = Workspace(bench.forge, folder, "\n".join(lines))
    work.subsystem("one", "build: { run: 'true' }\n")
    for name in names:
        work.file(f"in/{name}", f"{name}\n")
    work.file("out/.keep", "")
    work.write()
    edges = [f"build out/{n}: cp in/{n}" for n in names]
    work.file("build.ninja", "\n".join(["rule cp", "  command = cp $in $out", *edges, ""]))
    tasks = ["version: '3'", "tasks:", "  all:", "    deps: [" + ", ".join(names) + "]"]
    for n in names:
        tasks += [f"  {n}:", f"    sources: [in/{n}]", f"    generates: [out/{n}]", f"    cmds: [cp in/{n} out/{n}]"]
    work.file("Taskfile.yml", "\n".join(tasks) + "\n")
    return work


def tasks(bench):
    """Tasks with inputs and outputs that have nothing to do; many small ones; a deep chain."""
    yield from tasks_noop(bench, 1000, 2.0, True)
    yield from tasks_noop(bench, 10_000, 4.0, False)
    names = [f"t{i:04}" for i in range(1000)]
    lines = ["tasks:", "  all: { needs: [" + ", ".join(names) + "] }", *(f"  {n}: /bin/true" for n in names)]
    lines += ["  d0: /bin/true", *(f"  d{i}: {{ needs: d{i - 1}, run: /bin/true }}" for i in range(1, 500))]
    work = Workspace(bench.forge, bench.folder / "tasks-trivial", "\n".join(lines))
    work.subsystem("one", "build: { run: 'true' }\n")
    work.write()
    work.file("many", "x\n" * 1000)
    jobs = str(bench.jobs)
    forge = Contender("forge", work.command("-q", "-j", jobs, "all"), work.root, env=work.env)
    xargs = Contender("xargs", ["xargs", "-a", "many", "-P", jobs, "-n", "1", "/bin/true"], work.root)
    results = bench.compare([forge, xargs], budget=10)
    yield from against("1,000 trivial tasks", results, "xargs", 1.5, "`xargs -P`")
    deep = Contender("deep", work.command("-q", "d499"), work.root, env=work.env)
    shallow = Contender("shallow", work.command("-q", "d0"), work.root, env=work.env)
    most, least = peak(deep), peak(shallow)
    yield Row("500 tasks deep: peak memory", mib(most), "the same, one deep", mib(least), most / least, 1.5)


def tasks_noop(bench, count, ninja_target, with_task):
    work = task_files(bench, bench.folder / f"tasks{count}", count)
    forge = Contender("forge", work.command("-q", "all"), work.root, env=work.env)
    ninja = Contender("ninja", ["ninja"], work.root)
    task = bench.has("task") and with_task
    task = task and Contender("Task", [bench.tools["task"], "-s", "all"], work.root)
    for contender in filter(None, (forge, ninja, task)):
        settle(contender)
    what = f"no-op, {count:,} tasks with inputs and outputs"
    yield from against(what, bench.compare([forge, ninja], budget=8), "ninja", ninja_target)
    if task:
        results = bench.compare([forge, task], budget=8)
        yield from against(what, results, "Task", 0.02, "Task, `sources:`")

    yield from off_the_shortcut(bench, work, forge, ninja, 4.0)


# ── Taskfiles ────────────────────────────────────────────────────────────────────────────────


def many_taskfiles(work, files, each):
    """`files` Taskfiles that one includes, with `each` tasks that call each other."""
    names = [f"lib{i:03}" for i in range(files)]
    root = ["version: '3'", "includes:", *(f"  {n}: {{taskfile: ./{n}, dir: ./{n}}}" for n in names)]
    work.file("many/Taskfile.yml", "\n".join([*root, "tasks:", "  small: 'true'", ""]))
    for name in names:
        lines = ["version: '3'", "vars:", "  NAME: '{{.TASKFILE_DIR | base}}'", "  OUT: '{{.ROOT_DIR}}/out/{{.NAME}}'", "tasks:"]
        for at in range(each):
            lines += [f"  t{at}:", f"    deps: [t{at - 1}]"] if at else ["  t0:"]
            lines += [f"    desc: Step {at} of {{{{.NAME}}}}", f"    cmds: ['echo {at} {{{{.OUT}}}}']"]
        work.file(f"many/{name}/Taskfile.yml", "\n".join(lines) + "\n")


def taskfiles(bench):
    """Taskfiles as they are: one small task of many files, and many tasks with nothing to do."""
    if not bench.has("task"):
        return
    work = task_files(bench, bench.folder / "taskfiles", 1000)
    many_taskfiles(work, 200, 13)
    for what, folder, name, target in [
        ("one task of 2,600 in 200 Taskfiles (`run --taskfile`)", work.root / "many", "small", 0.3),
        ("no-op, 1,000 tasks of a Taskfile (`run --taskfile`)", work.root, "all", 0.02),
    ]:
        command = [str(bench.forge), "-q", "run", "--taskfile", ".", name]
        forge = Contender("forge", command, folder, env=work.env)
        task = Contender("Task", [bench.tools["task"], "-s", name], folder)
        settle(forge)
        settle(task)
        yield from against(what, bench.compare([forge, task], budget=8), "Task", target)


# ── restore ──────────────────────────────────────────────────────────────────────────────────


def eight(bench, folder, head=""):
    """A workspace of 8 subsystems with 30 MB programs, and these programs."""
    work, paths = Workspace(bench.forge, folder, head), bench.programs()
    for i, path in enumerate(paths):
        work.subsystem(f"p{i}", f"build:\n  run: cp {path} {{{{ out }}}}/p{i}\n")
    work.write()
    return work, paths


def shares_blocks(file, folder):
    """Whether the disk of `folder` can make a copy that shares its blocks."""
    probe = Path(folder) / "reflink"
    made = subprocess.run(["cp", "--reflink=always", file, probe], capture_output=True)
    probe.unlink(missing_ok=True)
    return made.returncode == 0


def restore(bench):
    """From the local cache."""
    folder = bench.folder / "restore"
    work, programs = eight(bench, folder)
    work.run("ensure:all")
    into = folder / "copy"
    forge = Contender(
        "forge", work.command("ensure:all"), work.root, fresh(work.root / ".forge"), work.env
    )
    # What `cp` does by itself depends on the disk; here it reads and writes every byte.
    copy = ["cp", "--reflink=never", *programs, into]
    cp = Contender("cp", copy, folder, fresh(f"{into}/"))
    results = bench.compare([forge, cp])
    target = 0.25 if shares_blocks(programs[0], folder) else 1.0
    yield from against("restore 8 × 30 MB from the cache", results, "cp", target, "`cp --reflink=never`")
    yield from memory("restore", forge, 96 * MIB)


# ── download ─────────────────────────────────────────────────────────────────────────────────


def download(bench):
    """From a release on an HTTP server."""
    folder = bench.folder / "download"
    store = folder / "store"
    work, _ = eight(bench, folder, f"releases: dir:{store}")
    work.run("ensure:all")
    with server(store, folder / "server") as url:
        work.head = f"releases: {url}"
        work.write()
        contenders = downloaders(work, store, url, folder)
        results = bench.compare(contenders, budget=40)
        used = list(memory("download 8 × 30 MB", contenders[0], 96 * MIB))
    what = "download, verify, unpack 8 × 30 MB"
    yield from against(what, results, "curl", 0.6, "`curl \\| tar xz`, parallel")
    yield from against(what, results, "curl, verified", None, "`curl \\| tee \\| sha256sum`, `tar xz`, parallel")
    yield from used


def clone(bench):
    """From releases on GitHub, or rather on the stand-in that the tests use: redirects and all."""
    if not bench.github.exists():
        return
    folder = bench.folder / "clone"
    store = folder / "store"
    work, _ = eight(bench, folder, f"releases: dir:{store}")
    work.run("ensure:all")
    with github(bench.github, store) as (url, asked):
        work.head = "releases: github:acme/stack"
        work.write()
        work.env |= {"GITHUB_SERVER_URL": url, "GITHUB_API_URL": url}
        contenders = downloaders(work, store, f"{url}/acme/stack/releases/download", folder)
        results = bench.compare(contenders, budget=60)
        once(contenders[0])
    what = "fresh clone, 8 × 30 MB from GitHub releases"
    yield from against(what, results, "curl", 1, "`curl -L \\| tar xz`, parallel")
    yield from against(what, results, "curl, one by one", None, "`curl -L \\| tar xz`, in sequence")
    api = sum("(Api," in line for line in asked)
    yield Row(f"{what}: API requests", str(api), "limit", "0", api, 0)


def downloaders(work, store, url, folder):
    """forge, curl and tar, and these with a checksum, for every asset in `store`."""
    into = folder / "unpacked"
    assets = sorted(path.relative_to(store) for path in store.glob("*/*.tar.gz"))
    listing = folder / "urls"
    listing.write_text("".join(f"{url}/{asset}\n" for asset in assets))
    forge = Contender(
        "forge", work.command("ensure:all"), work.root,
        fresh(work.root / ".forge", work.env["FORGE_CACHE_DIR"]), work.env,
    )
    each = f"xargs -P {{}} -I URL sh -c '{{}}' < {listing}"
    # Archives hold a stamp of the same name each, so everybody needs a folder of his own.
    place = f'd={into}/$(basename $(dirname URL)); mkdir -p $d; '
    plain = place + "curl -sfL URL | tar xz -C $d"
    checked = place + "curl -sfL URL | tee $d/asset | sha256sum > $d/sum; tar xzf $d/asset -C $d; rm $d/asset"

    def shell(name, at_once, text):
        line = each.format(at_once, text)
        return Contender(name, ["sh", "-c", line], folder, fresh(f"{into}/"))

    return [
        forge, shell("curl", 8, plain), shell("curl, one by one", 1, plain),
        shell("curl, verified", 8, checked),
    ]


def large(bench):
    """One asset of 2 GB: memory must not grow with it."""
    folder = bench.folder / "large"
    store = folder / "store"
    program = Programs(folder / "programs").make("big", 2000 * MB)
    work = Workspace(bench.forge, folder, f"releases: dir:{store}")
    work.subsystem("big", f"build:\n  run: cp {program} {{{{ out }}}}/big\n")
    work.write()
    work.run("ensure:all")
    program.unlink()
    with server(store, folder / "server") as url:
        work.head = f"releases: {url}"
        work.write()
        contenders = downloaders(work, store, url, folder)[:2]
        results = compare(contenders, rounds=min(bench.rounds or 2, 2))
        used = list(memory("download 2 GB", contenders[0], 96 * MIB))
    what = "download, verify, unpack 2 GB"
    yield from against(what, results, "curl", None, "`curl \\| tar xz`")
    yield from used
    shutil.rmtree(folder)


# ── pack ─────────────────────────────────────────────────────────────────────────────────────


def pack(bench):
    """A program into a tar.gz, with its digest."""
    folder = bench.folder / "pack"
    program = Programs(folder / "programs").make("big", 100 * MB)
    work = Workspace(bench.forge, folder)
    work.subsystem("big", f"build:\n  run: cp {program} {{{{ out }}}}/big\n")
    work.write()
    work.run("ensure:all", "--no-publish")
    into, other = folder / "dist", folder / "pigz.tar.gz"
    package = work.command("package", "big", "--into", into, "--no-publish")
    tar = f"tar c -C {program.parent} big |"
    results = bench.compare([
        Contender("forge", package, work.root, fresh(into), work.env),
        Contender("pigz", ["sh", "-c", f"{tar} pigz -6 > {other}"], folder),
        Contender("pigz, digest", ["sh", "-c", f"{tar} pigz -6 | tee {other} | sha256sum"], folder),
        bench.has("libdeflate-gzip") and Contender(
            "libdeflate", ["sh", "-c", f"{tar} libdeflate-gzip -6 > {folder}/libdeflate.tar.gz"], folder),
    ])
    asset = next(into.glob("*.tar.gz"))
    yield from against("pack 100 MB", results, "pigz", 0.7, "`tar \\| pigz -6`")
    yield from against("pack 100 MB", results, "pigz, digest", None, "`tar \\| pigz -6 \\| sha256sum`")
    yield from against("pack 100 MB", results, "libdeflate", None, "`tar \\| libdeflate-gzip -6`, one core")
    size, peer = asset.stat().st_size, other.stat().st_size
    yield Row("pack 100 MB: size", f"{size / MB:.2f} MB", "pigz -6", f"{peer / MB:.2f} MB", size / peer, 1.0)
    digest, stated = sha256(asset), asset.with_name(asset.name + ".sha256").read_text().split()[0]
    fresh(into)()
    work.run("package", "big", "--into", str(into), "--no-publish")
    same = sum(found != digest for found in (stated, sha256(asset)))
    yield Row("pack 100 MB: other digests in 2 runs", str(same), "none", "0", float(same), 0.0)


# ── build ────────────────────────────────────────────────────────────────────────────────────


def build(bench):
    """1,000 builds of one `cp` each."""
    work = many(bench, bench.folder / "build", 1000, IN_REPO)
    (trash := work.beside / "trash").mkdir()
    jobs = str(bench.jobs)

    def away(*paths):
        return aside(trash, *(work.root / path for path in paths))

    def forge(name, *flags):
        ensure = work.command("ensure:all", "-j", jobs, *flags)
        return Contender(name, ensure, work.root, work.blank(trash), work.env)

    results = bench.compare([
        forge("forge", "--no-publish"),
        forge("forge, published"),
        Contender("ninja", ["ninja", "-j", jobs], work.root, away("out", ".ninja_log")),
        Contender("xargs", ["sh", "-c", f"mkdir copied && xargs -P {jobs} -n 2 cp < pairs"], work.root, away("copied")),
    ], budget=60)
    added = {name: (seconds - results["xargs"]) / 1000 for name, seconds in results.items()}
    for name, what, target in [("forge", "", 1.0), ("forge, published", ", packed and published too", None)]:
        ratio = added[name] / added["ninja"]
        what = f"1,000 builds, added per action over `xargs`{what}"
        yield Row(what, ms(added[name]), "ninja", ms(added["ninja"]), ratio, target)
    yield from against("1,000 builds, in all", results, "ninja")
    yield from against("1,000 builds, in all", results, "xargs")


def chain(bench):
    """500 builds, each of which needs the one before."""
    work = Workspace(bench.forge, bench.folder / "chain")
    lines = ["mkdir -p out"]
    for i in range(500):
        name, before = f"c{i:03}", f"c{i - 1:03}"
        needs = f"build_needs: [{before}]\n" if i else ""
        work.file(f"code/{name}/main.sh", f"#!/bin/sh\necho {name}\n")
        work.subsystem(name, needs + IN_REPO.format(name))
        lines.append(f"cp code/{name}/main.sh out/{name}")
    work.write()
    work.file("all.sh", "\n".join(["set -e", *lines, ""]))
    (trash := work.beside / "trash").mkdir()
    ensure = work.command("ensure:all", "--no-publish")
    results = bench.compare([
        Contender("forge", ensure, work.root, work.blank(trash), work.env),
        Contender("sh", ["sh", "all.sh"], work.root, aside(trash, work.root / "out")),
    ])
    yield from against("chain of 500", results, "sh", 1.5, "one shell script")


# ── hash ─────────────────────────────────────────────────────────────────────────────────────


def digest(bench):
    """SHA-256 of everything that is installed."""
    folder = bench.folder / "digest"
    work, programs = eight(bench, folder)
    work.run("ensure:all", "--no-publish")
    results = bench.compare([
        Contender("forge", work.command("verify"), work.root, env=work.env),
        bench.has("openssl") and Contender("openssl", ["openssl", "dgst", "-sha256", *programs], folder),
        Contender("sha256sum", ["sha256sum", *programs], folder),
    ])
    what = "SHA-256 of 8 × 30 MB (`forge verify`)"
    yield from against(what, results, "openssl", 1.0, "`openssl dgst -sha256`, one core")
    yield from against(what, results, "sha256sum", 1.0, "`sha256sum`, one core")


ALL = {
    "noop": noop, "tasks": tasks, "taskfiles": taskfiles, "build": build, "chain": chain, "restore": restore,
    "download": download, "clone": clone, "large": large, "pack": pack, "digest": digest,
}
