"""Images: putting one together, and releasing six of which one has changed, at a real registry."""

import shutil
from contextlib import contextmanager

from material import MB, Programs, Workspace, free_port, running
from measure import Contender
from scenarios import against, memory

SERVICES = ["api", "cleaner", "indexing", "metadata", "thumbnail", "web"]
REGISTRY = """
version: 0.1
log: {{ accesslog: {{ disabled: true }}, level: error }}
storage: {{ filesystem: {{ rootdirectory: {folder} }} }}
http: {{ addr: 127.0.0.1:{port} }}
"""
SPEC = """
source: {{ path: programs/{name} }}
build: {{ run: "cp {name} {{{{ out }}}}/{name}" }}
image: {{ repo: {host}/shop/{name}, also: [latest] }}
"""


@contextmanager
def registry(folder):
    """The host of a registry of images (docker-registry) whose data are in `folder`."""
    port = free_port()
    folder.mkdir(parents=True)
    config = folder / "config.yml"
    config.write_text(REGISTRY.format(folder=folder / "data", port=port))
    with running(["docker-registry", "serve", config], port):
        yield f"127.0.0.1:{port}"


def images(bench):
    """Six services: one changed and released; nothing changed; one of 100 MB put together."""
    if not all(map(shutil.which, ("docker-registry", "crane"))):
        return
    with registry(bench.folder / "registry") as host:
        yield from released(bench, host)
        yield from put_together(bench, host)


def program(folder, name, size):
    """A program that compresses as real ones do. It begins as a script does: of a real one, forge would miss the
    libraries."""
    maker = Programs(folder)
    maker.start = b"#!/served\n"
    maker.make(name, size)


class Shop:
    """A workspace of six services, of which the first changes from release to release."""

    def __init__(self, bench, host):
        self.work = Workspace(str(bench.forge), bench.folder / "shop", "platforms: [linux-amd64]")
        self.host, self.release = host, 0
        self.program = self.work.root / "programs/api/api"
        for name in SERVICES:
            program(self.work.root / "programs" / name, name, 20 * MB)
            self.work.subsystem(name, SPEC.format(name=name, host=host))
        self.work.write()
        self.work.run("image")
        self.work.run("release:image")

    def change(self):
        """The first service says something else than before, and has another version; what it is has been built."""
        self.release += 1
        with self.program.open("r+b") as program:
            program.seek(1 << 20)
            program.write(f"release {self.release}".encode())
        versions = self.work.root / "versions.yml"
        lines = [f"  api: v1.1.{self.release}" if "  api:" in line else line for line in versions.read_text().splitlines()]
        versions.write_text("\n".join(lines) + "\n")
        self.work.run("image", "api")

    def layouts(self, folder):
        """Layouts of OCI of what `change` came to, for other tools to push."""
        self.change()
        shutil.rmtree(folder, ignore_errors=True)
        lines = []
        for name in SERVICES:
            version = f"v1.1.{self.release}" if name == "api" else "v1.0.0"
            shutil.copytree(self.work.root / f".forge/dist/{name}-{version}.oci", folder / name)
            lines.append(f"{folder / name} {self.host}/theirs/{name}:{version}\n")
        (folder / "all").write_text("".join(lines))


def released(bench, host):
    shop = Shop(bench, host)
    work, theirs = shop.work, bench.folder / "layouts"
    forge = Contender("forge", work.command("-q", "release:image"), work.root, shop.change, env=work.env)
    again = Contender("forge", work.command("-q", "release:image"), work.root, env=work.env)
    each = ["xargs", "-a", str(theirs / "all"), "-n", "2", "-P", "6"]
    push = [*each, "crane", "push", "--insecure", "--index"]
    copy = [*each, "sh", "-c", "exec skopeo copy -q --all --dest-tls-verify=false oci:$1 docker://$2", "copy"]
    prepare = lambda: shop.layouts(theirs)  # noqa: E731
    crane = Contender("crane", push, work.root, prepare)
    skopeo = shutil.which("skopeo") and Contender("skopeo", copy, work.root, prepare)
    results = bench.compare([forge, crane, skopeo], budget=30)
    what = "release six images of 20 MB, one changed"
    yield from against(what, results, "crane", 1.0, "`crane push`, 6 at once")
    yield from against(what, results, "skopeo", 1.0, "`skopeo copy`, 6 at once")
    prepare()
    work.run("release:image")
    crane.prepare = lambda: None
    results = bench.compare([again, crane], budget=10)
    yield from against("the same, nothing changed", results, "crane", 1.0, "`crane push`, 6 at once")


def put_together(bench, host):
    """One image of 100 MB, beside `package` of the same program."""
    work = Workspace(str(bench.forge), bench.folder / "large", "platforms: [linux-amd64]")
    program(work.root / "programs/large", "large", 100 * MB)
    work.subsystem("large", SPEC.format(name="large", host=host))
    work.write()
    work.run("ensure", "large")
    image = Contender("forge", work.command("-q", "image", "large"), work.root, env=work.env)
    package = Contender("package", work.command("-q", "package", "large"), work.root, env=work.env)
    results = bench.compare([image, package], budget=15)
    yield from against("put an image of 100 MB together", results, "package", 1.3, "`forge package`")
    yield from memory("put an image of 100 MB together", image, 96 << 20)
