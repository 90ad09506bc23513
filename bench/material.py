"""What is measured on: programs, workspaces, a server of files."""

import functools
import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from measure import aside

MB = 1_000_000


@functools.cache
def elf_files():
    """Real programs and libraries of this machine, the same order every time."""
    folders = [Path("/usr/bin"), Path("/usr/lib")]
    if rustc := shutil.which("rustc"):
        root = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True)
        if root.returncode == 0:
            folders.insert(0, Path(root.stdout.strip()) / "lib")
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and MB < path.stat().st_size < 64 * MB:
                found.setdefault(path.stat().st_ino, path)
    files = sorted(found.values(), key=lambda path: (-path.stat().st_size, path))
    return [path for path in files if path.open("rb").read(4) == b"\x7fELF"]


class Programs:
    """Programs as large as asked for, made of real machine code, so that they compress as real
    ones do. Each begins with the header of a real program and no two are alike."""

    def __init__(self, folder):
        self.folder = folder
        self.files = elf_files()
        self.start = Path(sys.executable).resolve().read_bytes()[:4096]
        self.at = (0, 0)
        folder.mkdir(parents=True, exist_ok=True)

    def make(self, name, size):
        """The path of a new program of `size` bytes. It takes up where the last one ended."""
        path = self.folder / name
        with path.open("wb") as out:
            left = size - out.write(self.start)
            while left > 0:
                file, offset = self.at
                with self.files[file % len(self.files)].open("rb") as source:
                    source.seek(offset)
                    piece = source.read(min(left, 8 << 20))
                left -= out.write(piece)
                self.at = (file, offset + len(piece)) if piece else (file + 1, 0)
        path.chmod(0o755)
        return path


class Workspace:
    """A workspace with a cache and a store of its own."""

    def __init__(self, forge, folder, head=""):
        self.forge_binary = forge
        self.root, self.beside = folder / "work", folder
        self.head, self.versions = head, []
        (self.root / "subsystems").mkdir(parents=True)
        self.env = {
            "FORGE_CACHE_DIR": str(folder / "cache"),
            "FORGE_DATA_DIR": str(folder / "data"),
            "HOME": str(folder / "home"),
        }
        for variable in ("CI", "GITHUB_ACTIONS"):
            os.environ.pop(variable, None)

    def subsystem(self, name, spec):
        (self.root / "subsystems" / f"{name}.yml").write_text(spec)
        self.versions.append(name)

    def file(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write(self):
        lines = [self.head, "project: bench", "versions:"]
        lines += [f"  {name}: v1.0.0" for name in self.versions]
        (self.root / "versions.yml").write_text("\n".join(lines) + "\n")

    def blank(self, trash):
        """A preparation: nothing was ever built here."""
        return aside(trash, self.root / ".forge", *(self.beside / name for name in ("cache", "data")))

    def command(self, *words):
        return [self.forge_binary, *words]

    def run(self, *words):
        done = subprocess.run(
            self.command(*words), cwd=self.root, env=os.environ | self.env,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"forge {' '.join(words)}:\n{done.stdout}{done.stderr}")
        return done.stdout


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


NGINX = """
daemon off; user {user}; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; default_type application/octet-stream;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(root, folder):
    """The URL under which the files in `root` are served; by nginx if there is one."""
    port = free_port()
    folder.mkdir(parents=True)
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(user=getpass.getuser(), folder=folder, root=root, port=port))
        command = [nginx, "-c", str(config), "-e", str(folder / "error.log")]
    else:
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(root)]
    with running(command, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command, port):
    """`command`, which listens at `port`, until it is not needed any more."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("the server of files does not start")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("the server of files does not answer")


@contextmanager
def github(program, releases):
    """The URL of a stand-in GitHub with `releases`, and a list that gets what it was asked at the end."""
    command = [program, "--repo", "acme/stack", "--seed", str(releases), "--requests"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    asked = []
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the stand-in GitHub does not start")
        yield url, asked
    finally:
        _, said = process.communicate()
        asked.extend(said.splitlines())
