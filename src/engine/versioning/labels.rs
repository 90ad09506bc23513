//! What the file of an event of GitHub Actions says of a pull request: its title, and the labels
//! `release:major`, `release:minor`, `release:patch` and `release:skip`.
//! Format: <https://docs.github.com/webhooks/webhook-events-and-payloads>.

use serde_json::Value;

use super::{BumpRequest, Override};
use crate::model::{Fault, Kind, nearest};

/// What labels that speak of releases begin with.
const PREFIX: &str = "release:";

/// The pull request of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: Option<u64>,
    /// Its title; a push does not tell.
    pub title: Option<String>,
    /// Its labels; `None` if the event does not tell them, as that of a push.
    pub labels: Option<Vec<String>>,
}

impl PullRequest {
    /// Reads the text of the file that `GITHUB_EVENT_PATH` names; `None` if the event is about no
    /// pull request. The push of a merge tells only the number, in the message of the commit:
    /// `Merge pull request #12 from …`, or `title (#12)`.
    pub fn of_event(text: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(text).ok()?;
        let request = event.get("pull_request").filter(|request| request.is_object());
        let Some(request) = request else {
            let message = event.pointer("/head_commit/message").and_then(Value::as_str)?;
            let number = merged(message.lines().next().unwrap_or_default())?;
            return Some(Self { number: Some(number), title: None, labels: None });
        };
        let name = |label: &Value| label.get("name").and_then(Value::as_str).map(str::to_owned);
        let labels = request.get("labels").and_then(Value::as_array);
        Some(Self {
            number: request.get("number").and_then(Value::as_u64),
            title: request.get("title").and_then(Value::as_str).map(str::to_owned),
            labels: labels.map(|labels| labels.iter().filter_map(name).collect()),
        })
    }

    /// What its labels want; `None` if none speaks of a release.
    ///
    /// # Errors
    /// `Usage` if labels contradict each other, or one looks like a slip.
    pub fn wish(&self) -> Result<Option<Override>, Fault> {
        let labels = self.labels.iter().flatten();
        let words = labels.filter_map(|label| label.strip_prefix(PREFIX)).map(str::trim);
        let mut wishes: Vec<BumpRequest> = Vec::new();
        for word in words {
            match word.parse::<BumpRequest>() {
                Ok(wish) => wishes.push(wish),
                Err(_) => self.no_slip(word)?,
            }
        }
        wishes.sort_unstable();
        wishes.dedup();
        match wishes.as_slice() {
            [] => Ok(None),
            [wish] => Ok(Some(Override::label(*wish))),
            several => {
                let told: Vec<_> = several.iter().map(|one| format!("`{PREFIX}{one}`")).collect();
                Err(Fault::new(Kind::Usage, "cannot tell which version comes next")
                    .because(format!("{} has the labels {}", self.shown(), told.join(" and ")))
                    .hint("keep one of them"))
            }
        }
    }

    /// Refuses a label that is nearly one that counts. Others are somebody's own.
    fn no_slip(&self, word: &str) -> Result<(), Fault> {
        let Some(near) = nearest(word, ["major", "minor", "patch", "skip"]) else { return Ok(()) };
        let why = format!("{} has the label `{PREFIX}{word}`, which means nothing", self.shown());
        Err(Fault::new(Kind::Usage, "cannot tell which version comes next")
            .because(why)
            .hint(format!("did you mean `{PREFIX}{near}`?")))
    }

    fn shown(&self) -> String {
        self.number.map_or("the pull request".into(), |number| format!("pull request #{number}"))
    }
}

/// The pull request whose merge or squash has this title.
fn merged(title: &str) -> Option<u64> {
    let digits = match title.strip_prefix("Merge pull request #") {
        Some(rest) => rest.split(' ').next()?,
        None => title.trim_end().strip_suffix(')')?.rsplit_once("(#")?.1,
    };
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::versioning::Bump;

    fn with_labels(labels: &[&str]) -> PullRequest {
        let labels: Vec<_> = labels.iter().map(|name| json!({ "id": 1, "name": name })).collect();
        let event = json!({
            "action": "closed",
            "pull_request": { "number": 12, "title": "feat: x", "merged": true, "labels": labels },
        });
        PullRequest::of_event(&event.to_string()).unwrap()
    }

    #[test]
    fn one_label_is_a_wish() {
        let request = with_labels(&["bug", "release:minor", "release:notes", "release:minor"]);
        assert_eq!((request.number, request.title.as_deref()), (Some(12), Some("feat: x")));
        let wish = request.wish().unwrap().unwrap();
        assert_eq!(wish.wish, BumpRequest::Release(Bump::Minor));
        assert_eq!(wish.said, "the label `release:minor`");
        assert_eq!(with_labels(&["release:skip"]).wish().unwrap().unwrap().wish, BumpRequest::Skip);
        assert_eq!(with_labels(&["bug", "minor"]).wish(), Ok(None));
    }

    #[test]
    fn contradictions_and_slips_are_told() {
        let fault = with_labels(&["release:skip", "release:major"]).wish().unwrap_err();
        assert_eq!(
            fault.to_string(),
            "cannot tell which version comes next: pull request #12 has the labels \
             `release:major` and `release:skip`"
        );
        let fault = with_labels(&["release:mjor"]).wish().unwrap_err();
        assert_eq!(fault.hint.as_deref(), Some("did you mean `release:major`?"));
    }

    #[test]
    fn a_push_tells_which_pull_request_was_merged() {
        for (message, number) in [
            ("Merge pull request #7 from a/b\n\nfeat: x", Some(7)),
            ("feat: x (#8)\n\nbody", Some(8)),
            ("feat: x", None),
            ("feat: (#x)", None),
        ] {
            let event = json!({ "head_commit": { "message": message } }).to_string();
            let request = PullRequest::of_event(&event);
            assert_eq!(request.as_ref().and_then(|request| request.number), number, "{message}");
            assert!(request.is_none_or(|request| request.wish() == Ok(None)));
        }
        for other in ["", "{}", "[]", r#"{"pull_request": 1}"#, r#"{"head_commit": null}"#] {
            assert_eq!(PullRequest::of_event(other), None, "{other}");
        }
    }
}
