"""A remote cache: an empty machine takes what CI built."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

from material import MB, Programs, Workspace, free_port, running, server
from measure import Contender, fresh
from scenarios import MIB, against, memory

COUNT, SIZE = 130, 5 * MB
SPEC = """
source: {{ path: programs/{name} }}
build: {{ run: "cp {name} {{{{ out }}}}/{name}" }}
"""


@contextmanager
def casd(folder):
    """The address of a server of the Remote Execution API whose data are in `folder`."""
    port = free_port()
    folder.mkdir(parents=True)
    command = ["buildbox-casd", "--bind", f"127.0.0.1:{port}", str(folder.resolve() / "data")]
    with running(command, port):
        yield f"grpc://127.0.0.1:{port}"


def remote(bench):
    """130 modules of 5 MB each, from a warm cache; beside curl, which takes the same bytes."""
    if not shutil.which("buildbox-casd"):
        return
    folder = bench.folder / "remote"
    with casd(folder / "casd") as cache:
        work = Workspace(bench.forge, folder, f"remote: {{ cache: \"{cache}\" }}")
        for number in range(COUNT):
            name = f"m{number}"
            maker = Programs(work.root / "programs" / name)
            # It begins as a script does: of a real program, forge would miss the libraries.
            maker.start = b"#!/served\n"
            maker.make(name, SIZE)
            work.subsystem(name, SPEC.format(name=name))
        work.write()
        fill(work)
        forge = Contender(
            "forge", work.command("ensure:all"), work.root,
            fresh(work.root / ".forge", work.env["FORGE_CACHE_DIR"]), work.env,
        )
        with server(work.root / "programs", folder / "server") as url:
            results = bench.compare([forge, curl(folder, url)], budget=40)
        used = list(memory("remote", forge, 96 * MIB))
    what = f"{COUNT} × {SIZE // MB} MB from a warm remote cache, verified and installed"
    yield from against(what, results, "curl", 1.5, "`curl`, 8 at once")
    yield from used


def fill(work):
    """Builds everything as the default branch's CI does, which keeps it in the cache."""
    event = work.beside / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    at_home = dict(work.env)
    work.env |= {
        "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "o/r", "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/ci.yml@refs/heads/main",
    }
    said = json.loads(work.run("ensure:all", "--json"))
    work.env = at_home
    if said["remote"]["written"] != COUNT:
        raise RuntimeError(f"the cache was not filled: {said['remote']}")


def curl(folder, url):
    """curl, for every program."""
    into = Path(folder) / "taken"
    listing = Path(folder) / "urls"
    listing.write_text("".join(f"{url}/m{n}/m{n}\n" for n in range(COUNT)))
    line = f"xargs -P 8 -I URL sh -c 'curl -sfL -o {into}/$(basename URL) URL' < {listing}"
    return Contender("curl", ["sh", "-c", line], folder, fresh(f"{into}/"))
