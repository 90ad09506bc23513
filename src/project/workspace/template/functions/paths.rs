//! Paths, as texts: nothing looks at the disk.

use minijinja::Value;

use super::super::engine::TemplateEngine;

pub fn add(engine: &mut TemplateEngine) {
    engine.add_filter("basename", basename);
    engine.add_filter("dirname", dirname);
    engine.add_filter("extname", |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.rfind('.').map_or(String::new(), |at| name[at..].to_owned())
    });
    engine.add_filter("clean_path", clean);
    engine.add_filter("join_path", |parts: Vec<String>| {
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        match parts.is_empty() {
            true => String::new(),
            false => clean(&parts.join("/")),
        }
    });
    engine.add_filter("relative_to", relative_to);
    engine.add_filter("absolute_path", |path: &str, base: &str| match is_absolute(path) {
        true => clean(path),
        false => clean(&format!("{base}/{path}")),
    });
    engine.add_filter("to_slash", |path: &str| match cfg!(windows) {
        true => path.replace('\\', "/"),
        false => path.to_owned(),
    });
    engine.add_filter("from_slash", |path: &str| match cfg!(windows) {
        true => path.replace('/', "\\"),
        false => path.to_owned(),
    });
    engine.add_test("absolute", |path: &Value| path.as_str().is_some_and(is_absolute));
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || std::path::Path::new(path).is_absolute()
}

/// The last part; `.` of nothing, `/` of a path of nothing else.
fn basename(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match (path.is_empty(), trimmed.is_empty()) {
        (true, _) => ".".to_owned(),
        (_, true) => "/".to_owned(),
        _ => trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned(),
    }
}

/// All but the last part; `.` if there is no other.
fn dirname(path: &str) -> String {
    path.rfind('/').map_or_else(|| ".".to_owned(), |at| clean(&path[..=at]))
}

/// The shortest path that means the same, as far as names tell.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    match (is_rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// How to get from `base` to `path`.
fn relative_to(path: &str, base: &str) -> Result<String, minijinja::Error> {
    let (path, base) = (clean(path), clean(base));
    let parts = |path: &str| -> Vec<String> {
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.map(str::to_owned).collect()
    };
    let (to, from) = (parts(&path), parts(&base));
    let common = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    if is_absolute(&path) != is_absolute(&base) || from[common..].iter().any(|part| part == "..") {
        return Err(super::wrong(format!("there is no known way from {base} to {path}")));
    }
    let up = from[common..].iter().map(|_| "..".to_owned());
    let way: Vec<String> = up.chain(to[common..].iter().cloned()).collect();
    Ok(if way.is_empty() { ".".to_owned() } else { way.join("/") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn paths_are_taken_apart_as_go_does() {
        give(&[
            (
                "{{ 'a/b.tar.gz' | basename }} {{ 'a/' | basename }} {{ '' | basename }} {{ '/' | basename }}",
                "b.tar.gz a . /",
            ),
            (
                "{{ 'a/b/c' | dirname }} {{ 'a' | dirname }} {{ '/a' | dirname }} {{ 'a/b/' | dirname }}",
                "a/b . / a/b",
            ),
            ("{{ 'a/b.tar.gz' | extname }}[{{ 'a.b/c' | extname }}]", ".gz[]"),
            (
                "{{ 'a/../b//./c/' | clean_path }} {{ '/../a' | clean_path }} {{ '../x' | clean_path }} {{ '' | clean_path }}",
                "b/c /a ../x .",
            ),
        ]);
    }

    #[test]
    fn paths_are_put_together() {
        give(&[
            (
                "{{ ['a', '', '../b', 'c'] | join_path }} {{ ['/', 'x'] | join_path }}[{{ [] | join_path }}]",
                "b/c /x[]",
            ),
            ("{{ '/a/b/c' | relative_to('/a/d') }} {{ 'a' | relative_to('a') }}", "../b/c ."),
            ("{{ 'x' | absolute_path('/w') }} {{ '/y' | absolute_path('/w') }}", "/w/x /y"),
            ("{{ '/x' is absolute }} {{ 'x' is absolute }}", "true false"),
            ("{{ 'a/b' | to_slash }}", "a/b"),
        ]);
        fail(&[("{{ '/a' | relative_to('b') }}", "no known way")]);
    }
}
