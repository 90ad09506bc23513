//! What loading knows from outside the workspace: the variables forge was started with, what URLs
//! gave, and what a command line sets.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use minijinja::value::Value as Word;

use super::{Library, SaidTaskfile, SeenEnvironment, Task, TaskfileReader};
use crate::{
    manifest::{HeadDoc, Node, Quoting},
    model::{Environment, Fault, Kind, Name, UserFolders, Version},
    process::SyntaxCheck,
};

/// Variables that a command line sets, by the file whose tasks they are for.
pub type Assignments = BTreeMap<Home, BTreeMap<String, String>>;

/// A file of tasks, as it stands in the workspace: its path, and what stands before its tasks.
pub type Home = (PathBuf, String);

/// What loading knows from outside the workspace.
pub struct LoadInputs<'a> {
    /// The environment variables.
    pub environment: SeenEnvironment,
    /// The folders of the user.
    pub user: UserFolders,
    /// What URLs gave.
    pub library: &'a Library<'a>,
    /// Who reads Taskfiles.
    pub taskfiles: &'a TaskfileReader<'a>,
    /// What a command line sets.
    pub assignments: Assignments,
    /// Versions that this invocation works with, whatever is pinned: `NAME@VERSION`.
    pub chosen: BTreeMap<Name, Version>,
    /// What schemes came to just now, whatever is locked.
    pub current: BTreeMap<Name, Version>,
    /// The tag of the project that is checked out: the version of what follows it.
    pub project_tag: Option<Version>,
    /// What checks the syntax of commands; a workspace that is only looked at needs none.
    pub syntax_check: SyntaxCheck,
}

impl<'a> LoadInputs<'a> {
    /// An `environment`, a user with these folders, and `library`.
    pub fn new(environment: &Environment, user: &UserFolders, library: &'a Library<'a>) -> Self {
        Self {
            environment: SeenEnvironment::new(environment.clone()),
            user: user.clone(),
            library,
            taskfiles: &nobody,
            assignments: Assignments::new(),
            chosen: BTreeMap::new(),
            current: BTreeMap::new(),
            project_tag: None,
            syntax_check: SyntaxCheck::off(),
        }
    }

    /// Nothing outside but the shells of the system.
    #[cfg(any(test, feature = "testing"))]
    pub fn nothing() -> Self {
        let shells = [("PATH", "/bin:/usr/bin")].into_iter().collect();
        let outside = Self::new(&Environment::default(), &UserFolders::default(), &|_| None);
        let asking = std::sync::Arc::new(crate::process::testing::AskingShells);
        Self { syntax_check: SyntaxCheck::by(asking, &shells), ..outside }
    }
}

/// Who reads no Taskfile.
fn nobody(path: &Path) -> Result<SaidTaskfile, Fault> {
    Err(Fault::new(
        Kind::Usage,
        format!("{} is a Taskfile, which is not read here", path.display()),
    ))
}

impl Task {
    /// The file it stands in, and whether that has a variable called `name`.
    pub fn variable(&self, name: &str) -> Option<Home> {
        self.variables()
            .any(|known| known == name)
            .then(|| (self.place.file.clone(), self.home.space.clone()))
    }

    /// The variables of the file it stands in.
    pub fn variables(&self) -> impl Iterator<Item = &str> + Clone {
        let given = self.home.given.keys().map(String::as_str);
        self.home.vars.iter().map(|var| var.name.as_str()).chain(given)
    }
}

/// What is `set`, as what it means: a number or a flag if it is one in `head`.
pub fn assigned<'a>(
    set: &'a BTreeMap<String, String>,
    head: &'a HeadDoc,
) -> impl Iterator<Item = (String, Word)> {
    set.iter().map(|(name, text)| {
        let written = head.vars.iter().find(|(key, _)| key.value == *name);
        let written = written.and_then(|(_, node)| Node::scalar(node));
        let is_typed = written.is_some_and(|scalar| {
            let is_number = scalar.text.parse::<i64>().is_ok();
            let is_flag = matches!(scalar.text.as_str(), "true" | "false");
            scalar.style == Quoting::Plain && (is_number || is_flag)
        });
        let value = match (text.as_str(), text.parse::<i64>()) {
            (flag @ ("true" | "false"), _) if is_typed => Word::from(flag == "true"),
            (_, Ok(number)) if is_typed && number.to_string() == *text => Word::from(number),
            (text, _) => Word::from(text),
        };
        (name.clone(), value)
    })
}
