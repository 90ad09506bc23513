//! A case of the corpus: what is run, and what Task did. The README beside the corpus explains it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// A case.
pub struct Case {
    /// The number that its folder's name begins with.
    pub number: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether the folder is served over HTTP.
    pub serve: bool,
    /// The runs, one after the other.
    pub runs: Vec<Map<String, Value>>,
}

/// What one run came to.
#[derive(Debug)]
pub struct Outcome {
    pub exit: i64,
    /// Nothing if it is a matter of luck.
    pub stdout: Option<Vec<String>>,
    /// What commands said there.
    pub stderr: Vec<String>,
    pub files: BTreeMap<String, String>,
    pub gone: Vec<String>,
}

impl Case {
    pub fn read(folder: &Path) -> Self {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let mut case = Map::new();
        let mut runs: Vec<Map<String, Value>> = Vec::new();
        let text = fs::read_to_string(folder.join("case.yml")).expect("case.yml");
        for line in text.lines().filter(|line| !line.starts_with('#') && line.trim() != "runs:") {
            let Some((key, value)) = line.split_once(": ") else { continue };
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            match key.strip_prefix("  - ") {
                Some(key) => runs.push(Map::from_iter([(key.to_owned(), value)])),
                None if key.starts_with(' ') => {
                    runs.last_mut().expect("a run").insert(key.trim().to_owned(), value);
                }
                None => drop(case.insert(key.to_owned(), value)),
            }
        }
        let serve = case.get("serve") == Some(&json!(true));
        Self { number: name[..3].to_owned(), folder: folder.to_owned(), serve, runs }
    }

    /// What was recorded.
    pub fn recorded(&self) -> Vec<Outcome> {
        let text = fs::read_to_string(self.folder.join("expected.json")).expect("a recording");
        let record: Value = serde_json::from_str(&text).expect("JSON");
        record["runs"].as_array().expect("runs").iter().map(outcome).collect()
    }
}

/// The words of a list.
pub fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().into_iter().flatten();
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

fn outcome(run: &Value) -> Outcome {
    let files = run["files"].as_object().into_iter().flatten();
    Outcome {
        exit: run["exit"].as_i64().expect("an exit code"),
        stdout: run.get("stdout").map(words),
        stderr: words(&run["stderr"]),
        files: files
            .map(|(name, digest)| (name.clone(), digest.as_str().unwrap_or("").to_owned()))
            .collect(),
        gone: words(&run["gone"]),
    }
}
