//! Places in code that compilers, linters and tests name when they fail: one table of the shapes that
//! they have. What is said of warnings and notes is passed over.

use regex::Regex;

/// More places than these are not told: GitHub shows ten annotations of a step.
const MOST: usize = 10;

/// What a program said of a place in code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePlace {
    /// The file, as the program called it.
    pub file: String,
    /// The line, from 1 on.
    pub line: u32,
    /// The column, from 1 on, if it said one.
    pub column: Option<u32>,
    /// What it said.
    pub message: String,
}

/// Where the message of a place is.
#[derive(Clone, Copy)]
enum Says {
    /// On its line.
    Here,
    /// On an earlier line of this shape, which is good for one place. One without a message drops the
    /// last.
    Above(&'static str),
    /// On its line, if there was an earlier one of this shape.
    HereAfter(&'static str),
    /// On the next line.
    Below,
}

/// A shape that places have: `file`, `line`, perhaps `column` and `message`.
struct PlaceShape {
    pattern: &'static str,
    says: Says,
}

const SHAPES: &[PlaceShape] = &[
    // rustc, and what Cargo passes on of it.
    PlaceShape {
        pattern: r"^ *--> (?<file>[^:]+):(?<line>\d+):(?<column>\d+)$",
        says: Says::Above(r"^(?:error(?:\[\w+\])?: (?<message>.+)|warning.*)$"),
    },
    // A panic in Rust, such as a failed assertion of a test.
    PlaceShape {
        pattern: r" panicked at (?<file>[^:]+):(?<line>\d+):(?<column>\d+):$",
        says: Says::Below,
    },
    // gcc, clang.
    PlaceShape {
        pattern: r"^(?<file>[^\s:][^:]*\.\w+):(?<line>\d+):(?<column>\d+): (?:fatal )?error: (?<message>.+)$",
        says: Says::Here,
    },
    // go build, go vet.
    PlaceShape {
        pattern: r"^(?:vet: )?(?<file>[^\s:][^:]*\.go):(?<line>\d+):(?<column>\d+): (?<message>.+)$",
        says: Says::Here,
    },
    // go test.
    PlaceShape {
        pattern: r"^ +(?<file>[^\s:/]+_test\.go):(?<line>\d+): (?<message>.+)$",
        says: Says::HereAfter(r"^ *--- FAIL: "),
    },
    // pytest: the file and the exception come after what it is about.
    PlaceShape {
        pattern: r"^(?<file>[^\s:][^:]*\.py):(?<line>\d+): \w+$",
        says: Says::Above(r"^E +(?<message>[^\s+].*)$"),
    },
    // jest, by the first place of the stack.
    PlaceShape {
        pattern: r"^ +at .*\((?<file>[^():]+):(?<line>\d+):(?<column>\d+)\)$",
        says: Says::Above(r"^ +● (?<message>.+)$"),
    },
    // tsc, plain and pretty.
    PlaceShape {
        pattern: r"^(?<file>[^\s(][^(]*)\((?<line>\d+),(?<column>\d+)\): error (?<message>.+)$",
        says: Says::Here,
    },
    PlaceShape {
        pattern: r"^(?<file>[^\s:][^:]*):(?<line>\d+):(?<column>\d+) - error (?<message>.+)$",
        says: Says::Here,
    },
];

/// A shape, ready to be looked for.
struct Scanner {
    pattern: Regex,
    above: Option<Regex>,
    says: Says,
    /// What a line above said, where that counts.
    pending: Option<String>,
    /// A place whose message is on the next line.
    open: Option<CodePlace>,
}

/// The places that `lines`, the output of a program that failed, name.
pub fn code_places<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<CodePlace> {
    let mut scanners: Vec<Scanner> = SHAPES.iter().filter_map(Scanner::for_shape).collect();
    let mut places: Vec<CodePlace> = Vec::new();
    for line in lines {
        for place in scanners.iter_mut().filter_map(|scanner| scanner.place(line)) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.len() >= MOST {
            places.truncate(MOST);
            break;
        }
    }
    places
}

impl Scanner {
    fn for_shape(shape: &PlaceShape) -> Option<Self> {
        let above = match shape.says {
            Says::Above(above) | Says::HereAfter(above) => Some(Regex::new(above).ok()?),
            Says::Here | Says::Below => None,
        };
        let pattern = Regex::new(shape.pattern).ok()?;
        Some(Self { pattern, above, says: shape.says, pending: None, open: None })
    }

    /// The place that `line` completes.
    fn place(&mut self, line: &str) -> Option<CodePlace> {
        if let Some(open) = self.open.take() {
            return Some(CodePlace { message: line.trim().to_owned(), ..open });
        }
        if let Some(found) = self.above.as_ref().and_then(|above| above.captures(line)) {
            let is_after = matches!(self.says, Says::HereAfter(_));
            let message = found.name("message").map(|message| message.as_str().to_owned());
            self.pending = message.or_else(|| is_after.then(String::new));
            return None;
        }
        let found = self.pattern.captures(line)?;
        let text = |name| found.name(name).map(|text| text.as_str());
        let place = CodePlace {
            file: text("file")?.to_owned(),
            line: text("line")?.parse().ok()?,
            column: text("column").and_then(|column| column.parse().ok()),
            message: text("message").unwrap_or_default().to_owned(),
        };
        match self.says {
            Says::Here => Some(place),
            Says::HereAfter(_) => self.pending.as_ref().map(|_| place),
            Says::Above(_) => self.pending.take().map(|message| CodePlace { message, ..place }),
            Says::Below => {
                self.open = Some(place);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(output: &str) -> Vec<String> {
        let tell = |place: CodePlace| {
            let column = place.column.map(|column| format!(":{column}")).unwrap_or_default();
            format!("{}:{}{column} {}", place.file, place.line, place.message)
        };
        code_places(output.lines()).into_iter().map(tell).collect()
    }

    /// Each sample is what a program printed.
    #[test]
    fn places_are_found_in_what_compilers_and_tests_print() {
        for (output, expected) in [
            (
                include_str!("compilers/samples/rustc.txt"),
                &[
                    "x.rs:4:24 cannot find value `missing` in this scope",
                    "x.rs:3:18 mismatched types",
                ][..],
            ),
            (
                include_str!("compilers/samples/rusttest.txt"),
                &["t.rs:3:5 assertion `left == right` failed: sums"],
            ),
            (
                include_str!("compilers/samples/gcc.txt"),
                &[
                    "main.c:4:20 ‘undeclared’ undeclared (first use in this function)",
                    "main.c:4:31 expected ‘;’ before ‘return’",
                ],
            ),
            (
                include_str!("compilers/samples/gobuild.txt"),
                &[
                    "cmd/cli/main.go:8:14 cannot use \"x\" (untyped string constant) as int value in variable declaration",
                    "cmd/cli/main.go:9:17 undefined: missing",
                ],
            ),
            (
                include_str!("compilers/samples/govet.txt"),
                &["cmd/cli/main.go:8:14 fmt.Printf format %d has arg Hello() of wrong type string"],
            ),
            (
                include_str!("compilers/samples/govet2.txt"),
                &[
                    "cmd/cli/main.go:9:2 assignment mismatch: 1 variable but fmt.Printf returns 2 values",
                ],
            ),
            (
                include_str!("compilers/samples/gotest.txt"),
                &["main_test.go:7 got \"hi\", want \"hello\""],
            ),
            (include_str!("compilers/samples/pytest.txt"), &["test_x.py:6 assert 2 == 3"]),
            (include_str!("compilers/samples/jest.txt"), &["src/sum.test.js:2:17 adds"]),
            (
                include_str!("compilers/samples/tsc.txt"),
                &[
                    "src/app.ts:1:7 TS2322: Type 'string' is not assignable to type 'number'.",
                    "src/app.ts:1:53 TS2304: Cannot find name 'missing'.",
                ],
            ),
            (
                include_str!("compilers/samples/tscpretty.txt"),
                &[
                    "src/app.ts:1:7 TS2322: Type 'string' is not assignable to type 'number'.",
                    "src/app.ts:1:53 TS2304: Cannot find name 'missing'.",
                ],
            ),
        ] {
            assert_eq!(told(output), expected, "{output}");
        }
    }

    #[test]
    fn warnings_notes_and_passing_tests_are_not_told() {
        for output in [
            "warning: unused variable: `x`\n --> src/main.rs:2:9\n",
            "main.c:3:9: warning: unused variable 'x'\nmain.c:4:1: note: here\n",
            "    main_test.go:7: a log of a test that passes\n",
            "    at Object.<anonymous> (src/app.js:2:17)\n",
            "2026-11-29 10:20:30: error: a log\n",
        ] {
            assert_eq!(told(output), [""; 0], "{output}");
        }
        let many: String = (1..50).map(|line| format!("a.c:{line}:1: error: x\n")).collect();
        assert_eq!(told(&many).len(), MOST);
    }

    #[test]
    fn every_pattern_can_be_read() {
        assert!(SHAPES.iter().all(|shape| Scanner::for_shape(shape).is_some()));
    }
}
