#!/usr/bin/env python3
"""Records what Task does with each case of the corpus, or checks that it still does the same.

    record.py [--task PATH] [--check] [NAME ...]

Each case runs in a copy of its folder, with a home of its own and nothing else of the environment. NAME selects
the cases whose folder contains it. The README beside this file explains the fields.
"""

import argparse
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
OWN_FILES = {"case.yml", "expected.json"}
SIGNALS = {"interrupt": signal.SIGINT, "kill": signal.SIGKILL}  # to the whole group, as a terminal does
PATIENCE = 20  # seconds before a run counts as hanging


def read_case(folder):
    """Reads case.yml: YAML of which every value fits a line and, but for `what`, is JSON."""
    case = {"runs": []}
    for number, line in enumerate((folder / "case.yml").read_text().splitlines(), 1):
        if not line.strip() or line.strip() == "runs:" or line.startswith("#"):
            continue
        match = re.fullmatch(r"(  - |    |)(\w+): (.*)", line)
        if not match:
            raise SystemExit(f"{folder.name}/case.yml:{number}: not `key: value` on one line: {line}")
        indent, key, text = match.groups()
        value = text if key == "what" and text[0] != '"' else json.loads(text)
        if indent == "  - ":
            case["runs"].append({})
        (case["runs"][-1] if indent else case)[key] = value
    if not (case.get("what") and case.get("feature") and case["runs"]):
        raise SystemExit(f"{folder.name}/case.yml: needs what, feature and runs")
    return case


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word on stderr."""

    def log_message(self, *_):
        pass


def serve(folder):
    """Serves `folder` on a free port of this machine; returns the server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Place:
    """A copy of one case, and the environment its runs see."""

    def __init__(self, folder, task, base):
        self.base = Path(base).resolve()
        self.work, self.home = self.base / "work", self.base / "home"
        self.home.mkdir()
        shutil.copytree(folder, self.work, ignore=shutil.ignore_patterns(*OWN_FILES), symlinks=True)
        binaries = self.base / "bin"
        binaries.mkdir()
        (binaries / "task").symlink_to(task)
        self.task = str(binaries / "task")
        self.start = self.digests()
        self.env = {
            "PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home), "LC_ALL": "C", "TZ": "UTC", "NO_COLOR": "1",
        }
        self.server = None

    def digests(self):
        """Path -> SHA-256 of every file, but for what Task remembers in .task."""
        found = {}
        for path in sorted(self.work.rglob("*")):
            name = path.relative_to(self.work)
            if ".task" in name.parts or ".git" in name.parts or not path.is_file():
                continue
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def plain(self, text):
        """The text without what differs from one place to the next."""
        text = text.replace(str(self.work), "<work>").replace(str(self.home), "<home>").replace(str(self.base), "<base>")
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # errors of the file are coloured even with NO_COLOR
        text = re.sub(r"127\.0\.0\.1:\d+", "<server>", text)
        return re.sub(r'((?:task: Failed to run task "[^"]*": )+?)\1{2,}', r"\1<repeated> ", text)


def follow(process, steps, seen):
    """Reads stdout; each time the next step's text has been seen, does what the step says."""
    steps = list(steps)
    for line in process.stdout:
        seen.append(line)
        if steps and steps[0]["see"] in line:
            step = steps.pop(0)
            time.sleep(step.get("after", 0))
            if step["do"] in SIGNALS:
                os.killpg(process.pid, SIGNALS[step["do"]])
            else:
                subprocess.run(["/bin/sh", "-eu", "-c", step["do"]], cwd=step["cwd"], check=True)


def execute(place, run):
    """Runs Task once; returns (exit code, stdout, stderr)."""
    env = {**place.env, **run.get("env", {})}
    process = subprocess.Popen(
        [place.task, *run.get("args", [])], cwd=place.work / run.get("cwd", "."), env=env,
        text=True, errors="backslashreplace",
        stdin=subprocess.PIPE if "stdin" in run else subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    guard = threading.Timer(PATIENCE, lambda: os.killpg(process.pid, signal.SIGKILL))
    guard.start()
    try:
        if "steps" not in run:
            out, err = process.communicate(run.get("stdin"))
            return process.returncode, out, err
        seen, errors = [], []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        follow(process, [{"cwd": place.work, **step} for step in run["steps"]], seen)
        reader.join()
        return process.wait(), "".join(seen), "".join(errors)
    finally:
        guard.cancel()


def sort_stderr(text):
    """Splits stderr into the echo of commands, Task's other notes, and what commands wrote."""
    text = re.sub(r"\b\d+(\.\d+)?(ns|µs|ms|s)\b", "<time>", text)
    fields = {"echo": [], "notes": [], "stderr": []}
    for line in text.splitlines():
        bare = re.sub(r"^\[[^\]]*\] (?=task: )", "", line)  # prefixed output marks the echo too
        name = "echo" if bare.startswith("task: [") else "notes" if bare.startswith("task: ") else "stderr"
        fields[name].append(line)
    return fields


def observe(place, run):
    """Does one run of a case and returns the record of it."""
    for line in run.get("before", []):
        subprocess.run(["/bin/sh", "-eu", "-c", line], cwd=place.work, env=place.env, check=True,
                       stdout=subprocess.DEVNULL)
    code, out, err = execute(place, run)
    stdout = place.plain(out).splitlines()
    if "steps" in run:  # whether Task gets to say this before it ends is a matter of luck
        stdout = [line for line in stdout if not line.startswith("task: Signal received")]
    fields = {"stdout": stdout, **sort_stderr(place.plain(err))}
    fields = {name: lines for name, lines in fields.items() if name not in run.get("skip", [])}
    if run.get("unordered"):
        fields = {name: sorted(lines) for name, lines in fields.items()}
    after = place.digests()
    return {
        "args": run.get("args", []), "exit": code, **fields,
        "files": {name: digest for name, digest in after.items() if place.start.get(name) != digest},
        "gone": [name for name in place.start if name not in after],
    }


def record(folder, task):
    """All runs of a case, one after the other in the same place."""
    case = read_case(folder)
    with tempfile.TemporaryDirectory(prefix="corpus-") as base:
        place = Place(folder, task, base)
        if case.get("serve"):
            place.server = serve(place.work)
            place.env["CORPUS_URL"] = "http://127.0.0.1:%d" % place.server.server_port
        try:
            return {"runs": [observe(place, run) for run in case["runs"]]}
        finally:
            if place.server:
                place.server.shutdown()
                place.server.server_close()


def differences(expected, actual):
    """Lines that say which fields of which runs differ."""
    if len(expected["runs"]) != len(actual["runs"]):
        yield f"  {len(expected['runs'])} runs recorded, {len(actual['runs'])} in case.yml"
    for number, (old, new) in enumerate(zip(expected["runs"], actual["runs"]), 1):
        for field in new:
            if field not in old or old[field] != new[field]:
                yield f"  run {number} {new['args']}: {field}\n    recorded {old.get(field)}\n    now      {new[field]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default=shutil.which("task"), help="the binary of Task")
    parser.add_argument("--check", action="store_true", help="compare with the recordings, write nothing")
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time")
    parser.add_argument("names", nargs="*", help="only cases whose folder contains one of these")
    options = parser.parse_args()
    if not options.task:
        raise SystemExit("no `task` in PATH: give it with --task PATH")
    task = Path(options.task).resolve()
    version = subprocess.run([task, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    folders = [f for f in sorted(CORPUS.iterdir()) if f.is_dir()
               and (not options.names or any(name in f.name for name in options.names))]

    different = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for folder, actual in zip(folders, pool.map(lambda f: record(f, task), folders)):
            target = folder / "expected.json"
            if options.check:
                found = list(differences(json.loads(target.read_text()), actual)) if target.exists() else ["  no recording"]
                different += bool(found)
                if found:
                    print(folder.name, *found, sep="\n")
            else:
                target.write_text(json.dumps(actual, indent=1, ensure_ascii=False) + "\n")
    verb = "checked" if options.check else "recorded"
    print(f"{len(folders)} cases {verb} with Task {version}" + (f", {different} differ" if options.check else ""))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
