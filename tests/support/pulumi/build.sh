#!/bin/sh
# Builds Pulumi, its YAML host and the slow provider into the folder $1, which the tests find as
# FORGE_TEST_PULUMI. Costs minutes once; a folder with the same go.sum is left as it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
cmp -s "$here/go.sum" "$out/go.sum" && exit 0
cd "$here"
CGO_ENABLED=0 go build -trimpath \
    -ldflags '-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.206.0' -o "$out/" \
    github.com/pulumi/pulumi/pkg/v3/cmd/pulumi github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml \
    ./pulumi-resource-slow
cp go.sum "$out/"
