//! The paths in a Rust source, read from its tokens: comments and texts have none, and what stands in
//! macros is seen too.

use std::iter::Peekable;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The paths in a source.
#[derive(Debug, Default)]
pub struct Paths {
    /// Those into the crate itself, from its root; empty where one means all of the crate.
    pub own: Vec<Vec<String>>,
    /// All others, as they are written.
    pub others: Vec<Vec<String>>,
}

impl Paths {
    /// Those of `code`, which is the source of `module`.
    pub fn parse(code: &str, module: &[String]) -> Self {
        let tokens: TokenStream = code.parse().expect("tokens of Rust");
        let mut paths = Self::default();
        paths.walk(tokens, module);
        paths
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let mut tokens = tokens.into_iter().peekable();
        let (mut before, mut inner) = (String::new(), None);
        while let Some(token) = tokens.next() {
            let text = word(&token);
            match token {
                TokenTree::Group(group) => {
                    let inner: Option<String> = inner.take();
                    let module: Vec<String> = module.iter().cloned().chain(inner).collect();
                    self.walk(group.stream(), &module);
                }
                TokenTree::Ident(_) if text == "use" => {
                    let tree = tokens.by_ref().take_while(|token| word(token) != ";").collect();
                    self.tree(tree, &[], module);
                }
                TokenTree::Ident(_) if before == "mod" => inner = Some(text.clone()),
                TokenTree::Ident(_) if before != "." => {
                    let mut path = vec![text.clone()];
                    while takes_colons(&mut tokens) {
                        match tokens.peek() {
                            Some(TokenTree::Ident(_)) => {
                                path.push(word(&tokens.next().expect("it was seen")));
                            }
                            _ => break,
                        }
                    }
                    if path.len() > 1 {
                        self.add(path, module);
                    }
                }
                TokenTree::Punct(_) if text == ";" => inner = None,
                _ => {}
            }
            before = text;
        }
    }

    /// What a tree of `use` names, below `prefix`.
    fn tree(&mut self, tree: TokenStream, prefix: &[String], module: &[String]) {
        let mut tokens = tree.into_iter().peekable();
        let mut path = prefix.to_vec();
        let mut is_done = false;
        while let Some(token) = tokens.next() {
            let text = word(&token);
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.tree(group.stream(), &path, module);
                    is_done = true;
                }
                TokenTree::Punct(_) if text == "," => {
                    self.end(&mut path, is_done, prefix, module);
                    is_done = false;
                }
                TokenTree::Ident(_) if text == "as" => drop(tokens.next()),
                TokenTree::Ident(_) => path.push(text),
                TokenTree::Punct(_) if text == "*" => path.push(text),
                _ => {}
            }
        }
        self.end(&mut path, is_done, prefix, module);
    }

    fn end(&mut self, path: &mut Vec<String>, is_done: bool, prefix: &[String], module: &[String]) {
        let path = std::mem::replace(path, prefix.to_vec());
        if !is_done && path.len() > prefix.len() {
            self.add(path, module);
        }
    }

    fn add(&mut self, path: Vec<String>, module: &[String]) {
        let (mut at, mut is_own) = (module.to_vec(), false);
        let mut parts = path.iter().map(String::as_str).peekable();
        while let Some(part) = parts.peek() {
            match *part {
                "crate" | "forge" if !is_own => at.clear(),
                member if !is_own && member.starts_with("forge_") => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => break,
            }
            is_own = true;
            parts.next();
        }
        if !is_own {
            return self.others.push(path);
        }
        at.extend(parts.filter(|part| *part != "self").map(str::to_owned));
        if at.first().is_some_and(|first| first == "*") {
            at.clear();
        }
        self.own.push(at);
    }
}

fn takes_colons(tokens: &mut Peekable<impl Iterator<Item = TokenTree> + Clone>) -> bool {
    let mut ahead = tokens.clone();
    let colons = [ahead.next(), ahead.next()];
    let are = colons.iter().all(|token| token.as_ref().is_some_and(|token| word(token) == ":"));
    if are {
        *tokens = ahead;
    }
    are
}

fn word(token: &TokenTree) -> String {
    let text = token.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}
