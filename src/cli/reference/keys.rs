//! Keys of `versions.yml`, specs and files of tasks.

use std::fmt::Write as _;

use super::{ReferenceTopic, code};
use crate::manifest::{Field, LanguageTable, Mapping, Presence, Shape, language_tables};

/// The tables of a page.
pub(super) fn page(topic: &ReferenceTopic) -> String {
    let tables = language_tables();
    let links = Links { page: topic.name, tables: &tables };
    let mut text = String::new();
    for table in tables.iter().filter(|table| table.page == topic.name) {
        let _ = writeln!(text, "## {}\n", title(table.mapping));
        text.push_str(&choice(table.mapping));
        table.mapping.fields.iter().for_each(|field| text.push_str(&links.key(table, field)));
    }
    text
}

/// `a source` as a heading.
fn title(mapping: &Mapping) -> String {
    let mut letters = mapping.what.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Which keys exclude each other.
fn choice(mapping: &Mapping) -> String {
    match mapping.exactly_one {
        [] => String::new(),
        [only] => format!("{} is required.\n\n", code(only)),
        keys => {
            let keys: Vec<_> = keys.iter().map(|key| code(key)).collect();
            format!("Exactly one of {} is required.\n\n", keys.join(", "))
        }
    }
}

struct Links<'t> {
    page: &'t str,
    tables: &'t [LanguageTable],
}

impl Links<'_> {
    fn key(&self, table: &LanguageTable, field: &Field) -> String {
        let mut text = format!("### `{}{}`\n\n{}\n\n", table.prefix, field.key, field.doc);
        let mut facts = vec![format!("Type: {}", self.kind(&field.shape))];
        match field.need {
            Presence::Optional => {}
            Presence::Required => facts.push("required".into()),
            Presence::With(other) => facts.push(format!("only beside `{other}`")),
            Presence::RequiredWith(other) => facts.push(format!("required beside `{other}`")),
        }
        match (field.default, field.shape) {
            (Some(default), _) => facts.push(format!("default: {default}")),
            (None, Shape::Flag) => facts.push("default: `false`".into()),
            _ => {}
        }
        facts.push(format!("since {}", field.since));
        let _ = writeln!(text, "{}.\n", facts.join("; "));
        let _ = writeln!(text, "```yaml\n{}: {}\n```\n", field.key, field.example);
        text
    }

    /// What a value is, with links to the keys of mappings.
    fn kind(&self, shape: &Shape) -> String {
        match shape {
            Shape::List(inner) => format!("a list, each {}", self.kind(inner)),
            Shape::Map(names, inner) => format!("a mapping from {names} to {}", self.kind(inner)),
            Shape::Record(mapping) => self.link(mapping),
            Shape::OneOf(shapes) => {
                let kinds: Vec<_> = shapes.iter().map(|shape| self.kind(shape)).collect();
                kinds.join(", or ")
            }
            Shape::Value => "text or a number".into(),
            other => other.what(),
        }
    }

    fn link(&self, mapping: &Mapping) -> String {
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        let anchor: String = mapping.what.to_lowercase().chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let home = self.tables.iter().find(|table| std::ptr::eq(table.mapping, mapping));
        match home.map(|table| table.page) {
            Some(page) if page != self.page => format!("[{}]({page}.md#{anchor})", mapping.what),
            _ => format!("[{}](#{anchor})", mapping.what),
        }
    }
}
