//! What a Taskfile says, with places. Templates are still text.

use std::{ops::Range, path::PathBuf};

use crate::manifest::{Comment, ManifestFile, Node, Quoting, Scalar, Sp};

/// One Taskfile.
#[derive(Clone, Debug)]
pub struct Taskfile {
    /// The file. Its path is relative to the folder of the first Taskfile if it is below that, else
    /// absolute, or a URL.
    pub file: ManifestFile,
    /// The folder that it is in, absolute.
    pub dir: PathBuf,
    /// Its comments, in order.
    pub comments: Vec<Comment>,
    /// What holds for all its tasks.
    pub settings: TaskfileSettings,
    /// `vars`.
    pub vars: Vec<TaskfileVariable>,
    /// `env`.
    pub env: Vec<TaskfileVariable>,
    /// `dotenv`.
    pub dotenv: Vec<Scalar>,
    /// `includes`, in the order written.
    pub includes: Vec<Include>,
    /// `tasks`, in the order written.
    pub tasks: Vec<TaskfileTask>,
}

/// What a Taskfile says once for all tasks.
#[derive(Clone, Debug, Default)]
pub struct TaskfileSettings {
    /// `version`.
    pub version: Option<Scalar>,
    /// `output`.
    pub output: Option<TaskfileOutput>,
    /// `method`.
    pub method: Option<Scalar>,
    /// `silent`.
    pub silent: bool,
    /// `run`.
    pub run: Option<Often>,
    /// `interval`.
    pub interval: Option<Scalar>,
    /// `set`.
    pub set: Vec<Scalar>,
    /// `shopt`.
    pub shopt: Vec<Scalar>,
    /// `use_gitignore`.
    pub use_gitignore: bool,
    /// `failfast`.
    pub failfast: bool,
}

/// `output`.
#[derive(Clone, Debug)]
pub enum TaskfileOutput {
    /// A style by its name.
    Style(Scalar),
    /// In groups.
    Group(OutputGroup),
}

/// `output.group`.
#[derive(Clone, Debug, Default)]
pub struct OutputGroup {
    /// `begin`.
    pub begin: Option<Scalar>,
    /// `end`.
    pub end: Option<Scalar>,
    /// `error_only`.
    pub error_only: bool,
}

/// One of `includes`.
#[derive(Clone, Debug)]
pub struct Include {
    /// What its tasks' names begin with.
    pub name: Sp<String>,
    /// The file or folder, as written.
    pub taskfile: Scalar,
    /// `dir`.
    pub dir: Option<Scalar>,
    /// `vars`.
    pub vars: Vec<TaskfileVariable>,
    /// `optional`.
    pub optional: bool,
    /// `flatten`.
    pub flatten: bool,
    /// `internal`.
    pub internal: bool,
    /// `aliases`.
    pub aliases: Vec<Scalar>,
    /// `excludes`.
    pub excludes: Vec<Scalar>,
    /// `checksum`.
    pub checksum: Option<Scalar>,
    /// Whether it is written as a mapping: then its tasks run in `dir`, or beside the file that has it.
    pub is_mapping: bool,
    /// Which file of the tree it is; none if it may be missing and is.
    pub target: Option<usize>,
}

/// A variable of templates or of the environment.
#[derive(Clone, Debug)]
pub struct TaskfileVariable {
    /// Its name.
    pub name: Sp<String>,
    /// What it is.
    pub value: VariableValue,
    /// `secret`.
    pub secret: bool,
}

impl TaskfileVariable {
    /// Whether it is nothing at all.
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            VariableValue::Empty => true,
            VariableValue::Text(text) => {
                text.style == Quoting::Plain
                    && matches!(text.text.as_str(), "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }
}

/// What a variable is.
#[derive(Clone, Debug)]
pub enum VariableValue {
    /// Nothing.
    Empty,
    /// Text (a template), a number or a flag: as it is written.
    Text(Scalar),
    /// A list.
    List(Node),
    /// A mapping.
    Map(Node),
    /// What a command prints.
    Sh(Scalar),
    /// What an expression gives.
    Ref(Scalar),
}

/// A task.
#[derive(Clone, Debug)]
pub struct TaskfileTask {
    /// Its name, as the file calls it.
    pub name: Sp<String>,
    /// What stands under its name.
    pub node: Node,
    /// `desc`.
    pub desc: Option<Scalar>,
    /// `summary`.
    pub summary: Option<Scalar>,
    /// `label`.
    pub label: Option<Scalar>,
    /// `prefix`.
    pub prefix: Option<Scalar>,
    /// `aliases`.
    pub aliases: Vec<Scalar>,
    /// `prompt`.
    pub prompt: Vec<Scalar>,
    /// `cmd` or `cmds`.
    pub commands: Vec<TaskfileCommand>,
    /// `deps`.
    pub deps: Vec<TaskfileCommand>,
    /// `sources`.
    pub sources: Vec<Glob>,
    /// `generates`.
    pub generates: Vec<Glob>,
    /// `status`.
    pub status: Vec<Scalar>,
    /// `preconditions`.
    pub preconditions: Vec<Precondition>,
    /// `requires`.
    pub requires: Vec<Requirement>,
    /// `if`.
    pub condition: Option<Scalar>,
    /// `dir`.
    pub dir: Option<Scalar>,
    /// `vars`.
    pub vars: Vec<TaskfileVariable>,
    /// `env`.
    pub env: Vec<TaskfileVariable>,
    /// `dotenv`.
    pub dotenv: Vec<Scalar>,
    /// `set`.
    pub set: Vec<Scalar>,
    /// `shopt`.
    pub shopt: Vec<Scalar>,
    /// `method`.
    pub method: Option<Scalar>,
    /// `run`.
    pub run: Option<Often>,
    /// `platforms`.
    pub platforms: Vec<Scalar>,
    /// `silent`.
    pub silent: bool,
    /// `interactive`.
    pub interactive: bool,
    /// `internal`.
    pub internal: bool,
    /// `ignore_error`.
    pub ignore_error: bool,
    /// `watch`.
    pub watch: bool,
    /// `failfast`.
    pub failfast: bool,
    /// `use_gitignore`, of the task or else of the file.
    pub use_gitignore: bool,
}

impl TaskfileTask {
    /// A task that does nothing.
    pub fn named(name: Sp<String>) -> Self {
        let node = Node { value: crate::manifest::Value::Null, bytes: name.bytes.clone() };
        Self {
            name,
            node,
            desc: None,
            summary: None,
            label: None,
            prefix: None,
            aliases: Vec::new(),
            prompt: Vec::new(),
            commands: Vec::new(),
            deps: Vec::new(),
            sources: Vec::new(),
            generates: Vec::new(),
            status: Vec::new(),
            preconditions: Vec::new(),
            requires: Vec::new(),
            condition: None,
            dir: None,
            vars: Vec::new(),
            env: Vec::new(),
            dotenv: Vec::new(),
            set: Vec::new(),
            shopt: Vec::new(),
            method: None,
            run: None,
            platforms: Vec::new(),
            silent: false,
            interactive: false,
            internal: false,
            ignore_error: false,
            watch: false,
            failfast: false,
            use_gitignore: false,
        }
    }
}

/// An entry of `cmds` or `deps`.
#[derive(Clone, Debug)]
pub struct TaskfileCommand {
    /// What it does.
    pub deed: CommandKind,
    /// `for`.
    pub each: Option<Loop>,
    /// `if`.
    pub condition: Option<Scalar>,
    /// `silent`.
    pub silent: bool,
    /// `ignore_error`.
    pub ignore_error: bool,
    /// `platforms`.
    pub platforms: Vec<Scalar>,
    /// `timeout`.
    pub timeout: Option<Scalar>,
    /// `set`.
    pub set: Vec<Scalar>,
    /// `shopt`.
    pub shopt: Vec<Scalar>,
    /// Where it stands.
    pub bytes: Range<usize>,
}

/// What an entry does.
#[derive(Clone, Debug)]
pub enum CommandKind {
    /// Runs a command.
    Run(Scalar),
    /// Runs a task.
    Call(TaskfileCall),
    /// Runs a command at the end.
    DeferRun(Scalar),
    /// Runs a task at the end.
    DeferCall(TaskfileCall),
}

/// A task that is called.
#[derive(Clone, Debug)]
pub struct TaskfileCall {
    /// Its name, a template.
    pub task: Scalar,
    /// What it is given.
    pub vars: Vec<TaskfileVariable>,
}

/// `for`.
#[derive(Clone, Debug)]
pub enum Loop {
    /// Each of these.
    List(Vec<Node>),
    /// Each part of a variable.
    Var {
        /// The variable.
        name: Scalar,
        /// What stands between the parts.
        split: Option<Scalar>,
        /// What the part is called instead of `ITEM`.
        called: Option<Scalar>,
    },
    /// All combinations.
    Matrix(Vec<(Sp<String>, MatrixRow)>),
    /// Each file of `sources`.
    Sources,
    /// Each file of `generates`.
    Generates,
}

/// A row of a matrix.
#[derive(Clone, Debug)]
pub enum MatrixRow {
    /// These.
    List(Vec<Node>),
    /// What an expression gives.
    Ref(Scalar),
}

/// An entry of `sources` or `generates`.
#[derive(Clone, Debug)]
pub struct Glob {
    /// The pattern.
    pub pattern: Scalar,
    /// Whether it takes out instead of adding.
    pub excludes: bool,
}

/// An entry of `preconditions`.
#[derive(Clone, Debug)]
pub struct Precondition {
    /// The command.
    pub sh: Scalar,
    /// `msg`.
    pub message: Option<Scalar>,
}

/// An entry of `requires.vars`.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The variable.
    pub name: Scalar,
    /// `enum`.
    pub choices: Vec<Scalar>,
    /// `enum.ref`.
    pub choices_ref: Option<Scalar>,
}

/// `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Often {
    /// Each time.
    Always,
    /// Once.
    Once,
    /// Once for each set of variables.
    WhenChanged,
}
