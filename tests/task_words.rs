//! What templates of tasks know: variables of files and tasks, values of loops, words of the run.

use crate::support::Sandbox;

fn workspace(head: &str) -> Sandbox {
    Sandbox::new().head(head).script("tool", "v1")
}

#[test]
fn variables_of_the_file_are_known_to_all_tasks_and_found_out_once() {
    let sandbox = workspace(
        r#"vars:
  app: shop
  ports: [80, 443]
  debug: false
  limits: { value: { cpu: 2, mem: 1.10 } }
  tags: { expr: "'a,b' | split(',')" }
  first: { expr: "ports[0] + 1" }
  revision: { sh: "echo asked >> log; echo abc123" }
  image: "{{ app }}:{{ revision }}"
  other: { sh: "echo other >> log; echo other" }
  never: { sh: "echo never >> log; exit 1" }
env: { APP: "{{ app }}", IMAGE: "{{ image }}" }
dotenv: [.env, more.env?]
quiet: true
tasks:
  a: 'echo {{ image }} $APP $IMAGE $FROM_FILE {{ limits.cpu }}/{{ limits.mem }}'
  b: { needs: a, run: 'echo {{ revision }} {{ first }} {{ tags | last }} {{ vars.app }} {% if debug %}debug{% else %}plain{% endif %}' }
  own: { vars: { app: mine, other: none }, run: 'echo {{ app }} {{ other }} $IMAGE' }
  over: { vars: { app: "{{ app }}ping" }, run: 'echo {{ app }} {{ debug }}' }
  loud: { quiet: false, run: echo loud }"#,
    )
    .file(".env", "FROM_FILE=file\nAPP=file\n")
    .spec(
        "lib",
        "v2",
        "vars: { lib: 'lib of {{ app }}', at: { sh: pwd } }\nsource: { path: code }\nbuild: { run: 'echo {{ app }} > {{ out }}/lib' }\ntasks: { t: 'echo {{ lib }} {{ at | basename }} {{ dir | basename }} {{ revision }} $APP' }",
    );
    let run = sandbox.forge("-v b -j 1").succeeds();
    assert_eq!(
        run.stdout(),
        "a | shop:abc123 shop shop:abc123 file 2/1.10\nb | abc123 81 b shop plain\n"
    );
    run.keeps_quiet_about("b: echo");
    assert_eq!(sandbox.read("log"), "asked\n");
    assert_eq!(sandbox.forge("own").succeeds().stdout(), "mine none shop:abc123\n");
    assert_eq!(sandbox.read("log"), "asked\nasked\n", "what a task has itself is not asked for");
    assert_eq!(sandbox.forge("over").succeeds().stdout(), "shopping false\n");
    sandbox.forge("-v loud").succeeds().says("loud: echo loud");
    let run = sandbox.forge("lib:t").succeeds();
    assert_eq!(run.stdout(), "lib of shop subsystems subsystems abc123 shop\n");
    sandbox.forge("b --dry-run").succeeds().says("would run echo $(echo asked");
}

#[test]
fn what_a_build_uses_must_be_known_before_anything_runs() {
    let sandbox = workspace("vars: { revision: { sh: git rev-parse HEAD } }\ntasks: { t: echo }")
        .spec(
            "lib",
            "v2",
            "source: { path: code }\nbuild: { run: 'echo {{ revision }} > {{ out }}/lib' }",
        );
    sandbox
        .forge("check")
        .exits(2)
        .says("`revision` is known only when a task runs")
        .says("lib.yml:2:");
}

#[test]
fn loops_go_through_whatever_holds_several_things() {
    let sandbox = workspace(
        r#"vars: { all: [a, b], ports: { value: { web: 80, api: 81 } }, text: "x y", csv: "1,2" }
tasks:
  plain: { for: [1, { name: x }], run: "echo {{ key }}" }
  maps: { for: [{ name: x, port: 1 }, { name: y, port: 2 }], run: "echo {{ item.name }}{{ item.port }}" }
  expr:
    - { run: "echo {{ item }}", for: { expr: all } }
    - { run: "echo {{ key }}={{ port }}", for: { expr: ports, as: port } }
    - { run: "echo {{ item }}", for: { expr: text } }
    - { run: "echo {{ item }}", for: { expr: csv, split: "," } }
  sh:
    - { run: "echo {{ item }}", for: { sh: "printf 'l 1\nl2\n'" } }
    - { run: "echo {{ item }}", for: { sh: "echo p:q", split: ":" } }
  files: { inputs: ["*.txt", "!skip.txt"], for: inputs, run: "echo {{ item }}" }
  made: { outputs: ["*.txt"], run: ["true", { run: "echo {{ item }}", for: outputs }] }
  glob: [{ run: "echo {{ item }}", for: { glob: ["sub/*", "a.txt"], as: file } }]
  matrix: [{ run: "echo {{ item.os }}{{ item.n }}", for: { matrix: { os: { expr: all }, n: [1, 2] } } }]
  one: { with: [who], run: "echo one {{ who }}" }
  needs: { with: { x: z }, vars: { own: [p] }, needs: [{ task: one, for: { expr: "own + all" }, with: { who: "{{ item }}{{ x }}" } }], run: echo }
  call: [{ task: one, for: [k, l], with: { who: "{{ item }}" } }]
"#,
    )
    .file("b.txt", "")
    .file("a.txt", "")
    .file("skip.txt", "")
    .file("sub/z", "");
    // In `glob`, the value goes by another name.
    sandbox.forge("check").exits(2).says("templates know no `item` here");
    let text = sandbox.read("versions.yml");
    let text =
        text.replace(r#"glob: [{ run: "echo {{ item }}""#, r#"glob: [{ run: "echo {{ file }}""#);
    sandbox.write("versions.yml", &text);
    let printed = |task: &str| sandbox.forge(task).succeeds().stdout().replace('\n', " ");
    assert_eq!(printed("plain"), "0 1 ");
    assert_eq!(printed("maps"), "x1 y2 ");
    assert_eq!(printed("expr"), "a b web=80 api=81 x y 1 2 ");
    assert_eq!(printed("sh"), "l 1 l2 p q ");
    assert_eq!(printed("files"), "a.txt b.txt ");
    assert_eq!(printed("made"), "a.txt b.txt skip.txt ");
    assert_eq!(printed("glob"), "a.txt sub/z ");
    assert_eq!(printed("run matrix"), "a1 a2 b1 b2 ");
    assert_eq!(printed("needs -j 1"), "one | one pz one | one az one | one bz needs |  ");
    assert_eq!(printed("call"), "one | one k one | one l ");
}

#[test]
fn what_is_wrong_with_words_is_told_before_anything_runs() {
    for (head, told) in [
        ("vars: { x: '{{ y }}' }\ntasks: { a: x }", "templates know no `y`"),
        ("vars: { x: { expr: 'y[' } }\ntasks: { a: x }", "does not parse"),
        ("vars: { x: { expr: \"'a' | fromjson\" } }\ntasks: { a: x }", "this is not valid JSON"),
        ("vars: { x: { sh: 'if y' } }\ntasks: { a: x }", "the shell cannot read"),
        ("vars: { item: x }\ntasks: { a: x }", "a word of forge's own"),
        ("vars: { x: { sh: a, expr: b } }\ntasks: { a: x }", "takes only one of"),
        ("vars: { x: {} }\ntasks: { a: x }", "none of them is here"),
        ("vars: { m: { value: { a: 1 } } }\ntasks: { a: 'echo {{ m.b }}' }", "`m` has no `b`"),
        ("tasks: { a: [{ run: 'echo {{ item.b }}', for: [{ a: 1 }] }] }", "`item` has no `b`"),
        ("tasks: { a: { run: x, for: inputs } }", "in a task without `inputs`"),
        ("tasks: { a: { run: x, for: { sh: ls, as: os } } }", "a word of forge's own"),
        ("tasks: { a: { run: x, for: { matrix: { a: [] } } } }", "nothing to run for"),
        ("tasks: { a: { needs: [{ task: b, for: inputs }] }, b: x }", "in a task without `inputs`"),
        ("tasks: { a: { needs: [{ task: b, for: { sh: 'if y' } }] }, b: x }", "cannot read"),
        (
            "vars: { s: { sh: ls } }\ntasks: { a: { dir: '{{ s }}', run: x } }",
            "only when a task runs",
        ),
        ("tasks: { a: { run: x, pool: p } }\npools: { pp: 1 }", "known are `pp`"),
        ("pools: { p: 0 }\ntasks: { a: x }", "lets nothing run"),
        ("tasks: { a: 'echo {{ exit_code }}' }", "templates know no `exit_code`"),
        ("tasks: { a: { run: x, finally: [{ finally: y }] } }", "said twice"),
    ] {
        let run = workspace(head).forge("check").run();
        assert_eq!(run.code(), Some(2), "{head}");
        run.says(told).says("versions.yml:");
    }
}

#[test]
fn what_is_needed_may_be_found_out_first_and_once() {
    let sandbox = workspace(
        r#"vars: { all: { sh: "echo all >> log; echo of-file" } }
tasks:
  many:
    vars:
      once: { sh: "echo once >> log; echo early" }
      late: { sh: "echo late >> log; cat made" }
      hush: { secret: { sh: "echo hush >> log; echo sesame" } }
      kind: { expr: "once | upper" }
    inputs: "*.in"
    needs:
      - { task: one, for: { sh: "echo for >> log; printf 'a b\nc\n'" }, with: { x: "{{ item }} {{ kind }} {{ all }}" } }
      - { task: one, for: inputs, with: { x: "{{ item }}" } }
      - { task: keep, with: { x: "{{ hush }}" } }
    run: 'echo {{ once }} {{ late }} {{ hush }}'
  one: { with: [x], run: 'echo "{{ x }}" >> ran; echo late > made' }
  keep: { with: [x], run: 'printf %s {{ x }} > kept' }
  fails: { needs: [{ task: one, for: { sh: "echo {{ hush }} >&2; exit 3" }, with: { x: y } }], vars: { hush: { secret: sesame } }, run: x }
"#,
    )
    .file("x.in", "")
    .file("made", "too early\n");
    let explained = sandbox.forge("explain many").succeeds();
    explained.says("$(echo for").keeps_quiet_about("sesame");
    sandbox.forge("many --dry-run").succeeds();
    assert!(!sandbox.path("log").exists(), "looking runs nothing");
    let run = sandbox.forge("many -j 1").succeeds();
    run.says("many | early late ***").keeps_quiet_about("sesame");
    let lines = |name: &str| {
        let text = std::fs::read_to_string(sandbox.path(name)).expect("the file");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(lines("log"), ["all", "for", "hush", "late", "once"], "each once");
    assert_eq!(lines("ran"), ["a b EARLY of-file", "c EARLY of-file", "x.in"]);
    assert_eq!(lines("kept"), ["sesame"]);
    let run = sandbox.forge("fails").exits(1);
    run.says("cannot tell what fails runs for").keeps_quiet_about("sesame");
}

#[test]
fn places_and_times_of_the_run_have_words() {
    let sandbox = workspace(
        r#"vars: { here: "{{ dir }}", called: "{{ cwd }}", year: "{{ now | date('%Y') }}" }
tasks:
  a:
    - 'echo {{ here | basename }} {{ root | basename }} {{ [root, "x"] | join_path | basename }}'
    - 'echo {{ called | basename }} {{ task }}'
    - 'test {{ year }} -gt 2020 && echo {{ [task, year] | length }}'
  quoted: 'ls "{{ root }}/code" {{ root }}/code | head -n 1'"#,
    )
    .file("deep/x", "");
    let deep = sandbox.path("deep");
    let run = sandbox.forge("a").within(&deep).succeeds();
    assert_eq!(run.stdout(), "work work x\ndeep a\n2\n");
    sandbox.forge("quoted").succeeds().says("code");
}

#[test]
fn what_git_ignores_is_no_input_if_the_task_says_so() {
    let sandbox = workspace(
        "tasks:\n  a: { inputs: src, gitignore: true, outputs: out, run: 'echo ran; touch out' }\n  b: { inputs: src, gitignore: true, for: inputs, run: 'echo {{ item }}' }",
    )
    .file(".gitignore", "*.tmp\n")
    .file("src/a", "1")
    .file("src/b.tmp", "1");
    assert_eq!(sandbox.forge("b").succeeds().stdout(), "src/a\n");
    sandbox.forge("a").succeeds().says("ran");
    sandbox.write("src/b.tmp", "2");
    sandbox.forge("a").succeeds().says("up to date");
    sandbox.write("src/a", "2");
    sandbox.forge("a").succeeds().says("ran");
}

#[test]
fn a_pattern_is_a_task_of_many_names() {
    let sandbox = workspace(
        "tasks:
  'deploy-*': { inputs: versions.yml, run: 'echo to {{ match[0] }} as {{ task }}' }
  deploy-home: echo exactly
  'deploy-big-*': 'echo big {{ match[0] }}'
  '*-*-copy': 'echo {{ match | join(\"+\") }}'
  all: [{ task: deploy-a }, { task: deploy-home }, { task: deploy-big-b }]",
    )
    .spec("lib", "v1", "build: { run: make }\ntasks: { 'go-*': 'echo {{ match[0] }} {{ task }}', go: [{ task: go-on }] }");
    let printed = |task: &str| sandbox.forge(task).succeeds().stdout();
    assert_eq!(printed("deploy-sea"), "to sea as deploy-sea\n");
    sandbox.forge("deploy-sea").succeeds().says("deploy-sea is up to date");
    assert_eq!(printed("deploy-lake"), "to lake as deploy-lake\n");
    assert_eq!(printed("deploy-home"), "exactly\n");
    assert_eq!(printed("deploy-big-c"), "big c\n");
    assert_eq!(printed("some-x-copy"), "some+x\n");
    let all = printed("all");
    assert_eq!(all, "deploy-a | to a as deploy-a\ndeploy-home | exactly\ndeploy-big-b | big b\n");
    assert_eq!(printed("lib:go"), "lib:go-on | on lib:go-on\n");
    sandbox.forge("explain deploy-sea").succeeds().says("echo to sea");
    for tied in
        ["tasks:\n  'a*': x\n  '*a': y", "tasks:\n  'a*': x\n  '*a': y\n  c: [{ task: aa }]"]
    {
        let run = workspace(tied).forge("aa").exits(2);
        run.says("`aa` may be `").says("` as well as `").says("versions.yml:");
    }
    workspace("tasks: { a: 'echo {{ match[0] }}' }").forge("check").exits(2).says("no `match`");
}
