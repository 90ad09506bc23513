//! Records of deployments with their statuses, statuses of commits, comments, and pull requests.
//!
//! Sources: <https://docs.github.com/rest/deployments>, <https://docs.github.com/rest/commits/statuses>,
//! <https://docs.github.com/rest/issues/comments>.

use serde_json::{Value, json};

use super::super::{
    answer::Answer,
    call::Call,
    contract,
    repository::{HEAD, Repository},
    token::Role,
    user,
    world::{World, document, now},
};
use super::page;

/// The most characters of a description.
const MOST: usize = 140;
/// The most characters of a comment.
const MOST_OF_COMMENT: usize = 65_536;

/// A record, newest statuses last.
#[derive(Clone, Debug)]
pub struct Record {
    pub value: Value,
    pub statuses: Vec<Value>,
}

impl Record {
    /// The state that its last status tells.
    pub fn state(&self) -> &str {
        self.statuses.last().and_then(|it| it["state"].as_str()).unwrap_or("none")
    }

    /// All of its states, in order.
    pub fn states(&self) -> Vec<&str> {
        self.statuses.iter().filter_map(|it| it["state"].as_str()).collect()
    }
}

fn wanted(world: &World, call: &Call, body: &[u8]) -> Result<Value, Answer> {
    if let Some(refusal) = world.refuses_to_let(call, Role::Write) {
        return Err(refusal);
    }
    let wanted = document(body)?;
    match contract::wrong_body(call, &wanted) {
        Some(why) => Err(Answer::refusal(422, &format!("Invalid request.\n\n{why}"))),
        None => Ok(wanted),
    }
}

fn repository<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Repository, Answer> {
    world.repository(&call.folder()).ok_or_else(Answer::not_found)
}

pub fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let repository = repository(world, call)?;
    let is_meant = |record: &&Record| {
        ["environment", "task", "sha", "ref"]
            .iter()
            .all(|key| call.asked_for(key).is_none_or(|value| record.value[*key] == value))
    };
    let all = repository.deployments.iter().rev().filter(is_meant);
    let all = all.map(|record| record.value.clone()).collect();
    Ok(page(call, repository.id, all))
}

pub fn create(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let wanted = wanted(world, call, body)?;
    if wanted["auto_merge"] != false {
        return Err(Answer::refusal(409, "Conflict merging main into the ref"));
    }
    let id = world.next_id();
    let repository = repository(world, call)?;
    let commit = wanted["ref"].as_str().unwrap_or_default().to_owned();
    let is_failing = |it: &&Value| it["sha"] == *commit && it["state"] != "success";
    if wanted["required_contexts"] != json!([])
        && repository.statuses.iter().any(|it| is_failing(&it))
    {
        return Err(Answer::refusal(409, "Conflict: Commit status checks failed for the ref."));
    }
    let value = record(call, id, &wanted, &commit);
    repository.deployments.push(Record { value: value.clone(), statuses: Vec::new() });
    Ok(Answer::json(201, value))
}

/// The object that the API gives for a record.
fn record(call: &Call, id: u64, wanted: &Value, commit: &str) -> Value {
    let folder = format!("{}/repos/{}", call.origins.api, call.folder());
    let environment = wanted["environment"].as_str().unwrap_or("production");
    let payload = &wanted["payload"];
    contract::filled(
        "deployment",
        json!({
            "id": id,
            "sha": if commit.len() == 40 { commit } else { HEAD },
            "ref": commit,
            "task": wanted["task"].as_str().unwrap_or("deploy"),
            "environment": environment,
            "original_environment": environment,
            "description": wanted["description"],
            "payload": if payload.is_null() { json!({}) } else { payload.clone() },
            "creator": user::to_json(&call.origins),
            "created_at": now(),
            "updated_at": now(),
            "transient_environment": wanted["transient_environment"] == true,
            "production_environment": wanted["production_environment"]
                .as_bool()
                .unwrap_or(environment == "production"),
            "url": format!("{folder}/deployments/{id}"),
            "statuses_url": format!("{folder}/deployments/{id}/statuses"),
            "repository_url": folder,
        }),
    )
}

pub fn statuses(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.id("deployment_id");
    let repository = repository(world, call)?;
    let found = repository.deployments.iter().find(|record| record.value["id"] == id);
    let all = found.ok_or_else(Answer::not_found)?.statuses.iter().rev().cloned().collect();
    Ok(page(call, repository.id, all))
}

pub fn add_status(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let wanted = wanted(world, call, body)?;
    if wanted["description"].as_str().is_some_and(|it| it.chars().count() > MOST) {
        return Err(Answer::invalid_because("DeploymentStatus", "description", "is too long"));
    }
    let (id, number) = (world.next_id(), call.id("deployment_id"));
    let repository = repository(world, call)?;
    let at = repository.deployments.iter().position(|record| record.value["id"] == number);
    let at = at.ok_or_else(Answer::not_found)?;
    let environment = repository.deployments[at].value["environment"].clone();
    let value = status(call, id, number, &wanted, &environment);
    repository.deployments[at].statuses.push(value.clone());
    // What came before it, but for what is transient or in production.
    if wanted["state"] == "success" && wanted["auto_inactive"] != false {
        for earlier in &mut repository.deployments[..at] {
            let it = &earlier.value;
            let is_kept =
                it["transient_environment"] == true || it["production_environment"] == true;
            if it["environment"] == environment && !is_kept && earlier.state() == "success" {
                let gone = json!({ "state": "inactive" });
                let number = it["id"].as_u64().unwrap_or_default();
                earlier.statuses.push(status(call, id + 100_000, number, &gone, &environment));
            }
        }
    }
    Ok(Answer::json(201, value))
}

fn status(call: &Call, id: u64, number: u64, wanted: &Value, environment: &Value) -> Value {
    let folder = format!("{}/repos/{}", call.origins.api, call.folder());
    let mut known = json!({
        "id": id,
        "state": wanted["state"],
        "description": wanted["description"].as_str().unwrap_or_default(),
        "environment": environment,
        "creator": user::to_json(&call.origins),
        "created_at": now(),
        "updated_at": now(),
        "url": format!("{folder}/deployments/{number}/statuses/{id}"),
        "deployment_url": format!("{folder}/deployments/{number}"),
        "repository_url": folder,
    });
    // GitHub has empty texts for what was not said, which its own description does not allow.
    for (key, said) in
        [("environment_url", "environment_url"), ("log_url", "log_url"), ("target_url", "log_url")]
    {
        if wanted[said].is_string() {
            known[key] = wanted[said].clone();
        }
    }
    contract::filled("deployment-status", known)
}

pub fn add_commit_status(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let wanted = wanted(world, call, body)?;
    if wanted["description"].as_str().is_some_and(|it| it.chars().count() > MOST) {
        return Err(Answer::invalid_because("Status", "description", "is too long"));
    }
    let id = world.next_id();
    let sha = call.matched.name("sha").to_owned();
    let folder = format!("{}/repos/{}", call.origins.api, call.folder());
    let value = contract::filled(
        "status",
        json!({
            "id": id,
            "state": wanted["state"],
            "description": wanted["description"],
            "target_url": wanted["target_url"],
            "context": wanted["context"].as_str().unwrap_or("default"),
            "creator": user::to_json(&call.origins),
            "created_at": now(),
            "updated_at": now(),
            "url": format!("{folder}/statuses/{sha}"),
        }),
    );
    let repository = repository(world, call)?;
    let kept = json!({ "sha": sha, "state": value["state"], "context": value["context"], "description": value["description"] });
    repository.statuses.push(kept);
    Ok(Answer::json(201, value))
}

pub fn list_comments(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let number = call.id("issue_number");
    let repository = repository(world, call)?;
    let all = repository.comments.iter().filter(|(issue, _)| *issue == number);
    let all = all.map(|(_, comment)| comment.clone()).collect();
    Ok(page(call, repository.id, all))
}

pub fn add_comment(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let wanted = wanted(world, call, body)?;
    check_comment(&wanted)?;
    let (id, number) = (world.next_id(), call.id("issue_number"));
    let value = comment(call, id, number, &wanted);
    repository(world, call)?.comments.push((number, value.clone()));
    Ok(Answer::json(201, value))
}

pub fn edit_comment(world: &mut World, call: &Call, body: &[u8]) -> Result<Answer, Answer> {
    let wanted = wanted(world, call, body)?;
    check_comment(&wanted)?;
    let id = call.id("comment_id");
    let repository = repository(world, call)?;
    let found = repository.comments.iter_mut().find(|(_, comment)| comment["id"] == id);
    let (_, comment) = found.ok_or_else(Answer::not_found)?;
    comment["body"] = wanted["body"].clone();
    comment["updated_at"] = now().into();
    Ok(Answer::json(200, comment.clone()))
}

pub fn delete_comment(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if let Some(refusal) = world.refuses_to_let(call, Role::Write) {
        return Err(refusal);
    }
    let id = call.id("comment_id");
    let comments = &mut repository(world, call)?.comments;
    let at = comments.iter().position(|(_, comment)| comment["id"] == id);
    comments.remove(at.ok_or_else(Answer::not_found)?);
    Ok(Answer::empty(204))
}

fn check_comment(wanted: &Value) -> Result<(), Answer> {
    match wanted["body"].as_str().is_some_and(|it| it.chars().count() > MOST_OF_COMMENT) {
        true => Err(Answer::invalid_because(
            "IssueComment",
            "body",
            "is too long (maximum is 65536 characters)",
        )),
        false => Ok(()),
    }
}

fn comment(call: &Call, id: u64, number: u64, wanted: &Value) -> Value {
    let api = format!("{}/repos/{}", call.origins.api, call.folder());
    let web = format!("{}/{}", call.origins.web, call.folder());
    contract::filled(
        "issue-comment",
        json!({
            "id": id,
            "body": wanted["body"],
            "user": user::to_json(&call.origins),
            "created_at": now(),
            "updated_at": now(),
            "url": format!("{api}/issues/comments/{id}"),
            "html_url": format!("{web}/pull/{number}#issuecomment-{id}"),
            "issue_url": format!("{api}/issues/{number}"),
        }),
    )
}

pub fn pull(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let number = call.id("pull_number");
    let repository = repository(world, call)?;
    let found = repository.pulls.get(&number).ok_or_else(Answer::not_found)?.clone();
    Ok(Answer::json(200, contract::filled("pull-request", found)))
}
