//! `forge env`: the variables of a workspace as a shell reads them, and the hook by which it reads them
//! wherever somebody goes.
//!
//! A hook looks at folders that others may have made. The folder of binaries goes on PATH where this user's
//! forge installed something; variables of `env:` only after `forge env --allow`, and as they were then.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    cache::{InstallPlace, Installed, SealKey, inspect, write_state},
    disk::{MOST_OF_TEXT, read_file},
    model::{ArtifactId, checksum},
    workspace::Workspace,
};

use super::{CliError, choice::EnvShell, session::Session};

/// What can be written behind `forge env`.
#[derive(Debug, clap::Args)]
pub(super) struct EnvArgs {
    /// The shell that reads the lines
    #[arg(long, default_value = "sh")]
    shell: EnvShell,
    /// Print the hook that a shell reads once: it keeps the variables those of the workspace one is in
    #[arg(long, value_name = "SHELL", conflicts_with_all = ["shell", "allow"])]
    hook: Option<HookShell>,
    /// Let the hook set the variables of `env:` in this workspace, as they are now
    #[arg(long)]
    allow: bool,
    /// What the hook asks for
    #[arg(long, hide = true)]
    of_hook: bool,
}

/// Shells with a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum HookShell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// What the hook keeps: PATH without the workspace, and the names that it set.
const BASH: &str = r#"_forge_hook() {
    local status=$?
    if [ "$PWD" != "$_FORGE_PWD" ]; then
        _FORGE_PWD=$PWD
        local name
        for name in $_FORGE_SET; do unset "$name"; done
        _FORGE_SET=
        if [ -n "$_FORGE_BIN" ]; then
            PATH=":$PATH:"
            PATH=${PATH/":$_FORGE_BIN:"/:}
            PATH=${PATH#:}
            PATH=${PATH%:}
            _FORGE_BIN=
        fi
        eval "$(forge env --of-hook 2>/dev/null)"
    fi
    return $status
}
"#;
const BASH_END: &str = "PROMPT_COMMAND=\"_forge_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}\"\n";
const ZSH_END: &str = "autoload -Uz add-zsh-hook\nadd-zsh-hook precmd _forge_hook\n";
const FISH: &str = r#"function _forge_hook --on-event fish_prompt
    if test "$PWD" != "$_FORGE_PWD"
        set -g _FORGE_PWD $PWD
        for name in $_FORGE_SET
            set -e $name
        end
        set -g _FORGE_SET
        if test -n "$_FORGE_BIN"
            set -gx PATH (string match -v -- $_FORGE_BIN $PATH)
            set -g _FORGE_BIN
        end
        forge env --of-hook --shell fish 2>/dev/null | source
    end
end
"#;

/// Prints it.
pub(super) fn env(session: &Session, wish: &EnvArgs) -> Result<u8, CliError> {
    if let Some(shell) = wish.hook {
        session.say(&match shell {
            HookShell::Bash => format!("{BASH}{BASH_END}"),
            HookShell::Zsh => format!("{BASH}{ZSH_END}")
                .replace("local status=$?", "local code=$?")
                .replace("return $status", "return $code")
                .replace("for name in $_FORGE_SET;", "for name in ${=_FORGE_SET};"),
            HookShell::Fish => FISH.to_owned(),
        })?;
        return Ok(0);
    }
    if wish.of_hook {
        return of_hook(session, wish.shell);
    }
    let workspace = session.workspace()?;
    let variables = variables(&workspace);
    if wish.allow {
        let layout = &workspace.layout;
        let sealed = session.host.seal_key().seal(PURPOSE, &digest(&variables));
        write_state(layout, &layout.state().join(ALLOWED), &sealed)?;
        session.note(&format!("the hook sets {} here", names(&variables)));
        return Ok(0);
    }
    let bin = workspace.layout.bin().display().to_string();
    if session.flags.json {
        let document = serde_json::json!({ "schema": 1, "path": bin, "env": variables });
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    let mut text = path_line(&bin, wish.shell);
    for (name, value) in &variables {
        text.push_str(&line(name, value, wish.shell));
    }
    session.say(&text)?;
    Ok(0)
}

/// Where it is kept what the hook may set, and what that is sealed for.
const ALLOWED: &str = "hook";
const PURPOSE: &str = "variables of the hook";

/// The lines that the hook evaluates, where it may.
fn of_hook(session: &Session, shell: EnvShell) -> Result<u8, CliError> {
    let Ok(layout) = session.layout() else { return Ok(0) };
    let workspace = session.workspace()?;
    let key = session.host.seal_key();
    let is_ours = workspace.subsystems.keys().any(|name| {
        let id = ArtifactId { name: name.clone(), platform: workspace.platform };
        is_installed_by_us(&workspace, &id, key)
    });
    if !is_ours {
        return Ok(0);
    }
    let bin = layout.bin().display().to_string();
    let mut text = path_line(&bin, shell);
    let variables = variables(&workspace);
    let sealed = read_file(&layout.state().join(ALLOWED), MOST_OF_TEXT).unwrap_or_default();
    let is_allowed = key.open(PURPOSE, &sealed).is_some_and(|bytes| bytes == digest(&variables));
    let set: Vec<&String> = variables.keys().filter(|_| is_allowed).collect();
    for name in &set {
        text.push_str(&line(name, &variables[*name], shell));
    }
    let kept: Vec<&str> = set.iter().map(|name| name.as_str()).collect();
    match shell {
        EnvShell::Fish => {
            let _ = writeln!(
                text,
                "set -g _FORGE_BIN {}\nset -g _FORGE_SET {}",
                fish(&bin),
                kept.join(" ")
            );
        }
        _ => {
            let _ = writeln!(text, "_FORGE_BIN={}\n_FORGE_SET='{}'", quoted(&bin), kept.join(" "));
        }
    }
    session.say(&text)?;
    Ok(0)
}

fn is_installed_by_us(workspace: &Workspace, id: &ArtifactId, key: &SealKey) -> bool {
    let place = InstallPlace::for_artifact(&workspace.layout, id);
    matches!(inspect(&place, key), Installed::Intact { is_ours: true, .. })
}

/// The variables that `env:` of `versions.yml` sets for all commands.
pub(super) fn variables(workspace: &Workspace) -> BTreeMap<String, String> {
    let places = workspace.places(None);
    workspace.env.iter().map(|(name, value)| (name.clone(), value.expand(&places))).collect()
}

fn digest(variables: &BTreeMap<String, String>) -> Vec<u8> {
    let text: String = variables.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    checksum(text.as_bytes()).to_vec()
}

fn names(variables: &BTreeMap<String, String>) -> String {
    match variables.is_empty() {
        true => "PATH alone, since versions.yml has no `env:`,".to_owned(),
        false => variables.keys().cloned().collect::<Vec<_>>().join(", "),
    }
}

/// The line that puts the folder `bin` before PATH.
fn path_line(bin: &str, shell: EnvShell) -> String {
    match shell {
        EnvShell::Sh => format!("export PATH={}:\"$PATH\"\n", quoted(bin)),
        EnvShell::Fish => format!("set -gx PATH {} $PATH\n", fish(bin)),
        EnvShell::Powershell => {
            format!("$env:PATH = {} + [IO.Path]::PathSeparator + $env:PATH\n", powershell(bin))
        }
    }
}

fn line(name: &str, value: &str, shell: EnvShell) -> String {
    match shell {
        EnvShell::Sh => format!("export {name}={}\n", quoted(value)),
        EnvShell::Fish => format!("set -gx {name} {}\n", fish(value)),
        EnvShell::Powershell => format!("$env:{name} = {}\n", powershell(value)),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

fn powershell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
