//! Where toolchains keep what they share between builds: a sandboxed build may write there.
//! docs/concepts/builds.md has the same table for users.

use std::{
    env::split_paths,
    io,
    path::{Path, PathBuf},
};

use super::is_program;
use crate::{disk::Folder, model::Environment};

/// What toolchains share between builds in one folder.
struct Cache {
    /// A variable that names the folder; none if empty.
    variable: &'static str,
    /// Where the folder is below the home folder otherwise; nowhere if empty.
    home: &'static str,
    /// What in it is shared: folders end with a slash, others are files. All of it if there are none.
    /// Not programs, settings and logins: those serve outside of builds too.
    inside: &'static [&'static str],
    /// The program that needs it.
    program: &'static str,
}

const fn cache(
    variable: &'static str,
    home: &'static str,
    inside: &'static [&'static str],
    program: &'static str,
) -> Cache {
    Cache { variable, home, inside, program }
}

const CACHES: &[Cache] = &[
    cache("GOPATH", "go", &["pkg/mod/", "pkg/sumdb/"], "go"),
    cache("GOMODCACHE", "", &[], "go"),
    cache("GOCACHE", ".cache/go-build", &[], "go"),
    cache(
        "CARGO_HOME",
        ".cargo",
        &["registry/", "git/", ".package-cache", ".package-cache-mutate", ".global-cache"],
        "cargo",
    ),
    cache("npm_config_cache", ".npm", &[], "npm"),
    cache("NPM_CONFIG_CACHE", "", &[], "npm"),
    cache("", ".cache/node-gyp", &[], "npm"),
    cache("YARN_CACHE_FOLDER", "", &[], "yarn"),
    cache("", ".yarn", &["berry/"], "yarn"),
    cache("PNPM_HOME", ".local/share/pnpm", &["store/"], "pnpm"),
    cache("BUN_INSTALL", ".bun", &["install/cache/"], "bun"),
    cache("DENO_DIR", ".cache/deno", &[], "deno"),
    cache("PIP_CACHE_DIR", ".cache/pip", &[], "pip"),
    cache("UV_CACHE_DIR", ".cache/uv", &[], "uv"),
    cache("", ".m2", &["repository/", "wrapper/"], "mvn"),
    cache(
        "GRADLE_USER_HOME",
        ".gradle",
        &["caches/", "wrapper/", "daemon/", "native/", "notifications/", "workers/", ".tmp/"],
        "gradle",
    ),
    cache("NUGET_PACKAGES", ".nuget/packages", &[], "dotnet"),
    cache("", ".local/share/NuGet", &["http-cache/", "plugins-cache/"], "dotnet"),
    cache("GEM_HOME", ".gem", &["cache/", "specs/"], "gem"),
    cache("", ".bundle", &["cache/"], "bundle"),
    cache("", ".composer", &["cache/"], "composer"),
    cache("", ".cabal", &["packages/", "store/", "logs/"], "cabal"),
    cache("", ".stack", &["pantry/", "snapshots/", "setup-exe-cache/", "setup-exe-src/"], "stack"),
    cache("", ".opam", &["download-cache/"], "opam"),
    cache("", ".hex", &["packages/", "cache.ets"], "mix"),
    cache("", ".pub-cache", &["hosted/", "hosted-hashes/", "git/", "_temp/"], "dart"),
    cache("CCACHE_DIR", ".cache/ccache", &[], "ccache"),
    cache("SCCACHE_DIR", ".cache/sccache", &[], "sccache"),
    cache("ZIG_GLOBAL_CACHE_DIR", ".cache/zig", &[], "zig"),
    cache("", ".docker", &["buildx/"], "docker"),
];

/// The folders for temporary files that are everybody's.
pub fn temporary_folders(environment: &Environment) -> Vec<PathBuf> {
    let folders = environment.path("TMPDIR").into_iter();
    folders.chain(["/tmp".into(), "/var/tmp".into()]).filter(|folder| is_usable(folder)).collect()
}

fn is_usable(folder: &Path) -> bool {
    folder.is_absolute() && folder != Path::new("/")
}

/// The folders and files that toolchains share between builds. Those of programs that are here are
/// made, since builds could not.
pub fn toolchain_caches(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.path("HOME");
    let below_home = |path: &str| Some(home.as_ref()?.join(path)).filter(|_| !path.is_empty());
    let may_be_made = home.as_ref().is_some_and(|home| home.is_dir());
    let mut shared = Vec::new();
    for cache in CACHES {
        // `GOPATH` may name several folders, of which the first is written to.
        let named = environment.path(cache.variable);
        let named = named.and_then(|named| split_paths(&named).next());
        let Some(folder) = named.or_else(|| below_home(cache.home)) else { continue };
        if !is_usable(&folder) {
            continue;
        }
        let is_needed = may_be_made && is_program(environment, cache.program, &[]);
        shared.extend(cache.paths(&folder).map(|(path, is_folder)| {
            if is_needed && !path.exists() {
                // Whoever needs it says what is wrong with it.
                let _ = make(&folder, &path, is_folder);
            }
            path
        }));
    }
    shared.extend(environment.path("XDG_CACHE_HOME").or_else(|| below_home(".cache")));
    shared.retain(|folder| is_usable(folder));
    shared
}

impl Cache {
    /// What of `folder` is shared, and whether each is a folder.
    fn paths(&self, folder: &Path) -> impl Iterator<Item = (PathBuf, bool)> {
        let whole = self.inside.is_empty().then(|| (folder.to_owned(), true));
        let inside = self.inside.iter().map(|path| (folder.join(path), path.ends_with('/')));
        whole.into_iter().chain(inside)
    }
}

/// Makes what is to be shared of `folder`.
fn make(folder: &Path, path: &Path, is_folder: bool) -> io::Result<()> {
    let folder = Folder::make(folder)?;
    match is_folder {
        true => folder.make_folder(path).map(drop),
        false => folder.open_or_create(path).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_the_caches() {
        let docs = include_str!("../../../docs/concepts/builds.md");
        for Cache { variable, home, inside, program } in CACHES {
            let code = |text: String| if text.is_empty() { text } else { format!("`{text}`") };
            let home = if home.is_empty() { String::new() } else { format!("~/{home}") };
            let inside: Vec<String> = inside.iter().map(|path| code((*path).to_owned())).collect();
            let cells =
                [(*program).to_owned(), code((*variable).to_owned()), code(home), inside.join(" ")];
            let row = format!("| {} |", cells.join(" | "));
            assert!(docs.contains(&row), "docs/concepts/builds.md lacks this row:\n{row}");
        }
    }
}
