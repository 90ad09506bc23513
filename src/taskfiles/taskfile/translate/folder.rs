//! Where a task runs.

use super::{Translator, scope::plain, task::TranslatedTask};
use crate::manifest::{Quoting, Scalar};

/// What Task takes for the beginning of an absolute path.
const ABSOLUTE: [&str; 4] = [".ROOT_DIR", ".TASKFILE_DIR", ".USER_WORKING_DIR", ".FORGE_SRC"];

/// Whether Task takes `dir`, as it is written, for an absolute path.
pub(super) fn begins_absolute(dir: &str) -> bool {
    ABSOLUTE.iter().any(|name| dir.contains(name))
}

impl Translator<'_> {
    /// Where it runs, as a template of forge.
    pub(super) fn dir(&self, draft: &mut TranslatedTask) -> Option<String> {
        let known = &self.tasks[draft.at];
        let base = self.instances[known.instance].dir.as_ref().map(|dir| {
            let text = dir.to_string_lossy().into_owned();
            let scalar = Scalar { text, style: Quoting::Plain, bytes: 0..0 };
            draft.scope.text(&scalar, &mut draft.wrong)
        });
        let own = known.task.dir.as_ref();
        let is_absolute = own.is_some_and(|dir| begins_absolute(&dir.text));
        let own = own.map(|dir| self.expanded(&draft.scope.text(dir, &mut draft.wrong)));
        match (base, own) {
            (Some(base), Some(own)) if !own.starts_with('/') && !is_absolute => {
                Some(format!("{base}/{own}"))
            }
            (base, own) => own.or(base),
        }
        .filter(|dir| !dir.is_empty())
    }

    /// A folder as a shell has it: `~` and `$NAME` are what the environment says.
    fn expanded(&self, dir: &str) -> String {
        let env = &self.wish.given.env;
        if self.wish.tasks.is_none() {
            return dir.to_owned();
        }
        let home = || plain(env.get("HOME").map_or("", String::as_str));
        let dir = match dir.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => home() + rest,
            _ => dir.to_owned(),
        };
        let mut parts = dir.split('$');
        let mut said = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
                Some(pair) => pair,
                None => part.split_at(part.find(|c| !is_part(c)).unwrap_or(part.len())),
            };
            said.push_str(&plain(env.get(name).map_or("", String::as_str)));
            said.push_str(rest);
        }
        said
    }
}
