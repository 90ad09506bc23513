//! What images stand on: told by `forge outdated`, and renewed by `forge bump`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::json;

use crate::{
    cache::rewrite_file,
    disk::{MOST_OF_TEXT, read_text},
    execute::{LockChange, write_lock},
    model::{Fault, Kind, Name, Sha256, oci::ImageReference},
    report::{Cell, Role, Table},
    store::Registries,
    upgrade::{BaseLook, BasePin, OfferFilter, look_at_bases, with_base},
    workspace::Workspace,
};

use super::session::Session;

/// A base, and what its registry says.
pub(super) struct BaseRow {
    pin: BasePin,
    look: Result<BaseLook, Fault>,
}

/// Asks the registries of the bases of the images of `names`.
pub(super) fn looked(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    pre: bool,
) -> Result<Vec<BaseRow>, Fault> {
    let pins = BasePin::from_workspace(workspace, names);
    if pins.is_empty() {
        return Ok(Vec::new());
    }
    if session.flags.offline {
        return Err(Fault::new(Kind::Usage, "cannot ask registries for bases")
            .because("--offline forbids it"));
    }
    let registries = Registries::new(&session.store_settings(workspace));
    let looked = session
        .host
        .runtime()?
        .wait_for(async { Ok::<_, Fault>(look_at_bases(&registries, pins, pre).await) })?;
    Ok(looked.into_iter().map(|(pin, look)| BaseRow { pin, look }).collect())
}

impl BaseRow {
    /// What could not be found out.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.look.as_ref().err()
    }

    /// Whether there is something newer: another tag, or other bytes under the same.
    pub(super) fn is_outdated(&self) -> bool {
        self.look.as_ref().is_ok_and(|look| look.newer.is_some() || self.pin.has_moved(look))
    }

    fn state(&self) -> &'static str {
        match (&self.look, self.is_outdated()) {
            (Err(_), _) => "failed",
            (Ok(_), true) => "outdated",
            (Ok(_), false) => "current",
        }
    }

    /// Its row in the table of what is outdated.
    pub(super) fn add_to(&self, table: &mut Table) {
        let Ok(look) = &self.look else { return };
        let version = |version: &Option<String>| match version {
            Some(version) => Cell::new(Role::Warn, version),
            None if self.pin.has_moved(look) => {
                Cell::new(Role::Warn, format!("{}, moved", self.pin.tag()))
            }
            None => Cell::new(Role::Dim, "-"),
        };
        table.row([
            Cell::new(Role::Name, users(&self.pin)),
            Cell::new(Role::Plain, self.pin.tag()),
            version(&look.newer_in_major),
            version(&look.newer),
            Cell::new(Role::Dim, self.pin.written.repository.to_string()),
        ]);
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let look = self.look.as_ref().ok();
        json!({
            "base": self.pin.written.to_string(),
            "images": self.pin.users.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
            "pinned": self.pin.tag(),
            "locked": self.pin.locked().map(named),
            "state": self.state(),
            "newest_in_major": look.and_then(|look| look.newer_in_major.as_deref()),
            "newest": look.and_then(|look| look.newer.as_deref()),
            "digest": look.map(|look| named(look.digest)),
            "moved": look.is_some_and(|look| self.pin.has_moved(look)),
            "why": self.fault().map(ToString::to_string),
        })
    }
}

/// `base of api`, `base of 6 images`.
fn users(pin: &BasePin) -> String {
    match pin.users.len() {
        1 => format!("base of {}", pin.users.keys().next().map_or("", |name| name.as_str())),
        count => format!("base of {count} images"),
    }
}

fn named(digest: Sha256) -> String {
    format!("sha256:{digest}")
}

/// A base that is to be renewed.
#[derive(Debug)]
pub(super) struct BaseStep {
    pin: BasePin,
    /// How specs name it afterwards.
    to: ImageReference,
    /// What its tag leads to.
    digest: Sha256,
    /// The specs that change.
    specs: BTreeSet<PathBuf>,
}

/// How the bases of the images of `names` are renewed, and what could not be found out.
pub(super) fn steps(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    wish: OfferFilter,
) -> Result<(Vec<BaseStep>, Vec<Fault>), Fault> {
    let registries = Registries::new(&session.store_settings(workspace));
    let (mut steps, mut failed) = (Vec::new(), Vec::new());
    for row in looked(session, workspace, names, wish.pre)? {
        let look = match row.look {
            Ok(look) => look,
            Err(fault) => {
                failed.push(fault);
                continue;
            }
        };
        let newer = if wish.major { &look.newer } else { &look.newer_in_major };
        let is_stale = row.pin.has_moved(&look) || row.pin.locked().is_none();
        let step = match newer {
            Some(tag) => to_tag(session, workspace, &registries, &row.pin, tag)?,
            None => None,
        };
        // Where a spec cannot be changed, what its tag is now is taken all the same.
        let step = match step {
            Some(step) => Some(step),
            None if is_stale => Some(to_digest(workspace, &row.pin, look.digest)?),
            None => None,
        };
        steps.extend(step);
    }
    Ok((steps, failed))
}

/// The step to `tag`; none where specs make up the name of the base, which is told.
fn to_tag(
    session: &Session,
    workspace: &Workspace,
    registries: &Registries,
    pin: &BasePin,
    tag: &str,
) -> Result<Option<BaseStep>, Fault> {
    let reference = pin.written.repository.tagged(tag);
    let found = session.host.runtime()?.wait_for(registries.manifest(&reference))?;
    let Some(found) = found else { return Ok(None) };
    let digest = pin.written.digest.map(|_| found.digest);
    let to = ImageReference { digest, ..reference };
    match changed_specs(workspace, pin, &to)? {
        Ok(specs) => Ok(Some(BaseStep { pin: pin.clone(), to, digest: found.digest, specs })),
        Err(spec) => {
            session.note(&format!("there is {to}: write it as `base:` in {}", spec.display()));
            Ok(None)
        }
    }
}

/// The step to what the tag leads to now.
fn to_digest(workspace: &Workspace, pin: &BasePin, digest: Sha256) -> Result<BaseStep, Fault> {
    let to = ImageReference { digest: pin.written.digest.map(|_| digest), ..pin.written.clone() };
    let specs = match pin.written.digest {
        Some(_) => changed_specs(workspace, pin, &to)?.map_err(|spec| {
            Fault::new(Kind::Usage, format!("cannot change the base of {}", spec.display()))
                .because("a template makes its name, or it is there twice")
                .hint(format!("write `base: {to}` there"))
        })?,
        None => BTreeSet::new(),
    };
    Ok(BaseStep { pin: pin.clone(), to, digest, specs })
}

/// The specs of all users with the other base, or the one that cannot be changed.
fn changed_specs(
    workspace: &Workspace,
    pin: &BasePin,
    to: &ImageReference,
) -> Result<Result<BTreeSet<PathBuf>, PathBuf>, Fault> {
    let mut specs = BTreeSet::new();
    for name in pin.users.keys() {
        let spec = &workspace.subsystems[name].spec;
        let path = workspace.layout.root().join(spec);
        let before = read_text(&path, MOST_OF_TEXT)
            .map_err(|error| Fault::io(format!("cannot read {}", spec.display()), &error))?;
        if with_base(&before, &pin.written, to).is_none() {
            return Ok(Err(spec.clone()));
        }
        specs.insert(path);
    }
    Ok(Ok(specs))
}

/// Writes the specs and the lock. Who is killed in between leaves bases that the next run locks.
pub(super) fn write(
    session: &Session,
    workspace: &Workspace,
    steps: &[BaseStep],
) -> Result<(), Fault> {
    if session.flags.dry_run || steps.is_empty() {
        return Ok(());
    }
    let _at_work = session.host.at_work()?;
    let layout = &workspace.layout;
    for step in steps {
        for path in &step.specs {
            // Two bases may be in one spec.
            let text = read_text(path, MOST_OF_TEXT).unwrap_or_default();
            let changed = with_base(&text, &step.pin.written, &step.to).ok_or_else(|| {
                Fault::new(Kind::Usage, format!("{} changed meanwhile", path.display()))
                    .hint("run it again")
            })?;
            rewrite_file(layout, path, changed.as_bytes())?;
        }
    }
    let changes: Vec<_> =
        steps.iter().filter(|step| step.to.digest.is_none()).flat_map(changes(workspace)).collect();
    write_lock(layout, &changes, session.host.cancel(), &|why| session.note(why))
}

fn changes<'s>(workspace: &'s Workspace) -> impl Fn(&'s BaseStep) -> Vec<LockChange> {
    move |step| {
        let change = |name: &Name| {
            let version = workspace.subsystems[name].version.as_str();
            let bases = BTreeMap::from([(step.to.to_string(), step.digest)]);
            LockChange { bases, ..LockChange::nothing_of(name, version) }
        };
        step.pin.users.keys().map(change).collect()
    }
}

impl BaseStep {
    /// Its row in the table of what is bumped.
    pub(super) fn add_to(&self, table: &mut Table) {
        let short = |digest: Sha256| format!("{} ", digest.short());
        let from = self.pin.locked().map(short).unwrap_or_default();
        table.row([
            Cell::new(Role::Name, users(&self.pin)),
            Cell::new(Role::Plain, format!("{from}{}", self.pin.tag())),
            Cell::new(
                Role::Ok,
                format!("{}{}", short(self.digest), self.to.tag.as_deref().unwrap_or("latest")),
            ),
            Cell::new(Role::Dim, self.to.repository.to_string()),
        ]);
    }

    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "images": self.pin.users.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
            "from": self.pin.written.to_string(),
            "to": self.to.to_string(),
            "digest": named(self.digest),
        })
    }
}
