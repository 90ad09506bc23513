//! What verbs have in common: whether they only look, print JSON, or work on names.

use super::verb::Verb;

impl Verb {
    /// Whether it shows something of the workspace, and never runs a command of it.
    pub(super) fn only_looks(&self) -> bool {
        matches!(
            self,
            Self::Plan { .. }
                | Self::Status { .. }
                | Self::Explain { .. }
                | Self::Which(_)
                | Self::Why(_)
                | Self::Tree(_)
                | Self::Help(_)
                | Self::Ps { .. }
                | Self::Attach(_)
                | Self::Deployments(_)
                | Self::List { .. }
                | Self::Graph { .. }
                | Self::Affected { .. }
                | Self::Matrix { .. }
                | Self::Logs { .. }
                | Self::Env(_)
                | Self::Clean { .. }
                | Self::Outdated(_)
        )
    }

    /// Whether it prints a JSON document if it is asked to.
    pub(super) fn has_json(&self) -> bool {
        match self {
            // What tasks print is theirs; a list of a Taskfile's is forge's.
            Self::Run(args) => args.list || args.list_all,
            Self::Attach(_)
            | Self::Clean { .. }
            | Self::Completions { .. }
            | Self::Down { .. }
            | Self::Exec(_)
            | Self::Help(_)
            | Self::Init { .. }
            | Self::Lock { .. }
            | Self::Migrate(..)
            | Self::PreviewDestroy(_)
            | Self::PreviewSweep
            | Self::CiInit { .. }
            | Self::Remove(_)
            | Self::Schema { .. }
            | Self::Serve(_)
            | Self::ServeJob(_)
            | Self::Stop { .. } => false,
            _ => true,
        }
    }

    /// The subsystems and groups that it works on, if it takes some.
    pub(super) fn names(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Outdated(words) => Some(&mut words.names),
            Self::Tree(words) => Some(&mut words.names),
            Self::Preview(words) => Some(&mut words.names),
            Self::Ensure { names, .. }
            | Self::Plan { names, .. }
            | Self::Status { names, .. }
            | Self::Verify { names, .. }
            | Self::Up { names, .. }
            | Self::Down { names, .. }
            | Self::Logs { names, .. }
            | Self::Ps { names }
            | Self::Stop { names }
            | Self::Restart { names }
            | Self::Package { names, .. }
            | Self::PackageBundle { names, .. }
            | Self::Image { names, .. }
            | Self::ReleaseImage { names }
            | Self::ReleaseBinary { names, .. }
            | Self::Promote { names, .. }
            | Self::ReleaseList { names, .. }
            | Self::ReleaseWait { names, .. }
            | Self::ReleasePrune { names, .. }
            | Self::ReleaseAudit { names, .. }
            | Self::Ci { names, .. }
            | Self::CiBuild { names, .. }
            | Self::CiTest { names, .. }
            | Self::CiPackage { names, .. }
            | Self::CiRelease { names, .. }
            | Self::CiPages { names, .. }
            | Self::CiDeploy { names, .. }
            | Self::Matrix { names, .. }
            | Self::Lock { names, .. }
            | Self::Affected { names, .. } => Some(names),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::{args::Args, help::examples::examples_of, reference::JSON_DOCUMENTS};

    #[test]
    fn each_verb_that_prints_json_has_a_document_in_the_reference() {
        for verb in Args::command().get_subcommands() {
            let name = verb.get_name();
            // Lines without quotes parse as they are.
            let Some(line) = examples_of(name).iter().find(|line| !line.contains('"')) else {
                continue;
            };
            let parsed = Args::try_parse_from(line.split_whitespace()).unwrap().verb.unwrap();
            let is_documented = JSON_DOCUMENTS.iter().any(|(_, verbs, ..)| verbs.contains(&name));
            assert_eq!(parsed.has_json(), is_documented, "{name}");
        }
    }
}
