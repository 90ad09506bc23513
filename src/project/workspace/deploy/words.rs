//! What the templates of a deployment know, and rendering them once that is known.

use std::collections::BTreeMap;

use minijinja::value::Value as Word;

use super::{
    super::{
        DeployEnvironment, Text,
        task::TaskText,
        template::{self, TemplateEngine, TemplateScope},
    },
    Deploy,
};
use crate::model::{Fault, Kind};

/// The place that `{{ files }}` stands for: what a build calls `out`.
const FILES: &str = "out";

/// What the words of a deployment mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployWords {
    /// `{{ environment }}`.
    pub environment: String,
    /// `{{ url }}`.
    pub url: Option<String>,
    /// `{{ version }}`.
    pub version: String,
    /// `{{ digest }}`: of the image's index, or of the packed asset.
    pub digest: String,
    /// `{{ image }}`: its repository.
    pub image: Option<String>,
    /// Whether there is a folder `{{ files }}`.
    pub has_files: bool,
    /// `{{ config }}`.
    pub config: BTreeMap<String, String>,
    /// `{{ pr }}`.
    pub pull_request: Option<u64>,
}

/// `scope`, in which the words of a deployment mean what `words` say.
pub(super) fn scope<'e>(scope: TemplateScope<'e>, words: &DeployWords) -> TemplateScope<'e> {
    let mut scope = scope.without(&["src", "out", "work", "commit"]);
    let version = words.version.as_str();
    let number =
        version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let own: [(&str, Option<Word>); 8] = [
        ("environment", Some(words.environment.as_str().into())),
        ("version", Some(version.into())),
        ("version_number", Some(number.unwrap_or(version).into())),
        ("digest", Some(words.digest.as_str().into())),
        ("url", words.url.as_deref().map(Word::from)),
        ("image", words.image.as_deref().map(Word::from)),
        ("pr", words.pull_request.map(Word::from)),
        ("files", words.has_files.then(|| template::place(FILES))),
    ];
    let config = words.config.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    scope.extend([("config".to_owned(), Word::from_pairs(config))]);
    let known = own.into_iter().filter_map(|(word, value)| Some((word.to_owned(), value?)));
    scope.extend(known);
    scope
}

impl Deploy {
    /// What `template` of it gives with `words`. The folder of the files stands as the place of what
    /// is built.
    ///
    /// # Errors
    /// `Usage`, with the template, if it cannot be rendered.
    pub fn render(&self, template: &TaskText, words: &DeployWords) -> Result<Text, Fault> {
        let engine = TemplateEngine::for_runs();
        let scope = scope(TemplateScope::of_words(&engine, &self.words), words);
        let TaskText(written) = template;
        scope.render(&written.text).map_err(|wrong| {
            let fault = Fault::new(Kind::Usage, "a template of a deployment cannot be rendered");
            match written.bytes.is_empty() {
                true => fault.because(wrong.what),
                false => {
                    let wrong = wrong.at(written, self.file.clone(), &self.source);
                    fault.because_of(wrong, self.source.to_string())
                }
            }
        })
    }

    /// What `template` gives, where no place may be.
    ///
    /// # Errors
    /// As [`Self::render`]; `Usage` if it mentions a place.
    pub fn plain(&self, template: &TaskText, words: &DeployWords) -> Result<String, Fault> {
        self.render(template, words)?.without_places().map_err(|place| {
            let place = if place == FILES { "files" } else { &place };
            Fault::new(Kind::Usage, format!("`{{{{ {place} }}}}` is known only to commands"))
                .hint("`config`, `stack` and `url` are known before there are any")
        })
    }

    /// The URL of `environment`, rendered with `words`.
    ///
    /// # Errors
    /// As [`Self::plain`].
    pub fn url(
        &self,
        environment: &DeployEnvironment,
        words: &DeployWords,
    ) -> Result<Option<String>, Fault> {
        let Some(TaskText(url)) = &environment.url else { return Ok(None) };
        let engine = TemplateEngine::for_runs();
        let scope = scope(TemplateScope::of_words(&engine, &self.words), words);
        let wrong = |why: String| {
            let what =
                format!("the URL of the environment `{}` cannot be rendered", environment.name);
            Fault::new(Kind::Usage, what).because(why)
        };
        let text = scope.render(&url.text).map_err(|it| wrong(it.what))?;
        text.without_places().map(Some).map_err(|place| wrong(format!("it mentions `{place}`")))
    }
}
