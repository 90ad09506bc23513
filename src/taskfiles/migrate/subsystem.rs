//! A subsystem that a Taskfile describes in the usual way: where its source is, how it is built and
//! where the vendor's binaries are.

use super::{
    MigrationAids,
    platforms::{decided, with_platform},
    shell::words,
    stack::Stack,
    variables::{MigratedVariables, version},
};
use crate::{
    manifest::Scalar,
    taskfile::{BEHIND, CommandKind, GoTemplate, TaskfileTask, VariableValue, Yaml},
};

/// What `forge` needs to know of a subsystem, and where each piece of it stood.
#[derive(Debug)]
pub(super) struct MigratedSubsystem {
    pub(super) name: String,
    /// Which file it is.
    pub(super) file: usize,
    /// The variable that holds the version, and the version; nothing if what it is made of has one.
    pub(super) version: (String, String),
    pub(super) binary: String,
    pub(super) source: Option<MigratedSource>,
    pub(super) build: Option<SpecPart>,
    pub(super) upstream: Option<SpecPart>,
    /// The folder where binaries come to be, and that of the source, from the first Taskfile's.
    pub(super) bin_dir: Option<String>,
    pub(super) src_dir: Option<String>,
}

/// Where the source is.
#[derive(Clone, Debug)]
pub(super) enum MigratedSource {
    Git(String),
    /// A folder, from the workspace.
    Path(String),
}

/// Part of a spec.
#[derive(Debug)]
pub(super) struct SpecPart {
    /// What is written.
    pub(super) said: Yaml,
    /// The task that it comes from.
    pub(super) task: String,
    /// What of it needs a person.
    pub(super) marks: Vec<String>,
}

/// The subsystem that `file` describes, if it does.
pub(super) fn recognise(
    stack: &Stack,
    file: usize,
    around: &MigrationAids,
) -> Option<MigratedSubsystem> {
    let name = stack.prefixes[file].clone().filter(|prefix| !prefix.is_empty())?;
    let taskfile = &stack.tree.files[file];
    let variables = MigratedVariables::new(&stack.tree, file);
    // What nobody pins has its version made.
    let version = version(taskfile, variables).unwrap_or_default();
    let mut reader = SubsystemReader {
        stack,
        around,
        file,
        variables,
        version: &version.0,
        name: &name,
        bin: None,
        src_dir: None,
    };
    let task = |names: &[&str]| {
        taskfile.tasks.iter().find(|task| names.contains(&task.name.value.as_str()))
    };
    let cloned = task(&["src:clone", "clone"]).and_then(|task| reader.clone_of(task));
    let build = task(&["bin:build", "build"]).and_then(|task| reader.build(task));
    let mut build = build;
    let mut upstream = task(&["bin:download", "download"]).and_then(|task| reader.upstream(task));
    let is_unpinned = upstream.as_ref().is_some_and(|piece| !piece.marks.is_empty());
    if build.is_none()
        && is_unpinned
        && let Some(piece) = upstream.take()
    {
        build = Some(reader.downloaded(task(&["bin:download", "download"])?, piece));
    }
    let source = cloned
        .map(MigratedSource::Git)
        .or_else(|| reader.src_dir.clone().map(MigratedSource::Path));
    let (bin_dir, binary) = reader.bin.clone().unzip();
    let is_had = task(&["ensure", "bin:build", "bin:download"]).is_some()
        && (build.is_some() || upstream.is_some());
    let src_dir = reader.src_dir;
    let is_own_code = || {
        let is_go =
            build.as_ref().is_some_and(|one| one.said.entries().any(|(key, _)| key == "go"));
        is_go && matches!(&source, Some(MigratedSource::Path(path)) if !path.starts_with(".."))
    };
    if version.1.is_empty() && !is_own_code() {
        return None;
    }
    is_had.then(|| MigratedSubsystem {
        binary: binary.unwrap_or_else(|| name.clone()),
        source: source.filter(|_| build.is_some()),
        name,
        file,
        version,
        build,
        upstream,
        bin_dir,
        src_dir,
    })
}

struct SubsystemReader<'s> {
    stack: &'s Stack,
    around: &'s MigrationAids<'s>,
    file: usize,
    variables: MigratedVariables<'s>,
    /// The variable that holds the version.
    version: &'s str,
    name: &'s str,
    /// Where the binary comes to be: folder and name.
    bin: Option<(String, String)>,
    src_dir: Option<String>,
}

impl SubsystemReader<'_> {
    /// The commands of `task` in forge's words.
    fn lines(&self, task: &TaskfileTask) -> Vec<String> {
        let lines = task.commands.iter().filter_map(|one| match &one.deed {
            CommandKind::Run(line) => Some(line),
            _ => None,
        });
        // What a binary is said to be, forge says itself.
        let is_stamp =
            |line: &&Scalar| line.text.contains("/.version") && !line.text.contains("go build");
        lines
            .filter(|line| !is_stamp(line))
            .flat_map(|line| self.said(task, line).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// `text` of `task` in forge's words, with all variables but the version written out.
    fn said(&self, task: &TaskfileTask, text: &Scalar) -> String {
        let own = |name: &str| {
            let variable = task.vars.iter().find(|one| one.name.value == name)?;
            match &variable.value {
                VariableValue::Text(text) => Some(text.text.clone()),
                VariableValue::Sh(line) if line.text.trim() == "go env GOOS" => {
                    Some("{{OS}}".to_owned())
                }
                VariableValue::Sh(line) if line.text.trim() == "go env GOARCH" => {
                    Some("{{ARCH}}".to_owned())
                }
                _ => None,
            }
        };
        let mut text = text.text.clone();
        for name in task.vars.iter().map(|one| &one.name.value) {
            if let Some(value) = own(name) {
                text = text.replace(&format!("{{{{.{name}}}}}"), &value);
            }
        }
        let written = self.variables.written_out(&text, &|name| name == self.version);
        in_words(&written, self.version)
    }

    fn clone_of(&mut self, task: &TaskfileTask) -> Option<String> {
        let lines = self.lines(task);
        let line = lines.iter().find(|line| line.contains("git clone"))?;
        let words = words(line);
        let url = words.iter().position(|word| word.contains("://") || word.starts_with("git@"))?;
        self.src_dir = words.get(url + 1).and_then(|dir| self.variables.path(&of_root(dir)));
        Some(words[url].clone())
    }

    fn build(&mut self, task: &TaskfileTask) -> Option<SpecPart> {
        let mut lines = self.lines(task);
        lines.retain(|line| !line.starts_with("mkdir -p ") && !line.trim().is_empty());
        let dir = task.dir.as_ref().map(|dir| self.said(task, dir));
        let mut folder = dir.as_deref().and_then(|dir| self.variables.path(&of_root(dir)));
        let mut commands = Vec::new();
        for line in &lines {
            let (place, command) = moved(line);
            if let Some(place) = place {
                folder = self.variables.path(&of_root(place)).or(folder);
            }
            commands.push(command.to_owned());
        }
        if commands.is_empty() {
            return None;
        }
        self.src_dir = self.src_dir.take().or_else(|| folder.clone());
        let mut marks = Vec::new();
        let mut said = match commands.as_slice() {
            [one] if one.starts_with("go build") => self.go(one, folder.as_deref()),
            _ => None,
        }
        .unwrap_or_else(|| self.plain(&commands));
        let leaves =
            |said: &Yaml| said.entries().any(|(key, run)| key == "run" && leaves_binary(run));
        if said.entries().any(|(key, _)| key == "run") && !leaves(&said) {
            marks.push("look whether these commands leave the binary in {{ out }}".to_owned());
        }
        let env = self.environment(task, &mut said);
        said.put_filled("env", env);
        Some(SpecPart { said, task: task.name.value.clone(), marks })
    }

    /// Variables of the environment but for those that the presets set.
    fn environment(&self, task: &TaskfileTask, said: &mut Yaml) -> Yaml {
        let mut env = Yaml::map();
        for variable in &task.env {
            let VariableValue::Text(text) = &variable.value else { continue };
            match (variable.name.value.as_str(), text.text.as_str()) {
                ("CGO_ENABLED", "0") => {}
                ("CGO_ENABLED", "1")
                    if said.entries().next().is_some_and(|(key, _)| key == "go") =>
                {
                    *said = with_option(said, "cgo", Yaml::flag(true));
                }
                (name, _) => env.put(name, Yaml::text(self.said(task, text))),
            }
        }
        env
    }

    /// `go build …` as the preset.
    fn go(&mut self, line: &str, folder: Option<&str>) -> Option<Yaml> {
        let words = words(line);
        let mut words = words.iter().skip(2);
        let mut go = Yaml::map();
        let mut packages = Vec::new();
        let mut ldflags = String::new();
        let mut out = None;
        while let Some(word) = words.next() {
            match word.trim_start_matches("--").trim_start_matches('-') {
                "trimpath" | "buildvcs=false" => {}
                "o" => out = words.next(),
                "ldflags" => ldflags.clone_from(words.next()?),
                "tags" => go.put("tags", Yaml::text(words.next()?.clone())),
                text if text.starts_with("ldflags=") => {
                    text["ldflags=".len()..].clone_into(&mut ldflags);
                }
                text if text == word => packages.push(word.clone()),
                _ => return None,
            }
        }
        let out = out?;
        match folder.filter(|_| !out.starts_with(['/', '{'])) {
            Some(folder) => self.note_binary(&format!("{{{{ root }}}}/{folder}/{out}")),
            None => self.note_binary(out),
        }
        let mut said = Yaml::map();
        match packages.as_slice() {
            [] => said.put("package", Yaml::text(".")),
            [one] => said.put("package", Yaml::text(one.clone())),
            _ => return None,
        }
        for (key, value) in flags(&ldflags) {
            said.put(&key, value);
        }
        for (key, value) in go.entries() {
            said.put(key, value.clone());
        }
        Some(Yaml::single("go", short(&said)))
    }

    /// A download that nothing pins, as a build: without a digest there is no other way to have it.
    fn downloaded(&mut self, task: &TaskfileTask, piece: SpecPart) -> SpecPart {
        let mut lines = self.lines(task);
        lines
            .retain(|line| line.contains("curl") || line.contains("wget") || line.contains("tar "));
        let mark = "this trusts what it downloads: write it as `upstream`, with `sha256`";
        let said = self.plain(&lines);
        SpecPart { said, marks: vec![mark.to_owned()], ..piece }
    }

    /// Commands as they stand, but that the binary comes to be where forge wants it.
    fn plain(&mut self, commands: &[String]) -> Yaml {
        let bin = self.bin_of_variables();
        if let (None, Some(bin)) = (&self.bin, &bin) {
            self.note_binary(bin);
        }
        let src = self.src_dir.clone();
        let placed = |line: &String| {
            let mut line = line.clone();
            if let Some((dir, name)) = &self.bin {
                line = line.replace(&format!("{{{{ root }}}}/{dir}"), "{{ out }}");
                line = line.replace(&format!("{dir}/{name}"), &format!("{{{{ out }}}}/{name}"));
            }
            match &src {
                Some(src) => line.replace(&format!("{{{{ root }}}}/{src}"), "{{ src }}"),
                None => line,
            }
        };
        let mut lines: Vec<Yaml> = commands.iter().map(placed).map(Yaml::Text).collect();
        let run = if lines.len() == 1 { lines.remove(0) } else { Yaml::List(lines) };
        Yaml::single("run", run)
    }

    /// The path of the binary, if a variable is called like that.
    fn bin_of_variables(&self) -> Option<String> {
        let file = &self.stack.tree.files[self.file];
        let names = file.vars.iter().map(|one| &one.name.value);
        let is_bin = |name: &&String| {
            *name == "BIN" || name.ends_with("_BIN") || name.ends_with("_BIN_PATH")
        };
        let path = |name: &String| {
            let shown = format!("{{{{.{name}}}}}");
            in_words(&self.variables.written_out(&shown, &|_| false), self.version)
        };
        // A folder for binaries, such as `.bin`, is no binary.
        let is_file = |path: &String| !path.rsplit('/').next().unwrap_or_default().starts_with('.');
        names.filter(is_bin).map(path).find(is_file)
    }

    fn note_binary(&mut self, path: &str) {
        let path = path.split("{% ").next().unwrap_or(path);
        let path = path.trim_end_matches("{{ exe }}");
        let path = path.strip_suffix(".exe").unwrap_or(path);
        if let Some((dir, name)) =
            self.variables.path(&of_root(path)).as_deref().and_then(|path| path.rsplit_once('/'))
        {
            self.bin = Some((dir.to_owned(), name.split("{{").next().unwrap_or(name).to_owned()));
        }
    }

    /// Whether `url` is of a release of the project itself, which the first file names.
    fn is_own(&self, url: &str) -> bool {
        self.stack.tree.files[0].vars.iter().any(|variable| match &variable.value {
            VariableValue::Text(text) => {
                text.text.matches('/').count() == 1
                    && !text.text.contains("{{")
                    && url.contains(&format!("github.com/{}/releases/", text.text))
            }
            _ => false,
        })
    }

    fn upstream(&mut self, task: &TaskfileTask) -> Option<SpecPart> {
        let lines = decided(self.lines(task));
        if self.bin.is_none()
            && let Some(bin) = self.bin_of_variables()
        {
            self.note_binary(&bin);
        }
        let line = lines.iter().find(|line| line.contains("curl") || line.contains("wget"))?;
        let words = words(line);
        let url = words
            .iter()
            .find(|word| word.starts_with("https://") || word.starts_with("http://"))?;
        // What was released by the project itself is found in `releases`.
        if url.contains(&format!("/{}-{{{{ version }}}}/", self.name)) || self.is_own(url) {
            return None;
        }
        let (url, vendors) = with_platform(&url.replace("{{ os }}-{{ arch }}", "{{ platform }}"));
        let url = &url;
        let mut said = Yaml::single("url", Yaml::text(url.clone()));
        let mut marks = Vec::new();
        match (self.around.published_sums)(url) {
            Some(sums) => said.put("sha256", Yaml::Text(sums)),
            None => {
                let what = "compared with nothing so far: write digests, or the URL of the vendor's checksums";
                said.put_with(vec![format!("{BEHIND}migrate: {what}")], "sha256", Yaml::map());
                marks.push(what.to_owned());
            }
        }
        let strip = words.iter().find_map(|word| word.strip_prefix("--strip-components="));
        if let Some(strip) = strip {
            said.put("strip", Yaml::Plain(strip.to_owned()));
        }
        said.put_filled("platform", vendors);
        Some(SpecPart { said, task: task.name.value.clone(), marks })
    }
}

/// Whether commands certainly leave something where binaries go: a program that copies, unpacks or links
/// is told to. What `--out DIR` of another program means is its own matter.
fn leaves_binary(run: &Yaml) -> bool {
    const PUT: &[&str] = &["cp", "curl", "go", "install", "ln", "mv", "rustc", "tar", "unzip"];
    match run {
        Yaml::Text(text) => text.split(['\n', '|', ';', '&']).any(|command| {
            let words = words(command);
            words.first().is_some_and(|program| PUT.contains(&program.as_str()))
                && words.iter().any(|word| word.contains("{{ out }}"))
        }),
        Yaml::List(items) => items.iter().any(leaves_binary),
        _ => false,
    }
}

/// `cd DIR && COMMAND` apart.
fn moved(line: &str) -> (Option<&str>, &str) {
    match line.strip_prefix("cd ").and_then(|rest| rest.split_once(" && ")) {
        Some((dir, command)) => (Some(dir.trim()), command.trim()),
        None => (None, line),
    }
}

/// A path in forge's words as one of Go's.
fn of_root(path: &str) -> String {
    path.trim_matches(['"', '\'']).replace("{{ root }}", "{{.ROOT_DIR}}")
}

/// A template of Go in forge's words, where `version` is the version.
pub(super) fn in_words(text: &str, version: &str) -> String {
    let names = |name: &str| match name {
        "ROOT_DIR" => "root".to_owned(),
        "CLI_ARGS" => "args".to_owned(),
        name if name == version => "version".to_owned(),
        name => name.to_lowercase(),
    };
    let said = GoTemplate::parse(text).and_then(|template| template.translate(&names));
    tidy(&said.unwrap_or_else(|_| text.to_owned()))
}

/// What forge has a word for.
pub(super) fn tidy(text: &str) -> String {
    text.replace("{{ version | remove_prefix('v') }}", "{{ version_number }}")
}

/// The flags of Go's linker: variables apart, nothing where forge's own are the same.
fn flags(ldflags: &str) -> Vec<(String, Yaml)> {
    if ldflags == "-s -w -X main.version={{ version }}" {
        return Vec::new();
    }
    let mut vars = Yaml::map();
    let mut others = Vec::new();
    let words = words(&ldflags.replace("$(git rev-parse --short HEAD)", "{{ commit }}"));
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let pair =
            (word == "-X").then(|| words.next()).flatten().and_then(|pair| pair.split_once('='));
        match pair {
            Some((name, value)) => vars.put(name, Yaml::text(value)),
            None => others.push(word.clone()),
        }
    }
    let mut said = Vec::new();
    let is_plain = others == ["-s", "-w"] && !vars.is_empty();
    if !is_plain {
        said.push(("ldflags".to_owned(), Yaml::text(others.join(" "))));
    }
    if !vars.is_empty() {
        said.push(("vars".to_owned(), vars));
    }
    said
}

/// `{package: .}` as `.`.
fn short(said: &Yaml) -> Yaml {
    let mut entries = said.entries();
    match (entries.next(), entries.next()) {
        (Some(("package", package)), None) => package.clone(),
        (Some(("package", Yaml::Text(package))), Some(_)) if package == "." => {
            let mut rest = Yaml::map();
            said.entries().skip(1).for_each(|(key, value)| rest.put(key, value.clone()));
            rest
        }
        _ => said.clone(),
    }
}

fn with_option(said: &Yaml, key: &str, value: Yaml) -> Yaml {
    let mut go = Yaml::map();
    for (_, options) in said.entries().take(1) {
        match options {
            Yaml::Text(package) if package != "." => go.put("package", Yaml::text(package.clone())),
            options => options.entries().for_each(|(key, value)| go.put(key, value.clone())),
        }
    }
    go.put(key, value);
    Yaml::single("go", go)
}
