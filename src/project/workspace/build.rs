//! `build:` to commands: presets expanded, templates rendered, variables merged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use minijinja::value::Value as Word;

use super::{
    Build, SeenEnvironment, Text,
    preset::{self, PresetRecipe},
    remote,
    template::TemplateScope,
};
use crate::manifest::{
    BuildDoc, Findings, Node, Pairs, Scalar, SourceDoc, Sp, pairs, scalar, scalars,
};
use crate::model::parse_duration;
use crate::process::{Shell, looks_secret};

/// How long a build may take if its spec does not say.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// What the manifest and the spec declare for all commands.
pub struct Declared<'a> {
    /// `env:`.
    pub env: BTreeMap<String, Text>,
    /// `pass_env:`.
    pub pass_env: BTreeSet<String>,
    /// `sandbox:`.
    pub is_sandboxed: bool,
    /// Where the values of those are.
    pub environment: &'a SeenEnvironment,
}

/// Resolves `build:` of a spec with `source`. What is wrong goes to `found`; then there is no build.
pub fn resolve(
    doc: &BuildDoc,
    source: Option<&SourceDoc>,
    declared: Declared,
    scope: &TemplateScope,
    binaries: &[String],
    found: &mut Findings,
) -> Option<Build> {
    let before = found.diagnostics.len();
    let expanded = match recipe(doc) {
        Some(recipe) => {
            let in_repo = matches!(source, Some(SourceDoc::Path { .. }));
            let scope = scope.with([("in_repo", in_repo.into())]);
            expand(recipe, doc, &scope, binaries, found)
        }
        None => run(&doc.options, scope, found),
    };
    let own_env = environment(&doc.env, scope, found);
    let own_pass_env = variable_names(&doc.pass_env, found);
    let dir = doc.dir.as_ref().map(|dir| scope.text(dir, found));
    let timeout = doc.timeout.as_ref().map_or(Some(TIMEOUT), |text| duration(text, found));
    let mut build = expanded?;
    // What people declare goes over what a preset brings.
    build.env.extend(declared.env);
    let passed = declared.pass_env.into_iter().chain(own_pass_env);
    // The value of a secret is not an input: it changes from run to run, and belongs into no digest.
    let value = |name: &str| declared.environment.get(name).filter(|_| !looks_secret(name));
    build.pass_env = passed.map(|name| (name.clone(), value(&name))).collect();
    build.env.extend(own_env);
    doc.tools.iter().for_each(|(tool, _)| check_tool(tool, found));
    let wanted = |version: &Scalar| version.text.clone();
    build.tools.extend(
        doc.tools.iter().map(|(tool, version)| (tool.value.clone(), version.as_ref().map(wanted))),
    );
    build.is_sandboxed = declared.is_sandboxed;
    build.dir = dir.flatten();
    build.preset = recipe(doc).map(|recipe| recipe.preset);
    build.timeout = timeout?;
    build.remote = doc.remote.as_ref().and_then(remote::of_build);
    (found.diagnostics.len() == before).then_some(build)
}

/// A tool is looked up on PATH and asked for its version before anything else runs, so it is a name: a
/// path would be a program of whoever wrote the workspace.
fn check_tool(tool: &Sp<String>, found: &mut Findings) {
    let name = &tool.value;
    let is_odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    if !name.is_empty() && !name.starts_with(['-', '.']) && !name.contains(is_odd) {
        return;
    }
    let what = format!("`{}` cannot be a tool: tools are programs on PATH", name.escape_debug());
    let help =
        "write the name of a program; one of the workspace is run by the commands of `build`";
    found.add(tool.bytes.clone(), what, "not a name", help);
}

/// Whether the build works on a source that the spec must name.
pub fn needs_source(doc: &BuildDoc) -> bool {
    recipe(doc).is_some_and(|recipe| recipe.chosen_by.is_none())
}

/// Whether an environment variable can be called `name`, and a shell can use it.
pub fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '=' || c.is_control() || c.is_whitespace())
}

/// Variables as their values' templates say; of a name that stands twice, the first.
pub fn environment(
    env: &Pairs<Scalar>,
    scope: &TemplateScope,
    found: &mut Findings,
) -> BTreeMap<String, Text> {
    let mut rendered = BTreeMap::new();
    for (name, value) in env {
        if !is_variable(&name.value) {
            let what = format!("`{}` can be no environment variable", name.value);
            found.add(name.bytes.clone(), what, "not a name", "write `NAME: value`");
        } else if let Some(value) = scope.text(value, found) {
            rendered.entry(name.value.clone()).or_insert(value);
        }
    }
    rendered
}

/// The names of variables under `pass_env`. What is wrong goes to `found`.
pub fn variable_names(written: &[Scalar], found: &mut Findings) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in written {
        if is_variable(&name.text) {
            names.insert(name.text.clone());
        } else {
            let what = format!("`{}` can be no environment variable", name.text);
            found.add(name.bytes.clone(), what, "not a name", "write `pass_env: [NAME]`");
        }
    }
    names
}

fn recipe(doc: &BuildDoc) -> Option<&'static PresetRecipe> {
    let chosen = |recipe: &&PresetRecipe| {
        recipe.preset == doc.how.value
            && recipe.chosen_by.is_none_or(|option| doc.options.get(option).is_some())
    };
    preset::RECIPES.iter().find(chosen)
}

fn bare(steps: Vec<Text>) -> Build {
    Build {
        steps,
        dir: None,
        env: BTreeMap::new(),
        pass_env: BTreeMap::new(),
        is_sandboxed: true,
        tools: BTreeMap::new(),
        rust_target: None,
        native_only: None,
        preset: None,
        module: None,
        remote: None,
        timeout: TIMEOUT,
    }
}

/// The commands that `node` is or lists, each one that a shell can read.
fn commands(node: &Node, scope: &TemplateScope, found: &mut Findings) -> Option<Vec<Text>> {
    let mut commands = Vec::new();
    for scalar in node.one_or_many().iter().filter_map(Node::scalar) {
        let command = scope.text(scalar, found)?.trimmed();
        scope.doubt(&Shell::Sh, &command, scalar, found);
        commands.push(command);
    }
    Some(commands)
}

fn run(options: &Node, scope: &TemplateScope, found: &mut Findings) -> Option<Build> {
    let steps = commands(options, scope, found)?;
    if steps.is_empty() {
        let what = "`build.run` has no command";
        found.add(
            options.bytes.clone(),
            what,
            "nothing to run",
            "write a command, or remove `build` if there is nothing to build",
        );
        return None;
    }
    Some(bare(steps))
}

fn expand(
    recipe: &PresetRecipe,
    doc: &BuildDoc,
    scope: &TemplateScope,
    binaries: &[String],
    found: &mut Findings,
) -> Option<Build> {
    let words = options(doc, scope, binaries, found)?;
    let scope = scope.with(words);
    let mut render = |template: &str| own(template, doc, &scope, found);
    let mut build = bare(Vec::new());
    for step in recipe.steps {
        let step = render(step)?;
        if !step.is_empty() {
            build.steps.push(step);
        }
    }
    for (name, value) in recipe.env {
        let value = render(value)?;
        if !value.is_empty() {
            build.env.insert((*name).to_owned(), value);
        }
    }
    build.tools.extend(recipe.tools.iter().map(|tool| ((*tool).to_owned(), None)));
    build.native_only = recipe.native_only;
    if recipe.chosen_by == Some("module") {
        build.module = Some(render("{{ module }}@{{ version }}")?.into_inner());
    }
    if recipe.preset == "cargo" {
        build.rust_target = Some(render("{{ target }}")?.into_inner());
    }
    Some(build)
}

/// Renders a template of forge's own.
fn own(
    template: &str,
    doc: &BuildDoc,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Text> {
    match scope.render(template) {
        Ok(text) => Some(text),
        Err(wrong) => {
            let what = format!("`build.{}` cannot be expanded: {}", doc.how.value, wrong.what);
            found.add(doc.how.bytes.clone(), what, "this preset", "write the commands with `run:`");
            None
        }
    }
}

/// The words that recipes use beside those of the subsystem.
fn options(
    doc: &BuildDoc,
    scope: &TemplateScope,
    binaries: &[String],
    found: &mut Findings,
) -> Option<Vec<(&'static str, Word)>> {
    let node = &doc.options;
    let mut list = |key| -> Option<Vec<String>> {
        scalars(node, key).iter().map(|scalar| inner(scalar, scope, found)).collect()
    };
    let (mut packages, mut bins) = (list("package")?, list("bin")?);
    let (tags, features) = (list("tags")?.join(","), list("features")?.join(","));
    let (install, module) = (list("install")?.concat(), list("module")?.concat());
    let ldflags = ldflags(doc, scope, found)?;
    let cgo = scalar(node, "cgo").is_some_and(|flag| flag.text == "true");
    // `go: ./cmd/x` and `cargo: ./crates/x` say where, and nothing else.
    let place = match node.scalar() {
        Some(place) => inner(place, scope, found)?,
        None => ".".to_owned(),
    };
    if packages.is_empty() && doc.how.value == "go" {
        packages.push(place.clone());
    }
    if bins.is_empty() {
        bins = binaries.to_vec();
    }
    let profile = match scalar(node, "profile") {
        Some(profile) => inner(&profile, scope, found)?,
        None => String::new(),
    };
    let target = match scalar(node, "target") {
        Some(target) => inner(&target, scope, found)?,
        None => own("{{ rust_target }}", doc, scope, found)?.into_inner(),
    };
    Some(vec![
        ("package", packages.join(" ").into()),
        ("folder", place.into()),
        ("binaries", binaries.to_vec().into()),
        ("binary", binaries.first().cloned().unwrap_or_default().into()),
        ("bins", bins.into()),
        ("tags", tags.into()),
        ("features", features.into()),
        ("profile", profile.into()),
        ("installed", installed_name(&install).into()),
        ("install", install.into()),
        ("module_folder", module_folder(&module).into()),
        ("module", module.into()),
        ("ldflags", ldflags.into()),
        ("cgo", cgo.into()),
        ("target", target.into()),
    ])
}

fn inner(scalar: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<String> {
    scope.text(scalar, found).map(Text::into_inner)
}

fn ldflags(doc: &BuildDoc, scope: &TemplateScope, found: &mut Findings) -> Option<String> {
    let vars = pairs(&doc.options, "vars");
    let mut flags = match scalar(&doc.options, "ldflags") {
        Some(flags) => inner(&flags, scope, found)?,
        None if vars.is_empty() => own(preset::LDFLAGS, doc, scope, found)?.into_inner(),
        None => preset::LDFLAGS_BESIDE_VARS.to_owned(),
    };
    for (name, value) in &vars {
        let value = inner(value, scope, found)?;
        let _ = write!(flags, " -X {}={value}", name.value);
    }
    Some(flags.trim().to_owned())
}

/// What `go install` calls the program of `import_path`: its last part, or the one
/// before if that is a major version (`/v2`).
fn installed_name(import_path: &str) -> String {
    let is_major = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut parts = import_path.rsplit('/').filter(|part| !part.is_empty());
    let last = parts.next().unwrap_or_default();
    if is_major(last) { parts.next().unwrap_or(last) } else { last }.to_owned()
}

/// How Go's module cache spells `module`, or a version: capitals as `!` and the small letter.
pub fn module_folder(module: &str) -> String {
    let mut folder = String::new();
    for c in module.chars() {
        if c.is_ascii_uppercase() {
            folder.push('!');
        }
        folder.push(c.to_ascii_lowercase());
    }
    folder
}

/// The duration that is written, or a word about why it is none.
pub fn duration(scalar: &Scalar, found: &mut Findings) -> Option<Duration> {
    let parsed = parse_duration(&scalar.text);
    if parsed.is_none() {
        let what = format!("`{}` is not a duration", scalar.text);
        found.add(
            scalar.bytes.clone(),
            what,
            "not a duration",
            "write a number and `s`, `m` or `h`, such as `90s`, `10m` or `1h30m`",
        );
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_names_programs_by_the_last_part() {
        assert_eq!(installed_name("github.com/nats-io/nats-server/v2"), "nats-server");
        assert_eq!(installed_name("github.com/cli/cli/v2/cmd/gh"), "gh");
        assert_eq!(installed_name("example.org/vault"), "vault");
        assert_eq!(module_folder("github.com/BurntSushi/toml"), "github.com/!burnt!sushi/toml");
    }
}
