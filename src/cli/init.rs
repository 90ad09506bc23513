//! `forge init`: a workspace out of what the folder has already, or one that works at once.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{Permissions, create_dir_all},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::{
    adopt::{ImportOutcome, ImportedLine, ImportedWorkspace, import},
    disk::Folder,
    model::{Fault, Kind, Layout},
    workspace::{check_root, starter},
};

use super::{CliError, editor::keep_schemas, session::Session};

/// What is written behind `forge init`.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// Where [default: here]
    folder: Option<std::path::PathBuf>,
    /// Write an example, whatever is there
    #[arg(long)]
    example: bool,
}

/// A file that is written.
struct InitFile {
    path: String,
    text: String,
    is_executable: bool,
}

/// Writes it. Nothing that is there is overwritten.
pub(super) fn init(session: &Session, args: &InitArgs) -> Result<u8, CliError> {
    let here = session.folder()?;
    let root = args.folder.as_ref().map_or_else(|| here.clone(), |folder| here.join(folder));
    check_root(&root)?;
    let found = if args.example { ImportedWorkspace::default() } else { import(&root) };
    if let (true, Some(taskfile)) = (found.lines.is_empty(), &found.taskfile) {
        let what = format!("{taskfile} is there already, and nothing else that forge imports");
        return Err(Fault::new(Kind::Usage, what)
            .hint("`forge migrate` writes a workspace of it; `forge run --taskfile .` runs it as it is; `forge init --example` writes an example")
            .into());
    }
    let files = if found.lines.is_empty() { example() } else { imported(&found) };
    let is_there = |path: &str| root.join(path).symlink_metadata().is_ok();
    if let Some(there) = files.iter().find(|file| is_there(&file.path)) {
        return Err(Fault::new(
            Kind::Usage,
            format!("{} is there already", root.join(&there.path).display()),
        )
        .hint("`forge init` overwrites nothing; give it another folder")
        .into());
    }
    session.say(&told(&found))?;
    if session.flags.dry_run {
        for file in &files {
            session.say(&format!("would write {}\n", file.path))?;
            if !found.lines.is_empty() {
                session.say(&indented(&file.text))?;
            }
        }
        return Ok(0);
    }
    write_all(&root, &files)?;
    // An editor's help is worth no failure.
    let _ = keep_schemas(&Layout::new(root.clone(), session.host.user().clone()));
    for file in &files {
        session.say(&format!("wrote {}\n", file.path))?;
    }
    session.say(&format!("\n{}", next_steps(&found)))?;
    Ok(0)
}

/// The files of an example.
fn example() -> Vec<InitFile> {
    let files = starter().iter();
    let file = files.map(|file| InitFile {
        path: file.path.to_owned(),
        text: file.text.to_owned(),
        is_executable: file.executable,
    });
    file.collect()
}

/// The files of a workspace that has what was found.
fn imported(found: &ImportedWorkspace) -> Vec<InitFile> {
    let file = |path: String, text: String| InitFile { path, text, is_executable: false };
    let mut files = vec![file(Layout::MANIFEST.to_owned(), found.manifest())];
    for (name, _, spec) in found.pinned() {
        let schema = "# yaml-language-server: $schema=../.forge/schema/spec.json\n";
        files.push(file(format!("{}/{name}.yml", Layout::SPECS), format!("{schema}{spec}")));
    }
    files
}

/// What was found, and what becomes of it.
fn told(found: &ImportedWorkspace) -> String {
    let mut told = String::new();
    let mut last = "";
    let long = |line: &ImportedLine| line.written.chars().count();
    let width = found.lines.iter().map(long).max().unwrap_or(0).min(44);
    for line in &found.lines {
        if line.file != last {
            let _ = writeln!(told, "{}", line.file);
            last = &line.file;
        }
        let place = format!("  {:>3}  {:<width$}", line.line, line.written);
        let _ = match &line.outcome {
            ImportOutcome::Pinned { name, version, but, .. } => {
                let _ =
                    writeln!(told, "{place}  ->  {name}: {version}, {}/{name}.yml", Layout::SPECS);
                but.iter().try_for_each(|but| writeln!(told, "       but {but}"))
            }
            ImportOutcome::Left { why, command } => match command {
                Some(command) => writeln!(told, "{place}  left: {why}; `{command}`"),
                None => writeln!(told, "{place}  left: {why}"),
            },
        };
    }
    told
}

fn next_steps(found: &ImportedWorkspace) -> String {
    let mut text = String::new();
    if found.lines.iter().any(|line| line.file == "go.mod" || line.file == "Cargo.toml") {
        text.push_str("own programs begin at v0.1.0: write the version that comes next\n");
    }
    if found.pinned().any(|(_, _, spec)| spec.contains("sha256: https://")) {
        text.push_str(
            "nobody was asked: digests are locked in forge.lock when a tool is installed first, as its vendor publishes them\n",
        );
    }
    let commands: BTreeSet<&str> = found
        .lines
        .iter()
        .filter_map(|line| match &line.outcome {
            ImportOutcome::Left { command, .. } => command.as_deref(),
            ImportOutcome::Pinned { .. } => None,
        })
        .filter(|command| !command.contains("OWNER"))
        .collect();
    if !commands.is_empty() {
        let commands: Vec<_> = commands.into_iter().collect();
        let _ = writeln!(text, "what is left is added by\n  {}", commands.join("\n  "));
    }
    if let Some(taskfile) = &found.taskfile {
        let _ =
            writeln!(text, "{taskfile} stays as it is: `forge run --taskfile .` runs its tasks");
    }
    text + "now run `forge ensure`\n"
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect()
}

/// Writes the files of a fresh workspace to `root`, all or none. `versions.yml` comes last: it makes a
/// workspace of the folder.
fn write_all(root: &Path, files: &[InitFile]) -> Result<(), Fault> {
    create_dir_all(root)
        .map_err(|error| Fault::io(format!("cannot make {}", root.display()), &error))?;
    for (index, file) in files.iter().enumerate().rev() {
        let written = write(root, &file.path, &file.text, file.is_executable);
        written.inspect_err(|_| {
            for made in &files[index + 1..] {
                // It was not there a moment ago.
                let _ = Folder::open(root).and_then(|root| root.remove_file(Path::new(&made.path)));
            }
        })?;
    }
    Ok(())
}

/// Writes one file, through no link: somebody may have put one there.
fn write(root: &Path, path: &str, text: &str, executable: bool) -> Result<(), Fault> {
    let below = Path::new(path);
    let written = || -> io::Result<()> {
        let root = Folder::open(root)?;
        root.replace(below, text.as_bytes(), Path::new(""), true)?;
        match executable {
            true => root.open_file(below)?.set_permissions(Permissions::from_mode(0o755)),
            false => Ok(()),
        }
    };
    written()
        .map_err(|error| Fault::io(format!("cannot write {}", root.join(path).display()), &error))
}
