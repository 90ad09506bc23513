//! What a task is given, compared with what it declares.

use std::collections::BTreeMap;

use crate::{
    model::{Fault, Kind, suggestion},
    workspace::{Parameter, Task},
};

/// Reads `NAME=value` words of a command line.
///
/// # Errors
/// `Usage` for a word without `=`, and for a name that stands twice.
pub fn read_words(words: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let mut given = BTreeMap::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            let what = format!("`{word}` is no parameter");
            return Err(Fault::new(Kind::Usage, what)
                .hint("write `NAME=value`; what the commands are to get stands after `--`"));
        };
        if given.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Fault::new(Kind::Usage, format!("the parameter `{name}` is given twice")));
        }
    }
    Ok(given)
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
            read_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(read(&["a=1", "b=x=y"]).unwrap()["b"], "x=y");
        assert!(read(&["a"]).unwrap_err().to_string().contains("`a` is no parameter"));
        assert!(read(&["a=1", "a=2"]).unwrap_err().to_string().contains("given twice"));
    }
}
