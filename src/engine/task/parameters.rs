//! What a task is given, compared with what it declares.

use std::collections::BTreeMap;

use crate::{
    model::{Fault, Kind, suggestion},
    workspace::{Assignments, Parameter, Task},
};

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterRequest {
    /// The names of tasks.
    pub tasks: Vec<String>,
    /// `NAME=value`: parameters of these tasks, or variables of the files they stand in.
    pub given: BTreeMap<String, String>,
}

impl ParameterRequest {
    /// Reads the words of a command line. No task has a `=` in its name.
    ///
    /// # Errors
    /// `Usage` for a name that is given twice.
    pub fn read(words: &[String]) -> Result<Self, Fault> {
        let mut request = Self::default();
        for word in words {
            let Some((name, value)) = word.split_once('=') else {
                request.tasks.push(word.clone());
                continue;
            };
            if request.given.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(Fault::new(Kind::Usage, format!("`{name}` is given twice")));
            }
        }
        Ok(request)
    }

    /// What it sets beyond the parameters of `tasks`: variables of the files they stand in.
    ///
    /// # Errors
    /// `Usage` for a name that is neither.
    pub fn assignments(&self, tasks: &[&Task]) -> Result<Assignments, Fault> {
        let mut set = Assignments::new();
        for (name, value) in &self.given {
            let mut is_known = false;
            for task in tasks {
                if task.with.iter().any(|parameter| parameter.name == *name) {
                    is_known = true;
                } else if let Some(home) = task.variable(name) {
                    is_known = true;
                    set.entry(home).or_default().insert(name.clone(), value.clone());
                }
            }
            if !is_known {
                return Err(unknown(tasks, name));
            }
        }
        Ok(set)
    }

    /// What of it are parameters of `task`.
    pub fn parameters(&self, task: &Task) -> BTreeMap<String, String> {
        let is_own = |name: &str| task.with.iter().any(|parameter| parameter.name == name);
        let own = self.given.iter().filter(|(name, _)| is_own(name));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

fn unknown(tasks: &[&Task], name: &str) -> Fault {
    let what = match tasks {
        [task] => format!("the task {} has no parameter `{name}`", task.name),
        _ => format!("none of these tasks has a parameter `{name}`"),
    };
    let parameters = tasks.iter().flat_map(|task| &task.with).map(|one| one.name.as_str());
    let mut known: Vec<&str> =
        parameters.chain(tasks.iter().flat_map(|task| task.variables())).collect();
    known.sort_unstable();
    known.dedup();
    let hint = match known.is_empty() {
        true => "there is nothing to give; what the commands are to get stands after `--`".into(),
        false => suggestion(name, known),
    };
    let why = match tasks {
        [_] => "its file has no variable of that name at its top either",
        _ => "their files have no variable of that name at their tops either",
    };
    Fault::new(Kind::Usage, what).because(why).hint(hint)
}

/// The value of each parameter of `task`.
///
/// # Errors
/// `Usage` for what is unknown, missing or not allowed.
pub fn settle(
    task: &Task,
    mut given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut settled = BTreeMap::new();
    for parameter in &task.with {
        let value = given.remove(&parameter.name);
        let value = value.map_or_else(|| default(task, parameter), Ok)?;
        let is_given = Some(&value) != parameter.default.as_ref();
        if is_given && !parameter.choices.is_empty() && !parameter.choices.contains(&value) {
            let what =
                format!("`{}` of the task {} cannot be `{value}`", parameter.name, task.name);
            return Err(Fault::new(Kind::Usage, what)
                .hint(format!("it is one of {}", parameter.choices.join(", "))));
        }
        settled.insert(parameter.name.clone(), value);
    }
    match given.into_keys().next() {
        None => Ok(settled),
        Some(unknown) => {
            let what = format!("the task {} has no parameter `{unknown}`", task.name);
            let known = task.with.iter().map(|parameter| parameter.name.as_str());
            let hint = match task.with.is_empty() {
                true => "it takes none".into(),
                false => suggestion(&unknown, known),
            };
            Err(Fault::new(Kind::Usage, what).hint(hint))
        }
    }
}

fn default(task: &Task, parameter: &Parameter) -> Result<String, Fault> {
    parameter.default.clone().ok_or_else(|| {
        let name = &parameter.name;
        let fault =
            Fault::new(Kind::Usage, format!("the task {} must be given `{name}`", task.name));
        let fault = parameter.desc.iter().fold(fault, |fault, desc| fault.because(desc.clone()));
        match parameter.choices.as_slice() {
            [] => fault.hint(format!("write `forge {} {name}=…`", task.name)),
            choices => fault.hint(format!("write `{name}=` and one of {}", choices.join(", "))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_and_values() {
        let read = |words: &[&str]| {
            ParameterRequest::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let request = read(&["x", "a=1", "y", "b=x=y"]).unwrap();
        assert_eq!(
            (request.given["b"].as_str(), request.tasks),
            ("x=y", vec!["x".into(), "y".into()])
        );
        assert!(read(&["a=1", "a=2"]).unwrap_err().to_string().contains("given twice"));
    }
}
