"""Runs commands side by side and takes their time and memory."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable


@dataclass
class Contender:
    """A command that does the job of a scenario, and what has to be done before each run."""

    name: str
    command: list
    cwd: Path
    prepare: Callable = lambda: None
    env: dict = field(default_factory=dict)


class Failed(Exception):
    """A command that should have worked did not."""


def once(contender, before=()):
    """Prepares and runs `contender` once, behind the words `before`. Returns seconds."""
    contender.prepare()
    env = os.environ | contender.env
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        code = subprocess.call(
            [str(word) for word in (*before, *contender.command)],
            cwd=contender.cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )
        seconds = time.perf_counter() - started
        if code != 0:
            output.seek(0)
            said = output.read()[-2000:].decode(errors="replace")
            raise Failed(f"{contender.name} ended with {code}:\n{said}")
    return seconds


def peak(contender, rounds=3):
    """The most memory that `contender` had, in bytes, over a few runs. What a process that is
    started by Python says of itself includes Python's own, hence `time`."""
    most = 0
    for _ in range(rounds):
        with tempfile.NamedTemporaryFile("r") as said:
            once(contender, ["/usr/bin/time", "-f", "%M", "-o", said.name])
            most = max(most, int(said.read()) * 1024)
    return most


def compare(contenders, rounds=None, budget=20.0):
    """The median seconds of each contender. They run in turn, A B C A B C, after a round that does
    not count.

    Without `rounds`, as many as fit into `budget` seconds, but no fewer than 5 and no more than 60.
    """
    for contender in contenders:
        once(contender)
    samples = {contender.name: [] for contender in contenders}
    began, done = time.perf_counter(), 0
    while True:
        for contender in contenders:
            samples[contender.name].append(once(contender))
        done += 1
        spent = time.perf_counter() - began
        enough = done >= 60 or done >= 5 and spent + spent / done > budget
        if done == rounds or rounds is None and enough:
            break
        if sys.stderr.isatty():
            print(f"\r\033[K  round {done} ", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return {name: statistics.median(taken) for name, taken in samples.items()}


def fresh(*folders):
    """A preparation: these folders are gone, or empty if they end with a slash."""

    def prepare():
        for folder in map(str, folders):
            shutil.rmtree(folder, ignore_errors=True)
            if folder.endswith("/"):
                os.makedirs(folder)

    return prepare


def aside(trash, *paths):
    """Like `fresh`, but moves away instead of deleting: after thousands of files were deleted, ext4
    takes many times as long to create some, whoever does it."""

    def prepare():
        into = Path(tempfile.mkdtemp(dir=trash))
        for path in map(str, paths):
            if os.path.lexists(path):
                os.rename(path, into / Path(path).name)
            if path.endswith("/"):
                os.makedirs(path)

    return prepare
