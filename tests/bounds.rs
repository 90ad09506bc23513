//! What a manifest asks for is bounded: no template, loop, command or file of a few lines takes all
//! memory, in `check` as in a run.

use std::process::Command;

use crate::support::Sandbox;

/// `forge WORDS`, with 512 MiB for its data: far more than it needs, far less than
/// any of these asks for.
fn confined(sandbox: &Sandbox, words: &str) -> (Option<i32>, String) {
    let mut forge = sandbox.forge(words);
    let forge = forge.command();
    let mut sh = Command::new("sh");
    sh.args(["-c", "ulimit -d 524288; exec \"$@\"", "sh"]).arg(forge.get_program());
    sh.args(forge.get_args()).current_dir(sandbox.root()).env_clear();
    for (key, value) in forge.get_envs() {
        if let Some(value) = value {
            sh.env(key, value);
        }
    }
    let out = sh.env("RAYON_NUM_THREADS", "2").output().expect("sh runs");
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn a_template_that_grows_without_end_is_a_problem_with_a_place() {
    for template in [
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{{ range(10) | batch(1000000000, 0) }}",
        "{{ version | replace('', 'x' * 60000) | replace('', 'x' * 60000) }}",
    ] {
        let sandbox = Sandbox::new().spec(
            "tool",
            "v1",
            &format!("binary: tool\nbuild: {{ run: {} }}\n", serde_json::Value::from(template)),
        );
        let (code, said) = confined(&sandbox, "check");
        assert_eq!(code, Some(2), "{template}: {said}");
        assert!(
            said.contains("too much") && said.contains("subsystems/tool.yml:2"),
            "{template}: {said}"
        );
    }
}

#[test]
fn the_variables_of_a_workspace_are_bounded_together() {
    let variables: String =
        (0..2000).map(|at| format!("  v{at}: \"{{{{ 'x' * size }}}}\"\n")).collect();
    let sandbox = Sandbox::new()
        .head(&format!("vars:\n  size: {{ value: 900000 }}\n{variables}"))
        .script("tool", "v1");
    let (code, said) = confined(&sandbox, "check");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the templates of this workspace do too much work together"), "{said}");
}

#[test]
fn a_loop_has_an_end() {
    let parts: String = (0..6).map(|at| format!("m{at}: {{ expr: many }}, ")).collect();
    let sandbox = Sandbox::new()
        .head(&format!(
            "vars: {{ many: {{ expr: range(200) }} }}\ntasks:\n  all: {{ run: 'true', for: {{ matrix: {{ {parts} }} }} }}\n"
        ))
        .script("tool", "v1");
    let (code, said) = confined(&sandbox, "all");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`for` of the task all has 40000 values"), "{said}");
}

#[test]
fn what_a_command_prints_for_a_value_has_an_end() {
    let sandbox = Sandbox::new()
        .head("vars: { all: { sh: 'yes $(printf %01000d 0)' } }\ntasks:\n  show: echo {{ all }}\n")
        .script("tool", "v1");
    let (code, said) = confined(&sandbox, "show");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("prints too much for a value"), "{said}");
}

#[test]
fn of_countless_problems_the_first_are_told() {
    let twice = "  a: echo\n".repeat(20_000);
    let sandbox = Sandbox::new().head(&format!("tasks:\n{twice}")).script("tool", "v1");
    let (code, said) = confined(&sandbox, "check");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("this file has more problems than these"), "{said}");
    assert_eq!(said.matches("stands twice").count(), 500);
}

#[test]
fn a_long_line_of_a_command_is_one_value() {
    let sandbox = Sandbox::new().head(
        "vars: { long: { sh: 'printf %0200000d 0; printf \\\\nx' } }\ntasks:\n  show: printf %s '{{ long | length }} {{ long | lines | length }}'\n",
    ).script("tool", "v1");
    assert_eq!(sandbox.forge("show").succeeds().stdout(), "200002 2");
}

#[test]
fn tasks_that_would_be_without_end_are_refused_before_anything_runs() {
    let twice = |at: usize| {
        let (this, next) = (at, at + 1);
        format!(
            "  t{this}: {{ with: {{ p: '0' }}, needs: [ {{ task: t{next}, with: {{ p: '{{{{ p }}}}0' }} }}, {{ task: t{next}, with: {{ p: '{{{{ p }}}}1' }} }} ], run: 'true' }}\n"
        )
    };
    let doubled: String = (0..40).map(twice).collect();
    let nested = "  t0:\n    for: { expr: 'range(20000)' }\n    run: [ { for: { expr: 'range(20000)' }, run: 'true' } ]\n";
    let chain: String =
        (0..2000).map(|at| format!("  t{at}: {{ run: [ {{ task: t{} }} ] }}\n", at + 1)).collect();
    for (tasks, says) in [
        (doubled + "  t40: { with: { p: '0' }, run: 'true' }\n", "needs more than 100000 runs"),
        (nested.to_owned(), "values"),
        (chain + "  t2000: 'true'\n", "tasks call each other"),
    ] {
        let sandbox = Sandbox::new().head(&format!("tasks:\n{tasks}")).script("tool", "v1");
        sandbox.forge("check").succeeds();
        sandbox.forge("t0").exits(2).says(says);
    }
}
