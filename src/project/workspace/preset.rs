//! Presets: what `go:` and `cargo:` stand for, as data. Each recipe is the commands
//! that a person would write, as templates over the subsystem's scope and the
//! options; `forge explain` shows what comes out.

/// What a preset expands to.
#[derive(Debug)]
pub struct PresetRecipe {
    /// The key in `build:`.
    pub preset: &'static str,
    /// The option that chooses this recipe; absent for the one that builds a source.
    pub chosen_by: Option<&'static str>,
    /// The commands; those that come out empty are left out.
    pub steps: &'static [&'static str],
    /// Variables for them; those that come out empty are left out.
    pub env: &'static [(&'static str, &'static str)],
    /// Programs they need.
    pub tools: &'static [&'static str],
    /// Why they cannot build for another platform than the machine's, if they cannot.
    pub native_only: Option<&'static str>,
}

const GO_ENV: &[(&str, &str)] = &[
    ("CGO_ENABLED", "{{ 1 if cgo else 0 }}"),
    ("GOOS", "{{ os }}"),
    ("GOARCH", "{{ arch }}"),
    // A go.work of the workspace is not meant for code that was fetched into it.
    ("GOWORK", "{{ '' if in_repo else 'off' }}"),
];

const GO_INSTALL_ENV: &[(&str, &str)] = &[
    ("CGO_ENABLED", "{{ 1 if cgo else 0 }}"),
    ("GOOS", "{{ os }}"),
    ("GOARCH", "{{ arch }}"),
    ("GOBIN", "{{ out }}"),
];

/// Every recipe; of one preset, the one that builds a source last.
pub const RECIPES: &[PresetRecipe] = &[
    // Refuses modules with `replace` in their go.mod.
    PresetRecipe {
        preset: "go",
        chosen_by: Some("install"),
        steps: &[
            "go install -trimpath{% if tags %} -tags {{ tags }}{% endif %} -ldflags \"{{ ldflags }}\" {{ install }}@{{ version }}",
            "{% if installed != binary %}mv \"{{ out }}/{{ installed }}{{ exe }}\" \"{{ out }}/{{ binary }}{{ exe }}\"{% endif %}",
        ],
        env: GO_INSTALL_ENV,
        tools: &["go"],
        native_only: Some(
            "`go install` puts programs for other platforms nowhere; `go: {module: …}` builds them",
        ),
    },
    // The module cache is read-only and that suffices: `-mod=readonly` is go's default.
    PresetRecipe {
        preset: "go",
        chosen_by: Some("module"),
        steps: &[
            "go mod download {{ module }}@{{ version }}",
            "go build -C \"$(go env GOMODCACHE)/{{ module_folder }}@{{ version }}\" -buildvcs=false -trimpath{% if tags %} -tags {{ tags }}{% endif %} -ldflags \"{{ ldflags }}\" -o \"{{ out }}/{% if binaries | length == 1 %}{{ binary }}{{ exe }}{% endif %}\" {{ package }}",
        ],
        env: GO_ENV,
        tools: &["go"],
        native_only: None,
    },
    PresetRecipe {
        preset: "go",
        chosen_by: None,
        steps: &[
            "go build -buildvcs=false -trimpath{% if tags %} -tags {{ tags }}{% endif %} -ldflags \"{{ ldflags }}\" -o \"{{ out }}/{% if binaries | length == 1 %}{{ binary }}{{ exe }}{% endif %}\" {{ package }}",
        ],
        env: GO_ENV,
        tools: &["go"],
        native_only: None,
    },
    // Always with a target: else the commands, and with them the fingerprint, would depend on
    // the machine that builds.
    PresetRecipe {
        preset: "cargo",
        chosen_by: Some("install"),
        steps: &[
            "cargo install --locked{% if profile %} --profile {{ profile }}{% endif %} --root \"{{ work }}\" --version {{ version_number }} --target {{ target }}{% for bin in bins %} --bin {{ bin }}{% endfor %}{% if features %} --features {{ features }}{% endif %} {{ install }}",
            "cp{% for binary in binaries %} \"{{ work }}/bin/{{ binary }}{{ exe }}\"{% endfor %} \"{{ out }}/\"",
        ],
        env: &[],
        tools: &["cargo"],
        native_only: None,
    },
    PresetRecipe {
        preset: "cargo",
        chosen_by: None,
        steps: &[
            "cargo build {% if profile %}--profile {{ profile }}{% else %}--release{% endif %} --locked --target-dir \"{{ work }}\" --target {{ target }}{% if folder != '.' %} --manifest-path {{ folder }}/Cargo.toml{% endif %}{% if package %} --package {{ package }}{% endif %}{% for bin in bins %} --bin {{ bin }}{% endfor %}{% if features %} --features {{ features }}{% endif %}",
            "cp{% for binary in binaries %} \"{{ work }}/{{ target }}/{% if profile %}{{ profile }}{% else %}release{% endif %}/{{ binary }}{{ exe }}\"{% endfor %} \"{{ out }}/\"",
        ],
        env: &[],
        tools: &["cargo"],
        native_only: None,
    },
];

/// The flags for Go's linker where a spec says nothing.
pub const LDFLAGS: &str = "-s -w -X main.version={{ version }}";
/// The flags for Go's linker where a spec only sets variables.
pub const LDFLAGS_BESIDE_VARS: &str = "-s -w";
