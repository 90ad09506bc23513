//! go.mod and go.work, as far as they say where packages are (Go Modules Reference, "go.mod
//! files", "Workspaces").

/// What a go.mod or a go.work says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleFile {
    /// `module`: the import path of its folder.
    pub module: Option<String>,
    /// `replace` by folders: the import path, and the folder as it is written.
    pub replaced: Vec<(String, String)>,
    /// `use`: folders of modules, as they are written.
    pub used: Vec<String>,
}

impl ModuleFile {
    /// Reads the text of a file.
    pub fn read(text: &str) -> Self {
        let mut file = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let line = line.split_once("//").map_or(line, |(code, _)| code);
            let words: Vec<&str> =
                line.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
            match (&block, words.as_slice()) {
                (_, []) => {}
                (Some(_), [")"]) => block = None,
                (None, [verb, "("]) => block = Some((*verb).to_owned()),
                (Some(verb), words) => file.take(verb, words),
                (None, [verb, words @ ..]) => file.take(verb, words),
            }
        }
        file
    }

    fn take(&mut self, verb: &str, words: &[&str]) {
        match (verb, words) {
            ("module", [path]) => self.module = Some((*path).to_owned()),
            ("use", [folder]) => self.used.push((*folder).to_owned()),
            ("replace", [path, "=>", folder] | [path, _, "=>", folder])
                if folder.starts_with("./") || folder.starts_with("../") =>
            {
                self.replaced.push(((*path).to_owned(), (*folder).to_owned()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_blocks_say_the_same() {
        let text = "module example.org/m // m\n\ngo 1.22\nrequire (\n\ta v1.0.0\n)\nreplace a => ../a\n\
                    replace (\n\tb v1.0.0 => ./b\n\tc => example.org/c v1.2.0\n)\n";
        let file = ModuleFile::read(text);
        assert_eq!(file.module.as_deref(), Some("example.org/m"));
        let replaced = [("a", "../a"), ("b", "./b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(file.replaced, replaced);
        let work = ModuleFile::read("go 1.22\nuse ./x\nuse (\n\t.\n\t\"./y\"\n)\n");
        assert_eq!(work.used, ["./x", ".", "./y"]);
    }
}
