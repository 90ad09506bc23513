"""What is compared with what. Each scenario yields the rows of its table."""

import os
import shutil
from dataclasses import dataclass

from material import MB, Programs, Workspace, server, sha256
from measure import Contender, compare, fresh

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
    ratio = forge.seconds / other.seconds
    return [Row(what, ms(forge.seconds), label or peer, ms(other.seconds), ratio, target)]


def memory(what, result, limit):
    """forge's peak memory against a limit."""
    return [Row(f"{what}: peak memory", mib(result.peak), "limit", mib(limit), result.peak / limit, 1.0)]


# ── no-op ────────────────────────────────────────────────────────────────────────────────────


def noop_folder(bench, count):
    """`count` subsystems whose code is in the repository, as forge, ninja and Task know them."""
    folder = bench.folder / f"noop{count}"
    work = Workspace(bench.forge, folder)
    names = [f"s{i:04}" for i in range(count)]
    for name in names:
        work.file(f"code/{name}/main.sh", f"#!/bin/sh\necho {name}\n")
        work.subsystem(
            name, f"source: {{ path: code/{name} }}\nbuild:\n  run: cp main.sh {{{{ out }}}}/{name}\n"
        )
    work.write()
    edges = [f"build out/{n}: cp code/{n}/main.sh" for n in names]
    work.file("build.ninja", "\n".join(["rule cp", "  command = cp $in $out", *edges, ""]))
    work.file("Taskfile.yml", taskfile(names))
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


def settle(contender, times=3):
    """Brings a contender to where there is nothing left to do."""
    import time
    from measure import once

    for _ in range(times):
        once(contender)
        time.sleep(0.1)


def noop(bench):
    """Nothing to do."""
    yield from noop_of(bench, 8, 2.0, 1.0)
    yield from noop_of(bench, 1000, 1.0, 0.01)


def noop_of(bench, count, ninja_target, task_target):
    work = noop_folder(bench, count)
    forge = Contender("forge", work.command("ensure:all"), work.root, env=work.env)
    ninja = Contender("ninja", ["ninja"], work.root)
    task = bench.has("task") and Contender("Task", [bench.tools["task"], "-s", "all"], work.root)
    for contender in filter(None, (forge, ninja, task)):
        settle(contender)
    results = bench.compare([forge, ninja], budget=8)
    what = f"no-op, {count:,} subsystems"
    yield from against(what, results, "ninja", ninja_target)
    if task:
        slow = bench.compare([forge, task], budget=12)
        yield from against(what, slow, "Task", task_target, "Task, `status:`")
    if count == 1000:
        yield from memory(what, results["forge"], 30 * MIB)

    def touch(path):
        return lambda: os.utime(work.root / path)

    forge.prepare, ninja.prepare = touch("versions.yml"), touch("build.ninja")
    results = bench.compare([forge, ninja], budget=8)
    yield from against(f"no-op after the manifest was touched, {count:,}", results, "ninja")


# ── restore ──────────────────────────────────────────────────────────────────────────────────


def eight(bench, folder, head=""):
    """A workspace of 8 subsystems with 30 MB programs, and these programs."""
    work, paths = Workspace(bench.forge, folder, head), bench.programs()
    for i, path in enumerate(paths):
        work.subsystem(f"p{i}", f"build:\n  run: cp {path} {{{{ out }}}}/p{i}\n")
    work.write()
    return work, paths


def restore(bench):
    """From the local cache."""
    folder = bench.folder / "restore"
    work, programs = eight(bench, folder)
    work.run("ensure:all")
    into = folder / "copy"
    forge = Contender(
        "forge", work.command("ensure:all"), work.root, fresh(work.root / ".forge"), work.env
    )
    cp = Contender("cp", ["cp", *programs, into], folder, fresh(f"{into}/"))
    results = bench.compare([forge, cp])
    yield from against("restore 8 × 30 MB from the cache", results, "cp", 0.2)
    yield from memory("restore", results["forge"], 96 * MIB)


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
        results = bench.compare(downloaders(work, store, url, folder), budget=60)
    what = "download, verify, unpack 8 × 30 MB"
    yield from against(what, results, "curl", 0.6, "`curl \\| tar xz`, parallel")
    yield from against(what, results, "curl, verified", None, "`curl \\| tee \\| sha256sum`, `tar xz`, parallel")
    yield from memory(what, results["forge"], 96 * MIB)


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
    parallel = f"xargs -P 8 -I URL sh -c '{{}}' < {listing}"
    # Archives hold a stamp of the same name each, so everybody needs a folder of his own.
    place = f'd={into}/$(basename $(dirname URL)); mkdir -p $d; '
    plain = place + "curl -sf URL | tar xz -C $d"
    checked = place + "curl -sf URL | tee $d/asset | sha256sum > $d/sum; tar xzf $d/asset -C $d; rm $d/asset"
    shell = lambda name, text: Contender(
        name, ["sh", "-c", parallel.replace("{}", text)], folder, fresh(f"{into}/")
    )
    return [forge, shell("curl", plain), shell("curl, verified", checked)]


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
        bench = Bench(bench.forge, bench.folder, min(bench.rounds or 2, 2), bench.jobs, bench.tools)
        results = bench.compare(contenders)
    what = "download, verify, unpack 2 GB"
    yield from against(what, results, "curl", None, "`curl \\| tar xz`")
    yield from memory(what, results["forge"], 96 * MIB)
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
    work = noop_folder(bench, 1000) if not (bench.folder / "noop1000").exists() else None
    work = work or reopen(bench, 1000)
    state = [work.root / ".forge", work.env["FORGE_CACHE_DIR"], work.env["FORGE_DATA_DIR"]]
    jobs = str(bench.jobs)
    pairs = work.beside / "pairs"
    names = sorted(path.name for path in (work.root / "code").iterdir())
    pairs.write_text("".join(f"code/{n}/main.sh copied/{n}\n" for n in names))
    ensure = lambda *flags: work.command("ensure:all", "-j", jobs, *flags)
    out, log, copied = work.root / "out", work.root / ".ninja_log", work.root / "copied"

    def without_ninjas_state():
        fresh(out)()
        log.unlink(missing_ok=True)

    results = bench.compare([
        Contender("forge", ensure("--no-publish"), work.root, fresh(*state), work.env),
        Contender("forge, published", ensure(), work.root, fresh(*state), work.env),
        Contender("ninja", ["ninja", "-j", jobs], work.root, without_ninjas_state),
        Contender("xargs", ["sh", "-c", f"xargs -P {jobs} -n 2 cp < {pairs}"], work.root, fresh(f"{copied}/")),
    ], budget=60)
    added = {name: (result.seconds - results["xargs"].seconds) / 1000 for name, result in results.items()}
    what = "1,000 builds, added per action over `xargs`"
    ratio = added["forge"] / added["ninja"]
    yield Row(what, ms(added["forge"]), "ninja", ms(added["ninja"]), ratio, 1.0)
    ratio = added["forge, published"] / added["ninja"]
    yield Row(f"{what}, packed and published too", ms(added["forge, published"]), "ninja", ms(added["ninja"]), ratio)
    yield from against("1,000 builds, in all", results, "ninja")
    yield from against("1,000 builds, in all", results, "xargs")


def reopen(bench, count):
    """The workspace that the no-op was measured in."""
    folder = bench.folder / f"noop{count}"
    work = Workspace.__new__(Workspace)
    work.forge_binary, work.root, work.beside = bench.forge, folder / "work", folder
    work.env = {
        "FORGE_CACHE_DIR": str(folder / "cache"), "FORGE_DATA_DIR": str(folder / "data"),
        "HOME": str(folder / "home"),
    }
    return work


def chain(bench):
    """500 builds, each of which needs the one before."""
    folder = bench.folder / "chain"
    work = Workspace(bench.forge, folder)
    lines = ["mkdir -p out"]
    for i in range(500):
        name, before = f"c{i:03}", f"c{i - 1:03}"
        needs = f"build_needs: [{before}]\n" if i else ""
        work.file(f"code/{name}/main.sh", f"#!/bin/sh\necho {name}\n")
        work.subsystem(
            name, f"source: {{ path: code/{name} }}\n{needs}build:\n  run: cp main.sh {{{{ out }}}}/{name}\n"
        )
        lines.append(f"cp code/{name}/main.sh out/{name}")
    work.write()
    work.file("all.sh", "\n".join(["set -e", *lines, ""]))
    state = [work.root / ".forge", work.env["FORGE_CACHE_DIR"], work.env["FORGE_DATA_DIR"]]
    results = bench.compare([
        Contender("forge", work.command("ensure:all", "--no-publish"), work.root, fresh(*state), work.env),
        Contender("sh", ["sh", "all.sh"], work.root, fresh(work.root / "out")),
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
    "noop": noop, "restore": restore, "download": download, "large": large,
    "pack": pack, "build": build, "chain": chain, "digest": digest,
}
