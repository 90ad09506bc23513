//! A matrix as GitHub Actions reads it: one line of JSON for `fromJSON`.
//!
//! Limits: "Running variations of jobs in a workflow" (256 jobs a matrix) and "Passing information
//! between jobs" (1 MB an output, counted as UTF-16) in GitHub's documentation.

use serde_json::{Value, json};

use crate::model::{Fault, Kind};

use super::{Job, Matrix, words};

/// More jobs a matrix must not have.
pub const MOST_JOBS: usize = 256;
/// More characters an output must not have.
const MOST_CHARACTERS: usize = 512 * 1024;

impl Matrix {
    /// The matrix in one line. Without jobs, `include` is empty: Actions takes that for a mistake, so
    /// the workflow must not come so far.
    ///
    /// # Errors
    /// `Usage` if Actions would refuse it for its size.
    pub fn github(&self) -> Result<String, Fault> {
        let include: Vec<Value> = self.jobs.iter().map(Job::include).collect();
        let text = json!({ "include": include }).to_string();
        let limit = |what: String| {
            let fault = Fault::new(Kind::Usage, "GitHub Actions would refuse this matrix");
            fault.because(what).hint("name fewer subsystems, or a group")
        };
        if self.jobs.len() > MOST_JOBS {
            return Err(limit(format!("it has {} jobs, of {MOST_JOBS} at most", self.jobs.len())));
        }
        if text.encode_utf16().count() > MOST_CHARACTERS {
            return Err(limit(format!("an output has {MOST_CHARACTERS} characters at most")));
        }
        Ok(text)
    }
}

impl Job {
    fn include(&self) -> Value {
        let runner = match self.runner.labels.as_slice() {
            [label] => json!(label),
            labels => json!(labels),
        };
        json!({
            "name": self.name,
            "subsystems": words(&self.names()),
            "platform": self.platforms().join(" "),
            "runner": runner,
            "command": self.command,
            "publish": self.publish,
        })
    }
}
