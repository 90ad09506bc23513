//! Deployments by the real Pulumi, with a provider that is slow, fails or does not listen.
//! `tests/support/pulumi/build.sh FOLDER` builds all three; FORGE_TEST_PULUMI names that folder.

use std::{path::PathBuf, process::Command, time::Duration};

use crate::support::{Invocation, Sandbox, copy_tree, wait_until};

/// What a test needs that deploys by Pulumi.
struct Cloud {
    sandbox: Sandbox,
    programs: PathBuf,
}

impl Cloud {
    /// A released subsystem `api` whose program makes two files, each in a while; nothing if there is
    /// no Pulumi.
    fn new(more: &str) -> Option<Self> {
        let Some(programs) = std::env::var_os("FORGE_TEST_PULUMI").map(PathBuf::from) else {
            eprintln!("skipped: FORGE_TEST_PULUMI names no folder with Pulumi");
            return None;
        };
        let sandbox = Sandbox::with_store()
            .head("environments: { test: { branch: dev } }")
            .script("api", "v1");
        let spec = sandbox.read("subsystems/api.yml");
        let deploy = "deploy:\n  pulumi: infra\n  secrets: [PULUMI_CONFIG_PASSPHRASE]\n  \
                      config: { greeting: '{{ version }}' }\n";
        sandbox.write("subsystems/api.yml", &format!("{spec}{deploy}{more}"));
        let place = sandbox.root().display().to_string();
        let program = "name: shop\nruntime: yaml\nconfig:\n  greeting: { type: string }\n  \
            seconds: { type: string, default: '0' }\nresources:\n  \
            first: { type: 'slow:File', properties: { path: PLACE/first, content: '${greeting}', seconds: SECONDS } }\n  \
            second: { type: 'slow:File', properties: { path: PLACE/second, content: b }, options: { dependsOn: ['${first}'] } }\n";
        sandbox.write("infra/Pulumi.yaml", &program.replace("PLACE", &place));
        let cloud = Self { sandbox, programs };
        cloud.takes("0");
        std::fs::create_dir_all(cloud.sandbox.beside("state")).unwrap();
        cloud.sandbox.forge("release:binary api").succeeds();
        Some(cloud)
    }

    /// Has the first file take this many seconds.
    fn takes(&self, seconds: &str) {
        let program = self.sandbox.read("infra/Pulumi.yaml");
        let at = program.find("seconds: ").and(program.rfind("seconds: ")).unwrap() + 9;
        let end = at + program[at..].find(" }").unwrap();
        let program = format!("{}{seconds}{}", &program[..at], &program[end..]);
        self.sandbox.write("infra/Pulumi.yaml", &program);
    }

    fn forge(&self, words: &str) -> Invocation {
        let mut forge = self.sandbox.forge(words);
        for (name, value) in self.variables() {
            forge = forge.env(&name, value);
        }
        forge
    }

    fn variables(&self) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let state = self.sandbox.beside("state").display().to_string();
        let home = self.sandbox.beside("pulumi").display().to_string();
        [
            ("PATH", format!("{}:{path}", self.programs.display())),
            ("PULUMI_HOME", home),
            ("PULUMI_BACKEND_URL", format!("file://{state}?metadata=skip")),
            ("PULUMI_CONFIG_PASSPHRASE", "a passphrase".to_owned()),
            ("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn states(&self) -> Vec<String> {
        let document = self.sandbox.forge("deployments --json").succeeds().json();
        let all = document["deployments"].as_array().unwrap().iter().rev();
        all.map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    }

    fn locks(&self) -> usize {
        let folder = self.sandbox.beside("state/.pulumi/locks/organization/shop/test");
        std::fs::read_dir(folder).map_or(0, |entries| entries.flatten().count())
    }

    /// Kills the providers that work for this sandbox.
    fn kill_provider(&self) {
        for pid in self.processes().filter(|(name, _)| name.starts_with("pulumi-resource")) {
            let _ = Command::new("kill").args(["-KILL", &pid.1]).status();
        }
    }

    /// How many processes of Pulumi work for this sandbox.
    fn plugins(&self) -> usize {
        self.processes().count()
    }

    /// The processes of Pulumi that work for this sandbox, by their names and numbers.
    fn processes(&self) -> impl Iterator<Item = (String, String)> {
        let home = self.sandbox.beside("pulumi").display().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes.filter_map(move |entry| {
            let path = entry.path();
            let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            let is_ours =
                name.starts_with("pulumi") && String::from_utf8_lossy(&environment).contains(&home);
            is_ours.then(|| (name, entry.file_name().to_string_lossy().into_owned()))
        })
    }
}

fn signal(child: &std::process::Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

#[test]
fn pulumi_deploys_and_the_checkout_stays_as_it_is() {
    let Some(cloud) = Cloud::new("") else { return };
    cloud.takes("1.2");
    let run = cloud.forge("deploy test").succeeds();
    run.says(": creating shop-test").says("2 of 3: created first (");
    cloud.takes("0");
    assert_eq!(cloud.sandbox.read("first"), "v1");
    let infra: Vec<_> = std::fs::read_dir(cloud.sandbox.path("infra")).unwrap().flatten().collect();
    assert_eq!(infra.len(), 1, "{infra:?}");
    cloud.forge("explain api").succeeds().says("pulumi up --stack {{ environment }} -C infra");
    cloud
        .forge("deploy test --force")
        .env("PULUMI_CONFIG_PASSPHRASE", "another")
        .exits(2)
        .says("the passphrase is not that of the stack");
    cloud.forge("deploy test --force --target **second").succeeds();
    assert_eq!(cloud.states(), ["succeeded", "failed", "succeeded"]);
}

#[test]
fn an_update_is_ended_with_care_and_the_next_goes_on() {
    let Some(cloud) = Cloud::new("") else { return };
    cloud.forge("deploy test").succeeds();
    cloud.takes("3");
    for how in ["-INT", "-KILL"] {
        let child = cloud.forge("deploy test --force").start();
        wait_until("it has the lock", || cloud.locks() > 0);
        std::thread::sleep(Duration::from_millis(700));
        signal(&child, how);
        drop(child.wait_with_output());
        wait_until("it ended", || cloud.plugins() == 0);
        assert_eq!(cloud.locks(), 0, "{how}: a lock stayed");
    }
    cloud.takes("0");
    cloud.forge("deploy test --force").succeeds();
    assert_eq!(cloud.states(), ["succeeded", "cancelled", "interrupted", "succeeded"]);
}

#[test]
fn a_lock_is_taken_away_only_if_it_is_ours() {
    let Some(cloud) = Cloud::new("") else { return };
    cloud.forge("deploy test").succeeds();
    let folder = cloud.sandbox.beside("state/.pulumi/locks/organization/shop/test");
    std::fs::create_dir_all(&folder).unwrap();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let lock = |pid: &str, host: &str| {
        let time = "2026-11-30T06:45:16Z";
        let text = format!(
            "{{\"pid\":{pid},\"username\":\"ann\",\"hostname\":\"{host}\",\"timestamp\":\"{time}\"}}"
        );
        std::fs::write(folder.join("0a.json"), text).unwrap();
    };
    lock("1", "elsewhere");
    let run = cloud.forge("deploy test --force --timeout 4s").run();
    assert_eq!(run.code(), Some(124), "{run}");
    run.says("process 1 of ann@elsewhere has it since");
    assert!(folder.join("0a.json").exists());
    // What a command of an earlier deployment left that is gone.
    let ledger = std::fs::read_dir(cloud.sandbox.beside("data/deployments")).unwrap();
    let ledger = ledger.flatten().next().unwrap().path().join("ledger.jsonl");
    let text = std::fs::read_to_string(ledger).unwrap();
    let at = text.find("\"started\"").unwrap();
    let pid = text[at..].split("\"pid\":").nth(1).unwrap().split(',').next().unwrap();
    lock(pid, host.trim());
    cloud.forge("deploy test --force").succeeds().says("its lock is taken away");
}

/// Eight rounds, or as many as FORGE_TEST_PULUMI_ROUNDS says.
#[test]
fn killed_at_any_moment_no_two_updates_meet_and_no_plugin_stays() {
    let Some(cloud) = Cloud::new("  stop: { grace: 20s }\n") else { return };
    cloud.forge("deploy test").succeeds();
    cloud.takes("0.3");
    let rounds = std::env::var("FORGE_TEST_PULUMI_ROUNDS").ok().and_then(|it| it.parse().ok());
    for round in 0..rounds.unwrap_or(8_u64) {
        let child = cloud.forge("deploy test --force").start();
        std::thread::sleep(Duration::from_millis(round * 397 % 3500));
        match round % 4 {
            0 => signal(&child, "-KILL"),
            1 => signal(&child, "-INT"),
            2 => {
                let own = child.id().to_string();
                let _ = Command::new("pkill").args(["-KILL", "-P", &own, "-x", "pulumi"]).status();
            }
            _ => cloud.kill_provider(),
        }
        drop(child.wait_with_output());
        wait_until("all ended", || cloud.plugins() == 0);
    }
    cloud.takes("0");
    let run = cloud.forge("deploy test --force").run();
    assert!(matches!(run.code(), Some(0)), "{run}");
    assert_eq!((cloud.locks(), cloud.plugins()), (0, 0));
    let known = ["succeeded", "failed", "cancelled", "interrupted"];
    assert!(cloud.states().iter().all(|state| known.contains(&state.as_str())));
}

#[test]
fn a_preview_is_a_stack_that_goes_and_a_stack_of_others_is_named() {
    let Some(cloud) = Cloud::new("") else { return };
    let manifest = cloud.sandbox.read("versions.yml");
    let preview = "environments: { preview: { pull_request: true }, test";
    cloud.sandbox.write("versions.yml", &manifest.replace("environments: { test", preview));
    cloud.forge("preview --pr 7").succeeds();
    assert_eq!(cloud.sandbox.read("first"), "v1");
    let stacks = || {
        let folder = cloud.sandbox.beside("state/.pulumi/stacks/shop");
        let files = std::fs::read_dir(folder).unwrap().flatten();
        let names = files.map(|it| it.file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|it| it.ends_with(".json")).collect();
        names.sort();
        names
    };
    assert_eq!(stacks(), ["pr-7.json"]);
    let mut other = Command::new(cloud.programs.join("pulumi"));
    let init = ["stack", "init", "pr-9", "--non-interactive", "-C", "infra"];
    other.args(init).current_dir(cloud.sandbox.root()).envs(cloud.variables());
    assert!(other.output().unwrap().status.success());
    std::fs::remove_file(cloud.sandbox.path("infra/Pulumi.pr-9.yaml")).unwrap();
    cloud
        .forge("preview:sweep")
        .succeeds()
        .says("the stack `infra:pr-9` of pull request 9 is left")
        .says("1 preview left, 1 not known");
    cloud.forge("preview:destroy 7").succeeds().says("is removed from pr-7");
    assert!(!cloud.sandbox.path("first").exists());
    assert_eq!(stacks(), ["pr-9.json"]);
}

#[test]
fn the_example_is_deployed_by_pulumi_and_shown_before() {
    let Some(cloud) = Cloud::new("") else { return };
    let example = cloud.sandbox.beside("example");
    copy_tree(std::path::Path::new("examples/pulumi"), &example);
    let forge = |words: &str| cloud.forge(words).within(&example);
    forge("release:all").succeeds();
    let plan = forge("deploy test --dry-run").succeeds();
    plan.says("would deploy greeter v1.0.0 to test").says("the stack test is not there yet");
    forge("deploy test").succeeds();
    let seen = forge("deploy test --dry-run --force").succeeds();
    seen.says("1 unchanged");
    let document = forge("deploy test --dry-run --force --json").succeeds().json();
    assert_eq!((&document["ok"], &document["would"][0]["now"]), (&true.into(), &"v1.0.0".into()));
    let mut outputs = Command::new(cloud.programs.join("pulumi"));
    let words = ["stack", "output", "label", "--stack", "test", "--non-interactive", "-C", "infra"];
    let outputs = outputs.args(words).current_dir(&example).envs(cloud.variables()).output();
    let outputs = outputs.unwrap();
    assert_eq!(String::from_utf8_lossy(&outputs.stdout).trim(), "greeter v1.0.0 in test");
    forge("preview --pr 7").succeeds();
    forge("preview:destroy 7").succeeds();
}

#[test]
fn a_setting_may_be_longer_than_a_word() {
    let Some(cloud) = Cloud::new("") else { return };
    let long = "x".repeat(200 << 10);
    let spec = cloud.sandbox.read("subsystems/api.yml");
    cloud.sandbox.write("subsystems/api.yml", &spec.replace("{{ version }}", &long));
    cloud.forge("deploy test").succeeds();
    assert_eq!(cloud.sandbox.read("first"), long);
}
