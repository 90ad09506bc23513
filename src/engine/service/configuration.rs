//! What the supervisor is told: a file in Process Compose's format, with the services that are to run.
//! Pure but for reading and writing that file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ServicePaths;
use crate::{
    cache::write_state,
    disk::{MOST_OF_TEXT, read_text},
    model::{Fault, Name},
    process::is_one_program,
    workspace::{Places, Restart, Service},
};

/// The variable that says of which service a process is, which binaries that was started with, and for
/// the how manieth time: `nats v2.10.24 (4b5d23cfb409) #1`.
pub const VARIABLE: &str = "FORGE_SERVICE";

/// So often a look may fail until the supervisor gives up by itself: never, since it would end the
/// service then and not start it again, whatever its restart policy says.
const FAILURES: u32 = 1_000_000_000;
/// After this many bytes a log begins anew; one old one is kept.
const LOG_MEGABYTES: u32 = 16;

/// The services that are to run, by their names, in the supervisor's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration(BTreeMap<Name, Value>);

/// One service, as it is to be started.
pub struct ServiceStart<'a> {
    /// Its name.
    pub name: &'a Name,
    /// What it is.
    pub service: &'a Service,
    /// What the places are for it.
    pub places: &'a Places,
    /// Which binaries it is started with, [`VARIABLE`].
    pub binaries: &'a str,
    /// Variables that other services of the supervisor inherit, and this one does not.
    pub withheld: &'a [String],
}

impl ServiceStart<'_> {
    /// What a shell does first: it forgets what is withheld.
    pub fn prologue(&self) -> String {
        match self.withheld {
            [] => String::new(),
            names => format!("unset {}; ", names.join(" ")),
        }
    }
}

impl Configuration {
    /// What was written last; nothing, if that cannot be read.
    pub fn read(home: &ServicePaths) -> Self {
        let text = read_text(&home.configuration(), MOST_OF_TEXT).unwrap_or_default();
        let document: Value = serde_json::from_str(&text.replace("$$", "$")).unwrap_or_default();
        let processes = document["processes"].as_object().cloned().unwrap_or_default();
        let named = |(name, value): (String, Value)| Some((Name::of_file(&name).ok()?, value));
        Self(processes.into_iter().filter_map(named).collect())
    }

    /// Writes it, as a whole or not at all.
    pub fn write(&self, home: &ServicePaths) -> Result<(), Fault> {
        let file = home.configuration();
        home.make_folders(self.names())?;
        write_state(home.layout(), &file, self.text().as_bytes())
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let document = json!({
            "version": "0.5",
            "is_strict": true,
            "log_level": "info",
            "processes": self.0.iter().map(|(name, value)| (name.file_name(), value.clone()))
                .collect::<Map<_, _>>(),
        });
        // The supervisor puts variables in before it reads; `$$` is how it spells one `$`.
        format!("{document:#}\n").replace('$', "$$")
    }

    /// Lets `name` be what `wanted` is. Whether that changes anything.
    pub fn set(&mut self, name: &Name, wanted: Value) -> bool {
        self.0.get(name) != Some(&wanted) && {
            self.0.insert(name.clone(), wanted);
            true
        }
    }

    /// Leaves out all but those that `stays` holds for.
    pub fn retain(&mut self, stays: impl Fn(&Name) -> bool) {
        self.0.retain(|name, _| stays(name));
    }

    /// What is written of `name`.
    pub fn get(&self, name: &Name) -> Option<&Value> {
        self.0.get(name)
    }

    /// The services in it.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.keys()
    }

    /// What [`VARIABLE`] is for `name`.
    pub fn binaries(&self, name: &Name) -> Option<&str> {
        let variables = self.0.get(name)?["environment"].as_array()?;
        variables
            .iter()
            .filter_map(Value::as_str)
            .find_map(|v| v.strip_prefix(VARIABLE)?.strip_prefix('='))
    }
}

/// A service in the supervisor's words.
pub fn process(home: &ServicePaths, start: &ServiceStart) -> Value {
    let ServiceStart { name, service, places, binaries, .. } = start;
    let root = home.layout().root();
    let dir = service.dir.as_ref().map_or(root.to_owned(), |dir| root.join(dir.expand(places)));
    let mut process = json!({
        "entrypoint": entrypoint(home, start),
        "working_dir": literal(&dir.display().to_string()),
        "environment": environment(service, places, binaries),
        "log_location": literal(&home.log(name).display().to_string()),
        "log_configuration": {
            "disable_json": true,
            "fields_order": ["message"],
            "no_color": true,
            "no_metadata": true,
            "flush_each_line": true,
            "rotation": { "max_size_mb": LOG_MEGABYTES, "max_backups": 1 },
        },
        "availability": { "restart": match service.restart {
            Restart::No => "no",
            Restart::OnFailure => "on_failure",
            Restart::Always => "always",
        } },
        // When it has to be killed is seen to by forge: the supervisor takes what ends at once for
        // something that does not end.
        "shutdown": { "signal": service.signal },
    });
    // They are ready when it is added, so this only says in which order all end.
    let needs = service.needs.iter();
    let needs: Map<_, _> =
        needs.map(|need| (need.file_name(), json!({ "condition": "process_started" }))).collect();
    if !needs.is_empty() {
        process["depends_on"] = Value::Object(needs);
    }
    if let Some(ready) = &service.ready {
        let script = home.ready_script(name).display().to_string();
        process["readiness_probe"] = json!({
            "exec": { "command": literal(&format!("exec sh {}", quoted(&script))) },
            "initial_delay_seconds": ready.delay.as_secs(),
            "period_seconds": ready.period.as_secs(),
            // The look ends by itself before.
            "timeout_seconds": ready.timeout.as_secs() + 2,
            "failure_threshold": FAILURES,
        });
    }
    process
}

/// A shell, which makes way for the program where it has nothing else to do, so that signals reach it;
/// started by the script that sees to its last line.
fn entrypoint(home: &ServicePaths, start: &ServiceStart) -> Vec<String> {
    let line = start.service.command.expand_in_shell(start.places);
    let line = if is_one_program(&line) { format!("exec {line}") } else { line };
    let script = home.start().display().to_string();
    let words = ["/bin/sh", &script, "/bin/sh", "-eu", "-c", &(start.prologue() + &line)];
    words.map(str::to_owned).to_vec()
}

fn environment(service: &Service, places: &Places, binaries: &str) -> Vec<String> {
    let mut variables: Vec<String> = Vec::new();
    for (name, value) in &service.env {
        let value = value.expand(places);
        variables.push(match name.as_str() {
            "PATH" => format!("PATH={}:{value}", places.bin.display()),
            _ => format!("{name}={value}"),
        });
    }
    variables.push(format!("{VARIABLE}={binaries}"));
    variables
}

/// `text` as the supervisor spells it where it would take `{{` for a template of its own.
fn literal(text: &str) -> String {
    text.replace("{{", "{{\"{{\"}}")
}

/// `text` as one word of a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;
    use crate::{
        model::Layout,
        workspace::{Probe, Readiness, Text},
    };

    fn service() -> Service {
        Service {
            command: Text::new(format!("nats-server -sd {}/data", Text::symbol("root"))),
            ready: Some(Readiness {
                probe: Probe::Tcp { host: "127.0.0.1".into(), port: 4222 },
                period: Duration::from_secs(5),
                timeout: Duration::from_secs(3),
                retries: 12,
                delay: Duration::ZERO,
            }),
            needs: [Name::new("store").unwrap()].into(),
            env: [("PRICE".to_owned(), Text::new("5$".into()))].into(),
            pass_env: BTreeSet::new(),
            dir: None,
            restart: Restart::OnFailure,
            signal: 2,
            grace: Duration::from_secs(10),
        }
    }

    fn written(service: &Service) -> Configuration {
        let home = ServicePaths::new(&Layout::at("/w".into()));
        let places = Places { root: "/w".into(), bin: "/w/.forge/bin".into(), ..Places::default() };
        let name = Name::new("nats").unwrap();
        let withheld = &[];
        let start =
            ServiceStart { name: &name, service, places: &places, binaries: "v1 0", withheld };
        let mut configuration = Configuration::default();
        assert!(configuration.set(&name, process(&home, &start)));
        assert!(!configuration.set(&name, process(&home, &start)));
        configuration
    }

    #[test]
    fn a_service_in_the_supervisors_words() {
        insta::assert_snapshot!(written(&service()).text(), @r#"
        {
          "version": "0.5",
          "is_strict": true,
          "log_level": "info",
          "processes": {
            "nats": {
              "entrypoint": [
                "/bin/sh",
                "/w/.forge/state/services/start",
                "/bin/sh",
                "-eu",
                "-c",
                "exec nats-server -sd /w/data"
              ],
              "working_dir": "/w",
              "environment": [
                "PRICE=5$$",
                "FORGE_SERVICE=v1 0"
              ],
              "log_location": "/w/.forge/logs/services/nats.log",
              "log_configuration": {
                "disable_json": true,
                "fields_order": [
                  "message"
                ],
                "no_color": true,
                "no_metadata": true,
                "flush_each_line": true,
                "rotation": {
                  "max_size_mb": 16,
                  "max_backups": 1
                }
              },
              "availability": {
                "restart": "on_failure"
              },
              "shutdown": {
                "signal": 2
              },
              "depends_on": {
                "store": {
                  "condition": "process_started"
                }
              },
              "readiness_probe": {
                "exec": {
                  "command": "exec sh '/w/.forge/state/services/ready/nats'"
                },
                "initial_delay_seconds": 0,
                "period_seconds": 5,
                "timeout_seconds": 5,
                "failure_threshold": 1000000000
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn what_a_shell_has_to_read_stays_with_the_shell() {
        let service = Service { command: Text::new("cd x; ./y $HOME {{z}}".into()), ..service() };
        let text = written(&service).text();
        assert!(text.contains(r#""cd x; ./y $$HOME {{z}}""#), "{text}");
    }

    #[test]
    fn what_was_written_is_read_again() {
        let temp = tempfile::tempdir().unwrap();
        let home = ServicePaths::new(&Layout::at(temp.path().to_owned()));
        assert_eq!(Configuration::read(&home), Configuration::default());
        let configuration = written(&service());
        configuration.write(&home).unwrap();
        assert_eq!(Configuration::read(&home), configuration);
        assert_eq!(configuration.binaries(&Name::new("nats").unwrap()), Some("v1 0"));
    }
}
