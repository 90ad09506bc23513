//! Rendered text in which places on this machine are still symbols.
//!
//! A command such as `go build -o {{ out }}/nats` goes into the fingerprint, which
//! must be the same on every machine, and into a shell, which needs the real folder.
//! So rendering puts a symbol for each place, and the real path only comes in when
//! the command runs.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    keyring::{self, SecretTable},
    quotes::Quotes,
};

/// Rendered text; places stand as symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text(String);

/// The places that a [`Text`] can mention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// `{{ root }}`: the workspace.
    pub root: PathBuf,
    /// `{{ src }}`: the source.
    pub src: PathBuf,
    /// `{{ out }}`: where the binaries go.
    pub out: PathBuf,
    /// `{{ work }}`: a folder that stays from build to build (for incremental compilers).
    pub work: PathBuf,
    /// `{{ bin }}`: where installed binaries are.
    pub bin: PathBuf,
    /// `{{ commit }}`: the full commit hash, empty without git.
    pub commit: String,
}

impl Text {
    /// The names of the places, as templates call them.
    pub const PLACES: [&'static str; 6] = ["root", "src", "out", "work", "bin", "commit"];

    /// Takes rendered text in which places are symbols made by [`Text::symbol`].
    pub fn new(rendered: String) -> Self {
        Self(rendered)
    }

    /// The symbol that stands for `place`. It holds a control character, which no
    /// manifest can contain, so nothing that people write is taken for one.
    pub fn symbol(place: &str) -> String {
        format!("\u{1}{place}\u{2}")
    }

    /// The text with symbols readable, as in `go build -o {{ out }}/nats`: for
    /// fingerprints and messages.
    pub fn symbolic(&self) -> String {
        keyring::hidden(&self.0).replace('\u{1}', "{{ ").replace('\u{2}', " }}")
    }

    /// The text without blanks at its end.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.0.truncate(self.0.trim_end().len());
        self
    }

    /// The text without `sign` at its end.
    ///
    /// # Errors
    /// The text itself, if it does not end so.
    pub fn without_last(mut self, sign: char) -> Result<Self, Self> {
        match self.0.pop() {
            Some(last) if last == sign => Ok(self),
            last => {
                self.0.extend(last);
                Err(self)
            }
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with its symbols, to be put into another template.
    pub(super) fn into_inner(self) -> String {
        self.0
    }

    /// The text, if it mentions no place.
    ///
    /// # Errors
    /// The first place it mentions.
    pub fn without_places(self) -> Result<String, String> {
        match self.0.split_once('\u{1}') {
            None => Ok(self.0),
            Some((_, rest)) => Err(rest.split('\u{2}').next().unwrap_or_default().to_owned()),
        }
    }

    /// The text with the real places, as they are. Secrets stay symbols.
    pub fn expand(&self, places: &Places) -> String {
        self.expand_with(places, |_, value| value)
    }

    /// The text with the real places, for a shell: each path stays itself, whatever it
    /// holds, in bare words as well as within quotes.
    pub fn expand_in_shell(&self, places: &Places) -> String {
        let mut quotes = Quotes::new();
        self.expand_with(places, |before, value| {
            quotes.read(before);
            match value.starts_with('\u{1}') {
                true => value,
                false => quotes.protect(&value),
            }
        })
    }

    /// [`Self::expand_in_shell`], in which each secret is a variable of the shell: what a command
    /// is started with can be seen by everybody on the machine. Adds those variables to `env`.
    pub fn expand_with_secrets(
        &self,
        places: &Places,
        keyring: &SecretTable,
        env: &mut BTreeMap<String, String>,
    ) -> String {
        let line = Self(self.expand_in_shell(places));
        let mut quotes = Quotes::new();
        let mut count = 0;
        line.replaced(|before, place| {
            quotes.read(before);
            count += 1;
            let variable = format!("FORGE_SECRET_{count}");
            let value = keyring.value(place).unwrap_or_default();
            let reference = quotes.variable(&variable, value);
            env.insert(variable, value.to_owned());
            reference
        })
    }

    /// Whether it mentions a secret.
    pub fn has_secrets(&self) -> bool {
        let mut symbols = self.0.split('\u{1}').skip(1);
        symbols.any(keyring::is_secret)
    }

    /// Puts what `write` makes of the text before a place and of the place's value.
    fn expand_with(
        &self,
        places: &Places,
        mut write: impl FnMut(&str, String) -> String,
    ) -> String {
        self.replaced(|before, place| match keyring::is_secret(place) {
            true => write(before, Self::symbol(place)),
            false => write(before, places.value(place)),
        })
    }

    /// Puts what `write` makes of the text before a symbol and of the symbol's name.
    fn replaced(&self, mut write: impl FnMut(&str, &str) -> String) -> String {
        let mut replaced = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some((before, symbol)) = rest.split_once('\u{1}') {
            let (place, after) = symbol.split_once('\u{2}').unwrap_or((symbol, ""));
            replaced.push_str(before);
            replaced.push_str(&write(before, place));
            rest = after;
        }
        replaced + rest
    }
}

impl Places {
    /// What stands for the places while nobody knows them.
    pub(super) fn stand_ins() -> Self {
        let somewhere = || "/place".into();
        Self {
            root: somewhere(),
            src: somewhere(),
            out: somewhere(),
            work: somewhere(),
            bin: somewhere(),
            commit: "commit".into(),
        }
    }

    /// What the place called `name` is on this machine.
    fn value(&self, name: &str) -> String {
        let path = match name {
            "root" => &self.root,
            "src" => &self.src,
            "out" => &self.out,
            "work" => &self.work,
            "bin" => &self.bin,
            _ => return self.commit.clone(),
        };
        path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_become_places_only_when_asked() {
        let text = Text::new(format!("cp {}/a {}/a", Text::symbol("src"), Text::symbol("out")));
        assert_eq!(text.symbolic(), "cp {{ src }}/a {{ out }}/a");
        let places = Places { src: "/s".into(), out: "/o".into(), ..Places::default() };
        assert_eq!(text.expand(&places), "cp /s/a /o/a");
        assert_eq!(text.expand_in_shell(&places), "cp /s/a /o/a");
        let places = Places { src: "/my s".into(), ..places };
        assert_eq!(text.expand(&places), "cp /my s/a /o/a");
        assert_eq!(text.expand_in_shell(&places), r"cp /my\ s/a /o/a");
    }
}
