//! What the words of a task mean: its parameters, and those of its variables and of its file's
//! that something looks at, each after those it looks at.

use crate::{
    model::{Environment, Fault},
    workspace::{
        Bindings, Each, Over, Renderer, Secret, Task, TaskText, TaskVariable, TemplateValue, Var,
    },
};

use super::{evaluation::Evaluation, plan::Invocation};

/// What the words of `invocation` mean that nothing has to run for.
pub fn fixed(renderer: &Renderer, invocation: &Invocation) -> Result<Bindings, Fault> {
    let mut bindings = invocation.bindings();
    let task = invocation.task;
    for var in needed(task).0.into_iter().filter(|var| !var.is_lazy) {
        let value = match &var.variable {
            TaskVariable::Value(data) => renderer.data(task, data, &bindings)?,
            TaskVariable::Expr(expression) => renderer.evaluate(task, expression, &bindings)?,
            TaskVariable::Sh(_) | TaskVariable::Secret(_) => continue,
        };
        bindings.set(&var.name, value);
    }
    Ok(bindings)
}

/// What is known once a task begins.
pub struct Learned {
    /// What its words mean.
    pub words: Bindings,
    /// What the words of its file mean to the file itself.
    pub of_file: Bindings,
}

/// What all words of `invocation` mean.
pub async fn learn(
    renderer: &Renderer<'_>,
    invocation: &Invocation<'_>,
    evaluation: &Evaluation<'_, '_>,
) -> Result<Learned, Fault> {
    find(renderer, invocation, needed(invocation.task), evaluation).await
}

/// What those words of `invocation` mean that its needs look at.
pub async fn learn_for_needs(
    renderer: &Renderer<'_>,
    invocation: &Invocation<'_>,
    evaluation: &Evaluation<'_, '_>,
) -> Result<Learned, Fault> {
    find(renderer, invocation, needed_by_needs(invocation.task), evaluation).await
}

/// Whether something has to be found out to tell what `task` needs.
pub fn asks_for_needs(task: &Task) -> bool {
    let (own, of_file) = needed_by_needs(task);
    let is_open = |each: &Each| {
        matches!(each.over, Over::Sh(..) | Over::Glob(_) | Over::Inputs | Over::Outputs)
    };
    own.into_iter().chain(of_file).any(|var| var.is_lazy)
        || task.needs.iter().filter_map(|need| need.each.as_ref()).any(is_open)
}

async fn find(
    renderer: &Renderer<'_>,
    invocation: &Invocation<'_>,
    (own, of_file): (Vec<&Var>, Vec<&Var>),
    evaluation: &Evaluation<'_, '_>,
) -> Result<Learned, Fault> {
    let task = invocation.task;
    let mut bindings = Bindings::default();
    // Those that are known before a run have their values since the workspace was loaded.
    for var in of_file.into_iter().filter(|var| var.is_lazy) {
        let value = value(renderer, task, var, &bindings, evaluation).await?;
        bindings.set(&var.name, value);
    }
    let of_file = bindings.clone();
    bindings.extend(invocation.bindings());
    for var in own {
        let value = match invocation.found.get(&var.name).filter(|_| var.is_lazy) {
            Some(found) => found,
            None => value(renderer, task, var, &bindings, evaluation).await?,
        };
        bindings.set(&var.name, value);
    }
    Ok(Learned { words: bindings, of_file })
}

async fn value(
    renderer: &Renderer<'_>,
    task: &Task,
    var: &Var,
    bindings: &Bindings,
    evaluation: &Evaluation<'_, '_>,
) -> Result<TemplateValue, Fault> {
    let within = |fault: Fault| {
        fault.within(format!("cannot tell `{}` of the task {}", var.name, task.name))
    };
    let line = |line| Ok::<_, Fault>(renderer.render(task, line, bindings)?.trimmed());
    let secret = match &var.variable {
        TaskVariable::Value(data) => return renderer.data(task, data, bindings),
        TaskVariable::Expr(expression) => return renderer.evaluate(task, expression, bindings),
        TaskVariable::Sh(sh) => {
            let printed = evaluation.printed(&line(sh)?, var.dir.as_deref()).await;
            return Ok(TemplateValue::text(printed.map_err(within)?));
        }
        TaskVariable::Secret(secret) => secret,
    };
    let file = var.dir.as_deref();
    let value = async {
        match secret {
            Secret::Text(text) => renderer.plain(task, text, bindings),
            Secret::Env(name) => {
                from_environment(renderer.environment(), &renderer.plain(task, name, bindings)?)
            }
            Secret::Sh(sh) => evaluation.printed(&line(sh)?, file).await,
        }
    };
    let owner = file.map_or_else(|| task.name.clone(), |dir| dir.display().to_string());
    evaluation.secret(&format!("{owner}/{}", var.name), value).await.map_err(within)
}

fn from_environment(environment: &Environment, name: &str) -> Result<String, Fault> {
    environment.get(name).map(str::to_owned).ok_or_else(|| {
        let what = format!("the environment variable `{name}`, which holds a secret, is not set");
        Fault::new(crate::model::Kind::Usage, what)
    })
}

/// The variables of `task`, and those of its file, that something looks at; each after those it
/// looks at.
pub fn needed(task: &Task) -> (Vec<&Var>, Vec<&Var>) {
    looked_at(task, &task.templates(), &task.expressions(), &task.home.late_env)
}

/// As [`needed`], of those that its needs look at.
fn needed_by_needs(task: &Task) -> (Vec<&Var>, Vec<&Var>) {
    looked_at(task, &task.templates_of_needs(), &task.expressions_of_needs(), &[])
}

fn looked_at<'t>(
    task: &'t Task,
    templates: &[&TaskText],
    expressions: &[&TaskText],
    env: &[(String, TaskText)],
) -> (Vec<&'t Var>, Vec<&'t Var>) {
    let of_file = task.home.vars.iter().map(|var| (var.name.as_str(), Some(var)));
    let given = task.with.iter().map(|parameter| (parameter.name.as_str(), None));
    let own = task.vars.iter().map(|var| (var.name.as_str(), Some(var)));
    let known: Vec<_> = of_file.chain(given).chain(own).collect();
    let in_task = |name: &str| {
        templates.iter().any(|one| one.mentions(name))
            || expressions.iter().any(|one| one.mentions_in_expression(name))
    };
    let files = task.home.vars.len();
    let in_env = |name: &str| env.iter().any(|(_, value)| value.mentions(name));
    let mut needed: Vec<(usize, &Var)> = Vec::new();
    for (at, (name, var)) in known.iter().enumerate().rev() {
        let Some(var) = var else { continue };
        // What stands before another of the same name is seen up to that one only.
        let hidden = known[at + 1..].iter().position(|(other, _)| other == name);
        let end = hidden.map_or(known.len(), |hidden| at + 1 + hidden);
        let by_others = || needed.iter().any(|(by, other)| *by <= end && looks_at(other, name));
        // The environment of the file knows the variables of the file alone.
        let by_env = at < files && end >= files && in_env(name);
        if by_env || hidden.is_none() && in_task(name) || by_others() {
            needed.push((at, var));
        }
    }
    needed.reverse();
    let split = needed.partition_point(|(at, _)| *at < files);
    let own = needed.split_off(split);
    let vars = |needed: Vec<(usize, _)>| needed.into_iter().map(|(_, var)| var).collect();
    (vars(own), vars(needed))
}

fn looks_at(var: &Var, name: &str) -> bool {
    match &var.variable {
        TaskVariable::Expr(expression) => expression.mentions_in_expression(name),
        other => other.templates().iter().any(|one| one.mentions(name)),
    }
}
