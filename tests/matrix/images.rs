//! Services that are released as images: a job for each on a tag, one page for all of them, and nothing
//! made twice.

use super::*;
use crate::{images::Registry, support::github::Role};

const SERVICES: [&str; 6] = ["api", "cleaner", "indexing", "metadata", "thumbnail", "web"];

/// Services whose builds are told to the file `builds`; `NAME` cannot be built while there is a file
/// `broken-NAME` beside the workspace.
fn shop(registry: &Registry, releases: &str, services: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let beside = sandbox.beside("");
    let beside = beside.display();
    let spec = format!(
        "discover: services/{{service}}\nversion: {{ scheme: tag }}\nsource: {{ path: \"{{{{ folder }}}}\" }}\n\
         build:\n  run:\n    - test ! -e {beside}broken-{{{{ service }}}}\n    - echo {{{{ service }}}} {{{{ platform }}}} >> {beside}builds\n    - cp run.sh {{{{ out }}}}/{{{{ name }}}}\n\
         image: {}/shop/{{{{ service }}}}\n",
        registry.host()
    );
    let manifest = format!(
        "project: shop\nreleases: {releases}\nplatforms: [linux-amd64, linux-arm64]\nversions: {{}}\n"
    );
    let sandbox = sandbox.file("versions.yml", &manifest).file("subsystems/services.yml", &spec);
    let add = |sandbox: Sandbox, name: &&str| {
        sandbox.file(&format!("services/{name}/run.sh"), &format!("#!/bin/sh\necho {name}\n"))
    };
    in_git(services.iter().fold(sandbox, add))
}

fn tag(sandbox: &Sandbox, tag: &str) {
    git(&sandbox.root(), &["tag", tag]);
    git(&sandbox.root(), &["push", "--quiet", "--tags", "origin"]);
}

/// The images that were asked to be changed since the request `from`.
fn changed(registry: &Registry, from: usize) -> Vec<String> {
    let all = registry.requests();
    let writes = all[from..].iter().filter(|it| !it.starts_with("GET") && !it.starts_with("HEAD"));
    let name = |line: &String| line.split("/shop/").nth(1)?.split('/').next().map(str::to_owned);
    let mut names: Vec<String> = writes.filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn six_services_end_in_one_page_and_a_broken_one_stops_no_other() {
    let Some(registry) = Registry::start().filter(|_| is_here("git")) else { return };
    let github = GitHub::new(REPOSITORY);
    let sandbox = shop(&registry, &format!("github:{REPOSITORY}"), &SERVICES);
    sandbox.forge(INIT).succeeds();
    push(&sandbox, "feat: all of it");
    tag(&sandbox, "v1.0.0");
    let player = Player::new(&sandbox, &github);
    let tagged = Event { name: "push", reference: "refs/tags/v1.0.0", run: 1 };

    fs::write(sandbox.beside("broken-indexing"), "").unwrap();
    let played = player.play(tagged);
    assert_eq!(played.0["publish"].len(), 6, "{}", played.told());
    let failed: Vec<_> = played.0["publish"].iter().filter(|it| it.result != "success").collect();
    assert_eq!(failed.len(), 1, "{}", played.told());
    assert_eq!(failed[0].name, "image indexing");
    assert_eq!(played.result("done"), "failure");
    let others = ["api", "cleaner", "metadata", "thumbnail", "web"];
    assert_eq!(changed(&registry, 0), others);
    let close = played.job("close");
    assert!(close.output.contains("publish: failure") && close.output.contains("1 missing"));
    assert!(
        close.output.contains("is a pre-release that says what is missing"),
        "{}",
        close.output
    );
    assert!(close.summary.contains("@sha256:") && close.summary.contains("image of indexing"));
    let page = github.release("v1.0.0").unwrap();
    assert!(page.prerelease && github.latest().is_none());
    let text = page.body.unwrap();
    assert!(text.contains("**Not complete yet:** missing indexing."), "{text}");
    for name in others {
        assert!(text.contains(&format!("/shop/{name}:v1.0.0@sha256:")), "{text}");
    }
    // The exit code of the job that closes.
    let close = sandbox.clone_fresh();
    let close = close.forge("ci:close --partial").env("GITHUB_TOKEN", github.token(Role::Write));
    let close = close.env("GITHUB_ACTIONS", "true").env("CI", "true");
    let close = close.env("GITHUB_EVENT_NAME", "push").env("GITHUB_REF", "refs/tags/v1.0.0");
    let close = close.env("GITHUB_SERVER_URL", github.url());
    let close = close.env("GITHUB_API_URL", github.api_url());
    close.exits(3).says("1 image is missing").says("run it again");

    // Mended and run again: one is built, nothing else is pushed, and the page is corrected.
    fs::remove_file(sandbox.beside("broken-indexing")).unwrap();
    let (requests, before) = (registry.requests().len(), builds(&sandbox).len());
    let again = player.play(Event { run: 2, ..tagged });
    assert_green(&again);
    assert_eq!(again.0["publish"].len(), 1, "{}", again.told());
    assert_eq!(changed(&registry, requests), ["indexing"]);
    assert_eq!(builds(&sandbox).len() - before, 2, "one for each platform");
    let page = github.release("v1.0.0").unwrap();
    assert!(!page.prerelease && page.assets.is_empty());
    assert_eq!(github.latest().unwrap().tag, "v1.0.0");
    let text = page.body.unwrap();
    assert!(!text.contains("Not complete") && text.contains("all of it"), "{text}");
    for name in SERVICES {
        assert!(text.contains(&format!("/shop/{name}:v1.0.0@sha256:")), "{text}");
    }

    // Nothing is left to do: a look at each tag by the plan, and one by the last job.
    let requests = registry.requests().len();
    let third = player.play(Event { run: 3, ..tagged });
    assert_green(&third);
    assert_eq!(third.job("publish").result, "skipped");
    assert!(changed(&registry, requests).is_empty());
    let asked = registry.requests().len() - requests;
    assert!(asked <= 3 * SERVICES.len(), "{:?}", &registry.requests()[requests..]);
    assert_eq!(github.releases().len(), 1, "no binary is released");
}

#[test]
fn a_branch_builds_what_has_changed_and_a_new_folder_is_a_new_service() {
    let Some(registry) = Registry::start().filter(|_| is_here("git")) else { return };
    let sandbox = shop(&registry, "github:acme/stack", &["api", "web"]);
    push(&sandbox, "feat: all of it");
    tag(&sandbox, "v1.0.0");
    let matrix = |more: &str| {
        let github = GitHub::new(REPOSITORY);
        let run = sandbox.forge(&format!("matrix --misses --json {more}"));
        let run =
            run.env("GITHUB_API_URL", github.api_url()).env("GITHUB_SERVER_URL", github.url());
        let jobs = run.succeeds().json()["jobs"].as_array().unwrap().clone();
        jobs.iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(matrix(""), ["image api", "image web"]);
    sandbox.write("services/web/run.sh", "#!/bin/sh\necho other\n");
    sandbox.write("services/search/run.sh", "#!/bin/sh\necho search\n");
    push(&sandbox, "feat: another");
    assert_eq!(matrix(""), ["image search", "image web"], "what has changed since the tag");
    tag(&sandbox, "v1.1.0");
    assert_eq!(matrix(""), ["image api", "image search", "image web"]);
    assert_eq!(matrix("api"), ["image api"]);
}
