//! What the server counts, as OpenMetrics has it: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::JobState;

/// The content type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How often something was asked, and how long it took in all.
#[derive(Clone, Copy, Debug, Default)]
struct CallCount {
    count: u64,
    seconds: f64,
}

/// The counts of a server, since it began.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By call and status of HTTP.
    calls: Mutex<BTreeMap<(String, u16), CallCount>>,
}

impl Metrics {
    /// Counts a call.
    pub(super) fn count(&self, call: String, status: u16, took: Duration) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let found = calls.entry((call, status)).or_default();
        found.count += 1;
        found.seconds += took.as_secs_f64();
    }

    /// All of it, with how many jobs there are in each state.
    pub(super) fn text(&self, jobs: &[(JobState, u64)]) -> String {
        let mut text = String::from(
            "# TYPE forge_deployments gauge\n# HELP forge_deployments Deployments that were asked for, by state.\n",
        );
        for state in JobState::ALL {
            let count = jobs.iter().find(|(it, _)| *it == state).map_or(0, |(_, count)| *count);
            let _ = writeln!(text, "forge_deployments{{state=\"{}\"}} {count}", state.as_str());
        }
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str("# TYPE forge_call_seconds summary\n# UNIT forge_call_seconds seconds\n");
        text.push_str(
            "# HELP forge_call_seconds Calls and how long they took until they were answered.\n",
        );
        for ((call, status), CallCount { count, seconds }) in calls.iter() {
            let labels = format!("call=\"{call}\",status=\"{status}\"");
            let _ = writeln!(text, "forge_call_seconds_count{{{labels}}} {count}");
            let _ = writeln!(text, "forge_call_seconds_sum{{{labels}}} {seconds:.6}");
        }
        text.push_str("# TYPE forge_build info\n# HELP forge_build The forge that serves.\n");
        let _ = writeln!(text, "forge_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        text.push_str("# EOF\n");
        text
    }
}

/// The call at `path`, with no number of a deployment in it, and nothing that somebody made up.
pub(super) fn call_at(method: &str, path: &str) -> String {
    if let Some(call) = path.strip_prefix("/forge.deploy.v1.DeploymentService/") {
        let is_plain = call.len() < 40 && call.bytes().all(|byte| byte.is_ascii_alphabetic());
        return if is_plain { call.to_owned() } else { "other".to_owned() };
    }
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let end = match parts.as_slice() {
        ["v1", "deployments"] => "deployments",
        ["v1", "deployments", id] if is_number(id) => "deployments/{id}",
        ["v1", "deployments", id, "log"] if is_number(id) => "deployments/{id}/log",
        ["v1", "deployments", id, "watch"] if is_number(id) => "deployments/{id}/watch",
        ["v1", "deployments", id, "cancel"] if is_number(id) => "deployments/{id}/cancel",
        ["v1", "deployments", id, "retry"] if is_number(id) => "deployments/{id}/retry",
        ["v1", "rollbacks"] => "rollbacks",
        ["v1", "previews"] => "previews",
        ["v1", "environments"] => "environments",
        _ => return "other".to_owned(),
    };
    let method = if matches!(method, "GET" | "POST") { method } else { "other" };
    format!("{method} /v1/{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_what_they_are_and_not_by_what_somebody_wrote() {
        for (method, path, call) in [
            ("POST", "/forge.deploy.v1.DeploymentService/Deploy", "Deploy"),
            ("GET", "/v1/deployments/17", "GET /v1/deployments/{id}"),
            ("GET", "/v1/deployments/x", "other"),
            ("GET", "/v1/\"\n", "other"),
            ("X", "/v1/environments", "other /v1/environments"),
        ] {
            assert_eq!(call_at(method, path), call);
        }
        let metrics = Metrics::default();
        metrics.count("Deploy".into(), 200, Duration::from_millis(2));
        let text = metrics.text(&[(JobState::Queued, 3)]);
        assert!(text.contains("forge_deployments{state=\"QUEUED\"} 3\n"), "{text}");
        assert!(
            text.contains("forge_call_seconds_count{call=\"Deploy\",status=\"200\"} 1\n"),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
