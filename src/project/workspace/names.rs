//! What a release of a subsystem is called, and what its binaries are.

use super::template::TemplateScope;
use crate::{
    manifest::{Findings, Scalar, Sp, SpecDoc},
    model::{
        BinaryName, Compression, Name, Platform, RELEASE_NAME_HELP, TagStem, asset_name,
        check_file_name,
    },
    provenance::promotion_name,
};

/// What the tags of `name` begin with: `tag` of `doc`, up to the version.
pub fn tag(name: &Name, doc: &SpecDoc, scope: &TemplateScope, found: &mut Findings) -> TagStem {
    let usual = TagStem::for_subsystem(name);
    let Some(written) = &doc.tag else { return usual };
    let help = "write what stands before the version, and `{{ version }}` at the end: \
                `modules-{{ name }}-{{ version }}`";
    let text = written.text.trim_end();
    let version = text
        .rfind("{{")
        .map(|at| text.split_at(at))
        .filter(|(_, end)| end.trim_start_matches('{').trim_end_matches('}').trim() == "version");
    let Some((stem, _)) = version else {
        let what = "a tag says its version, and nothing after it";
        found.add(written.bytes.clone(), what, "does not end in the version", help);
        return usual;
    };
    let stem = Scalar { text: stem.to_owned(), ..written.clone() };
    let Some(stem) = scope.plain(&stem, found) else { return usual };
    TagStem::new(&stem).unwrap_or_else(|why| {
        let plain = stem.replace('/', "-");
        let help = match stem.contains('/') && TagStem::new(&plain).is_ok() {
            true => format!("no store takes a `/`; write `{plain}{{{{ version }}}}`"),
            false => format!("{RELEASE_NAME_HELP}: `{usual}{{{{ version }}}}`"),
        };
        found.add(written.bytes.clone(), why, "not the name of a release", help);
        usual
    })
}

/// The binaries of `name`, each of which its release can have a file for; without any `written`, the
/// one that is called as it is.
pub fn binaries(
    name: &Name,
    written: &[Scalar],
    platform: Platform,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Vec<Sp<String>> {
    let mut binaries: Vec<Sp<String>> = Vec::new();
    for scalar in written {
        let Some(rendered) = scope.plain(scalar, found) else { continue };
        let binary = rendered.strip_suffix(".exe").unwrap_or(&rendered);
        let bytes = scalar.bytes.clone();
        if let Err(what) = BinaryName::new(binary) {
            found.add(bytes, what, "not a plain file name", "write the file name alone, without folders; `upstream.paths` says where it is in an archive");
        } else if let Err(why) = check_asset(binary, platform) {
            let what =
                format!("the release of {name} could have no file for `{binary}`: its name {why}");
            found.add(bytes, what, "names no file of a release", "give it a shorter name");
        } else if binaries.iter().any(|other| other.value == binary) {
            let what = format!("`{binary}` is named twice");
            found.add(bytes, what, "again here", "keep one of them");
        } else {
            binaries.push(Sp { value: binary.to_owned(), bytes });
        }
    }
    if written.is_empty() {
        binaries.push(Sp { value: name.as_str().replace('/', "-"), bytes: 0..0 });
    }
    binaries
}

/// Checks that the files of a release can be called after `binary`.
fn check_asset(binary: &str, platform: Platform) -> Result<(), String> {
    check_file_name(&promotion_name(&asset_name(binary, platform, Compression::default())))
}
