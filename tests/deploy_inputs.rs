//! What commands of deployments are given, what is kept of what they print, and whose work is deployed.

use crate::{
    deploy_ci::shop,
    support::{Run, Sandbox},
};

#[test]
fn settings_that_fit_into_no_variable_are_in_a_file() {
    let long = "x".repeat(200 << 10);
    let run =
        "  run: cp $STACK_INPUT_FILE input.yaml && echo \"${STACK_INPUT_YAML-none}\" > variable\n";
    let sandbox = shop("{ test: {} }", &format!("{run}  config: {{ small: '1' }}\n"));
    sandbox.forge("deploy test").succeeds();
    assert_eq!(sandbox.read("input.yaml"), "{\"small\":\"1\"}");
    assert_eq!(sandbox.read("variable").trim(), "{\"small\":\"1\"}");
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &spec.replace("small: '1'", &format!("large: '{long}'")));
    sandbox.forge("deploy test").succeeds();
    assert_eq!(sandbox.read("input.yaml"), format!("{{\"large\":\"{long}\"}}"));
    assert_eq!(sandbox.read("variable").trim(), "none");
}

#[test]
fn what_a_deployment_printed_is_one_document_with_both_streams() {
    let run = "  run: echo out; echo err >&2; test ! -e bad || exit 7\n";
    let sandbox = shop("{ test: {} }", run);
    sandbox.forge("deploy test").succeeds();
    sandbox.write("bad", "");
    sandbox.forge("deploy test --force").exits(1);
    let output = |id: u64| {
        let words = format!("deployments --log {id} --json");
        sandbox.forge(&words).succeeds().json()["deployment"]["output"].clone()
    };
    let good = output(1);
    assert_eq!((&good["status"], &good["exit_code"]), (&"succeeded".into(), &0.into()));
    assert_eq!((&good["stdout"], &good["stderr"]), (&"out\n".into(), &"err\n".into()));
    assert_eq!((&good["stack_fqdn"], &good["error"]), (&"api-test".into(), &().into()));
    let bad = output(2);
    assert_eq!((&bad["status"], &bad["exit_code"]), (&"failed".into(), &7.into()));
    assert!(bad["error"].as_str().unwrap().contains("exited with code 7"), "{bad}");
    assert!(bad["timestamp"].as_str().unwrap().starts_with("20"), "{bad}");
}

#[test]
fn only_what_may_be_trusted_is_deployed() {
    let sandbox = shop("{ test: {} }", "  run: cp {{ files }}/api api.sh\n");
    let manifest = sandbox.read("versions.yml");
    let trusting = |word: &str| {
        let head = format!("{manifest}trust: {word}\nrepository: https://github.com/o/r\n");
        sandbox.write("versions.yml", &head);
    };
    trusting("ci");
    sandbox.forge("deploy test").exits(4).says("`trust: ci` in versions.yml takes only");
    trusting("attested");
    let gh = |script: &str| -> Run {
        let program = sandbox.beside("programs/gh");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        sandbox.forge("deploy test").env("PATH", path).run()
    };
    let refused = gh("echo 'Error: no attestations found' >&2; exit 1");
    assert_eq!(refused.code(), Some(4), "{refused}");
    refused.says("gh does not verify it: Error: no attestations found");
    assert!(!sandbox.path("api.sh").exists());
    let workflow = "https://github.com/o/r/.github/workflows/ci.yml@refs/heads/main";
    let certificate = format!(r#"{{"buildConfigURI":"{workflow}","buildTrigger":"push"}}"#);
    let taken = gh(&format!(
        r#"echo '[{{"verificationResult":{{"signature":{{"certificate":{certificate}}}}}}}]'"#
    ));
    assert_eq!(taken.code(), Some(0), "{taken}");
    assert!(is_there(&sandbox));
}

fn is_there(sandbox: &Sandbox) -> bool {
    sandbox.path("api.sh").exists()
}
