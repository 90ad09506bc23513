//! `forge add`: a tool of others joins the workspace: pin, spec and digest.

use crate::{
    adopt::{AdoptRequest, Adopter, Adoption, Origin},
    disk::{MOST_OF_TEXT, read_text},
    manifest::with_entry,
    model::{Fault, Kind, Layout, Platform},
    report::Role,
    upgrade::{Asker, ModuleProxies, RosterEdit},
    workspace::Workspace,
};

use super::{CliError, ensure, outdated::go_variables, session::Session};

/// How many are asked at once.
const AT_ONCE: usize = 4;

/// What can be written behind `forge add`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// go:MODULE, crate:NAME, github:OWNER/REPO or a known tool such as jq, each with @VERSION if you like; or the URL of an asset
    #[arg(value_name = "WHAT")]
    what: String,
    /// What it is called here [default: as the module, crate or repository]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A binary in it; several times for several [default: what is found]
    #[arg(long = "binary", value_name = "NAME")]
    binaries: Vec<String>,
    /// Pre-releases too
    #[arg(long)]
    pre: bool,
    /// Write pin and spec, and install nothing
    #[arg(long)]
    no_ensure: bool,
}

/// Looks at what upstream has, writes pin and spec, and installs it.
pub(super) fn add(session: &Session, wish: &AddArgs) -> Result<u8, CliError> {
    if session.flags.locked {
        let fault = Fault::new(Kind::Usage, format!("cannot add `{}`", wish.what));
        return Err(fault.because("--locked forbids it").into());
    }
    let request = AdoptRequest {
        added: wish.what.clone(),
        origin: Origin::parse(&wish.what)?,
        name: wish.name.clone(),
        binaries: wish.binaries.clone(),
        pre: wish.pre,
    };
    let (adoption, layout) = adoption(session, &request)?;
    let layout = &layout;
    let before = read_text(&layout.manifest(), MOST_OF_TEXT)
        .map_err(|error| Fault::io(format!("cannot read {}", Layout::MANIFEST), &error))?;
    let after = with_entry(&before, "versions", adoption.name.as_str(), &adoption.version);
    let after = after.map_err(|_| by_hand(&adoption))?;
    let spec = std::path::Path::new(Layout::SPECS).join(format!("{}.yml", adoption.name));
    let (text, name) = (Some(adoption.spec.clone()), adoption.name.clone());
    let edit = RosterEdit { name, before, after, spec, text };
    show(session, &adoption, &edit)?;
    if session.flags.dry_run {
        return Ok(0);
    }
    edit.make(layout, session.host.cancel(), &|text| session.note(text))?;
    if wish.no_ensure {
        return Ok(0);
    }
    let code = ensure::ensure(session, &[adoption.name.to_string()])?;
    if code != 0 {
        session.note(&format!(
            "{name} is in {} and could not be installed: mend {}, or take it out with `forge remove {name}`",
            Layout::MANIFEST,
            edit.spec.display(),
            name = adoption.name,
        ));
    }
    Ok(code)
}

/// What joins, and where.
fn adoption(session: &Session, request: &AdoptRequest) -> Result<(Adoption, Layout), CliError> {
    let pinned = request.pinned()?;
    let workspace = match (session.workspace(), &pinned) {
        // Services without a supervisor are a problem, and this is what mends it.
        (Err(CliError::Problems(_)), Some(_)) => None,
        (workspace, _) => Some(workspace?),
    };
    if let Some(workspace) = &workspace {
        refuse_if_known(workspace, request)?;
    }
    let adoption = match (pinned, &workspace) {
        (Some(pinned), _) => pinned,
        (None, Some(workspace)) => adopt(session, workspace, request)?,
        (None, None) => return Err(Fault::new(Kind::Usage, "there is no workspace").into()),
    };
    let Some(workspace) = workspace else { return Ok((adoption, session.layout()?)) };
    refuse_taken_binaries(&workspace, &adoption)?;
    Ok((adoption, workspace.layout))
}

fn refuse_if_known(workspace: &Workspace, request: &AdoptRequest) -> Result<(), Fault> {
    let name = request.name.clone().unwrap_or_else(|| request.origin.usual_name());
    match workspace.subsystems.get(name.as_str()) {
        None => Ok(()),
        Some(known) => {
            let what = format!("{name} is there already, at {}", known.version);
            Err(Fault::new(Kind::Usage, what).hint(format!(
                "`forge bump {name}` takes the newest version; `--name NAME` adds it under another name"
            )))
        }
    }
}

/// Each binary is one subsystem's.
fn refuse_taken_binaries(workspace: &Workspace, adoption: &Adoption) -> Result<(), Fault> {
    let taken = |binary: &String| Some((binary.clone(), workspace.owner_of(binary)?.clone()));
    let Some((binary, owner)) = adoption.binaries.iter().find_map(taken) else { return Ok(()) };
    let what = format!("cannot add {}: {owner} yields a binary `{binary}` already", adoption.name);
    let hint = format!("`forge remove {owner}`, or name other binaries: `--binary NAME`");
    Err(Fault::new(Kind::Usage, what).hint(hint))
}

fn adopt(
    session: &Session,
    workspace: &Workspace,
    request: &AdoptRequest,
) -> Result<Adoption, Fault> {
    let cancel = session.host.cancel();
    session.host.runtime()?.block_on(async {
        let runner = session.host.runner(AT_ONCE);
        let variables = go_variables(&session.host);
        let proxies = ModuleProxies::from_variables(|name| variables.get(name).cloned());
        let settings = session.store_settings(workspace);
        let asker = Asker::new(&runner, settings.clone(), proxies);
        let adopter = Adopter {
            asker: &asker,
            settings,
            layout: &workspace.layout,
            platforms: workspace.platforms.clone(),
            host: Platform::host(),
        };
        tokio::select! {
            () = cancel.cancelled() => Err(cancel.fault("asking upstream")),
            adopted = adopter.adopt(request) => adopted,
        }
    })
}

fn by_hand(adoption: &Adoption) -> Fault {
    let what = format!("{} is not written so that a program can edit it", Layout::MANIFEST);
    Fault::new(Kind::Failed, what)
        .hint(format!("add `{}: {}` to `versions` by hand", adoption.name, adoption.version))
}

/// What was found, and what is written.
fn show(session: &Session, adoption: &Adoption, edit: &RosterEdit) -> Result<(), Fault> {
    let is_dry = session.flags.dry_run;
    if session.flags.json && is_dry {
        let document = serde_json::json!({
            "schema": 1,
            "name": adoption.name.as_str(),
            "version": adoption.version,
            "path": edit.spec.display().to_string(),
            "spec": adoption.spec,
            "notes": adoption.notes,
        });
        return session.say(&format!("{document:#}\n"));
    }
    if session.flags.quiet {
        return Ok(());
    }
    let style = session.stderr_style();
    for note in &adoption.notes {
        session.note(&style.paint(Role::Dim, note));
    }
    let verb = if is_dry { "would write" } else { "writes" };
    let text = format!(
        "{verb} `{}: {}` to {}\n{verb} {}:\n{}",
        adoption.name,
        adoption.version,
        Layout::MANIFEST,
        edit.spec.display(),
        adoption.spec.lines().map(|line| format!("  {line}\n")).collect::<String>(),
    );
    match is_dry {
        true => session.say(&text),
        false => {
            session.note(text.trim_end());
            Ok(())
        }
    }
}
