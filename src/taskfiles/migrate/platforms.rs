//! What the name of a vendor's asset decides by the platform, in the words of a spec.

use crate::taskfile::Yaml;

/// Lines in which a variable that the shell decides by a word of the platform is written out as a
/// template.
pub(super) fn decided(lines: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut known: Vec<(String, String)> = Vec::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let condition = condition(&line);
        if let Some((word, value)) = condition {
            let block: Vec<String> =
                lines.by_ref().take_while(|line| line.trim() != "fi").collect();
            let block: Vec<&str> = block.iter().map(|line| line.trim()).collect();
            if let [yes, "else", no] = block.as_slice()
                && let Some((name, yes)) = yes.split_once('=')
                && let Some((other, no)) = no.split_once('=')
                && name == other
            {
                let (yes, no) = (yes.trim_matches('"'), no.trim_matches('"'));
                let said =
                    format!("{{% if {word} == '{value}' %}}{yes}{{% else %}}{no}{{% endif %}}");
                known.push((name.to_owned(), said));
            }
            continue;
        }
        kept.push(known.iter().fold(line, |line, (name, said)| {
            line.replace(&format!("${{{name}}}"), said).replace(&format!("${name}"), said)
        }));
    }
    kept
}

/// The platforms whose words a spec says.
const PLATFORMS: [&str; 4] = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];

/// A URL in which what a template decides by the operating system is `{{ platform }}`, with the vendor's
/// words for the platforms.
pub(super) fn with_platform(url: &str) -> (String, Yaml) {
    let known = || {
        let (before, rest) = url.split_once("{% if os == '")?;
        let (system, rest) = rest.split_once("' %}")?;
        let (rest, after) = rest.split_once("{% endif %}")?;
        let (yes, no) = rest.split_once("{% else %}")?;
        let whole = |text: &str| {
            format!("{before}{text}{after}").replace("{{ platform }}", "{{ os }}-{{ arch }}")
        };
        let (yes, no) = (whole(yes), whole(no));
        let (start, end) = shared(&yes, &no);
        let mut words = Yaml::map();
        for platform in PLATFORMS {
            let (os, arch) = platform.split_once('-')?;
            let text = if os == system { &yes } else { &no };
            let word = &text[start..text.len() - end];
            let word = word.replace("{{ os }}", os).replace("{{ arch }}", arch);
            if word.contains('{') {
                return None;
            }
            if word != platform {
                words.put(platform, Yaml::Text(word));
            }
        }
        Some((format!("{}{{{{ platform }}}}{}", &yes[..start], &yes[yes.len() - end..]), words))
    };
    known().unwrap_or_else(|| (url.to_owned(), Yaml::map()))
}

/// How much two templates share at their beginning and at their end, in whole templates; what is about the
/// operating system is left to the middle.
fn shared(one: &str, other: &str) -> (usize, usize) {
    let pairs = one.bytes().zip(other.bytes());
    let mut start = pairs.take_while(|(one, other)| one == other).count();
    while !one.is_char_boundary(start)
        || one[..start].matches("{{").count() != one[..start].matches("}}").count()
        || one[..start].ends_with('{')
    {
        start -= 1;
    }
    if let Some(at) = one[..start].rfind("{{ os }}").filter(|at| !one[at + 8..start].contains('/'))
    {
        start = at;
    }
    let longest = one.len().min(other.len()) - start;
    let ends = one.bytes().rev().zip(other.bytes().rev());
    let mut end = ends.take_while(|(one, other)| one == other).count().min(longest);
    while !one.is_char_boundary(one.len() - end) || is_within(&one[one.len() - end..]) {
        end -= 1;
    }
    (start, end)
}

/// Whether a text begins within a template.
fn is_within(text: &str) -> bool {
    let (open, close) = (text.find("{{"), text.find("}}"));
    close.is_some_and(|close| open.is_none_or(|open| close < open)) || text.starts_with('}')
}

/// `if [ "{{ os }}" = "darwin" ]; then`: the word of the platform and what it is compared with.
fn condition(line: &str) -> Option<(&str, &str)> {
    let inside = line.trim().strip_prefix("if [ ")?.strip_suffix(" ]; then")?;
    let (word, value) = inside.split_once(" = ").or_else(|| inside.split_once(" == "))?;
    let word = word.trim_matches('"').strip_prefix("{{ ")?.strip_suffix(" }}")?;
    matches!(word, "os" | "arch").then_some((word, value.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_vendor_calls_a_platform_is_a_word_of_it() {
        let lines = "if [ \"{{ os }}\" = \"darwin\" ]; then\n  A=\"x_{{ os }}-universal.tgz\"\nelse\n  A=\"x_{{ os }}-{{ arch }}.tgz\"\nfi\ncurl u/$A";
        let lines = decided(lines.lines().map(str::to_owned).collect());
        let (url, words) = with_platform(&lines[0]);
        assert_eq!(url, "curl u/x_{{ platform }}.tgz");
        let said: Vec<_> = words.entries().map(|(platform, _)| platform).collect();
        assert_eq!(said, ["darwin-amd64", "darwin-arm64"]);
        let plain = "u/{{ version }}/x_{{ os }}_{{ arch }}.zip";
        assert_eq!(with_platform(plain).0, plain);
    }
}
