//! The programs that builds declare: there, and of the declared version?

use std::{collections::BTreeMap, path::Path};

use crate::{
    execute::tells,
    model::{Fault, Kind, Name},
    process::{
        Command, CommandLine, CommandRunner, Inherit, Runner, ask_version, find_outside,
        path_outside,
    },
    workspace::{Subsystem, Workspace},
};

use super::check::Check;

/// A program, and who needs which version of it.
type Needs<'a> = BTreeMap<&'a str, Vec<(&'a Name, Option<&'a str>)>>;

/// A check for each program.
pub(super) async fn check_programs(workspace: &Workspace, runner: &Runner) -> Vec<Check> {
    let mut checks = Vec::new();
    let path = path_outside(&workspace.environment, workspace.layout.root());
    for (tool, users) in needs(workspace) {
        checks.push(match find_outside(tool, &path, workspace.layout.root()) {
            Some(program) => examine(workspace, runner, (tool, &program), &users).await,
            None => missing(tool, &users),
        });
    }
    checks
}

fn needs(workspace: &Workspace) -> Needs<'_> {
    let mut needs = Needs::new();
    for subsystem in workspace.subsystems.values() {
        let Some(build) = &subsystem.build else { continue };
        // A PATH of its own may lead anywhere.
        if build.env.contains_key("PATH") {
            continue;
        }
        for (tool, version) in &build.tools {
            if !is_built(workspace, subsystem, tool) {
                needs.entry(tool).or_default().push((&subsystem.name, version.as_deref()));
            }
        }
    }
    needs
}

/// Whether forge itself gets `tool` for the build of `subsystem`.
fn is_built(workspace: &Workspace, subsystem: &Subsystem, tool: &str) -> bool {
    let mut needs = subsystem.build_needs.iter().filter_map(|need| workspace.subsystems.get(need));
    needs.any(|need| need.binaries.iter().any(|binary| binary == tool))
}

async fn examine(
    workspace: &Workspace,
    runner: &Runner,
    (tool, program): (&str, &Path),
    users: &[(&Name, Option<&str>)],
) -> Check {
    let fits = |line: &str| users.iter().all(|(_, version)| version.is_none_or(|v| tells(line, v)));
    let has_number = |line: &str| line.contains(|c: char| c.is_ascii_digit());
    let lines = ask(runner, workspace, program, &|line| has_number(line) && fits(line)).await;
    let told = lines.iter().find(|line| has_number(line)).map(|line| line.trim());
    let check = Check::new("tool", tool, told.unwrap_or("it does not tell its version"));
    let another = users.iter().find_map(|(name, version)| {
        let version = (*version)?;
        (!lines.iter().any(|line| tells(line, version))).then_some((name, version))
    });
    match another {
        None => check,
        Some((name, version)) => {
            let what = format!("{tool} is not the {version} that {name} is built with");
            let says = told.unwrap_or("nothing");
            check.bad(
                Fault::new(Kind::Failed, what)
                    .because(format!("asked for its version it says `{says}`"))
                    .hint(format!(
                        "put {tool} {version} first on PATH; until then {name} cannot be built here"
                    )),
            )
        }
    }
}

/// What the program at the absolute path `tool` says of its version, until it says a line that is enough.
/// It finds no program of the workspace either.
pub(super) async fn ask(
    runner: &dyn CommandRunner,
    workspace: &Workspace,
    tool: &Path,
    is_enough: &(dyn Fn(&str) -> bool + Sync),
) -> Vec<String> {
    let root = workspace.layout.root();
    let mut command = Command {
        inherit: Inherit::of_build([]),
        ..Command::new(CommandLine::Argv(Vec::new()), root)
    };
    command.env.insert(
        "PATH".into(),
        path_outside(&workspace.environment, root).to_string_lossy().into_owned(),
    );
    ask_version(runner, &command, &tool.to_string_lossy(), is_enough).await.unwrap_or_default()
}

fn missing(tool: &str, users: &[(&Name, Option<&str>)]) -> Check {
    let names: Vec<&str> = users.iter().map(|(name, _)| name.as_str()).collect();
    let fault = Fault::new(Kind::Failed, format!("{tool} is not installed"))
        .because(match names.as_slice() {
            [name] => format!("{name} is built with it"),
            names => format!("{} are built with it", names.join(", ")),
        })
        .hint(format!(
            "install {tool} and put it on PATH; until then only what a release has can be installed"
        ));
    Check::new("tool", tool, "not installed").bad(fault)
}
