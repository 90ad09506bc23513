//! The tables of the language, page by page, for whoever explains it: the reference and the
//! help in the terminal.

use super::{
    deploy_language::{DEPLOY, ENVIRONMENTS, NOTIFY, SCHEDULES},
    image_language::IMAGE,
    include::{INCLUDE, TASK_FILE},
    language::MANIFEST,
    service_language::SERVICE,
    shape::{Mapping, Shape},
    spec_language::SPEC,
    task_language::TASKS,
};

/// A mapping that people write, and where.
#[derive(Clone, Debug)]
pub struct LanguageTable {
    /// The page that it is explained on.
    pub page: &'static str,
    /// What stands before its keys there: `build.go.`, or nothing.
    pub prefix: String,
    /// Its keys.
    pub mapping: &'static Mapping,
}

/// All mappings of `versions.yml`, of specs and of files of tasks, each once: on the first page
/// that comes to it. Pages come in the order in which they own what several lead to.
pub fn language_tables() -> Vec<LanguageTable> {
    let mut tables = Vec::new();
    let own = |prefix: &str, shape: &Shape, page, tables: &mut Vec<LanguageTable>| {
        Walk { page, tables }.shape(prefix, shape);
    };
    own("", &TASKS, "tasks", &mut tables);
    own("", &INCLUDE, "includes", &mut tables);
    own("", &Shape::Record(&TASK_FILE), "includes", &mut tables);
    own("", &SERVICE, "services", &mut tables);
    own("", &IMAGE, "images", &mut tables);
    own("deploy.", &DEPLOY, "deployments", &mut tables);
    own("environments.", &ENVIRONMENTS, "deployments", &mut tables);
    own("schedules.", &SCHEDULES, "deployments", &mut tables);
    own("notify.", &Shape::Record(&NOTIFY), "deployments", &mut tables);
    own("", &Shape::Record(&MANIFEST), "manifest", &mut tables);
    own("", &Shape::Record(&SPEC), "spec", &mut tables);
    tables
}

struct Walk<'t> {
    page: &'static str,
    tables: &'t mut Vec<LanguageTable>,
}

impl Walk<'_> {
    fn shape(&mut self, prefix: &str, shape: &Shape) {
        match shape {
            Shape::Maybe(inner) => self.shape(prefix, inner),
            Shape::List(inner) => {
                self.shape(&format!("{}[].", prefix.trim_end_matches('.')), inner);
            }
            Shape::Map(_, inner) if prefix.is_empty() => self.shape("", inner),
            Shape::Map(_, inner) => self.shape(&format!("{prefix}NAME."), inner),
            Shape::OneOf(shapes) => {
                // What a list of them is called follows from where the whole is explained.
                let (whole, parts): (Vec<_>, Vec<_>) =
                    shapes.iter().partition(|shape| matches!(shape, Shape::Record(_)));
                whole.into_iter().chain(parts).for_each(|shape| self.shape(prefix, shape));
            }
            Shape::Record(mapping) => self.mapping(prefix, mapping),
            _ => {}
        }
    }

    fn mapping(&mut self, prefix: &str, mapping: &'static Mapping) {
        if self.tables.iter().any(|table| std::ptr::eq(table.mapping, mapping)) {
            return;
        }
        let prefix = prefix.to_owned();
        self.tables.push(LanguageTable { page: self.page, prefix: prefix.clone(), mapping });
        for field in mapping.fields {
            self.shape(&format!("{prefix}{}.", field.key), &field.shape);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Findings, MAX_BYTES, ManifestFile, check::check, yaml};

    #[test]
    fn every_key_has_an_example_that_its_table_accepts() {
        let mut wrong = Vec::new();
        for table in language_tables() {
            for field in table.mapping.fields {
                let name = format!("{}{}", table.prefix, field.key);
                if field.example.is_empty() {
                    wrong.push(format!("{name} has no example"));
                    continue;
                }
                let text = format!("{}: {}\n", field.key, field.example);
                let file = ManifestFile::new("x.yml".into(), text.clone().into_bytes(), MAX_BYTES);
                let mut found = Findings::new(&file);
                match yaml::parse(&file.text) {
                    Ok(Some(root)) => check(&root.entries()[0].value, &field.shape, &mut found),
                    broken => wrong.push(format!("{name}: {text}: {broken:?}")),
                }
                wrong.extend(found.diagnostics.iter().map(|d| format!("{name}: {}", d.what)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_table_is_on_one_page() {
        let tables = language_tables();
        assert!(tables.len() > 20, "{}", tables.len());
        let mut names: Vec<_> = tables.iter().map(|table| table.mapping.what).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), tables.len(), "two tables are called the same: {names:?}");
    }
}
