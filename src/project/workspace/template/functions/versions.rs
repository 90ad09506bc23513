//! Versions compared by what they say: `v1.10.0 is semver('>= 1.9, < 2')`.

use minijinja::Error;
use semver::{Version, VersionReq};

use super::{super::engine::TemplateEngine, wrong};

pub fn add(engine: &mut TemplateEngine) {
    engine.add_test("semver", |version: &str, wanted: &str| -> Result<bool, Error> {
        let version = parsed(version)?;
        for alternative in wanted.split("||") {
            let alternative = alternative.replace(['v', 'V'], "");
            let wanted = match alternative.trim().starts_with(|c: char| c.is_ascii_digit()) {
                true => format!("={}", alternative.trim()),
                false => alternative.trim().to_owned(),
            };
            let wanted = VersionReq::parse(&wanted)
                .map_err(|error| wrong(format!("`{wanted}` says no versions: {error}")))?;
            if wanted.matches(&version) {
                return Ok(true);
            }
        }
        Ok(false)
    });
}

/// A version, with or without `v`, of which parts may be missing.
fn parsed(text: &str) -> Result<Version, Error> {
    let bare = text.trim().trim_start_matches(['v', 'V']);
    let end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (numbers, rest) = bare.split_at(end);
    let missing = 2_usize.saturating_sub(numbers.matches('.').count());
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing)))
        .map_err(|error| wrong(format!("`{text}` is not a version: {error}")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn versions_are_compared_as_numbers() {
        give(&[
            (
                "{{ 'v1.10.0' is semver('>= 1.9, < 2') }} {{ '1.2' is semver('^1.3') }}",
                "true false",
            ),
            ("{{ '1.2.9' is semver('~1.2') }} {{ '1.2.3' is semver('1.2.3') }}", "true true"),
            ("{{ '1.2.3' is semver('1.2.4') }} {{ 'v3' is semver('<2 || >=3') }}", "false true"),
            ("{{ '1.0.0-rc.1' is semver('>=1.0.0') }}", "false"),
        ]);
        fail(&[
            ("{{ 'x' is semver('1') }}", "not a version"),
            ("{{ '1' is semver('?') }}", "says no"),
        ]);
    }
}
