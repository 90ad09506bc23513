//! What the JSON over HTTP is, as OpenAPI 3.1 has it: <https://spec.openapis.org/oas/v3.1.0>.

use serde_json::{Map, Value, json};

use super::{JobKind, JobState};

/// A field: its name, its type, and what it is.
type Field = (&'static str, &'static str, &'static str);

/// What a deployment is asked for with.
const DEPLOY: &[Field] = &[
    ("environment", "string", "Where to."),
    ("name", "string", "The subsystem; without it, all that say how they are deployed."),
    ("version", "string", "The version of that subsystem; without it, that of versions.yml."),
    ("from", "string", "The environment whose versions are deployed."),
    ("target", "string", "All that is changed, of one that Pulumi deploys."),
    ("timeout", "string", "How long it may take, such as 90s, 10m or 1h30m."),
    ("force", "boolean", "Whether to insist."),
    ("idempotency_key", "string", "A request with a key that is known already is that one."),
    ("run_after", "date-time", "Before when it does not begin."),
];

/// What a rollback is asked for with.
const ROLLBACK: &[Field] = &[
    ("environment", "string", "Where."),
    ("name", "string", "The subsystem; without it, the only one that was deployed there."),
    ("to", "string", "The version, or the number in the ledger, to go back to."),
    ("idempotency_key", "string", "A request with a key that is known already is that one."),
];

/// What a preview is asked for with.
const PREVIEW: &[Field] = &[
    DEPLOY[0],
    DEPLOY[1],
    DEPLOY[2],
    ("from", "string", "The environment whose versions would be deployed."),
    ("target", "string", "All that would be changed, of one that Pulumi deploys."),
    ROLLBACK[3],
];

/// What a deployment is told with.
const DEPLOYMENT: &[Field] = &[
    ("id", "integer", "Its number."),
    ("kind", "kind", "What was asked for."),
    ("environment", "string", "Where to."),
    ("name", "string", "The subsystem; missing if it is about all."),
    ("version", "string", "The version that was asked for."),
    ("state", "state", "Its state."),
    ("error", "string", "Why, if it did not succeed."),
    ("exit_code", "integer", "The exit code of its process."),
    ("ledger_ids", "integers", "Its deployments in the ledger."),
    ("requested_by", "string", "Who asked for it."),
    ("idempotency_key", "string", "The key that it was asked for with."),
    ("retry_of", "integer", "The deployment that it tries again."),
    ("created_at", "date-time", "When it was asked for."),
    ("run_after", "date-time", "Before when it does not begin."),
    ("started_at", "date-time", "When its process began."),
    ("ended_at", "date-time", "When it ended."),
    ("server", "string", "The server that runs it, or ran it."),
];

/// What runs where.
const PLACEMENT: &[Field] = &[
    ("name", "string", "A subsystem."),
    ("version", "string", "Its version there, if it was deployed."),
    ("ledger_id", "integer", "The deployment in the ledger that brought it."),
    ("notes", "strings", "What it is held against, or what happened since then."),
];

/// The document.
pub fn openapi() -> Value {
    let one = json!({ "$ref": "#/components/schemas/DeploymentAnswer" });
    let body = |of: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{of}") });
        json!({ "required": true, "content": { "application/json": { "schema": schema } } })
    };
    let post = |id: &str, about: &str, body: Value| json!({ "operationId": id, "summary": about, "requestBody": body, "responses": answers(&json_of(&one)) });
    let of_one = |verb: &str, mut operation: Value| {
        operation["parameters"] =
            json!([parameter("id", "path", "integer", "The number of a deployment.")]);
        json!({ verb: operation })
    };
    let get = |id: &str, about: &str, content: Value| json!({ "operationId": id, "summary": about, "responses": answers(&content) });
    let mut list = get("list", "Deployments, page by page.", json_of(&reference("Page")));
    list["parameters"] = json!([
        parameter("environment", "query", "string", "Only those to this environment."),
        parameter("name", "query", "string", "Only those of this subsystem."),
        parameter("state", "query", "state", "Only those in this state; may be repeated."),
        parameter(
            "order",
            "query",
            "string",
            "NEWEST_FIRST, which is the default, or OLDEST_FIRST."
        ),
        parameter("page_size", "query", "integer", "At most 1000; 50 without it."),
        parameter("page_token", "query", "string", "`next_page_token` of the page before."),
    ]);
    let retry =
        json!({ "content": { "application/json": { "schema": schema_of(&[ROLLBACK[3]], &[]) } } });
    let mut cancel = post("cancel", "Cancels what waits or runs.", Value::Null);
    if let Some(operation) = cancel.as_object_mut() {
        operation.remove("requestBody");
    }
    let text = |kind: &str| json!({ kind: { "schema": { "type": "string" } } });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "forge serve",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Deployments that are asked for from elsewhere. The same over gRPC is forge.deploy.v1.DeploymentService.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:7420" }],
        "security": [{ "token": [] }],
        "paths": {
            "/v1/deployments": {
                "post": post("deploy", "Puts a deployment into the queue.", body("Deploy")),
                "get": list,
            },
            "/v1/deployments/{id}": of_one("get", get("get", "What is known of a deployment.", json_of(&reference("Full")))),
            "/v1/deployments/{id}/log": of_one("get", get("log", "What it printed, or the last of it.", text("text/plain"))),
            "/v1/deployments/{id}/watch": of_one("get", get("watch", "A line of JSON for each event, until it has ended.", text("application/x-ndjson"))),
            "/v1/deployments/{id}/cancel": of_one("post", cancel),
            "/v1/deployments/{id}/retry": of_one("post", post("retry", "Asks again for what did not succeed.", retry)),
            "/v1/rollbacks": { "post": post("rollback", "Brings an earlier version back.", body("Rollback")) },
            "/v1/previews": { "post": post("preview", "Shows in its document what a deployment would change.", body("Preview")) },
            "/v1/environments": { "get": get("environments", "What runs where.", json_of(&reference("Environments"))) },
        },
        "components": { "schemas": schemas(), "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
    })
}

fn reference(of: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{of}") })
}

fn json_of(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// What may be answered: `content`, or why not.
fn answers(content: &Value) -> Value {
    let wrong = json!({ "description": "Why not.", "content": json_of(&reference("Error")) });
    let right = json!({ "description": "Done.", "content": content });
    json!({ "200": right, "default": wrong })
}

fn parameter(name: &str, place: &str, kind: &str, about: &str) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "description": about, "schema": kind_of(kind) })
}

fn kind_of(kind: &str) -> Value {
    match kind {
        "date-time" => json!({ "type": "string", "format": "date-time" }),
        "integers" => json!({ "type": "array", "items": { "type": "integer" } }),
        "strings" => json!({ "type": "array", "items": { "type": "string" } }),
        "kind" => json!({ "enum": JobKind::ALL.map(JobKind::as_str) }),
        "state" => reference("State"),
        plain => json!({ "type": plain }),
    }
}

fn schema_of(fields: &[Field], required: &[&str]) -> Value {
    let properties = fields.iter().map(|(name, kind, about)| {
        let mut schema = kind_of(kind);
        schema["description"] = json!(about);
        ((*name).to_owned(), schema)
    });
    json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn schemas() -> Value {
    let states = JobState::ALL.map(JobState::as_str);
    let holding = |name: &str, item: Value| json!({ "type": "object", "properties": { name: { "type": "array", "items": item } }, "required": [name] });
    let mut page = holding("deployments", reference("Deployment"));
    page["properties"]["next_page_token"] = json!({ "type": "string" });
    let environment = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "placements": { "type": "array", "items": reference("Placement") } },
        "required": ["name", "placements"],
    });
    let text = json!({ "type": "string" });
    let always = ["id", "kind", "environment", "state", "requested_by", "created_at"];
    json!({
        "State": { "enum": states },
        "Deploy": schema_of(DEPLOY, &["environment"]),
        "Rollback": schema_of(ROLLBACK, &["environment"]),
        "Preview": schema_of(PREVIEW, &["environment"]),
        "Deployment": schema_of(DEPLOYMENT, &always),
        "DeploymentAnswer": {
            "type": "object",
            "properties": { "deployment": reference("Deployment") },
            "required": ["deployment"],
        },
        "Full": {
            "type": "object",
            "properties": { "deployment": reference("Deployment"), "log": text, "document": text },
            "required": ["deployment", "log", "document"],
        },
        "Page": page,
        "Placement": schema_of(PLACEMENT, &["name"]),
        "Environments": holding("environments", environment),
        "Error": {
            "type": "object",
            "properties": {
                "error": {
                    "type": "object",
                    "properties": { "code": text, "message": text },
                    "required": ["code", "message"],
                },
            },
            "required": ["error"],
        },
    })
}
