//! What is asked for on the command line: several tasks, and `NAME=value`.

use crate::support::Sandbox;

/// A workspace with these lines at the top of `versions.yml`.
fn workspace(head: &str) -> Sandbox {
    Sandbox::new().head(head).script("tool", "v1")
}

#[test]
fn several_tasks_run_one_after_the_other_and_share_what_they_need() {
    let sandbox = workspace(
        "tasks:\n  base: echo base\n  a: { needs: base, run: sleep 0.2; echo a }\n  b: { needs: base, run: echo b }\n  bad: 'false'\n  hidden: { private: true, run: x }\n  asks: { confirm: sure?, run: echo no }",
    );
    assert_eq!(sandbox.forge("run a b a").succeeds().stdout(), "base | base\na | a\nb | b\n");
    assert_eq!(sandbox.forge("b a").succeeds().stdout(), "base | base\nb | b\na | a\n");
    assert_eq!(
        sandbox.forge("run --parallel a b").succeeds().stdout(),
        "base | base\nb | b\na | a\n"
    );
    // One that fails ends it; what runs beside it goes on.
    assert_eq!(sandbox.forge("run bad b").exits(1).stdout(), "");
    assert_eq!(sandbox.forge("run --parallel bad b").exits(1).stdout(), "base | base\nb | b\n");
    // Nothing runs if one of them cannot.
    for (words, told) in [
        ("run b c", "there is no verb and no task `c`"),
        ("run b hidden", "the task hidden is private"),
        ("run b asks", "no terminal to ask at"),
        ("run b X=1", "the task b has no parameter `X`"),
        ("run X=1", "no task is named"),
    ] {
        let run = sandbox.forge(words).exits(2 - i32::from(words.ends_with("asks")));
        assert_eq!(run.says(told).stdout(), "", "{words}");
    }
    let dry = sandbox.forge("run b a --dry-run").succeeds().stdout();
    assert_eq!(dry.matches("would run echo base").count(), 2, "{dry}");
}

#[test]
fn a_variable_is_set_for_all_that_looks_at_it() {
    let sandbox = workspace(
        "vars: { who: world, greeting: 'hello {{ who }}', n: 3, slow: { sh: 'exit 9' } }\nenv: { WHO: '{{ who }}' }\ntasks:\n  hi: { needs: other, run: 'echo {{ greeting }} $WHO {{ n + 1 }}' }\n  other: echo {{ who }}\n  own: { with: { who: me }, run: 'echo {{ who }}' }\n  slow: echo {{ slow }}",
    );
    let prints = |words: &str| sandbox.forge(words).succeeds().stdout();
    assert_eq!(prints("hi"), "other | world\nhi | hello world world 4\n");
    assert_eq!(prints("hi who=you n=10"), "other | you\nhi | hello you you 11\n");
    assert_eq!(prints("own who=us"), "us\n");
    assert_eq!(prints("slow slow=set"), "set\n");
    let run = sandbox.forge("hi gretting=x").exits(2);
    run.says("the task hi has no parameter `gretting`")
        .says("its file has no variable of that name");
    run.says("did you mean `greeting`?");
    sandbox.forge("hi who=a who=b").exits(2).says("`who` is given twice");
}

#[test]
fn a_variable_is_set_where_the_task_stands_and_what_is_built_stays_the_same() {
    let sandbox = workspace(
        "vars: { who: world }\ninclude: { in: { file: in.yml, with: { port: 1 } } }\ntasks: { hi: 'echo {{ who }}', both: { needs: ['in:hi', hi] } }",
    )
    .file("in.yml", "vars: { who: inner }\ntasks: { hi: 'echo {{ who }} {{ port }}' }\n")
    .file("code/lib/lib.sh", "#!/bin/sh\n")
    .spec("lib", "v1", "source: { path: code/lib }\nvars: { who: lib }\nbuild: { run: 'echo {{ who }} > {{ out }}/who; cp lib.sh {{ out }}/lib' }\ntasks: { hi: 'echo {{ who }}', up: { needs: lib, run: 'echo {{ who }}' } }\n");
    let prints = |words: &str| sandbox.forge(words).succeeds().stdout();
    assert_eq!(prints("in:hi who=x"), "x 1\n");
    assert_eq!(prints("in:hi port=2"), "inner 2\n");
    assert_eq!(prints("lib:hi who=x"), "x\n");
    let both = prints("both who=x");
    assert!(both.contains("inner 1") && both.contains("| x"), "{both}");
    sandbox.forge("ensure").succeeds();
    let run = sandbox.forge("lib:up who=x").succeeds();
    assert_eq!(run.stdout(), "x\n");
    assert!(sandbox.forge("ensure --dry-run").succeeds().stdout().contains("unchanged"));
}

#[test]
fn a_variable_that_is_set_makes_a_task_run_again() {
    let sandbox = workspace(
        "vars: { v: a }\ntasks: { make: { inputs: in, outputs: out, run: 'echo {{ v }} > out' } }",
    )
    .file("in", "");
    sandbox.forge("make").succeeds();
    sandbox.forge("make").succeeds().says("is up to date");
    sandbox.forge("make v=b").succeeds();
    assert_eq!(sandbox.read("out"), "b\n");
    sandbox.forge("make").succeeds();
    assert_eq!(sandbox.read("out"), "a\n");
}
