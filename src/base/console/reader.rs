//! Who reads what forge prints: a person, or a CI that takes some lines for commands.

/// Who reads along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsoleReader {
    /// A person, and nobody else that is known.
    #[default]
    Person,
    /// GitHub Actions, and those that speak its language: Gitea, Forgejo.
    Actions,
    /// Azure Pipelines.
    Azure,
    /// TeamCity.
    TeamCity,
    /// GitLab.
    GitLab,
    /// Buildkite.
    Buildkite,
}

/// The variable that each sets, and to what; empty where any value will do.
const MARKS: [(&str, &str, ConsoleReader); 8] = [
    ("GITHUB_ACTIONS", "true", ConsoleReader::Actions),
    ("GITEA_ACTIONS", "true", ConsoleReader::Actions),
    ("FORGEJO_ACTIONS", "true", ConsoleReader::Actions),
    ("TF_BUILD", "true", ConsoleReader::Azure),
    ("TEAMCITY_VERSION", "", ConsoleReader::TeamCity),
    ("GITLAB_CI", "true", ConsoleReader::GitLab),
    ("BUILDKITE", "true", ConsoleReader::Buildkite),
    ("BUILDKITE_JOB_ID", "", ConsoleReader::Buildkite),
];

impl ConsoleReader {
    /// Who reads what a process prints, as `variable` tells the variables of its environment.
    pub fn from_variables<'e>(variable: impl Fn(&str) -> Option<&'e str>) -> Self {
        let is_set = |(name, wanted, _): &&(&str, &str, Self)| {
            variable(name).is_some_and(|value| match *wanted {
                "" => !value.is_empty(),
                wanted => value.eq_ignore_ascii_case(wanted),
            })
        };
        MARKS.iter().find(is_set).map_or(Self::Person, |(_, _, reader)| *reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ci_is_known_by_its_variable() {
        for (set, reader) in [
            (("GITHUB_ACTIONS", "true"), ConsoleReader::Actions),
            (("GITHUB_ACTIONS", "false"), ConsoleReader::Person),
            (("TF_BUILD", "True"), ConsoleReader::Azure),
            (("TEAMCITY_VERSION", "2025.03"), ConsoleReader::TeamCity),
            (("GITLAB_CI", "true"), ConsoleReader::GitLab),
            (("BUILDKITE", "true"), ConsoleReader::Buildkite),
            (("CI", "true"), ConsoleReader::Person),
        ] {
            assert_eq!(
                ConsoleReader::from_variables(|name| (name == set.0).then_some(set.1)),
                reader,
                "{set:?}"
            );
        }
    }
}
