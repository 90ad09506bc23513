#!/usr/bin/env python3
"""Trims GitHub's recorded answers to what the stand-in is compared with.

    npm pack @octokit/fixtures@23 && tar xzf octokit-fixtures-*.tgz
    python3 trim_recordings.py package recorded

Of the headers only those stay that say what the body is or where to go on.
"""
import datetime, json, sys

SCENARIOS = ["release-assets", "release-assets-conflict", "get-archive"]
HEADERS = ["content-type", "location"]


def trimmed(exchange):
    kept = {key: exchange[key] for key in ("scope", "method", "path", "body", "status")}
    if not exchange["responseIsBinary"]:
        kept["response"] = exchange["response"]
    headers = exchange["headers"]
    kept["headers"] = {name: headers[name] for name in HEADERS if name in headers}
    kept["asked_with"] = {"content-type": exchange["reqheaders"].get("content-type")}
    return kept


package, folder = sys.argv[1:]
version = json.load(open(f"{package}/package.json"))["version"]
for scenario in SCENARIOS:
    path = f"scenarios/api.github.com/{scenario}/normalized-fixture.json"
    origin = {"package": "@octokit/fixtures", "version": version, "file": path, "license": "MIT",
              "trimmed": datetime.date.today().isoformat(), "by": "trim_recordings.py"}
    exchanges = [trimmed(exchange) for exchange in json.load(open(f"{package}/{path}"))]
    with open(f"{folder}/{scenario}.json", "w") as out:
        json.dump({"origin": origin, "exchanges": exchanges}, out, indent=1)
        out.write("\n")
