//! What lies in the cache, in the installed folder or in a store is only taken if something vouches
//! for it: a digest in `forge.lock`, or a record that this user's forge sealed on this machine.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use crate::support::{Asset, Sandbox, Server, sha256};

const EVIL: &[u8] = b"#!/bin/sh\necho EVIL\n";

/// The records of artifacts in the cache.
fn records(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.beside("cache/artifacts")).expect("records");
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The line that seals a record, and the rest as JSON.
fn opened(record: &Path) -> (String, serde_json::Value) {
    let text = fs::read_to_string(record).unwrap();
    let (line, body) = text.split_once('\n').unwrap();
    (line.to_owned(), serde_json::from_str(body).unwrap())
}

/// Makes every record of the cache name `EVIL` as the binary `name`, with the bytes in their place.
fn forge_records(sandbox: &Sandbox, name: &str) {
    let digest = sha256(EVIL);
    let file = sandbox.beside("cache/files").join(&digest[..2]).join(&digest);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, EVIL).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o555)).unwrap();
    for path in records(sandbox) {
        let (line, mut record) = opened(&path);
        record["files"] = serde_json::json!({});
        record["stamp"]["binaries"][name] = digest.clone().into();
        fs::write(&path, format!("{line}\n{record}")).unwrap();
    }
}

/// Puts other bytes of the same size into a file, and makes time and mode what they were.
fn edit_in_place(path: &Path) {
    let before = fs::metadata(path).unwrap();
    let mut bytes = EVIL.to_vec();
    bytes.resize(before.len() as usize, b'\n');
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut &file, &bytes).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    fs::set_permissions(path, before.permissions()).unwrap();
}

/// Another workspace of the same user, with the same files.
fn another(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.beside("another");
    let copied = std::process::Command::new("cp").arg("-r").arg(sandbox.root()).arg(&path).status();
    assert!(copied.unwrap().success());
    let _ = fs::remove_dir_all(path.join(".forge"));
    path
}

/// What the installed binary `tool` of the workspace at `root` says.
fn says(root: &Path) -> String {
    let output = std::process::Command::new(root.join(".forge/bin/tool")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const GOOD: &str = "tool v1\n";

fn installed() -> Sandbox {
    let sandbox = Sandbox::with_store().script("tool", "v1");
    sandbox.forge("ensure").succeeds();
    sandbox
}

#[test]
fn forged_records_of_the_cache_install_nothing() {
    for flags in ["--locked", ""] {
        let sandbox = installed();
        forge_records(&sandbox, "tool");
        fs::remove_dir_all(sandbox.path(".forge")).unwrap();
        sandbox.forge(&format!("ensure {flags}")).succeeds();
        assert_eq!(says(&sandbox.root()), GOOD, "{flags}");
        sandbox.forge("verify").succeeds();
    }
}

#[test]
fn where_nothing_is_locked_a_forged_record_costs_a_build_and_explain_says_so() {
    let mut sandbox = Sandbox::new().script("tool", "v1");
    sandbox.without_store();
    sandbox.forge("ensure").succeeds();
    fs::remove_dir_all(sandbox.path(".forge")).unwrap();
    fs::remove_dir_all(sandbox.beside("data/releases")).unwrap();
    sandbox.all_are("cached");
    forge_records(&sandbox, "tool");
    fs::remove_dir_all(sandbox.path(".forge")).unwrap();
    fs::remove_dir_all(sandbox.beside("data/releases")).unwrap();
    sandbox.forge("explain tool").succeeds().says("did not write its record");
    sandbox.all_are("built");
    assert_eq!(says(&sandbox.root()), GOOD);
}

#[test]
fn a_record_that_names_a_path_as_a_binary_writes_nothing_there() {
    let sandbox = installed();
    forge_records(&sandbox, "../../../../escaped");
    fs::remove_dir_all(sandbox.path(".forge")).unwrap();
    sandbox.forge("ensure").succeeds();
    for place in [sandbox.root(), sandbox.beside("."), sandbox.path(".forge")] {
        assert!(fs::symlink_metadata(place.join("escaped")).is_err(), "{}", place.display());
    }
}

#[test]
fn a_stamp_and_its_binary_that_somebody_put_into_place_are_not_believed() {
    let sandbox = installed();
    let folder = sandbox.path(".forge/installed/tool");
    let stamp = fs::read_to_string(folder.join(".version")).unwrap();
    let was = sha256(&fs::read(folder.join("tool")).unwrap());
    for (file, bytes) in
        [("tool", EVIL.to_vec()), (".version", stamp.replace(&was, &sha256(EVIL)).into_bytes())]
    {
        fs::remove_file(folder.join(file)).unwrap();
        fs::write(folder.join(file), bytes).unwrap();
        fs::set_permissions(folder.join(file), fs::Permissions::from_mode(0o555)).unwrap();
    }
    fs::remove_file(sandbox.path(".forge/installed/tool/.record")).unwrap();
    sandbox.forge("verify").exits(4);
    sandbox.forge("ensure --locked").succeeds();
    assert_eq!(says(&sandbox.root()), GOOD);
}

/// CI carries the cache from machine to machine, but not the key.
#[test]
fn a_cache_from_elsewhere_serves_what_the_lock_pins_and_no_other_bytes() {
    let sandbox = installed();
    let elsewhere = || {
        fs::remove_dir_all(sandbox.path(".forge")).unwrap();
        fs::remove_dir_all(sandbox.beside("data")).unwrap();
    };
    elsewhere();
    sandbox.all_are("cached");
    assert_eq!(says(&sandbox.root()), GOOD);
    elsewhere();
    let digest = sha256(&fs::read(sandbox.path("code/tool/tool.sh")).unwrap());
    let file = sandbox.beside("cache/files").join(&digest[..2]).join(&digest);
    edit_in_place(&file);
    let run = sandbox.forge("ensure").succeeds();
    run.says("a file in your cache was changed");
    assert_eq!(says(&sandbox.root()), GOOD);
}

#[test]
fn a_file_that_was_edited_where_it_lies_is_noticed_here_and_is_in_no_other_workspace() {
    let sandbox = installed();
    let other = another(&sandbox);
    sandbox.forge("ensure").succeeds();
    edit_in_place(&sandbox.path(".forge/installed/tool/tool"));
    sandbox.forge("ensure").within(&other).succeeds();
    assert_eq!(says(&other), GOOD);
    sandbox.forge("ensure").succeeds().says("is damaged");
    assert_eq!(says(&sandbox.root()), GOOD);
}

#[test]
fn workspaces_and_the_cache_share_no_inode() {
    let sandbox = installed();
    let other = another(&sandbox);
    sandbox.forge("ensure").within(&other).succeeds();
    for root in [sandbox.root(), other] {
        let binary = root.join(".forge/installed/tool/tool");
        assert_eq!(fs::metadata(&binary).unwrap().nlink(), 1, "{}", binary.display());
    }
}

#[test]
fn a_large_source_file_is_known_by_stat_until_somebody_writes_to_it() {
    let large = "x".repeat(1 << 20);
    let sandbox = installed().file("code/tool/data", &large);
    let kept = || fs::read_to_string(sandbox.beside("cache/large-files")).unwrap_or_default();
    sandbox.forge("plan").succeeds();
    assert_eq!(kept(), "", "looking writes nothing");
    for _ in 0..2 {
        fs::remove_dir_all(sandbox.path(".forge")).unwrap();
        sandbox.forge("ensure").succeeds();
    }
    let before = kept();
    assert!(before.contains("code/tool/data"), "{before}");
    sandbox.write("code/tool/data", &large.replace('x', "y"));
    sandbox.forge("ensure").succeeds().says("built");
    sandbox.forge("ensure --force").succeeds();
    assert_ne!(kept(), before);
}

#[test]
fn a_file_that_was_edited_where_it_lies_is_not_packed() {
    let sandbox = Sandbox::with_store().script("tool", "v1");
    sandbox.forge("ensure --no-publish").succeeds();
    edit_in_place(&sandbox.path(".forge/installed/tool/tool"));
    sandbox.forge("package tool").succeeds();
    let mut dist = fs::read_dir(sandbox.path(".forge/dist")).unwrap().map(|e| e.unwrap().path());
    let packed = dist.find(|path| path.extension().is_some_and(|e| e == "gz")).unwrap();
    let unpack = std::process::Command::new("tar").arg("xzOf").arg(packed).arg("tool").output();
    assert_eq!(unpack.unwrap().stdout, fs::read(sandbox.path("code/tool/tool.sh")).unwrap());
}

#[test]
fn an_asset_that_holds_more_than_the_spec_names_is_refused_by_name() {
    let good: &[u8] = b"#!/bin/sh\necho tool v1\n";
    let make = "printf '#!/bin/sh\\necho tool v1\\n' > {{ out }}/tool; chmod +x {{ out }}/tool";
    let sandbox =
        Sandbox::with_store().spec("tool", "v1", &format!("build:\n  run: |\n    {make}\n"));
    sandbox.forge("ensure").succeeds();
    let stamp = sandbox.read(".forge/installed/tool/.version");
    let asset = sandbox.asset("tool-v1");
    let more = format!("{stamp}  ls: {}\n", sha256(EVIL));
    let assets = [
        Asset::new().file(".version", more.as_bytes()).file("tool", good).file("ls", EVIL).gz(),
        Asset::new().file(".version", stamp.as_bytes()).file("tool", good).file("ls", EVIL).gz(),
    ];
    for packed in assets {
        let _ = fs::remove_dir_all(sandbox.path(".forge"));
        let _ = fs::remove_dir_all(sandbox.beside("cache"));
        let _ = fs::remove_file(sandbox.path("forge.lock"));
        fs::set_permissions(&asset, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&asset, &packed).unwrap();
        let sidecar = PathBuf::from(format!("{}.sha256", asset.display()));
        fs::set_permissions(&sidecar, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&sidecar, sha256(&packed)).unwrap();
        sandbox.forge("ensure --no-publish").exits(4).says("`ls`");
        assert!(fs::symlink_metadata(sandbox.path(".forge/bin/ls")).is_err());
    }
}

#[test]
fn outputs_that_are_links_are_installed_as_files_and_what_they_lead_to_stays_as_it_is() {
    let sandbox = Sandbox::new().spec(
        "tool",
        "v1",
        "source: { path: code }\nbuild: { run: 'ln -s \"{{ src }}/tool.sh\" {{ out }}/tool' }\n",
    );
    sandbox.write("code/tool.sh", "#!/bin/sh\necho tool v1\n");
    sandbox.forge("ensure").succeeds();
    let source = sandbox.path("code/tool.sh");
    assert_ne!(
        fs::metadata(&source).unwrap().permissions().mode() & 0o200,
        0,
        "it was not touched"
    );
    assert!(fs::symlink_metadata(sandbox.path(".forge/installed/tool/tool")).unwrap().is_file());
    fs::write(&source, "other").unwrap();
    assert_eq!(says(&sandbox.root()), GOOD);
}

#[test]
fn a_vendors_digest_is_locked_at_first_use_and_compared_from_then_on() {
    let sandbox = Sandbox::with_store();
    let pack = |text: &[u8]| Asset::new().file("tool", text).gz();
    let vendor = sandbox.beside("vendor");
    fs::create_dir(&vendor).unwrap();
    let publish = |packed: &[u8]| {
        fs::write(vendor.join("tool.tar.gz"), packed).unwrap();
        let sums = format!("{}  tool.tar.gz\n", sha256(packed));
        fs::write(vendor.join("SHA256SUMS"), sums).unwrap();
    };
    let good = pack(b"#!/bin/sh\necho tool v1\n");
    publish(&good);
    let server = Server::serve(&vendor);
    let url = server.url();
    let sandbox = sandbox.spec(
        "tool",
        "v1",
        &format!("upstream:\n  url: {url}/tool.tar.gz\n  sha256: {url}/SHA256SUMS\n"),
    );
    sandbox
        .forge("ensure --locked --no-publish")
        .exits(4)
        .says("there is no forge.lock")
        .says("without --locked");
    sandbox.all_are("upstream");
    assert!(sandbox.read("forge.lock").contains(&sha256(&good)));
    let forget = || {
        for folder in [".forge", "../store", "../cache"] {
            let _ = fs::remove_dir_all(sandbox.path(folder));
        }
    };
    forget();
    sandbox.all_are("upstream");
    forget();
    publish(&pack(EVIL));
    for flags in ["--locked", ""] {
        let run = sandbox.forge(&format!("ensure {flags}")).exits(4);
        run.says("publishes another digest").says("forge.lock").says("to accept it");
    }
    // Its list says the old digest, its bytes are others.
    fs::write(vendor.join("SHA256SUMS"), format!("{}  tool.tar.gz\n", sha256(&good))).unwrap();
    sandbox.forge("ensure --locked").exits(4).says("is not what was published");
    assert!(fs::symlink_metadata(sandbox.path(".forge/bin/tool")).is_err());
}

/// Commands can use what no fingerprint holds.
#[test]
fn what_a_strangers_workspace_built_is_no_hit_of_another_with_the_same_recipe() {
    let sandbox = Sandbox::new();
    let place = |name: &str| {
        let root = sandbox.beside(name);
        fs::create_dir_all(root.join("subsystems")).unwrap();
        fs::write(root.join("versions.yml"), "project: same\nversions:\n  tool: v1\n").unwrap();
        let script = sandbox.beside("script");
        let spec = format!("build: {{ run: \"cp {} {{{{ out }}}}/tool\" }}\n", script.display());
        fs::write(root.join("subsystems/tool.yml"), spec).unwrap();
        fs::write(&script, format!("#!/bin/sh\necho {name}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        root
    };
    for name in ["stranger", "mine"] {
        let root = place(name);
        sandbox.forge("ensure").within(&root).succeeds();
        assert_eq!(says(&root), format!("{name}\n"));
    }
    // Each workspace goes on having its own.
    let root = sandbox.beside("stranger");
    fs::remove_dir_all(root.join(".forge")).unwrap();
    sandbox.forge("ensure").within(&root).succeeds();
    assert_eq!(says(&root), "stranger\n");
}

#[test]
fn nothing_is_installed_or_restored_through_a_link_below_forge() {
    for planted in [".forge/installed", ".forge/bin", ".forge/state", ".forge"] {
        let sandbox = installed();
        let elsewhere = sandbox.beside("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::remove_dir_all(sandbox.path(planted)).unwrap();
        symlink(&elsewhere, sandbox.path(planted)).unwrap();
        let run = sandbox.forge("ensure").run();
        assert_ne!(run.code(), Some(0), "{planted}: {run}");
        let found: Vec<_> = fs::read_dir(&elsewhere).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(found.is_empty(), "{planted}: {found:?}");
    }
}
