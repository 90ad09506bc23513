//! Starts what outlives forge: in a process group of its own, with nothing to read, and with
//! a mark by which it and all its descendants are found again.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command as Process, Stdio},
};

use super::{
    Command, CommandLine, ProcessId,
    children::{Unmarked, account},
    environment::Inherited,
    program, strays,
};
use crate::{
    disk::Folder,
    model::{Environment, Fault, Kind},
};

/// What the mark of a process begins with that is meant to outlive forge. That alone makes no forge believe it:
/// [`super::Runner::sparing`].
pub const DETACHED: &str = "services-";

/// Starts `command`, which names a program and its arguments, and leaves it alone. It gets
/// `environment`, what forge was started with, but for variables that begin with `withheld`; what it prints goes to the first
/// of `outputs`, and errors to the second, anew. `mark` begins with [`DETACHED`].
///
/// # Errors
/// `Failed` if it cannot be started.
pub fn start_detached(
    environment: &Environment,
    command: &Command,
    mark: &str,
    withheld: &str,
    outputs: (&Path, &Path),
) -> Result<ProcessId, Fault> {
    let inherited = Inherited::from_environment(environment);
    let path = inherited.path(command);
    let CommandLine::Argv(words) = &command.line else {
        return Err(Fault::new(Kind::Failed, "a shell line cannot be started detached"));
    };
    let cannot = |error: &std::io::Error| Fault::io(format!("cannot start `{}`", words[0]), error);
    let found = program::find(&words[0], &path, &command.dir)
        .map_err(|_| Fault::new(Kind::Failed, format!("`{}` cannot be executed", words[0])))?;
    let new = |path: &Path| {
        anew(path).map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))
    };
    let output = new(outputs.0)?;
    let errors = match outputs.0 == outputs.1 {
        true => output.try_clone().map_err(|e| cannot(&e))?,
        false => new(outputs.1)?,
    };
    let mut process = Process::new(found);
    process.args(&words[1..]).current_dir(&command.dir).process_group(0);
    inherited.apply(&mut process, command, &path);
    let names = environment.iter().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with(withheld)) {
        process.env_remove(name);
    }
    process.env(strays::VARIABLE, mark).stdin(Stdio::null());
    process.stdout(output).stderr(errors);
    let _unmarked = Unmarked::begin();
    let mut child = process.spawn().map_err(|e| cannot(&e))?;
    let number = i32::try_from(child.id()).unwrap_or_default();
    let known = ProcessId::find(number);
    account().add(known);
    // Nothing else waits for it; unwaited for, it would seem to be there after its end.
    let _ = std::thread::Builder::new().spawn(move || child.wait());
    // One that has ended by now ran all the same: what it left says how.
    Ok(known.unwrap_or_else(|| ProcessId::unknown(number)))
}

/// Opens the file at `path`, emptied. A link in its place is not followed, and no FIFO waits.
fn anew(path: &Path) -> io::Result<File> {
    let folder = Folder::open(path.parent().unwrap_or(Path::new("/")))?;
    let file = folder.open_or_create(Path::new(path.file_name().unwrap_or_default()))?;
    file.set_len(0)?;
    Ok(file)
}
