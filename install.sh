#!/bin/sh
# Installs forge for one user: the newest release, or the one that FORGE_VERSION names.
#
#   FORGE_VERSION       the version, such as v0.1.0
#   FORGE_INSTALL_DIR   the folder for the program      [default: ~/.local/bin]
#   FORGE_SOURCE        where releases of forge are: github:OWNER/REPO, a URL below which there is
#                       TAG/ASSET, or such a folder     [default: forge's own repository]
#   FORGE_SHA256        the digest that the downloaded archive must have, or lines of PLATFORM DIGEST
#                       [default: the one that is published beside it]
#
# Needs no root. What is downloaded is verified before it is unpacked, and is in its place whole or
# not at all.
set -eu

# `repository` of Cargo.toml, which a test compares. Empty while it is not known.
repository=''

# fail WHAT [BECAUSE [HELP]]
fail() {
    printf 'error: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '  because: %s\n' "$2" >&2
    [ -z "${3:-}" ] || printf '  help: %s\n' "$3" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# The platform of this machine, as assets are called after it.
platform() {
    case $(uname -s) in
        Linux) os=linux ;;
        Darwin) os=darwin ;;
        *) fail "forge is not released for $(uname -s)" "there are Linux and macOS" "on Windows, use WSL" ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) fail "forge is not released for $(uname -m)" "there are amd64 and arm64" "build it: cargo install --locked --path ." ;;
    esac
    # A shell for Intel on a Mac with an M processor.
    if [ "$os-$arch" = darwin-amd64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
        arch=arm64
    fi
    printf '%s-%s' "$os" "$arch"
}

# Sets `source` and, where releases are GitHub's, `api`.
find_source() {
    source=${FORGE_SOURCE:-$repository}
    api=
    [ -n "$source" ] || fail "nothing says where releases of forge are" "this script names no repository yet" \
        "set FORGE_SOURCE to github:OWNER/REPO, to a URL below which there is TAG/ASSET, or to such a folder"
    source=${source%/}
    case $source in
        dir:*) source=${source#dir:} ;;
        github:http*) source=${source#github:}/releases/download ;;
        github:*) source=https://github.com/${source#github:}/releases/download ;;
        https://github.com/*/*/releases/download) ;;
        https://github.com/*/*) source=${source%.git}/releases/download ;;
    esac
    case $source in
        http://* | https://*) ;;
        *)
            [ -d "$source" ] || fail "there is no folder $source" "FORGE_SOURCE names it" ""
            return
            ;;
    esac
    case $source in
        https://* | http://127.0.0.1[:/]* | http://localhost[:/]* | "http://[::1]"*) ;;
        *) [ -n "${FORGE_SHA256:-}" ] || fail "$source is not encrypted" "anybody on the way could change what comes" \
            "use https://, or give the digest by FORGE_SHA256" ;;
    esac
    case $source in
        */releases/download)
            page=${source%/releases/download}
            server=${page%/*/*}
            case $server in
                https://github.com) api=https://api.github.com ;;
                "${GITHUB_SERVER_URL:-}") api=${GITHUB_API_URL:-$server/api/v3} ;;
                *) api=$server/api/v3 ;;
            esac
            api=$api/repos${page#"$server"}/releases
            ;;
    esac
}

# download URL FILE: 0 if it came, 1 if not, with the reason in `why`.
download() {
    if has curl; then
        set -- "$1" "$2" --fail --silent --show-error --location --retry 3
        case $1 in https://*) set -- "$@" --proto '=https' --tlsv1.2 ;; esac
        from=$1 to=$2
        shift 2
        why=$(curl "$@" --output "$to" "$from" 2>&1) || return 1
    elif has wget; then
        why=$(wget -q -O "$2" "$1" 2>&1) || { why=${why:-"wget could not get it"}; return 1; }
    else
        fail "neither curl nor wget is installed" "one of them downloads forge" "install curl"
    fi
}

# fetch NAME FILE: takes TAG/ASSET from the source.
fetch() {
    case $source in
        http://* | https://*) download "$source/$1" "$2" ;;
        *) why=$(cp "$source/$1" "$2" 2>&1) ;;
    esac
}

# Of lines with tags, the newest version that is not a pre-release.
newest() {
    sed -n 's/^forge-\(v[0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*\)$/\1/p' |
        sort -t . -k 1.2,1n -k 2,2n -k 3,3n | tail -n 1
}

# Sets `version`: the one that was named, or the newest.
find_version() {
    version=${FORGE_VERSION:-}
    if [ -n "$version" ]; then
        version=v${version#v}
        case $version in
            */* | v[!0-9]* | v) fail "FORGE_VERSION is not a version" "it is ${FORGE_VERSION}" "write it as v0.1.0" ;;
        esac
        return
    fi
    help="name one: FORGE_VERSION=v0.1.0"
    case $source in
        http://* | https://*)
            [ -n "$api" ] || fail "nobody says which version of forge is the newest" "$source cannot be listed" "$help"
            page=1
            while [ -z "$version" ] && [ "$page" -le 10 ]; do
                download "$api?per_page=100&page=$page" "$work/releases" ||
                    fail "cannot list the releases of forge" "$why" "$help"
                grep -q '"tag_name"' "$work/releases" || break
                version=$(grep -o '"tag_name" *: *"[^"]*"' "$work/releases" |
                    sed 's/.*"\([^"]*\)"$/\1/' | newest)
                page=$((page + 1))
            done
            ;;
        *) version=$(cd "$source" && for name in *; do printf '%s\n' "$name"; done | newest) ;;
    esac
    [ -n "$version" ] || fail "$source has no release of forge" "none is called forge-vX.Y.Z" "see whether FORGE_SOURCE is right"
}

# The SHA-256 digest of a file.
sha256() {
    if has sha256sum; then
        sha256sum "$1"
    elif has shasum; then
        shasum -a 256 "$1"
    else
        openssl dgst -sha256 -r "$1"
    fi | cut -c 1-64
}

# Verifies the archive by the digest that was given, or by the one that is published beside it.
verify() {
    expected=${FORGE_SHA256:-}
    says=FORGE_SHA256
    case $expected in
        *" "*)
            expected=$(printf '%s\n' "$expected" | sed -n "s/^ *$platform  *\([0-9a-f]*\) *\$/\1/p")
            [ -n "$expected" ] || fail "FORGE_SHA256 has no digest for $platform" "" "add it"
            ;;
    esac
    if [ -z "$expected" ]; then
        fetch "$tag/$asset.sha256" "$work/sha256" ||
            fail "$tag/$asset cannot be verified" "its digest, $asset.sha256, cannot be read: $why" "give the digest by FORGE_SHA256"
        expected=$(cut -c 1-64 <"$work/sha256")
        says=$asset.sha256
    fi
    actual=$(sha256 "$work/$asset")
    [ "$actual" = "$expected" ] || fail "$tag/$asset is corrupt or was replaced" \
        "its sha256 is $actual, $says says $expected" "nothing was installed; find out what happened to the release"
}

# Says how the program is found, unless it is already.
hint_at_path() {
    case :$PATH: in *:"$bin":*) return ;; esac
    line="export PATH=\"$bin:\$PATH\""
    printf '%s is not on PATH; to put it there:\n' "$bin"
    case ${SHELL:-} in
        */fish) printf '  fish_add_path %s\n' "$bin" ;;
        */zsh) printf "  echo '%s' >> ~/.zshrc\n" "$line" ;;
        *) printf "  echo '%s' >> ~/.profile\n" "$line" ;;
    esac
}

main() {
    [ $# -eq 0 ] || fail "install.sh takes no arguments" "there is ${1}" "it is told by variables: FORGE_VERSION, FORGE_INSTALL_DIR, FORGE_SOURCE, FORGE_SHA256"
    [ -n "${FORGE_INSTALL_DIR:-}${HOME:-}" ] || fail "there is no home folder to install into" "HOME is not set" "set FORGE_INSTALL_DIR"
    has sha256sum || has shasum || has openssl || fail "nothing here works out SHA-256 digests" \
        "sha256sum, shasum and openssl are missing" "install one of them, such as coreutils"
    bin=${FORGE_INSTALL_DIR:-$HOME/.local/bin}
    platform=$(platform)
    asset=forge-$platform.tar.gz
    find_source
    mkdir -p "$bin" 2>/dev/null || fail "cannot make the folder $bin" "" "set FORGE_INSTALL_DIR to one that you may write to"
    # Beside its place, so that it gets there in one step.
    work=$(mktemp -d "$bin/.forge-install.XXXXXX" 2>/dev/null) ||
        fail "cannot write to $bin" "" "set FORGE_INSTALL_DIR to a folder that you may write to"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    find_version
    tag=forge-$version
    fetch "$tag/$asset" "$work/$asset" ||
        fail "cannot get forge $version for $platform" "$why" "see whether $source has $tag/$asset"
    verify
    tar -xzf "$work/$asset" -C "$work" forge 2>/dev/null || fail "$tag/$asset holds no program called forge" "" "see whether FORGE_SOURCE is right"
    said=$("$work/forge" --version 2>&1) || fail "forge $version does not run here" "$said" ""
    mv -f "$work/forge" "$bin/forge" || fail "cannot put forge into $bin" "" "set FORGE_INSTALL_DIR to a folder that you may write to"
    printf 'installed %s as %s/forge\n' "$said" "$bin"
    hint_at_path
}

main "$@"
