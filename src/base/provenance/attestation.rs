//! What `gh attestation verify --format json` says: who signed that an asset was built where. `gh` has
//! checked the signature, its certificate, the transparency log and the digest of the asset.

use serde_json::Value;

use super::{Builder, policy::refused_event, trust::refusal};

/// Who built an asset, by the certificates of its verified attestations: `output` is what gh printed.
/// `repositories` are those whose CI counts, as URLs.
///
/// # Errors
/// Says in one sentence why none of them is trusted.
pub fn judge_attestations(output: &str, repositories: &[String]) -> Result<Builder, String> {
    let unreadable = || "what gh says of its attestation cannot be read".to_owned();
    let document = output.find('[').map(|at| &output[at..]).ok_or_else(unreadable)?;
    let read = serde_json::Deserializer::from_str(document).into_iter::<Value>().next();
    let found = read.and_then(Result::ok).ok_or_else(unreadable)?;
    let mut why = "gh names no attestation of it".to_owned();
    for attestation in found.as_array().into_iter().flatten() {
        match judge_certificate(
            &attestation["verificationResult"]["signature"]["certificate"],
            repositories,
        ) {
            Ok(builder) => return Ok(builder),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

/// Who a certificate of Fulcio names, by the extensions that it has for the CI of GitHub.
fn judge_certificate(certificate: &Value, repositories: &[String]) -> Result<Builder, String> {
    let text = |name: &str| certificate[name].as_str().filter(|text| !text.is_empty());
    let workflow = text("buildConfigURI").or_else(|| text("subjectAlternativeName"));
    let builder = Builder::new(workflow.ok_or("its attestation names no workflow")?);
    if let Some(why) = refusal(&builder, repositories) {
        return Err(why);
    }
    let event = text("buildTrigger").or_else(|| text("githubWorkflowTrigger"));
    match refused_event(&builder, event) {
        Some(why) => Err(format!("{builder} built it, but {why}")),
        None => Ok(builder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(repository: &str, reference: &str, event: &str) -> String {
        let workflow =
            format!("https://github.com/{repository}/.github/workflows/x.yml@{reference}");
        let certificate = serde_json::json!({
            "certificateIssuer": "CN=sigstore-intermediate,O=sigstore.dev",
            "subjectAlternativeName": workflow,
            "issuer": "https://token.actions.githubusercontent.com",
            "buildSignerURI": workflow,
            "runnerEnvironment": "github-hosted",
            "sourceRepositoryURI": format!("https://github.com/{repository}"),
            "sourceRepositoryRef": reference,
            "buildConfigURI": workflow,
            "buildTrigger": event,
        });
        let result = serde_json::json!({ "signature": { "certificate": certificate } });
        format!("Loaded 1 attestation\n{}\n", serde_json::json!([{ "verificationResult": result }]))
    }

    #[test]
    fn the_workflow_of_the_certificate_counts_if_it_is_of_the_repository_and_may_publish() {
        let ours = ["https://github.com/o/r".to_owned()];
        let judged = |text: String| judge_attestations(&text, &ours).map(|it| it.id().to_owned());
        assert!(judged(said("o/r", "refs/heads/main", "push")).unwrap().contains("/o/r/"));
        assert!(judged(said("o/r", "refs/tags/v1", "workflow_dispatch")).is_ok());
        for (text, why) in [
            (said("me/r", "refs/heads/main", "push"), "not that of https://github.com/o/r"),
            (said("o/r", "refs/pull/7/merge", "push"), "neither a branch nor a tag"),
            (said("o/r", "refs/heads/main", "pull_request_target"), "built it, but"),
            ("[]".into(), "gh names no attestation of it"),
            ("[{}]".into(), "its attestation names no workflow"),
            ("all is well".into(), "cannot be read"),
            ("[1".into(), "cannot be read"),
        ] {
            let told = judged(text).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
