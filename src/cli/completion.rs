//! What can come next on a command line, for shells that ask while somebody types. Nothing is run
//! or fetched, and a workspace that cannot be loaded only makes for fewer words.

use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use crate::{
    model::{Fault, Platform},
    process::SyntaxCheck,
    workspace::{LoadInputs, Task, Workspace, find_root, load},
};

use super::{
    args::Args, choice::CompletionShell as Shell, habits, help, session::Session, verb_names,
};

/// Bash cuts words at `:` and `=`: forge is told, and answers with what comes after.
const BASH: &str = r#"_forge() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
        forge completions:words --breaks "$COMP_WORDBREAKS" -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    case "${COMPREPLY[*]}" in *[=:-]) compopt -o nospace 2>/dev/null ;; esac
}
complete -o bashdefault -o default -F _forge forge
"#;
const ZSH: &str = r#"#compdef forge
_forge() {
    local line
    local -a found open
    for line in ${(f)"$(forge completions:words -- "${(j: :)words[1,CURRENT]}" 2>/dev/null)"}; do
        case $line in *[=:-]) open+=("$line") ;; *) found+=("$line") ;; esac
    done
    (( $#found + $#open )) || { _files; return }
    compadd -- $found
    compadd -S '' -- $open
}
compdef _forge forge
"#;
const FISH: &str = r#"complete -c forge -f -a '(forge completions:words -- (commandline -cp | string collect) 2>/dev/null)'
complete -c forge -n 'string match -qr "=" -- (commandline -ct)' -F
"#;

/// What is typed is handed over up to the cursor, which PowerShell counts from the beginning of the line.
const POWERSHELL: &str = r"Register-ArgumentCompleter -Native -CommandName forge -ScriptBlock {
    param($word, $ast, $cursor)
    $line = $ast.ToString()
    if ($cursor -gt $line.Length) { $line = $line + ' ' } else { $line = $line.Substring(0, $cursor) }
    forge completions:words -- $line 2>$null | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
";
const NUSHELL: &str = r#"def "nu-complete forge" [line: string] {
    ^forge completions:words -- $line | complete | get stdout | lines
}
export extern forge [...words: string@"nu-complete forge"]
"#;
const ELVISH: &str = r"set edit:completion:arg-completer[forge] = {|@words|
    forge completions:words -- (str:join ' ' $words) 2>/dev/null | from-lines
}
use str
";

/// Verbs that work on services alone.
const SERVICES: [&str; 8] = ["up", "down", "ps", "logs", "attach", "stop", "restart", "reload"];

/// Prints the script for `shell`.
pub(super) fn script(session: &Session, shell: Shell) -> Result<u8, Fault> {
    let text = match shell {
        Shell::Bash => BASH.to_owned(),
        Shell::Zsh => ZSH.to_owned(),
        Shell::Fish => FISH.to_owned(),
        Shell::Powershell => POWERSHELL.to_owned(),
        Shell::Nushell => NUSHELL.to_owned(),
        Shell::Elvish => ELVISH.to_owned(),
    };
    session.say(&text)?;
    Ok(0)
}

/// Prints what the last word of `line` can become, without what stands before the last of `breaks`
/// in it.
pub(super) fn words(session: &Session, line: &str, breaks: &str) -> Result<u8, Fault> {
    let mut typed: Vec<&str> = line.split_whitespace().collect();
    if line.ends_with(char::is_whitespace) || typed.is_empty() {
        typed.push("");
    }
    let workspace = workspace(session, &typed);
    let last = typed.last().copied().unwrap_or_default();
    let kept = last.rfind(|c| breaks.contains(c)).map_or(0, |at| at + 1);
    let mut found = candidates(&typed, workspace.as_ref());
    found.retain(|word| word.starts_with(last));
    found.sort_unstable();
    found.dedup();
    let text: String = found.iter().map(|word| format!("{}\n", &word[kept..])).collect();
    session.say(&text)?;
    Ok(0)
}

fn workspace(session: &Session, typed: &[&str]) -> Option<Workspace> {
    let at = typed.iter().position(|word| matches!(*word, "-C" | "--directory"));
    let folder = at.and_then(|at| typed.get(at + 1)).map_or(Path::new("."), Path::new);
    let root = find_root(folder).ok()?;
    let cache = session.host.cache().ok();
    let library = |sha256| cache?.pinned(sha256);
    let outside = LoadInputs { syntax_check: SyntaxCheck::off(), ..session.outside(&library) };
    load(&root, Platform::host(), &outside).ok()
}

/// All that could stand where the last word of `typed` does.
fn candidates(typed: &[&str], workspace: Option<&Workspace>) -> Vec<String> {
    let command = Args::command();
    let verbs = verb_names(&command);
    let Some((last, before)) = typed.split_last() else { return Vec::new() };
    let before = habits::rewrite(before.iter().map(Into::into).collect(), &verbs);
    let before: Vec<String> =
        before.into_iter().filter_map(|word| word.into_string().ok()).collect();
    let verb = before.iter().skip(1).find_map(|word| command.find_subcommand(word));
    let flags: Vec<&Arg> =
        command.get_arguments().chain(verb.into_iter().flat_map(Command::get_arguments)).collect();
    let flag = before.last().and_then(|word| flags.iter().find(|arg| is_called(arg, word)));
    if let Some(flag) = flag.filter(|flag| flag.get_action().takes_values()) {
        return values(flag);
    }
    if before.iter().any(|word| word == "--") {
        return Vec::new();
    }
    if last.starts_with('-') {
        let long = flags.iter().filter(|flag| !flag.is_hide_set()).filter_map(|arg| arg.get_long());
        return long.map(|name| format!("--{name}")).collect();
    }
    let Some(verb) = verb else {
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut found: Vec<String> = shown.map(|verb| verb.get_name().to_owned()).collect();
        found.extend(workspace.iter().flat_map(|it| tasks(it)));
        found.extend(workspace.iter().flat_map(|it| habits_of(it, last)));
        return found;
    };
    let mut found: Vec<String> = verb.get_positionals().flat_map(values).collect();
    if let Some(workspace) = workspace {
        found.extend(verb.get_positionals().flat_map(|arg| known(workspace, arg, verb, &before)));
    }
    found
}

fn is_called(arg: &Arg, word: &str) -> bool {
    let short = arg.get_short().map(|c| format!("-{c}"));
    short.as_deref() == Some(word)
        || word.strip_prefix("--").is_some_and(|name| arg.get_long() == Some(name))
}

fn values(arg: &Arg) -> Vec<String> {
    arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
}

/// What of `workspace` can stand for `arg` of `verb`, after `before`.
fn known(workspace: &Workspace, arg: &Arg, verb: &Command, before: &[String]) -> Vec<String> {
    let subsystems = workspace.subsystems.keys().map(|name| name.as_str().to_owned());
    let groups = workspace.groups.keys().cloned();
    match arg.get_id().as_str() {
        "words" => {
            let called = |task: &&Task| {
                before.iter().any(|word| task.name == *word || task.aliases.contains(word))
            };
            let named: Vec<&Task> = workspace.tasks.values().filter(called).collect();
            named.into_iter().flat_map(parameters).chain(tasks(workspace)).collect()
        }
        "name" if verb.get_name() == "which" => {
            let binaries = workspace.subsystems.values().flat_map(|it| it.binaries.clone());
            subsystems.chain(binaries).collect()
        }
        "about" => {
            let command = Args::command();
            let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
            let verbs: Vec<String> = verbs.map(|verb| verb.get_name().to_owned()).collect();
            verbs
                .into_iter()
                .chain(help::topics::names().map(str::to_owned))
                .chain(tasks(workspace))
                .collect()
        }
        "name" if verb.get_name() == "explain" => subsystems.chain(tasks(workspace)).collect(),
        "name" | "names" if SERVICES.contains(&verb.get_name()) => {
            let services = workspace.subsystems.values().filter(|it| it.service.is_some());
            services.map(|it| it.name.as_str().to_owned()).chain(groups).collect()
        }
        "name" | "names" => subsystems.chain(groups).collect(),
        _ => Vec::new(),
    }
}

/// The names of tasks; of patterns, what stands before the first `*`.
fn tasks(workspace: &Workspace) -> Vec<String> {
    let open = workspace.tasks.values().filter(|task| !task.private);
    let names = open.flat_map(|task| task.aliases.iter().chain([&task.name]));
    let names = names.map(|name| name.split('*').next().unwrap_or_default().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// `NAME=` of each parameter of `task` and variable of its file, and `NAME=value` where only some
/// values are allowed.
fn parameters(task: &Task) -> Vec<String> {
    let choices = |name: &str, all: &[String]| {
        all.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let own = task.with.iter().flat_map(|one| match one.choices.as_slice() {
        [] => vec![format!("{}=", one.name)],
        all => choices(&one.name, all),
    });
    own.chain(task.variables().map(|name| format!("{name}="))).collect()
}

/// `SUBSYSTEM:VERB`, once the subsystem is typed; before, `SUBSYSTEM:`.
fn habits_of(workspace: &Workspace, typed: &str) -> Vec<String> {
    let names = workspace.subsystems.keys().map(|name| name.as_str());
    match typed.split_once(':') {
        None => names.map(|name| format!("{name}:")).collect(),
        Some((owner, _)) if names.clone().any(|name| name == owner) => {
            habits::OF_SUBSYSTEM.iter().map(|verb| format!("{owner}:{verb}")).collect()
        }
        Some(_) => Vec::new(),
    }
}
