//! The targets of `fuzz/`, for some seconds: seeds are mutated, and none may panic or lie. A failure names
//! the seed; `FORGE_FUZZ_SEED=N` repeats it, and `FORGE_FUZZ_SECONDS=N` looks for longer.

#[path = "../fuzz/src/targets.rs"]
mod targets;

use std::{
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use targets::{ALL, Target};

/// What each target is given to begin with.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let texts: &[&str] = match name {
        "manifest" => &[
            include_str!("../examples/quickstart/versions.yml"),
            include_str!("../versions.yml"),
            "versions: {x: v1}\nvars: {a: &a ['{{ os }}'], b: *a}\ntasks: {t: {run: echo {{ a }}, for: {matrix: {m: [1, 2]}}}}\n",
        ],
        "spec" => &[
            "binary: x\nsource: { git: https://h/r.git }\nbuild: { go: . }\nneeds: [y]\ntasks: { t: x }\n",
            "upstream: { url: 'https://h/{{ version }}', sha256: { linux-amd64: \"00\" } }\nenv: {A: 1, A: 2}\n",
        ],
        "checksums" => &[
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  tool.tar.gz\n",
            "SHA256 (dist/tool) = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
        ],
        "dotenv" => &["A=1\nexport B='x\ny' # c\nC=\"${A:-d}$HOME\\n\"\n", "A: b\n"],
        "versions" => {
            &["v1.2.3\nv1.2.3-rc.1\n2025-11-29\n1.22rc1\nv1.0.0+b1\nRELEASE.2025-01-02\n"]
        }
        "commits" => &[
            "feat(api)!: x\n\nBREAKING CHANGE: y\nRefs: #1\n",
            "Revert \"fix: a\"\n\nThis reverts commit 0123456789012345678901234567890123456789.\n",
        ],
        "taskfile" => &[
            "version: '3'\nvars: {A: {sh: echo}}\ntasks:\n  t:\n    deps: [u]\n    cmds: ['{{if .A}}{{.A | upper}}{{end}}', {task: u, vars: {B: 1}}]\n  u: {cmds: [{for: [1, 2], cmd: 'echo {{.ITEM}}'}]}\n",
        ],
        "records" => &[
            "schema: 1\nartifacts: {}\n",
            "name: x\nversion: v1\nplatform: linux-amd64\nbinaries: {}\n",
        ],
        "imports" => &[
            "package x\nimport (\n\t\"embed\"\n\ta \"b/c\" // d\n)\n//go:embed f *.txt\nvar s embed.FS\n",
        ],
        "template" => &[
            "{% set n = namespace(x=[1]) %}{% for i in range(9) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | join(os) | replace('1', 'ab') }}",
            "{% macro m(a) %}{{ a | upper ~ caller() }}{% endmacro %}{% call m('x') %}{{ 'y' * 9 }}{% endcall %}",
            "{{ {'a': [1, 2]}['a'][0:1] | tojson(indent=2) | indent(3) | regex_replace('[0-9]', '$0') }}",
        ],
        _ => &[],
    };
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    if name == "archive" {
        seeds = archives();
    }
    seeds
}

/// A small archive of each format.
fn archives() -> Vec<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in [("dir/tool", "#!/bin/sh\n"), (".version", "version: v1\n")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, text.as_bytes()).expect("an entry");
    }
    let tar = tar.into_inner().expect("an archive");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &tar).expect("gzip");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut bzip2, &tar).expect("bzip2");
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    std::io::Write::write_all(&mut xz, &tar).expect("xz");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("dir/tool", zip::write::SimpleFileOptions::default()).expect("an entry");
    std::io::Write::write_all(&mut zip, b"#!/bin/sh\n").expect("zip");
    vec![
        gzip.finish().expect("gzip"),
        bzip2.finish().expect("bzip2"),
        xz.finish().expect("xz"),
        zstd::encode_all(&tar[..], 1).expect("zstd"),
        zip.finish().expect("zip").into_inner(),
        tar,
    ]
}

/// xorshift64*: the same numbers for the same seed on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        number as usize % end.max(1)
    }
}

/// One of `seeds`, changed in some places.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"{{",
        b"}}",
        b"{%",
        b"%}",
        b": ",
        b"\n",
        b"- ",
        b"'",
        b"\"",
        b"*a",
        b"&a",
        b"../",
        b"\0",
        b"\xff\xfe",
        b"9999999999",
        b"|",
    ];
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(data.len() + 1);
        let end = (at + random.below(12)).min(data.len());
        let piece: Vec<u8> = match random.below(5) {
            0 => PIECES[random.below(PIECES.len())].to_vec(),
            1 => vec![random.below(256) as u8],
            2 => data[at..end].repeat(2),
            3 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                other[from..(from + random.below(30)).min(other.len())].to_vec()
            }
            _ => Vec::new(),
        };
        data.splice(at..end, piece);
    }
    data
}

fn play((name, target): Target, seed: u64) -> bool {
    let data = mutated(&seeds(name), &mut Random(seed | 1));
    let ended = panic::catch_unwind(AssertUnwindSafe(|| target(&data)));
    if ended.is_err() {
        eprintln!(
            "{name} failed with FORGE_FUZZ_SEED={seed}: {:?}",
            String::from_utf8_lossy(&data)
        );
    }
    ended.is_ok()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_that_others_wrote_makes_forge_panic_or_lie() {
    if let Some(seed) = number("FORGE_FUZZ_SEED") {
        assert!(ALL.iter().all(|target| play(*target, seed)));
        return;
    }
    // As many as fit the time, but some of each in any case.
    let each = Duration::from_secs(number("FORGE_FUZZ_SECONDS").unwrap_or(2)) / ALL.len() as u32;
    for target in ALL {
        let began = Instant::now();
        let mut seed = 0_u64;
        while seed < 20 || began.elapsed() < each {
            seed += 1;
            assert!(play(target, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), "{}", target.0);
        }
    }
}
