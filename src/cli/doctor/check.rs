//! A check: what was looked at, what was found, and what to do about it.

use super::super::own;
use crate::{
    model::{Fault, Platform},
    report::{Align, Cell, Role, SCHEMA, Style, Table, render_fault, render_warning},
};

/// What was found in one place.
#[derive(Debug)]
pub(super) struct Check {
    /// What kind of thing: `store`, `tool`.
    topic: &'static str,
    /// Which of them.
    subject: String,
    found: String,
    state: CheckState,
    /// What is wrong in full, and what to do.
    fault: Option<Fault>,
}

/// What to think of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckState {
    Good,
    /// Worth knowing; nothing fails for it.
    Note,
    /// Something would fail.
    Bad,
}

impl Check {
    /// A check that found nothing wrong.
    pub(super) fn new(
        topic: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (subject, found) = (subject.into(), found.into());
        Self { topic, subject, found, state: CheckState::Good, fault: None }
    }

    /// Nothing fails for it, but it is worth knowing.
    pub(super) fn note(self, fault: Fault) -> Self {
        Self { state: CheckState::Note, fault: Some(fault), ..self }
    }

    /// Something would fail.
    pub(super) fn bad(self, fault: Fault) -> Self {
        Self { state: CheckState::Bad, fault: Some(fault), ..self }
    }

    fn json(&self) -> serde_json::Value {
        let fault = self.fault.as_ref();
        serde_json::json!({
            "topic": self.topic,
            "subject": self.subject,
            "found": self.found,
            "state": self.state.as_str(),
            "what": fault.map(|fault| &fault.what),
            "why": fault.map(|fault| &fault.why),
            "help": fault.and_then(|fault| fault.hint.as_ref()),
        })
    }
}

impl CheckState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Good => Role::Ok,
            Self::Note => Role::Warn,
            Self::Bad => Role::Error,
        }
    }
}

/// All checks.
pub(super) struct Checks(pub(super) Vec<Check>);

impl Checks {
    /// Whether nothing would fail.
    pub(super) fn are_good(&self) -> bool {
        self.count(CheckState::Bad) == 0
    }

    fn count(&self, state: CheckState) -> usize {
        self.0.iter().filter(|check| check.state == state).count()
    }

    /// For other programs.
    pub(super) fn json(&self, platform: Platform) -> String {
        let document = serde_json::json!({
            "schema": SCHEMA,
            "ok": self.are_good(),
            "forge": own::VERSION,
            "platform": platform.to_string(),
            "checks": self.0.iter().map(Check::json).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }

    /// For people: a table, then what to do about what is wrong.
    pub(super) fn text(&self, platform: Platform, style: Style) -> String {
        let mut table =
            Table::new([("checked", Align::Left), ("", Align::Left), ("found", Align::Left)]);
        for check in &self.0 {
            table.row([
                Cell::new(Role::Plain, check.topic),
                Cell::new(Role::Name, &check.subject),
                Cell::new(check.state.role(), &check.found),
            ]);
        }
        let mut text = format!("forge {} for {platform}\n\n", own::VERSION);
        text.push_str(&table.render(style));
        text.push('\n');
        for check in &self.0 {
            match (&check.fault, check.state) {
                (Some(fault), CheckState::Bad) => text.push_str(&render_fault(fault, style)),
                (Some(fault), _) => text.push_str(&render_warning(None, fault, style)),
                (None, _) => {}
            }
        }
        text.push_str(&self.sum());
        text
    }

    fn sum(&self) -> String {
        match (self.count(CheckState::Bad), self.count(CheckState::Note)) {
            (0, 0) => "all is well\n".into(),
            (0, 1) => "nothing would fail; 1 thing is worth knowing\n".into(),
            (0, notes) => format!("nothing would fail; {notes} things are worth knowing\n"),
            (1, _) => "1 thing would fail\n".into(),
            (bad, _) => format!("{bad} things would fail\n"),
        }
    }
}
