//! What every verb works with: the workspace that was asked for, stores, the screen.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use crate::{
    console::Console,
    git::History,
    login::{Discovery, NamedHosts},
    model::{Fault, Kind, Layout, Name, Platform, Version, nearest},
    probe::ProbeOptions,
    process::SyntaxCheck,
    provenance::{Classes, Permission, Surroundings, may_publish, may_publish_to},
    release::is_project_tag,
    report::{Style, render_fault, render_json_fault, render_json_problems, render_problems},
    store::{self, Store, StoreUrl, Waits},
    ui,
    workspace::{
        Assignments, Documents, Library, LoadInputs, Source, WantedPlatforms, Workspace,
        Workspaces, find_root,
    },
};

use super::{
    CliError,
    actions::Actions,
    flags::{Global, When},
    host::Host,
    included, notes,
    publish::Publish,
    shells::RememberingShells,
    taskfile::said_taskfile,
};

/// Versions that somebody chose, by subsystem.
pub(super) type Versions = BTreeMap<Name, Version>;

/// One invocation.
pub(super) struct Session {
    /// The flags that work everywhere.
    pub(super) flags: Global,
    /// How things are shown.
    pub(super) choice: ui::Choice,
    /// What this process has once.
    pub(super) host: Host,
    /// What checks the syntax of the commands of workspaces.
    syntax_check: SyntaxCheck,
    /// Whether the platforms are those of images.
    is_for_images: bool,
    /// Whether the remote cache is used no more: it is given up once for all that ask it.
    pub(super) remote_given_up: Arc<AtomicBool>,
}

/// The stores of a workspace.
pub(super) struct Stores {
    /// In the order in which they are asked; the first is published to.
    pub(super) all: Vec<Arc<dyn Store>>,
    /// Whether they are the embedded default, which nobody else sees.
    pub(super) private: bool,
}

impl Stores {
    /// Whether what was published may take a moment to be seen.
    pub(super) fn is_slow(&self) -> bool {
        self.are_shared()
    }

    /// Whether others read what is published.
    pub(super) fn are_shared(&self) -> bool {
        self.all.first().is_some_and(|store| store.is_shared())
    }
}

impl Session {
    /// The same, for all platforms that a complete release has, unless one was named.
    pub(super) fn for_every_platform(&self) -> Self {
        let all_platforms = self.flags.platform.is_none();
        let flags = Global { all_platforms, ..self.flags.clone() };
        let (host, syntax_check) = (self.host.clone(), self.syntax_check.clone());
        let remote_given_up = self.remote_given_up.clone();
        let (choice, is_for_images) = (self.choice, false);
        Self { flags, choice, host, syntax_check, is_for_images, remote_given_up }
    }

    /// The same, for all platforms that images are for.
    pub(super) fn for_images(&self) -> Self {
        Self { is_for_images: true, ..self.for_every_platform() }
    }

    /// The same, for what runs commands.
    pub(super) fn that_runs(&self) -> Self {
        Self::new(self.host.clone(), self.flags.clone(), true)
    }

    /// One whose verb `may_run` commands, or only looks.
    pub(super) fn new(host: Host, flags: Global, may_run: bool) -> Self {
        let color = match flags.color {
            When::Auto => ui::Color::Auto,
            When::Always => ui::Color::Always,
            When::Never => ui::Color::Never,
        };
        let wishes = ui::Wishes { color, quiet: flags.quiet, verbose: flags.verbose };
        let choice = ui::choose(wishes, &ui::TerminalFacts::detect(host.environment()));
        let may_run = may_run && !flags.dry_run;
        let syntax_check = match may_run {
            true => {
                SyntaxCheck::by(Arc::new(RememberingShells::from_host(&host)), host.environment())
            }
            false => SyntaxCheck::off(),
        };
        Self {
            flags,
            choice,
            host,
            syntax_check,
            is_for_images: false,
            remote_given_up: Arc::default(),
        }
    }

    /// The folder that the workspace is looked for from.
    pub(super) fn folder(&self) -> Result<PathBuf, Fault> {
        let here = std::env::current_dir()
            .map_err(|e| Fault::io("cannot tell what the current folder is", &e))?;
        let Some(directory) = &self.flags.directory else { return Ok(here) };
        // Resolved, so that the folders above it are those it really is in.
        here.join(directory).canonicalize().map_err(|error| {
            Fault::new(Kind::Usage, format!("cannot work in {}", directory.display()))
                .because(error.to_string())
        })
    }

    /// Where things are in the workspace.
    pub(super) fn layout(&self) -> Result<Layout, Fault> {
        Ok(self.layout_at(find_root(&self.folder()?)?))
    }

    /// Where things are in the workspace at `root`.
    pub(super) fn layout_at(&self, root: PathBuf) -> Layout {
        Layout::new(root, self.host.user().clone())
    }

    /// The platform to work for.
    pub(super) fn platform(&self) -> Platform {
        self.flags.platform.unwrap_or_else(Platform::host)
    }

    /// The platforms to work for.
    pub(super) fn wanted(&self) -> WantedPlatforms {
        if self.is_for_images && self.flags.platform.is_none() {
            WantedPlatforms::Images
        } else if self.flags.all_platforms {
            WantedPlatforms::All
        } else {
            WantedPlatforms::One(self.platform())
        }
    }

    /// What is outside of a workspace that this invocation loads.
    pub(super) fn outside<'a>(&self, library: &'a Library<'a>) -> LoadInputs<'a> {
        let outside = LoadInputs::new(self.host.environment(), self.host.user(), library);
        let tag = self.surroundings().tag().filter(|tag| is_project_tag(tag));
        let project_tag = tag.and_then(|tag| Version::new(tag).ok());
        LoadInputs {
            syntax_check: self.syntax_check.clone(),
            project_tag,
            taskfiles: &said_taskfile,
            ..outside
        }
    }

    /// The tag of the project that is checked out in the workspace of `layout`, with nothing changed: its
    /// version, where no CI says which tag it runs for.
    fn checked_out_tag(&self, layout: &Layout) -> Result<Option<Version>, Fault> {
        let runner = self.host.runner(1);
        let Some(history) = History::around(&runner, layout.root()) else { return Ok(None) };
        let tag = self.host.runtime()?.wait_for(async {
            let tag = notes::tag_of_head(&history, &history.tags().await?).await?;
            let is_own = |path: &&String| !path.ends_with(Layout::LOCK);
            let is_changed = tag.is_some() && history.changes().await?.iter().any(|it| is_own(&it));
            Ok::<_, Fault>(tag.filter(|_| !is_changed))
        })?;
        Ok(tag.and_then(|tag| Version::new(&tag).ok()))
    }

    /// The folder with the source of `name`, if that is in the workspace.
    pub(super) fn source_folder(&self, name: &Name) -> Option<PathBuf> {
        let workspace = self.workspace().ok()?;
        match &workspace.subsystems.get(name)?.source {
            Source::Path { dir, .. } => Some(workspace.layout.root().join(dir)),
            _ => None,
        }
    }

    /// Whether versions in `workspace` follow the tag that is checked out: those may be others the next
    /// time, though no file that anything is read from has changed.
    pub(super) fn follows_checkout(&self, workspace: &Workspace) -> bool {
        let is_told = self.surroundings().tag().is_some_and(is_project_tag);
        !is_told && workspace.subsystems.values().any(|subsystem| subsystem.follows_tag)
    }

    /// The workspace, loaded and checked, as one platform has it.
    pub(super) fn workspace(&self) -> Result<Workspace, CliError> {
        self.workspace_of(&self.documents()?)
    }

    /// [`Self::workspace`], of `documents` that were read before.
    pub(super) fn workspace_of(&self, documents: &Documents) -> Result<Workspace, CliError> {
        let workspace = included::loaded(self, documents.layout(), |library| {
            documents.resolve(self.platform(), &self.outside(library))
        })?;
        self.mask_urls_of(&workspace);
        Ok(workspace)
    }

    /// The files of the workspace, read now.
    pub(super) fn documents(&self) -> Result<Documents, Fault> {
        self.host.start_pool();
        Documents::read(self.layout()?.root(), self.host.user())
    }

    /// Masks from here on what is secret in the URLs of `workspace`.
    fn mask_urls_of(&self, workspace: &Workspace) {
        for secret in workspace.url_secrets() {
            self.host.secrets().add(&secret);
        }
    }

    /// What `documents` mean for every platform to work for, with what `choose` makes of what is outside.
    fn resolved(
        &self,
        documents: &Documents,
        choose: impl Fn(&mut LoadInputs),
    ) -> Result<Workspaces, CliError> {
        let resolve = |tag: Option<Version>| {
            included::loaded(self, documents.layout(), |library| {
                let mut outside = self.outside(library);
                outside.project_tag = outside.project_tag.or_else(|| tag.clone());
                choose(&mut outside);
                Workspaces::resolve(documents, self.wanted(), &outside)
            })
        };
        let mut workspaces = resolve(None)?;
        let mut all = workspaces.any().subsystems.values();
        if all.any(|it| it.follows_tag && it.version.is_unreleased())
            && let Some(tag) = self.checked_out_tag(documents.layout())?
        {
            workspaces = resolve(Some(tag))?;
        }
        workspaces
            .wanted()
            .iter()
            .for_each(|platform| self.mask_urls_of(workspaces.for_platform(*platform)));
        Ok(workspaces)
    }

    /// The workspace, loaded and checked, for every platform to work for.
    pub(super) fn workspaces(&self) -> Result<Workspaces, CliError> {
        self.workspaces_with(&Assignments::new())
    }

    /// [`Self::workspaces`], with the versions that were `chosen`, and those that schemes came to
    /// just now.
    pub(super) fn workspaces_at(
        &self,
        chosen: &Versions,
        current: &Versions,
    ) -> Result<Workspaces, CliError> {
        self.resolved_at(&self.documents()?, chosen, current)
    }

    /// [`Self::workspaces_at`], of `documents` that were read before.
    pub(super) fn resolved_at(
        &self,
        documents: &Documents,
        chosen: &Versions,
        current: &Versions,
    ) -> Result<Workspaces, CliError> {
        self.resolved(documents, |outside| {
            outside.chosen.clone_from(chosen);
            outside.current.clone_from(current);
        })
    }

    /// [`Self::workspaces`], with variables that the command line sets.
    pub(super) fn workspaces_with(&self, set: &Assignments) -> Result<Workspaces, CliError> {
        self.resolved(&self.documents()?, |outside| outside.assignments.clone_from(set))
    }

    /// Tells why forge stopped, and returns the exit code.
    pub(super) fn report(&self, stop: CliError) -> u8 {
        let style = self.stderr_style();
        // One document, whatever becomes of the verb.
        if self.flags.json && !self.host.has_printed() {
            let document = match &stop {
                CliError::Problems(problems) => render_json_problems(problems),
                CliError::Fault(fault) => render_json_fault(fault),
            };
            drop(self.say(&self.host.secrets().mask(&document)));
        }
        let (text, code) = match stop {
            CliError::Problems(problems) => {
                if let (Some(actions), Ok(layout)) = (Actions::from_host(&self.host), self.layout())
                {
                    actions.tell_problems(&problems, layout.root());
                }
                (render_problems(&problems, style), 2)
            }
            CliError::Fault(fault) => (render_fault(&fault, style), fault.kind.exit_code()),
        };
        let text = self.host.secrets().mask(&text);
        // If even standard error is closed there is nobody left to tell.
        self.console().err(&text);
        code
    }

    /// How the stores and fetches of `workspace` behave.
    pub(super) fn store_settings(&self, workspace: &Workspace) -> store::StoreSettings {
        self.settings_of_stores(workspace, false)
    }

    /// [`Self::store_settings`]; if `is_outside`, no program of the workspace is asked for logins.
    pub(super) fn settings_of_stores(
        &self,
        workspace: &Workspace,
        is_outside: bool,
    ) -> store::StoreSettings {
        let mut named = NamedHosts::default();
        for url in workspace.stores.iter().filter_map(|url| StoreUrl::parse(url).ok()) {
            named.gitea.extend(url.gitea_host());
            named.gitlab.extend(url.gitlab_host());
        }
        self.settings_in(workspace.layout.clone(), named, is_outside)
    }

    /// How stores behave that no workspace names, for whoever is in the folder `here`.
    pub(super) fn settings_at(&self, here: PathBuf) -> store::StoreSettings {
        let console = self.console();
        let waits = Waits(Arc::new(move |why| console.err(&format!("waiting: {why}\n"))));
        let settings = self.settings_in(self.layout_at(here), NamedHosts::default(), true);
        store::StoreSettings { waits, ..settings }
    }

    /// How stores behave for whoever is in the folder of `layout`, whose stores name the hosts `named`.
    fn settings_in(
        &self,
        layout: Layout,
        named: NamedHosts,
        is_outside: bool,
    ) -> store::StoreSettings {
        let folder = layout.root().to_owned();
        let settings = store::StoreSettings::new(layout, self.host.environment());
        // Costs nothing until a login is asked for.
        let runner = self.host.runner_that_shows_secrets(1, self.host.cancel().clone());
        let logins = Discovery::new(settings.environment.clone(), named, Arc::new(runner), folder)
            .telling(self.host.secrets().clone());
        let logins = if is_outside { logins.outside() } else { logins };
        store::StoreSettings { offline: self.flags.offline, logins: Arc::new(logins), ..settings }
    }

    /// The stores of `workspace`, for verbs without a screen.
    pub(super) fn stores(&self, workspace: &Workspace) -> Result<Stores, Fault> {
        let console = self.console();
        let waits = Waits(Arc::new(move |why| console.err(&format!("waiting: {why}\n"))));
        self.stores_that_tell(workspace, waits)
    }

    /// The stores of `workspace`, which tell `waits` when a host makes them wait.
    pub(super) fn stores_that_tell(
        &self,
        workspace: &Workspace,
        waits: Waits,
    ) -> Result<Stores, Fault> {
        let settings = store::StoreSettings { waits, ..self.store_settings(workspace) };
        if workspace.stores.is_empty() {
            let store = store::private(&workspace.project, &workspace.layout);
            return Ok(Stores { all: vec![store], private: true });
        }
        let open = |url: &String| {
            let url = StoreUrl::parse(url).map_err(|why| Fault::new(Kind::Usage, why))?;
            store::open(&url, &settings)
        };
        let all = workspace.stores.iter().map(open).collect::<Result<_, Fault>>()?;
        Ok(Stores { all, private: false })
    }

    /// What looking may do.
    pub(super) fn probe_options(
        &self,
        stores: &Stores,
        publish: Publish,
    ) -> Result<ProbeOptions, Fault> {
        let publishes = self.publishes(stores, publish)?;
        let is_ci = self.host.environment().get("CI").is_some_and(|it| !matches!(it, "" | "false"));
        Ok(ProbeOptions {
            is_inner_loop: !is_ci && !self.flags.verbose,
            force: self.flags.force || publish == Publish::Again,
            offline: self.flags.offline,
            locked: self.flags.locked,
            publish: publishes,
            exact: publish.is_asked(),
            stores_only: false,
            private_store: stores.private,
            classes: self
                .surroundings()
                .classes(publishes && stores.are_shared() || publish == Publish::InImages),
        })
    }

    /// What this run is, and whose work its tasks use: with `--publish`, what they make may go where
    /// others read it.
    pub(super) fn classes(&self) -> Classes {
        self.surroundings().classes(self.flags.publish)
    }

    /// Whether what the first store lacks is published there.
    fn publishes(&self, stores: &Stores, publish: Publish) -> Result<bool, Fault> {
        let Some(store) = stores.all.first() else { return Ok(false) };
        // What is published changes the lock.
        let is_forbidden = self.flags.no_publish || self.flags.locked;
        let is_kept = matches!(publish, Publish::Never | Publish::InImages);
        if is_kept || is_forbidden || !store.is_writable() {
            return Ok(false);
        }
        let is_asked = publish.is_asked() || self.flags.publish;
        // A folder may serve as well: what a run for a proposed change puts there is the first.
        match may_publish_to(self.surroundings(), store.is_shared()) {
            Permission::Never(why) if is_asked => {
                Err(Fault::new(Kind::Usage, format!("nothing is published to {}", store.url()))
                    .because(why)
                    .hint("a push to the default branch or a tag publishes; so does a laptop"))
            }
            permission => Ok(permission.allows(is_asked)),
        }
    }

    /// Whether releases in `store` may be made or deleted, since somebody asks for it.
    ///
    /// # Errors
    /// `Usage`, with the reason, if not.
    pub(super) fn may_change(&self, store: &dyn Store) -> Result<(), Fault> {
        let refused = |why: &str| {
            let what = format!("cannot change the releases in {}", store.url());
            Fault::new(Kind::Usage, what).because(why)
        };
        if self.flags.no_publish {
            return Err(refused("--no-publish forbids it"));
        }
        if !store.is_writable() {
            return Err(refused("it can only be read"));
        }
        match may_publish(self.surroundings()) {
            Permission::Never(why) => Err(refused(&why)),
            _ => Ok(()),
        }
    }

    /// Where this process runs.
    pub(super) fn surroundings(&self) -> &Surroundings {
        self.host.surroundings()
    }

    /// Where forge prints.
    pub(super) fn console(&self) -> Console {
        self.host.console()
    }

    /// [`note`], on the console of this process.
    pub(super) fn note(&self, text: &str) {
        note(self.console(), text);
    }

    /// [`say`], on the console of this process.
    pub(super) fn say(&self, text: &str) -> Result<(), Fault> {
        self.host.prints();
        say(self.console(), text)
    }

    /// How text on standard output is dressed.
    pub(super) fn stdout_style(&self) -> Style {
        self.choice.stdout
    }

    /// How text on standard error is dressed.
    pub(super) fn stderr_style(&self) -> Style {
        self.choice.stderr
    }
}

/// The subsystems that `words` mean: their names, or groups; all if there are none.
pub(super) fn select(workspace: &Workspace, words: &[String]) -> Result<BTreeSet<Name>, Fault> {
    if words.is_empty() {
        return Ok(workspace.subsystems.keys().cloned().collect());
    }
    let mut names = BTreeSet::new();
    for word in words {
        if let Some((name, _)) = workspace.subsystems.get_key_value(word.as_str()) {
            names.insert(name.clone());
        } else if let Some(group) = workspace.groups.get(word) {
            names.extend(group.iter().cloned());
        } else {
            return Err(unknown(workspace, word));
        }
    }
    Ok(names)
}

/// Says something on standard error. If that is closed there is nobody left to tell.
pub(super) fn note(console: Console, text: &str) {
    console.err(&format!("{text}\n"));
}

/// Prints `text` on standard output. A reader that went away is not a fault: `forge list | head` is fine.
pub(super) fn say(console: Console, text: &str) -> Result<(), Fault> {
    console.out(text).map_err(|error| Fault::io("cannot write to standard output", &error))
}

fn unknown(workspace: &Workspace, word: &str) -> Fault {
    let known = workspace.subsystems.keys().map(Name::as_str);
    let known: Vec<&str> = known.chain(workspace.groups.keys().map(String::as_str)).collect();
    let fault = Fault::new(Kind::Usage, format!("there is no subsystem or group `{word}`"));
    match nearest(word, known.iter().copied()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint(format!("there are {}", known.join(", "))),
    }
}
