//! The reference, made from what forge itself goes by: the tables of the language, the command
//! line, the words of templates. Each topic is a page of Markdown: `docs/reference/NAME.md` in
//! the documentation, and text in a terminal.

mod commands;
mod environment;
mod facts;
mod json;
mod keys;
mod templates;

pub use json::{JSON_DOCUMENTS, JsonDocument, document_schema};

/// A page of the reference.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceTopic {
    /// Its name: that of its file, and what `forge help` calls it.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is about, in a sentence or two of Markdown.
    pub about: &'static str,
    body: fn(&Self) -> String,
}

/// All topics, in the order in which people look for them.
pub const TOPICS: &[ReferenceTopic] = &[
    ReferenceTopic {
        name: "manifest",
        title: "versions.yml",
        about: "The manifest: which version of what, and where releases live. Only `versions` is required.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "spec",
        title: "Specs",
        about: "`subsystems/NAME.yml` says how a subsystem is obtained, built and run. Write what differs from the defaults, and nothing else. `forge explain NAME` shows what a spec comes to.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "tasks",
        title: "Tasks",
        about: "`tasks:` of `versions.yml`, of a spec or of a file of tasks maps names to tasks. A task is a command, a list of commands, or a mapping with the keys below. [The guide](../guides/tasks.md) has examples.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "includes",
        title: "Files of tasks",
        about: "`include:` takes the tasks of other files. What stands in such a file is below, too.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "services",
        title: "Services",
        about: "`service:` of a spec says what of it keeps running: a command, or a mapping. [The guide](../guides/services.md) has examples.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "images",
        title: "Images",
        about: "`image:` of a spec says which container image it is released as: its repository alone, or a mapping. [The guide](../guides/images.md) has an example.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "deployments",
        title: "Deployments",
        about: "`environments:` of `versions.yml` says where to, `deploy:` of a spec how: a command, or a mapping. [The guide](../guides/deployments.md) has an example.",
        body: keys::page,
    },
    ReferenceTopic {
        name: "templates",
        title: "Templates",
        about: "Text in `{{ … }}` is an expression of [Jinja](https://docs.rs/minijinja/latest/minijinja/syntax/index.html), as minijinja reads it; `{% if %}`, `{% for %}` and `{% set %}` work too, and comments are `{{# … #}}`. A word that nobody defined is an error. A value that begins with `{{` stands in quotes in YAML.",
        body: templates::page,
    },
    ReferenceTopic {
        name: "commands",
        title: "Commands",
        about: "`forge` alone lists what there is. A task's name alone runs it, unless a command has that name.",
        body: commands::page,
    },
    ReferenceTopic {
        name: "exit-codes",
        title: "Exit codes",
        about: "What the exit code of forge says. With `forge run -x` it is that of the command that failed.",
        body: facts::exit_codes,
    },
    ReferenceTopic {
        name: "json",
        title: "JSON documents",
        about: "With `--json` a command prints one document on standard output and everything else on standard error. Each has `schema`, a number that changes when a key does. Keys may be added; `[]` is an element of a list.",
        body: json::page,
    },
    ReferenceTopic {
        name: "environment",
        title: "Environment variables",
        about: "What forge reads from the environment. What builds and tasks see of it is on a [page of its own](../concepts/builds.md).",
        body: environment::page,
    },
    ReferenceTopic {
        name: "stores",
        title: "Stores",
        about: "`releases:` of `versions.yml` names a store or a list of them. They are asked in order; the first is published to.",
        body: facts::stores,
    },
    ReferenceTopic {
        name: "layout",
        title: "Files and folders",
        about: "What is where: in the workspace, of the user, and in a store.",
        body: facts::layout,
    },
];

impl ReferenceTopic {
    /// The topic called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        TOPICS.iter().find(|topic| topic.name == name)
    }

    /// Its page, as Markdown. Links lead to other pages of the documentation.
    pub fn markdown(&self) -> String {
        let note = "<!-- Made by `FORGE_WRITE_REFERENCE=1 cargo test reference`: change the tables in src, not this page. -->";
        let body = (self.body)(self);
        format!("{note}\n\n# {}\n\n{}\n\n{}\n", self.title, self.about, body.trim_end())
    }

    /// Its page for a terminal: without what only makes sense in a browser.
    pub fn text(&self) -> String {
        let page =
            format!("# {}\n\n{}\n\n{}\n", self.title, self.about, (self.body)(self).trim_end());
        let mut is_code = false;
        let mut text = String::new();
        for line in page.lines() {
            match line.starts_with("```") {
                true => is_code = !is_code,
                false if is_code => text.push_str(&format!("    {line}\n")),
                false => text.push_str(&(without_links(line) + "\n")),
            }
        }
        text
    }
}

/// A line in which each `[text](target)` is its text.
fn without_links(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let link = after.split_once("](").and_then(|(text, target)| {
            let (_, after) = target.split_once(')')?;
            (!text.contains('[')).then_some((text, after))
        });
        match link {
            Some((text, after)) => {
                plain.push_str(text);
                rest = after;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// A table of Markdown.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let names: Vec<_> = head.iter().map(|&name| name.to_owned()).collect();
    let mut text = line(&names);
    text.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    rows.into_iter().for_each(|row| text.push_str(&line(&row)));
    text.push('\n');
    text
}

/// `text` as code, however many backticks it holds.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_page_and_a_text() {
        for topic in TOPICS {
            assert!(topic.about.ends_with('.'), "{}", topic.name);
            assert!(topic.markdown().lines().count() > 10, "{}", topic.name);
            assert!(!topic.text().contains("]("), "{}", topic.name);
        }
        assert!(ReferenceTopic::named("spec").is_some());
        assert!(ReferenceTopic::named("nothing").is_none());
    }

    #[test]
    fn links_become_their_text() {
        assert_eq!(without_links("see [a page](x.md#y), [b] and c[0]"), "see a page, [b] and c[0]");
    }
}
