//! A statement: in-toto Statement v1 with a SLSA provenance v1 predicate, one line of JSON.
//!
//! The format is that of <https://in-toto.io/Statement/v1> and <https://slsa.dev/provenance/v1>.
//! What forge puts into it, for [`BUILD_TYPE`] (`forge:build/v1`):
//!
//! | field | what |
//! |---|---|
//! | `subject` | the asset first, then each binary in it, with their sha256 |
//! | `externalParameters` | `project`, `subsystem`, `version`, `platform`: what was asked for |
//! | `internalParameters` | `fingerprint`, `inputs` (a short digest per field of it), the `event` that started the run, the `sandbox` of the build (`landlock`, `worker` or `none`), and the properties of the `worker` |
//! | `resolvedDependencies` | the workspace's repository and commit, the source, the tools |
//! | `builder.id` | see [`super::Builder`] |
//! | `metadata` | `invocationId` (the run's URL), `startedOn`, `finishedOn` |
//!
//! An image is said of in the same words, with [`IMAGE_BUILD_TYPE`] (`forge:image/v1`):
//!
//! | field | what |
//! |---|---|
//! | `subject` | the index first, then the manifest of each platform, with their sha256 |
//! | `externalParameters` | `project`, `subsystem`, `version`, and the `image` by its tag |
//! | `resolvedDependencies` | the workspace's repository and commit, the base, the binaries |
//!
//! Facts about the build only: no host or user name, no path, no secret.

use std::{collections::BTreeMap, str::FromStr};

use serde_json::{Map, Value, json};

use super::{Builder, Dependency};
use crate::model::{Fingerprint, Inputs, Platform, Sha256, Stamp};

/// How forge builds (`buildDefinition.buildType`): the fields above, in this meaning. Another
/// meaning gets another number.
pub const BUILD_TYPE: &str = "forge:build/v1";

/// How forge puts images together, in the same words.
pub const IMAGE_BUILD_TYPE: &str = "forge:image/v1";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// What somebody says of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is about: the asset, then its binaries.
    pub subjects: Vec<Subject>,
    /// What was asked for; nothing if another tool than forge built it.
    pub artifact: Option<StatementSubject>,
    /// By which recipe.
    pub recipe: StatementRecipe,
    /// What went in.
    pub dependencies: Vec<Dependency>,
    /// Who built it.
    pub builder: Builder,
    /// In which run.
    pub run: StatementRun,
}

/// A file that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementSubject {
    /// The project whose release it is.
    pub project: String,
    /// The subsystem.
    pub subsystem: String,
    /// The release's version label.
    pub version: String,
    /// What it runs on; nothing of an image, which is for several.
    pub platform: Option<Platform>,
    /// The image by its tag, if it is one.
    pub image: Option<String>,
}

/// By which recipe it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementRecipe {
    /// The fingerprint of the build.
    pub fingerprint: Option<Fingerprint>,
    /// A short digest per field of the fingerprint.
    pub inputs: Inputs,
}

/// The run that built it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementRun {
    /// The page of the run.
    pub url: Option<String>,
    /// What started it: `push`, `schedule`.
    pub event: Option<String>,
    /// What kept the build from writing elsewhere: `landlock`, the `worker` that it ran on, or `none`.
    pub sandbox: Option<String>,
    /// The properties of that worker: `ISA=x86-64 OSFamily=linux`.
    pub worker: Option<String>,
    /// When the build began, as RFC 3339 has it.
    pub started_on: Option<String>,
    /// When it ended, as RFC 3339 has it.
    pub finished_on: Option<String>,
}

impl Statement {
    /// A statement that `builder` built the asset with this digest, which holds what `stamp`
    /// says. What went in and the run are still to be added.
    #[must_use]
    pub fn new(
        project: &str,
        stamp: &Stamp,
        asset: &str,
        sha256: Sha256,
        builder: Builder,
    ) -> Self {
        let subject = |(name, sha256): (&str, Sha256)| Subject { name: name.to_owned(), sha256 };
        let binaries = stamp.binaries.iter().map(|(name, sha256)| (name.as_str(), *sha256));
        Self {
            subjects: std::iter::once((asset, sha256)).chain(binaries).map(subject).collect(),
            artifact: Some(StatementSubject {
                project: project.to_owned(),
                subsystem: stamp.name.to_string(),
                version: stamp.version.clone(),
                platform: Some(stamp.platform),
                image: None,
            }),
            recipe: StatementRecipe {
                fingerprint: Some(stamp.fingerprint),
                inputs: stamp.inputs.clone(),
            },
            dependencies: Vec::new(),
            builder,
            run: StatementRun::default(),
        }
    }

    /// Whether it is about the bytes with this digest.
    #[must_use]
    pub fn is_about(&self, sha256: Sha256) -> bool {
        self.subjects.iter().any(|subject| subject.sha256 == sha256)
    }

    /// The statement as one line, with its line end.
    #[must_use]
    pub fn line(&self) -> String {
        let subjects: Vec<_> = self.subjects.iter().map(Subject::json).collect();
        let dependencies: Vec<_> = self.dependencies.iter().map(Dependency::json).collect();
        let document = json!({
            "_type": STATEMENT,
            "subject": subjects,
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": self.build_type(),
                    "externalParameters": self.artifact.as_ref().map_or_else(|| json!({}), StatementSubject::json),
                    "internalParameters": self.internal_parameters(),
                    "resolvedDependencies": dependencies,
                },
                "runDetails": {
                    "builder": { "id": self.builder.id() },
                    "metadata": filled([
                        ("invocationId", &self.run.url),
                        ("startedOn", &self.run.started_on),
                        ("finishedOn", &self.run.finished_on),
                    ]),
                },
            },
        });
        format!("{document}\n")
    }

    fn build_type(&self) -> &'static str {
        match self.artifact.as_ref().and_then(|it| it.image.as_ref()) {
            Some(_) => IMAGE_BUILD_TYPE,
            None => BUILD_TYPE,
        }
    }

    fn internal_parameters(&self) -> Value {
        let fingerprint = self.recipe.fingerprint.map(|fingerprint| fingerprint.to_string());
        let mut fields = filled([
            ("fingerprint", &fingerprint),
            ("event", &self.run.event),
            ("sandbox", &self.run.sandbox),
            ("worker", &self.run.worker),
        ]);
        fields.insert("inputs".into(), json!(self.recipe.inputs));
        fields.into()
    }

    /// Reads a line. Fields that are not known are passed over, and those that are missing
    /// stay empty; only what it is about and who built it has to be there.
    ///
    /// # Errors
    /// Says in one sentence why it is no such statement.
    pub fn read(line: &str) -> Result<Self, String> {
        let document: Value =
            serde_json::from_str(line).map_err(|error| format!("it is not valid JSON: {error}"))?;
        check_types(&document)?;
        let predicate = &document["predicate"];
        let (definition, details) = (&predicate["buildDefinition"], &predicate["runDetails"]);
        let builder = text(&details["builder"]["id"]).ok_or("it does not say who built it")?;
        let metadata = &details["metadata"];
        let is_ours =
            [BUILD_TYPE, IMAGE_BUILD_TYPE].iter().any(|known| definition["buildType"] == *known);
        let internal = if is_ours { &definition["internalParameters"] } else { &Value::Null };
        let external = if is_ours { &definition["externalParameters"] } else { &Value::Null };
        let dependencies = definition["resolvedDependencies"].as_array();
        Ok(Self {
            subjects: subjects(&document["subject"])?,
            artifact: StatementSubject::read(external),
            recipe: StatementRecipe {
                fingerprint: parsed(&internal["fingerprint"]),
                inputs: texts(&internal["inputs"]),
            },
            dependencies: dependencies.into_iter().flatten().map(Dependency::read).collect(),
            builder: Builder::new(builder),
            run: StatementRun {
                url: text(&metadata["invocationId"]),
                event: text(&internal["event"]),
                sandbox: text(&internal["sandbox"]),
                worker: text(&internal["worker"]),
                started_on: text(&metadata["startedOn"]),
                finished_on: text(&metadata["finishedOn"]),
            },
        })
    }
}

/// Reads the statements in a file, one a line.
///
/// # Errors
/// Says in one sentence which line is none, and why.
pub fn read_statements(text: &str) -> Result<Vec<Statement>, String> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    // Nothing but zeros is what a power loss leaves of a file.
    let filled = lines.filter(|(_, line)| !line.trim_matches(['\0', ' ', '\t', '\r']).is_empty());
    let read = |(index, line)| {
        Statement::read(line).map_err(|why| format!("line {} is not a statement: {why}", index + 1))
    };
    filled.map(read).collect()
}

fn check_types(document: &Value) -> Result<(), String> {
    if document.get("payload").is_some() || document.get("dsseEnvelope").is_some() {
        return Err("it is a signed envelope, which this forge does not open".into());
    }
    for (key, wanted) in [("_type", STATEMENT), ("predicateType", PREDICATE)] {
        match document[key].as_str() {
            Some(found) if found == wanted => {}
            Some(found) => return Err(format!("its `{key}` is {found}, not {wanted}")),
            None => return Err(format!("it has no `{key}`")),
        }
    }
    Ok(())
}

fn subjects(list: &Value) -> Result<Vec<Subject>, String> {
    let list = list.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or("it does not say what it is about")?;
    let subject = |value: &Value| {
        let name = text(&value["name"]).unwrap_or_default();
        let sha256 = parsed(&value["digest"]["sha256"])
            .ok_or_else(|| format!("it gives no sha256 of `{name}`"))?;
        Ok(Subject { name, sha256 })
    };
    list.iter().map(subject).collect()
}

impl Subject {
    fn json(&self) -> Value {
        json!({ "name": self.name, "digest": { "sha256": self.sha256.to_string() } })
    }
}

impl StatementSubject {
    fn json(&self) -> Value {
        let platform = self.platform.map(|platform| platform.to_string());
        let mut fields = filled([("platform", &platform), ("image", &self.image)]);
        for (key, value) in
            [("project", &self.project), ("subsystem", &self.subsystem), ("version", &self.version)]
        {
            fields.insert(key.to_owned(), json!(value));
        }
        fields.into()
    }

    fn read(value: &Value) -> Option<Self> {
        let (platform, image) = (parsed(&value["platform"]), text(&value["image"]));
        (platform.is_some() || image.is_some()).then_some(())?;
        Some(Self {
            project: text(&value["project"])?,
            subsystem: text(&value["subsystem"])?,
            version: text(&value["version"])?,
            platform,
            image,
        })
    }
}

impl Dependency {
    fn json(&self) -> Value {
        let mut fields = filled([("uri", &self.uri), ("name", &self.name)]);
        if !self.digest.is_empty() {
            fields.insert("digest".into(), json!(self.digest));
        }
        if let Some(version) = &self.version {
            fields.insert("annotations".into(), json!({ "version": version }));
        }
        fields.into()
    }

    fn read(value: &Value) -> Self {
        Self {
            uri: text(&value["uri"]),
            name: text(&value["name"]),
            digest: texts(&value["digest"]),
            version: text(&value["annotations"]["version"]),
        }
    }
}

/// The fields that have a value.
fn filled<const N: usize>(fields: [(&str, &Option<String>); N]) -> Map<String, Value> {
    let field =
        |(key, value): (&str, &Option<String>)| Some((key.to_owned(), json!(value.as_ref()?)));
    fields.into_iter().filter_map(field).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn parsed<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), text(value)?));
    value.as_object().into_iter().flatten().filter_map(pair).collect()
}

#[cfg(test)]
#[path = "statement/tests.rs"]
mod tests;
