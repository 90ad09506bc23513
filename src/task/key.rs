//! What a run of a task depends on: its key, field by field, with which it is compared with the
//! last run that went well. Secrets stand in it as symbols, so that none is written anywhere.

use std::collections::BTreeMap;

use crate::{
    cache,
    model::{ArtifactId, Fault, Inputs, Name},
    workspace::{Meaning, Names, Task, Template, Text, Workspace},
};

use super::{
    command::Ground,
    files::marks,
    plan::Invocation,
    record::{Record, digest},
    steps::{Rendering, Step, Work},
};

/// What goes into the key of a task now, and what its files hold; nothing for one without inputs.
pub fn look(
    workspace: &Workspace,
    names: &Names,
    invocation: &Invocation,
    rendering: &Rendering,
    ground: &Ground,
    steps: &[Step],
) -> Result<Option<Record>, Fault> {
    let task = invocation.task;
    if task.inputs.is_empty() {
        return Ok(None);
    }
    let patterns = |templates: &[Template]| -> Result<Vec<String>, Fault> {
        let render = |template| Ok(rendering.text(template)?.expand(&ground.places));
        templates.iter().map(render).collect()
    };
    let known = Record::read(&workspace.layout, invocation).unwrap_or_default();
    let inputs = marks(&ground.dir, &patterns(&task.inputs)?, task.gitignore, &known.inputs)?;
    let outputs = marks(&ground.dir, &patterns(&task.outputs)?, false, &known.outputs)?;
    let fields = Inputs::from([
        ("run".to_owned(), digest(&commands(names, steps))),
        ("env".to_owned(), digest(&ground.env)),
        (
            "vars".to_owned(),
            digest(&BTreeMap::from([(String::new(), rendering.bindings.written())])),
        ),
        ("needs".to_owned(), digest(&fingerprints(workspace, names, task))),
        (
            "dir".to_owned(),
            digest(&BTreeMap::from([(String::new(), ground.dir.display().to_string())])),
        ),
        (
            "outputs".to_owned(),
            digest(&BTreeMap::from([(String::new(), format!("{:?}", patterns(&task.outputs)?))])),
        ),
    ]);
    Ok(Some(Record { fields, inputs, outputs }))
}

/// All that `steps` run, and all that the tasks they call may run.
fn commands(names: &Names, steps: &[Step]) -> BTreeMap<String, String> {
    let mut commands = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let condition = step.condition.as_ref().map(Text::symbolic);
        let what = match &step.what {
            Work::Run(line) => line.symbolic(),
            Work::Call(invocation) => {
                format!("{} {}", invocation.key(), definition(names, invocation.task))
            }
            Work::Later(later) => format!("finally {}", later.source()),
        };
        commands.insert(format!("{index:06}"), format!("{condition:?} {what}"));
    }
    commands
}

/// Everything written in `task` and in those it comes to run. Ends, since tasks call each other
/// in no circle.
fn definition(names: &Names, task: &Task) -> String {
    let mut text = String::new();
    let mut open = vec![task];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(task) = open.pop() {
        if !seen.insert(&task.name) {
            continue;
        }
        let variables = task.vars.iter().flat_map(|var| var.variable.templates());
        for template in task.templates().into_iter().chain(variables) {
            text.push_str(template.source());
            text.push('\n');
        }
        text.extend(task.home.given.iter().map(|(name, value)| format!("{name}={value}\n")));
        let meant = task.calls().filter_map(|call| names.meant(task, &call.name.text));
        open.extend(meant.filter_map(|meaning| match meaning {
            Meaning::Task(task) => Some(task),
            Meaning::Subsystem(_) => None,
        }));
    }
    text
}

/// The fingerprints of the subsystems that `task` needs, as they are installed.
fn fingerprints(workspace: &Workspace, names: &Names, task: &Task) -> BTreeMap<String, String> {
    let print = |name: &str| {
        let id = ArtifactId { name: Name::new(name).ok()?, platform: workspace.platform };
        let record = cache::Record::read(&workspace.layout.record(&id))?;
        Some(record.stamp.fingerprint.to_string())
    };
    let needs =
        task.needs.iter().filter_map(|need| match names.meant(task, &need.call.name.text)? {
            Meaning::Subsystem(name) => Some((name.to_owned(), print(name).unwrap_or_default())),
            Meaning::Task(_) => None,
        });
    needs.collect()
}
