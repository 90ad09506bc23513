//! A changelog in a file that people write in too.
//!
//! Sections of versions that the file has stay as they are. Above them come the versions that it has
//! not, and what is not released. What a person wrote under Unreleased goes with the next version;
//! an item that names a commit is that commit's, however it was reworded.

use super::{
    Changelog,
    change::Chapter,
    changelog::{CREDITS, Links, Section},
    markdown,
};

/// The file, in parts.
struct ChangelogFile<'f> {
    /// What stands before the first section.
    head: &'f str,
    /// What stands under Unreleased; of several such sections, as merges leave them, that of all.
    unreleased: Option<SectionBody>,
    /// Whether its heading is in brackets.
    is_linked: bool,
    /// The other sections: what their heading names, and their text.
    sections: Vec<(String, String)>,
    /// Where headings lead: what they name, and the line.
    definitions: Vec<(String, &'f str)>,
}

/// What stands below a heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SectionBody {
    /// Before the first chapter.
    text: String,
    /// Chapters by their titles, with their items, of which each may have several lines.
    chapters: Vec<(String, Vec<String>)>,
}

/// `file` with what `changelog` has and it has not. The same again changes nothing.
///
/// Nothing that a person wrote is lost: of the lines of `file`, only those are replaced that forge
/// generates, and empty ones.
pub fn update(file: &str, changelog: &Changelog) -> String {
    let ends = match file.matches("\r\n").count() * 2 > file.matches('\n').count() {
        true => "\r\n",
        false => "\n",
    };
    let updated = updated(&file.replace("\r\n", "\n"), changelog);
    if ends == "\n" { updated } else { updated.replace('\n', ends) }
}

fn updated(file: &str, changelog: &Changelog) -> String {
    let page = ChangelogFile::read(file, changelog);
    let is_known =
        |section: &Section| page.sections.iter().any(|(title, _)| is_same(title, section.title()));
    // Versions older than one that the file has were left out by somebody.
    let fresh: Vec<&Section> =
        changelog.sections.iter().take_while(|section| !is_known(section)).collect();
    let mut text = if page.head.trim().is_empty() {
        changelog.preamble()
    } else {
        format!("{}\n", page.head.trim_end())
    };
    let written = page.unreleased.unwrap_or_default();
    if fresh.is_empty() && written != SectionBody::default() {
        // There is no version that it goes with yet.
        let heading = if page.is_linked { "## [Unreleased]" } else { "## Unreleased" };
        text.push_str(&format!("\n{heading}\n{}", written.render()));
    }
    let bodies = shared_out(written, &fresh, changelog.links.as_ref());
    for (section, body) in fresh.iter().zip(&bodies) {
        text.push_str(&format!("\n{}\n", section.heading(changelog.links.is_some())));
        match section.placeholder().filter(|_| *body == SectionBody::default()) {
            Some(line) => text.push_str(&format!("\n{line}\n")),
            None => text.push_str(&body.render()),
        }
        text.push_str(&section.credits().map(|line| format!("\n{line}\n")).unwrap_or_default());
    }
    for (_, section) in &page.sections {
        text.push_str(&format!("\n{}\n", section.trim_end()));
    }
    let definitions = definitions(&fresh, changelog.links.as_ref(), &page.definitions);
    if !definitions.is_empty() {
        text.push_str(&format!("\n{}\n", definitions.join("\n")));
    }
    text
}

/// Whether two headings name the same version.
fn is_same(a: &str, b: &str) -> bool {
    let bare = |text: &str| text.strip_prefix('v').unwrap_or(text).to_lowercase();
    bare(a) == bare(b)
}

/// Gives each section its own items, and what a person wrote under Unreleased.
fn shared_out(written: SectionBody, fresh: &[&Section], links: Option<&Links>) -> Vec<SectionBody> {
    let mut bodies = vec![SectionBody::default(); fresh.len()];
    // What no commit is named in goes out with the newest version.
    let newest = fresh.iter().position(|section| section.released.is_some()).unwrap_or(0);
    let Some(body) = bodies.get_mut(newest) else { return bodies };
    body.text = written.text;
    for (chapter, items) in written.chapters {
        if items.is_empty() {
            bodies[newest].exact_chapter(&chapter);
        }
        for item in items {
            let names = |hash: &str| item.contains(hash);
            let is_its = |section: &&Section| {
                section.changes.iter().any(|change| names(change.short_hash()))
            };
            let at = fresh.iter().position(is_its).unwrap_or(newest);
            let is_gone = fresh.iter().any(|section| section.is_of_untold(&item, links));
            if !is_gone || is_its(&fresh[at]) {
                bodies[at].exact_chapter(&chapter).push(item);
            }
        }
    }
    for (section, body) in fresh.iter().zip(&mut bodies) {
        for (chapter, hash, item) in section.items(links) {
            if !body.names(hash) {
                body.chapter(chapter).push(item);
            }
        }
        body.sort();
    }
    bodies
}

/// The lines at the end: those of `fresh`, then the file's own.
fn definitions(fresh: &[&Section], links: Option<&Links>, own: &[(String, &str)]) -> Vec<String> {
    let new = fresh.iter().filter_map(|section| Some(section.definition(links?)));
    // Where a person leads elsewhere than to the repository, that stays.
    let is_ours = |line: &str| {
        links.is_some_and(|links| {
            line.split_once("]: ").is_some_and(|(_, to)| to.trim().starts_with(&links.repository))
        })
    };
    let is_new = |title: &str| fresh.iter().any(|section| is_same(section.title(), title));
    let kept: Vec<_> =
        own.iter().filter(|(title, line)| !is_new(title) || !is_ours(line)).collect();
    let new = new.filter(|line| {
        let title = defined(line).unwrap_or_default();
        kept.iter().all(|(known, _)| !is_same(known, &title))
    });
    let new: Vec<_> = new.collect();
    new.into_iter().chain(kept.iter().map(|(_, line)| (*line).to_owned())).collect()
}

impl SectionBody {
    /// Adds what stands in `text`, without the lines of credits that `changelog` would write.
    fn read(&mut self, text: &str, changelog: &Changelog) {
        let mut is_of_chapter = false;
        for (line, is_text) in text.lines().zip(text_lines(text)) {
            if is_text && is_generated(line, changelog) {
                continue;
            }
            let is_item = is_text && (line.starts_with("- ") || line.starts_with("* "));
            if let Some(title) = line.strip_prefix("### ").filter(|_| is_text) {
                let title = title.trim();
                let at = self.chapters.iter().position(|(known, _)| known == title);
                // What follows belongs to the chapter that is read, which is the last one.
                let chapter =
                    at.map_or((title.to_owned(), Vec::new()), |at| self.chapters.remove(at));
                self.chapters.push(chapter);
                self.chapters
                    .last_mut()
                    .into_iter()
                    .for_each(|(_, items)| items.push(String::new()));
                is_of_chapter = true;
                continue;
            }
            let Some((_, items)) = self.chapters.last_mut().filter(|_| is_of_chapter) else {
                self.text.push_str(line);
                self.text.push('\n');
                continue;
            };
            match items.last_mut() {
                Some(item) if !is_item => {
                    item.push('\n');
                    item.push_str(line);
                }
                _ => items.push(line.to_owned()),
            }
        }
        self.text = self.text.trim_matches('\n').trim_end().to_owned() + "\n\n";
        for (_, items) in &mut self.chapters {
            for item in items.iter_mut() {
                *item = item.trim_matches('\n').trim_end().to_owned();
            }
            items.retain(|item| !item.is_empty());
        }
    }

    /// The items of the chapter called `title`.
    fn chapter(&mut self, title: &str) -> &mut Vec<String> {
        let at = self.chapters.iter().position(|(known, _)| known.eq_ignore_ascii_case(title));
        let at = at.unwrap_or_else(|| {
            self.chapters.push((title.to_owned(), Vec::new()));
            self.chapters.len() - 1
        });
        &mut self.chapters[at].1
    }

    /// The items of the chapter that is called exactly `title`.
    fn exact_chapter(&mut self, title: &str) -> &mut Vec<String> {
        if !self.chapters.iter().any(|(known, _)| known == title) {
            self.chapters.push((title.to_owned(), Vec::new()));
        }
        let at = self.chapters.iter().position(|(known, _)| known == title).unwrap_or_default();
        &mut self.chapters[at].1
    }

    fn names(&self, hash: &str) -> bool {
        self.chapters.iter().any(|(_, items)| items.iter().any(|item| item.contains(hash)))
    }

    /// Puts the chapters in their order; others come last, as they were.
    fn sort(&mut self) {
        let order = |title: &str| {
            let place = Chapter::ALL.iter().position(|one| one.title().eq_ignore_ascii_case(title));
            place.unwrap_or(usize::MAX)
        };
        self.chapters.sort_by_key(|(title, _)| order(title));
    }

    fn render(&self) -> String {
        let mut text = String::new();
        if !self.text.is_empty() {
            text.push_str(&format!("\n{}\n", self.text));
        }
        for (title, items) in &self.chapters {
            text.push_str(&format!("\n### {title}\n"));
            if !items.is_empty() {
                text.push_str(&format!("\n{}\n", items.join("\n")));
            }
        }
        text
    }
}

impl<'f> ChangelogFile<'f> {
    fn read(file: &'f str, changelog: &Changelog) -> Self {
        let (mut head, mut definitions) = (0, Vec::new());
        let mut sections: Vec<(String, String)> = Vec::new();
        for (line, is_text) in file.split_inclusive('\n').zip(text_lines(file)) {
            if let Some(title) = line.strip_prefix("## ").filter(|_| is_text) {
                sections.push((named(title), String::new()));
            }
            let definition = defined(line).filter(|_| is_text && !sections.is_empty());
            match (definition, sections.last_mut()) {
                (Some(name), _) => definitions.push((name, line.trim_end())),
                (None, Some((_, text))) => text.push_str(line),
                (None, None) => head += line.len(),
            }
        }
        let (unreleased, sections): (Vec<_>, Vec<_>) =
            sections.into_iter().partition(|(title, _)| is_same(title, "Unreleased"));
        let is_linked = unreleased.iter().any(|(_, text)| text.starts_with("## ["));
        let mut body = SectionBody::default();
        for (_, text) in &unreleased {
            let (heading, below) = text.split_once('\n').unwrap_or((text, ""));
            // What a heading says beside its name is somebody's word.
            body.text.push_str(&beside_name(heading));
            body.read(below, changelog);
        }
        let text = body.text.trim_start_matches('\n').trim_end();
        body.text = String::from(text);
        let unreleased = (!unreleased.is_empty()).then_some(body);
        Self { head: &file[..head], unreleased, is_linked, sections, definitions }
    }
}

/// For each line whether it is text, and not code between fences or a comment. What is opened and
/// never closed is text.
fn text_lines(text: &str) -> Vec<bool> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut are_text = vec![true; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let end = closing_line(&lines, at).unwrap_or(at);
        if end > at {
            are_text[at..=end].fill(false);
        }
        at = end + 1;
    }
    are_text
}

/// The line that closes what the line `at` opens.
fn closing_line(lines: &[&str], at: usize) -> Option<usize> {
    let line = lines[at];
    let later = |closes: &dyn Fn(&str) -> bool| {
        lines[at + 1..].iter().position(|line| closes(line)).map(|more| at + 1 + more)
    };
    if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence)) {
        return later(&|line| line.starts_with(fence));
    }
    let comment = line.rfind("<!--").map(|start| &line[start..]);
    comment.filter(|comment| !comment.contains("-->"))?;
    later(&|line| line.contains("-->"))
}

/// Whether forge wrote `line`: credits that name nobody but those whom `changelog` names.
fn is_generated(line: &str, changelog: &Changelog) -> bool {
    let Some(names) = line.strip_prefix(CREDITS) else { return false };
    let known = |name: &str| {
        let sections = changelog.sections.iter();
        let mut contributors = sections.flat_map(|section| &section.contributors);
        contributors.any(|one| markdown::inline(one) == name)
    };
    names.split(", ").all(|name| known(name.trim_end()))
}

/// What the heading of Unreleased says more than that, on a line of its own.
fn beside_name(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim();
    let rest = match title.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(_, rest)| rest),
        None => title.split_once(char::is_whitespace).map_or("", |(_, rest)| rest),
    };
    let rest = rest.trim_start_matches([' ', '-', ':', '(']).trim_end_matches([' ', '#', ')']);
    if rest.is_empty() { String::new() } else { format!("{rest}\n\n") }
}

/// What a heading names: `[1.3.0] - 2026-01-07`.
fn named(title: &str) -> String {
    let title = title.trim();
    let title = match title.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => title.split_whitespace().next(),
    };
    title.unwrap_or_default().to_owned()
}

/// What a line says where a heading leads: `[1.3.0]: https://…`.
fn defined(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix('[')?.split_once("]: ")?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests;
