//! Where toolchains keep what they share between builds: a sandboxed build may write there.
//! docs/builds.md has the same table for users.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::is_program;
use crate::model::Environment;

/// A variable that names a folder, where that is below the home folder otherwise, and the program that
/// needs it. An empty variable or folder is none.
const CACHES: &[(&str, &str, &str)] = &[
    ("GOPATH", "go", "go"),
    ("GOMODCACHE", "", "go"),
    ("GOCACHE", ".cache/go-build", "go"),
    ("CARGO_HOME", ".cargo", "cargo"),
    ("RUSTUP_HOME", ".rustup", "rustup"),
    ("npm_config_cache", ".npm", "npm"),
    ("NPM_CONFIG_CACHE", "", "npm"),
    ("YARN_CACHE_FOLDER", ".yarn", "yarn"),
    ("PNPM_HOME", ".local/share/pnpm", "pnpm"),
    ("BUN_INSTALL", ".bun", "bun"),
    ("DENO_DIR", ".cache/deno", "deno"),
    ("", ".cache/node-gyp", "npm"),
    ("PIP_CACHE_DIR", ".cache/pip", "pip"),
    ("UV_CACHE_DIR", ".cache/uv", "uv"),
    ("", ".local/share/uv", "uv"),
    ("PYENV_ROOT", ".pyenv", "pyenv"),
    ("VIRTUAL_ENV", "", "python"),
    ("", ".m2", "mvn"),
    ("GRADLE_USER_HOME", ".gradle", "gradle"),
    ("NUGET_PACKAGES", ".nuget", "dotnet"),
    ("DOTNET_CLI_HOME", ".dotnet", "dotnet"),
    ("GEM_HOME", ".gem", "gem"),
    ("", ".bundle", "bundle"),
    ("", ".composer", "composer"),
    ("", ".cabal", "cabal"),
    ("", ".stack", "stack"),
    ("", ".opam", "opam"),
    ("", ".hex", "mix"),
    ("", ".mix", "mix"),
    ("", ".pub-cache", "dart"),
    ("CCACHE_DIR", ".cache/ccache", "ccache"),
    ("SCCACHE_DIR", ".cache/sccache", "sccache"),
    ("ZIG_GLOBAL_CACHE_DIR", ".cache/zig", "zig"),
    ("", ".docker", "docker"),
];

/// The folders for temporary files that are everybody's.
pub fn temporary_folders(environment: &Environment) -> Vec<PathBuf> {
    let folders = environment.path("TMPDIR").into_iter();
    folders.chain(["/tmp".into(), "/var/tmp".into()]).filter(|folder| is_usable(folder)).collect()
}

fn is_usable(folder: &Path) -> bool {
    folder.is_absolute() && folder != Path::new("/")
}

/// The folders that toolchains share between builds. Those of programs that are here are made, since
/// builds could not.
pub fn toolchain_caches(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.path("HOME");
    let below_home = |path: &str| Some(home.as_ref()?.join(path)).filter(|_| !path.is_empty());
    let mut folders = Vec::new();
    for (name, below, program) in CACHES {
        let named = environment.path(name);
        let Some(folder) = named.or_else(|| below_home(below)) else { continue };
        let may_be_made = home.as_ref().is_some_and(|home| home.is_dir());
        if !folder.exists() && may_be_made && is_program(environment, program, &[]) {
            // Whoever needs it says what is wrong with it.
            let _ = fs::create_dir_all(&folder);
        }
        folders.push(folder);
    }
    folders.extend(environment.path("XDG_CACHE_HOME").or_else(|| below_home(".cache")));
    folders.retain(|folder| is_usable(folder));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_the_caches() {
        let docs = include_str!("../../docs/builds.md");
        for (variable, below, _) in CACHES {
            for text in [*variable, &format!("~/{below}")] {
                assert!(
                    ["", "~/"].contains(&text) || docs.contains(&format!("`{text}`")),
                    "{text}"
                );
            }
        }
    }
}
