#!/usr/bin/env python3
"""Trims GitHub's description of its API to the answers that the stand-in gives.

    npm pack @octokit/openapi@23 && tar xzf octokit-openapi-*.tgz
    python3 trim_openapi.py package > openapi.json

What people read (descriptions, examples) goes. `nullable` becomes what JSON Schema 2020-12 has
for it. Objects may have no properties but those described, so that the stand-in invents none
(errors may: all have a `status` that the description gives to some).
One word is added: the prose of uploads names the state `starter` of an asset, which the
enumeration of states forgets.
"""
import datetime, json, sys

KEPT = ["/rate_limit", "/repos/{owner}/{repo}"] + ["/repos/{owner}/{repo}/" + rest for rest in (
    "immutable-releases", "releases", "releases/latest", "releases/tags/{tag}",
    "releases/generate-notes", "releases/assets/{asset_id}", "releases/{release_id}",
    "releases/{release_id}/assets", "git/ref/{ref}", "git/matching-refs/{ref}", "git/refs",
    "git/refs/{ref}", "git/tags", "git/tags/{tag_sha}", "tarball/{ref}",
    "deployments", "deployments/{deployment_id}/statuses", "statuses/{sha}",
    "issues/{issue_number}/comments", "issues/comments/{comment_id}", "pulls/{pull_number}")]
# What is sent to these is checked too.
SENT = ("deployments", "statuses", "comments")
PROSE = {"description", "example", "examples", "title", "externalDocs", "default", "deprecated"}


def schema(node, closed=True):
    """A schema of OpenAPI 3.0 as one of JSON Schema."""
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"].replace("#/components/schemas/", "#/$defs/")}
    out = {}
    for key, value in node.items():
        if key in PROSE or key == "nullable" or key.startswith("x-"):
            continue
        if key == "properties":
            out[key] = {name: schema(sub) for name, sub in value.items()}
        elif key in ("oneOf", "anyOf", "allOf"):
            out[key] = [schema(sub, closed=False) for sub in value]
        else:
            out[key] = schema(value)
    if closed and out.get("properties") and not {"oneOf", "anyOf", "allOf"} & out.keys():
        out.setdefault("additionalProperties", False)
    if node.get("nullable"):
        if "type" in out:
            out["type"] = [out["type"], "null"]
            if "enum" in out:
                out["enum"] = out["enum"] + [None]
        else:
            out = {"anyOf": [out, {"type": "null"}]}
    return out


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[1]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def main(package):
    whole = json.load(open(f"{package}/generated/api.github.com.json"))
    version = json.load(open(f"{package}/package.json"))["version"]
    components = whole["components"]
    answers, bodies = {}, {}
    for path in KEPT:
        for method, operation in whole["paths"][path].items():
            if "requestBody" in operation and any(word in path for word in SENT):
                body = operation["requestBody"]["content"]["application/json"]["schema"]
                bodies[f"{method.upper()} {path}"] = schema(body)
            found = {}
            for status, answer in operation["responses"].items():
                if "$ref" in answer:
                    answer = components["responses"][answer["$ref"].rsplit("/", 1)[1]]
                content = answer.get("content", {}).get("application/json")
                found[status] = schema(content["schema"]) if content else None
            answers[f"{method.upper()} {path}"] = found
    wanted, definitions = {*references(answers), *references(bodies), "basic-error", "validation-error"}, {}
    while wanted - definitions.keys():
        name = sorted(wanted - definitions.keys())[0]
        definitions[name] = schema(components["schemas"][name], closed=not name.endswith("-error"))
        wanted |= set(references(definitions[name]))
    definitions["release-asset"]["properties"]["state"]["enum"].append("starter")
    origin = {"package": "@octokit/openapi", "version": version, "file": "api.github.com.json",
              "license": "MIT", "trimmed": datetime.date.today().isoformat(),
              "by": "trim_openapi.py, which says how"}
    result = {"origin": origin, "answers": answers, "bodies": bodies, "$defs": definitions}
    print(json.dumps(result, indent=1))


main(sys.argv[1])
