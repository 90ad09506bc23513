#!/usr/bin/env python3
"""Writes COVERAGE.md: for each feature of a Taskfile, the cases of the corpus that show it.

With --check it writes nothing, and fails when COVERAGE.md is not what it would write.
"""

import sys
from pathlib import Path

from record import CORPUS, HERE, read_case

# Features by weight. A name stands in `feature:` of the cases.
MUST = """version; tasks; root vars; root env; dotenv root; output; output group; run root; run task; silent root;
silent task; set; includes; include short; include taskfile; include dir; include optional; include vars;
include checksum; include templated path; var static list; var number; var sh; var secret; var value; cmds; cmd;
string task; list task; deps; deps with task+vars; desc; prompt; sources; sources exclude; generates; status;
preconditions; dir; task vars; task env; internal; ignore_error task; ignore_error command; platforms task;
platforms command; requires; failfast; task call; call vars; templated call; for list; for matrix; for var; for split;
for as; for in deps; timeout command; timeout dep; silent command; silent dep; CLI_ARGS; ITEM; ROOT_DIR; TASKFILE_DIR;
USER_WORKING_DIR; templates; template pipe; template if; template range; function default; function index;
function eq; function OS; function ARCH; function splitList; function replace; cli force; cli summary; cli dry;
cli watch; cli yes; cli output; cli concurrency; cli failfast; cli NAME=value; cli --; cli exit-code; exit codes;
defer"""
SHOULD = """dotenv task; method root; method task; interval; use_gitignore; include remote; include flatten;
include excludes; include internal; include aliases; var ref; var map; summary; label; aliases; if task; if command;
interactive; prefix; requires enum; watch key; wildcard name; MATCH; root call; defer task; for sources;
for generates; TASK; TASK_DIR; EXIT_CODE; CHECKSUM; function splitArgs; function absPath; function lt; function sub;
.taskrc; cli offline; cli download; cli status; cli list; cli silent; cli parallel; cli dir"""
OTHER = "shopt; requires enum.ref; TIMESTAMP; ALIAS"
MEANING = """status and sources; deps all finish; once failure; timeout 124; first dotenv wins; generates alone;
embedded shell; defers reverse; scoped vars"""
GROUPS = {"Must": MUST, "Should": SHOULD, "Not planned, shown all the same": OTHER, "Meaning, beside the keys": MEANING}


def names(text):
    return [" ".join(name.split()) for name in text.split(";")]


def table():
    """The text of COVERAGE.md, and what is wrong with it."""
    cases, faults = {}, []
    folders = [f for f in sorted(CORPUS.iterdir()) if f.is_dir()]
    for folder in folders:
        for feature in read_case(folder)["feature"]:
            cases.setdefault(feature, []).append(folder.name)
    known = {name for group in GROUPS.values() for name in names(group)}
    faults += [f"{unknown}: no such feature ({', '.join(cases[unknown])})" for unknown in sorted(set(cases) - known)]
    faults += [f"{name}: no case" for name in sorted(known - set(cases))]
    lines = ["# Which case shows what", "", "Written by `coverage.py`; do not edit.", "",
             f"{len(folders)} cases, {len(known)} features."]
    for group, text in GROUPS.items():
        lines += ["", f"## {group}", "", "|feature|cases|", "|-|-|"]
        lines += [f"|{name}|{', '.join(case[:3] for case in cases.get(name, []))}|" for name in names(text)]
    return "\n".join(lines) + "\n", faults


def main():
    text, faults = table()
    target = HERE / "COVERAGE.md"
    if "--check" not in sys.argv[1:]:
        target.write_text(text)
    elif target.read_text() != text:
        faults.append("COVERAGE.md is old: run coverage.py")
    print(*faults, sep="\n", end="\n" if faults else "")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
