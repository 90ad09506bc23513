//! Whether the processes that run are the pinned binaries: their bytes, as the kernel holds them, and
//! not those of the file that is there by now.

use std::collections::{BTreeMap, BTreeSet};

use super::{Home, State, Supervisor, configuration::VARIABLE, raise::binaries};
use crate::{
    archive::hash_file,
    cache::{Place, Record},
    model::{ArtifactId, Fault, Name, Sha256, Stamp},
    process::Known,
    workspace::Workspace,
};

/// What is known of one service.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The service.
    pub name: Name,
    /// Its process; none if it does not run.
    pub pid: Option<i32>,
    /// What is wrong with it, if anything.
    pub wrong: Option<String>,
}

/// Looks at the services called `names`. What is installed must be what is pinned; whether it is, was
/// asked before.
///
/// # Errors
/// If the supervisor does not answer.
pub fn prove(workspace: &Workspace, names: &BTreeSet<Name>) -> Result<Vec<Proof>, Fault> {
    let home = Home::new(&workspace.layout);
    let states = match Supervisor::of(&home) {
        Some(supervisor) => supervisor.states()?,
        None => BTreeMap::new(),
    };
    let proof = |name: &Name| {
        let state = states.get(name).filter(|state| state.is_running());
        let wrong = match state {
            None => Some("it does not run; `forge up` starts it".to_owned()),
            Some(state) => what_is_wrong(workspace, name, state),
        };
        Proof { name: name.clone(), pid: state.map(|state| state.pid), wrong }
    };
    Ok(names.iter().map(proof).collect())
}

fn what_is_wrong(workspace: &Workspace, name: &Name, state: &State) -> Option<String> {
    let again = format!("`forge reload {name}` replaces it");
    let id = ArtifactId { name: name.clone(), platform: workspace.platform };
    let stamp = match Record::read(&Place::of(&workspace.layout, &id).record) {
        Some(record) => record.stamp,
        None => return Some("its binary is not installed; `forge ensure` installs it".into()),
    };
    let pinned = &workspace.subsystems[name].version;
    if stamp.version != pinned.to_string()
        && !stamp.version.starts_with(&format!("{pinned}-"))
        && !pinned.is_moving()
    {
        return Some(format!("{pinned} is pinned, {} is installed; {again}", stamp.version));
    }
    let leader = Known::of(state.pid)?;
    let programs: Vec<Program> = leader.group().iter().filter_map(Program::of).collect();
    let is_pinned =
        |program: &Program| stamp.binaries.values().any(|pinned| *pinned == program.digest);
    if programs.iter().any(is_pinned) {
        return None;
    }
    if let Some(other) = programs.iter().find(|program| program.is_of(&stamp)) {
        return Some(format!(
            "process {} runs another `{}`: its sha256 is {}, the pinned one's is {}; {again}",
            other.pid,
            other.name,
            short(&other.digest),
            stamp.binaries.get(&other.name).map_or("unknown".into(), short)
        ));
    }
    // A script is read by another program; what it was when it was started is known all the same.
    let label = binaries(workspace, name);
    let was = leader.variable(VARIABLE).unwrap_or_default();
    let was = was.rsplit_once(" #").map_or(was.as_str(), |(was, _)| was);
    (was != label).then(|| format!("it was started with {was}, {label} is installed; {again}"))
}

/// What a process runs.
struct Program {
    pid: i32,
    name: String,
    digest: Sha256,
}

impl Program {
    fn of(process: &Known) -> Option<Self> {
        let (path, file) = process.program().ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        let (digest, _) = hash_file(&file).ok()?;
        Some(Self { pid: process.pid, name, digest })
    }

    /// Whether it is called as a binary of the stamp is.
    fn is_of(&self, stamp: &Stamp) -> bool {
        stamp.binaries.contains_key(&self.name)
    }
}

fn short(digest: &Sha256) -> String {
    digest.to_string()[..12].to_owned()
}
