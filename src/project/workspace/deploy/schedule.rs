//! `schedules:` of `versions.yml`.

use cronexpr::{Crontab, MakeTimestamp, parse_crontab};
use jiff::{Timestamp, Zoned};

use super::DeployEnvironment;
use crate::{
    manifest::{Findings, ManifestDoc, Node, scalar},
    model::{Name, suggestion},
};

/// The zone if nothing is said.
const ZONE: &str = "UTC";

/// What `forge serve` does by itself.
#[derive(Clone, Debug)]
pub struct DeploySchedule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub work: ScheduledWork,
    /// Where.
    pub environment: String,
    /// `from:`.
    pub from: Option<String>,
    /// `cron:` with its zone, as written.
    pub text: String,
    turns: Crontab,
}

/// What a schedule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduledWork {
    /// `deploy:`.
    Deploy,
    /// `drift:`.
    Drift,
    /// `sweep:`.
    Sweep,
}

impl DeploySchedule {
    /// Its first turn after `time`, if there is one within four years.
    pub fn turn_after(&self, time: Timestamp) -> Option<Zoned> {
        self.turns.find_next(MakeTimestamp(time)).ok()
    }
}

/// Resolves `schedules:` of `doc`. What is wrong goes to `found`.
pub fn schedules(
    doc: &ManifestDoc,
    environments: &[DeployEnvironment],
    found: &mut Findings,
) -> Vec<DeploySchedule> {
    let mut all = Vec::new();
    for (name, node) in &doc.schedules {
        if let Err(why) = Name::new(&name.value) {
            let what = format!("a schedule cannot be called so: {why}");
            found.add(name.bytes.clone(), what, "not a name", "write a word such as `nightly`");
        }
        all.extend(schedule(&name.value, node, environments, found));
    }
    all
}

fn schedule(
    name: &str,
    node: &Node,
    environments: &[DeployEnvironment],
    found: &mut Findings,
) -> Option<DeploySchedule> {
    let turns = turns(node, found);
    let works = [
        ("deploy", ScheduledWork::Deploy),
        ("drift", ScheduledWork::Drift),
        ("sweep", ScheduledWork::Sweep),
    ];
    let (key, work) = works.into_iter().find(|(key, _)| node.get(key).is_some())?;
    for key in [key, "from"] {
        let Some(place) = scalar(node, key) else { continue };
        let is_of_previews = work == ScheduledWork::Sweep;
        let known = environments.iter().filter(|it| it.is_preview == is_of_previews);
        let known: Vec<&str> = known.map(|it| it.name.as_str()).collect();
        if !known.contains(&place.text.as_str()) {
            let kind = if is_of_previews { " with `pull_request`" } else { "" };
            let what = format!("`{}` is not an environment{kind}", place.text);
            found.add(place.bytes, what, "not known", suggestion(&place.text, known));
        }
    }
    let (text, turns) = turns?;
    Some(DeploySchedule {
        name: name.to_owned(),
        work,
        environment: scalar(node, key)?.text,
        from: scalar(node, "from").map(|it| it.text),
        text,
        turns,
    })
}

/// When it has its turns, and the same as text.
fn turns(node: &Node, found: &mut Findings) -> Option<(String, Crontab)> {
    let cron = scalar(node, "cron")?;
    let zone = scalar(node, "zone");
    let zone_text = zone.as_ref().map_or(ZONE, |zone| zone.text.as_str());
    if let Some(zone) = &zone
        && parse_crontab(&format!("* * * * * {}", zone.text)).is_err()
    {
        let what = format!("`{}` is not a time zone that this machine knows", zone.text);
        let help = "write a name such as `Europe/Berlin`, or `UTC`";
        found.add(zone.bytes.clone(), what, "not known", help);
        return None;
    }
    let text = format!("{} {zone_text}", cron.text);
    let is_whole = cron.text.split_whitespace().count() == 5;
    match parse_crontab(&text) {
        Ok(turns) if is_whole => Some((text, turns)),
        _ => {
            let what = format!("`{}` does not say when", cron.text);
            let help = "write minute, hour, day, month and day of the week: `30 2 * * 1-5` is half past two from Monday to Friday";
            found.add(cron.bytes, what, "not five fields of cron", help);
            None
        }
    }
}
