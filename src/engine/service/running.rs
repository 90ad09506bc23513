//! Whether the processes that run are the pinned binaries: their bytes, as the kernel holds them, and
//! not those of the file that is there by now.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ServicePaths, Supervisor, configuration::Configuration, find_service, raise::binaries,
};
use crate::{
    archive::hash_file,
    cache::{ArtifactRecord, InstallPlace, SealKey},
    model::{ArtifactId, Fault, Name, Sha256, Stamp},
    process::ProcessId,
    workspace::Workspace,
};

/// What is known of one service.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The service, or the supervisor.
    pub name: Name,
    /// What is wrong with it, if anything.
    pub wrong: Option<String>,
}

/// Looks at the services called `names`, and at the supervisor if it is among them. What is installed
/// must be what is pinned; whether it is, was asked before.
///
/// # Errors
/// If the supervisor does not answer.
pub fn prove(workspace: &Workspace, names: &BTreeSet<Name>) -> Result<Vec<Proof>, Fault> {
    let home = ServicePaths::new(&workspace.layout);
    let supervisor = Supervisor::find(&home);
    let states = supervisor.as_ref().map_or(Ok(BTreeMap::new()), Supervisor::states)?;
    let configuration = Configuration::read(&home);
    let proof = |name: &Name| {
        let is_service = find_service(workspace, name.as_str()).is_some();
        let leader = if is_service {
            let state = states.get(name).filter(|state| state.is_running());
            state.and_then(|state| ProcessId::find(state.pid))
        } else {
            supervisor.as_ref().map(Supervisor::process)
        };
        let Some(leader) = leader else {
            let wrong = Some("it does not run; `forge up` starts it".to_owned());
            return Proof { name: name.clone(), wrong };
        };
        let again = match is_service {
            true => format!("`forge reload {name}` replaces it"),
            false => "`forge up` replaces it, and starts all services again".to_owned(),
        };
        let started_with = configuration.binaries(name);
        let wrong = what_is_wrong(workspace, name, &leader, started_with);
        let wrong = wrong.map(|wrong| format!("{wrong}; {again}"));
        Proof { name: name.clone(), wrong }
    };
    Ok(names.iter().map(proof).collect())
}

fn what_is_wrong(
    workspace: &Workspace,
    name: &Name,
    leader: &ProcessId,
    started_with: Option<&str>,
) -> Option<String> {
    let id = ArtifactId { name: name.clone(), platform: workspace.platform };
    let key = SealKey::of_user(workspace.layout.user());
    let Some(ArtifactRecord { stamp, .. }) =
        InstallPlace::for_artifact(&workspace.layout, &id).known(&key)
    else {
        return Some("its binary is not installed".into());
    };
    let pinned = &workspace.subsystems[name].version;
    if !pinned.is_moving() && stamp.version != pinned.to_string() {
        return Some(format!("{pinned} is pinned, {} is installed", stamp.version));
    }
    let programs: Vec<Program> = leader.group().iter().filter_map(Program::for_process).collect();
    let is_pinned = |one: &Program| stamp.binaries.values().any(|pinned| *pinned == one.digest);
    if programs.iter().any(is_pinned) {
        return None;
    }
    if let Some(other) = programs.iter().find(|program| program.is_of(&stamp)) {
        return Some(format!(
            "process {} runs another `{}`: its sha256 is {}, the pinned one's is {}",
            other.pid,
            other.name,
            short(&other.digest),
            stamp.binaries.get(other.name.as_str()).map_or("unknown".into(), short)
        ));
    }
    // A script is read by another program; what it was when it was started is known all the same.
    let label = binaries(workspace, name);
    let was = started_with.unwrap_or_default();
    let was = was.rsplit_once(" #").map_or(was, |(was, _)| was);
    (was != label).then(|| format!("it was started with {was}, {label} is installed"))
}

/// What a process runs.
struct Program {
    pid: i32,
    name: String,
    digest: Sha256,
}

impl Program {
    fn for_process(process: &ProcessId) -> Option<Self> {
        let (path, file) = process.program().ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        let (digest, _) = hash_file(&file).ok()?;
        Some(Self { pid: process.pid, name, digest })
    }

    /// Whether it is called as a binary of the stamp is.
    fn is_of(&self, stamp: &Stamp) -> bool {
        stamp.binaries.contains_key(self.name.as_str())
    }
}

fn short(digest: &Sha256) -> String {
    digest.to_string()[..12].to_owned()
}
