//! Looking at tasks runs nothing: each place where a task may say a command holds a trap.

use std::fs;

use crate::support::Sandbox;

/// A workspace in which every command, wherever it may stand, touches a file that is named after its
/// place.
fn trapped() -> Sandbox {
    let trap = |place: &str| format!("touch {{{{ root }}}}/sprung-{place} out.txt; echo a");
    let t = |place: &str| format!("\"{}\"", trap(place));
    let all = [
        ("vars", format!("{{ lazy: {{ sh: {} }}, list: [a] }}", t("var"))),
        ("needs", "[before, { task: each, for: { expr: list } }]".into()),
        ("for", format!("{{ sh: {} }}", t("for"))),
        ("if", t("if")),
        ("status", t("status")),
        ("assert", format!("[{{ run: {}, message: '{{{{ lazy }}}}' }}]", t("assert"))),
        ("env", "{ LAZY: '{{ lazy }}', FILE: '{{ of_file }}', HUSH: '{{ hush }}' }".into()),
        ("inputs", "[in.txt, '{{ lazy }}']".into()),
        ("outputs", "out.txt".into()),
        ("finally", t("finally")),
        (
            "run",
            format!(
                "[{0}, {{ run: 'echo {{{{ item }}}}', if: {1}, for: {{ sh: {2} }} }}, {{ finally: {3} }}, {{ task: each }}]",
                t("run"),
                t("entry-if"),
                t("entry-for"),
                t("entry-finally")
            ),
        ),
    ];
    let all: String = all.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
    // What says that it is not done runs.
    let undone = |place: &str| format!("\"{} && false\"", trap(place));
    let before = format!("{{ run: {}, status: {} }}", t("need"), undone("need-status"));
    let head = format!(
        "vars: {{ of_file: {{ sh: {} }}, hush: {{ secret: {{ sh: {} }} }} }}\nenv: {{ LATE: '{{{{ of_file }}}}' }}\ntasks:\n  all:\n{all}  before: {before}\n  each: {}\n",
        t("file-var"),
        t("secret"),
        t("each"),
    );
    Sandbox::with_store().script("tool", "v1").head(&head).file("in.txt", "1\n")
}

#[test]
fn looking_springs_no_trap_and_changes_no_byte() {
    let sandbox = trapped();
    let before = sandbox.listing();
    let looks = [
        "all --dry-run",
        "run all before --dry-run --force",
        "explain all",
        "list",
        "list --all --json",
        "check",
        "status",
        "plan",
        "graph",
        "explain tool",
        "",
    ];
    for words in looks {
        sandbox.forge(words).succeeds();
        assert_eq!(sandbox.listing(), before, "forge {words}");
    }
    // What is not known without running something is shown as what would find it out.
    let run = sandbox.forge("explain all").succeeds();
    run.says("echo $(touch {{ root }}/sprung-entry-for").says("all would run");
}

#[test]
fn each_of_these_traps_springs_when_the_task_runs() {
    let sandbox = trapped();
    sandbox.forge("all").succeeds();
    // Whether a record still holds is asked of `status` last.
    sandbox.forge("all").succeeds();
    let text = sandbox.read("versions.yml");
    let mut set: Vec<_> =
        text.split("sprung-").skip(1).filter_map(|rest| rest.split(' ').next()).collect();
    set.sort_unstable();
    set.dedup();
    let sprung = fs::read_dir(sandbox.root()).unwrap().flatten();
    let sprung = sprung.map(|entry| entry.file_name().into_string().unwrap());
    let mut sprung: Vec<_> =
        sprung.filter_map(|name| name.strip_prefix("sprung-").map(str::to_owned)).collect();
    sprung.sort_unstable();
    assert_eq!(sprung, set);
    assert!(set.len() > 12, "{set:?}");
}
