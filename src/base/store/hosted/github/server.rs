//! Which GitHub it is: where people, programs and uploads go, and whom a token may be shown to.

use std::{collections::BTreeMap, net::IpAddr};

use reqwest::Url;

use crate::{
    model::{Fault, Kind},
    store::{
        Tempo,
        address::{self, below},
    },
};

/// A GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct GitHubServer {
    /// Where people go; releases are downloaded from there.
    web: Url,
    /// Where programs ask.
    api: Url,
}

impl GitHubServer {
    /// The one at `base`, or else the one that the environment names, as Actions and `gh` have it
    /// (`GITHUB_SERVER_URL` and `GITHUB_API_URL`, `GH_HOST`), or else github.com.
    ///
    /// # Errors
    /// `Usage` if one of them is not a URL, or unprotected http leads away from this machine.
    pub(in crate::store) fn find(
        base: Option<&str>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Fault> {
        let named = |name: &str| environment.get(name).map(|value| value.trim());
        if let Some(base) = base {
            return Self::at("releases", base, None);
        }
        if let Some(web) = named("GITHUB_SERVER_URL") {
            return Self::at("GITHUB_SERVER_URL", web, named("GITHUB_API_URL"));
        }
        match (named("GITHUB_API_URL"), named("GH_HOST")) {
            (None, Some(host)) => Self::at("GH_HOST", &format!("https://{host}"), None),
            (api, _) => Self::at("github", "https://github.com", api),
        }
    }

    fn at(source: &str, web: &str, api: Option<&str>) -> Result<Self, Fault> {
        let web = protected(source, web)?;
        let api = match api {
            Some(api) => protected("GITHUB_API_URL", api)?,
            None => api_of(source, &web)?,
        };
        Ok(Self { web, api })
    }

    /// How fast it wants to be written to. GitHub's own hosts have limits
    /// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>); on
    /// Enterprise Server they are off unless its owner turns them on.
    pub(super) fn tempo(&self) -> Tempo {
        let host = self.web.host_str().unwrap_or_default();
        match host == "github.com" || host.ends_with(".ghe.com") {
            true => Tempo::default(),
            false => Tempo::of_own_server(),
        }
    }

    /// The name that logins are kept under: `github.com`.
    pub(super) fn name(&self) -> String {
        address::name(&self.web)
    }

    /// A page for people, by the segments of its path.
    pub(super) fn page(&self, path: &[&str]) -> Url {
        below(&self.web, path)
    }

    /// A resource of the API, by the segments of its path.
    pub(super) fn resource(&self, path: &[&str]) -> Url {
        below(&self.api, path)
    }

    /// Where the asset called `asset` goes, by a release's `upload_url`, which is a template
    /// (`https://uploads.github.com/…/assets{?name,label}`).
    ///
    /// # Errors
    /// `Store` if it leads to a host that must not see a token.
    pub(super) fn upload(&self, template: &str, asset: &str) -> Result<Url, Fault> {
        let foreign = |why: String| {
            let what = format!("{asset} is not uploaded to where {} says", self.name());
            Fault::new(Kind::Store, what)
                .because(why)
                .hint("a proxy or the server itself is set up wrong: forge shows a login to its own host only")
        };
        let text = template.split('{').next().unwrap_or_default();
        let mut url = protected("the upload URL", text)
            .map_err(|fault| foreign(fault.why.first().cloned().unwrap_or(fault.what)))?;
        if !self.is_own(&url) {
            let (host, own) = (url.host_str().unwrap_or_default(), self.name());
            return Err(foreign(format!("`{host}` does not belong to `{own}`")));
        }
        url.query_pairs_mut().append_pair("name", asset);
        Ok(url)
    }

    /// Whether a token may be shown at `url`: at the hosts of the API and of the pages, and
    /// at those below the latter (`uploads.github.com`).
    fn is_own(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        [&self.api, &self.web].iter().any(|own| own.host_str() == Some(host))
            || self.web.host_str().is_some_and(|own| {
                host.strip_suffix(own).is_some_and(|sub| sub.ends_with('.')) && !is_address(own)
            })
    }
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn protected(source: &str, text: &str) -> Result<Url, Fault> {
    address::protected(source, text, "a GitHub")
}

/// Where the API is: at github.com and on GitHub's own domains for enterprises below `api.`, on
/// an Enterprise server in a folder.
fn api_of(source: &str, web: &Url) -> Result<Url, Fault> {
    let host = web.host_str().unwrap_or_default();
    if host == "github.com" || host.ends_with(".ghe.com") {
        return protected(source, &format!("https://api.{host}"));
    }
    Ok(below(web, &["api", "v3"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(base: Option<&str>, variables: &[(&str, &str)]) -> Result<GitHubServer, Fault> {
        let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        GitHubServer::find(base, &pairs.collect())
    }

    #[test]
    fn the_environment_and_the_manifest_say_which_github_it_is() {
        let (server, api, other) = (
            ("GITHUB_SERVER_URL", "https://ghe.example.org"),
            ("GITHUB_API_URL", "https://ghe.example.org/api/v3"),
            ("GH_HOST", "other.example.org"),
        );
        for (base, variables, web, rest) in [
            (None, vec![], "https://github.com/o", "https://api.github.com/o"),
            (
                None,
                vec![server, api, other],
                "https://ghe.example.org/o",
                "https://ghe.example.org/api/v3/o",
            ),
            (None, vec![server], "https://ghe.example.org/o", "https://ghe.example.org/api/v3/o"),
            (None, vec![api], "https://github.com/o", "https://ghe.example.org/api/v3/o"),
            (
                None,
                vec![other],
                "https://other.example.org/o",
                "https://other.example.org/api/v3/o",
            ),
            (
                Some("https://a.ghe.com"),
                vec![server],
                "https://a.ghe.com/o",
                "https://api.a.ghe.com/o",
            ),
            (
                Some("http://127.0.0.1:81"),
                vec![],
                "http://127.0.0.1:81/o",
                "http://127.0.0.1:81/api/v3/o",
            ),
            (Some("http://[::1]:81"), vec![], "http://[::1]:81/o", "http://[::1]:81/api/v3/o"),
        ] {
            let host = host(base, &variables).unwrap();
            assert_eq!(host.page(&["o"]).as_str(), web);
            assert_eq!(host.resource(&["o"]).as_str(), rest);
        }
    }

    #[test]
    fn unprotected_http_stays_on_this_machine() {
        for (base, variables) in [
            (Some("http://ghe.example.org"), vec![]),
            (None, vec![("GITHUB_SERVER_URL", "http://ghe.example.org")]),
            (
                None,
                vec![
                    ("GITHUB_SERVER_URL", "https://ghe.example.org"),
                    ("GITHUB_API_URL", "http://x"),
                ],
            ),
            (None, vec![("GH_HOST", "a b")]),
            (None, vec![("GITHUB_SERVER_URL", "ftp://ghe.example.org")]),
        ] {
            let fault = host(base, &variables).unwrap_err();
            assert_eq!(fault.kind, Kind::Usage);
            assert!(fault.hint.is_some(), "{fault}");
        }
    }

    #[test]
    fn uploads_go_to_the_host_s_own_servers_only() {
        let host = host(None, &[]).unwrap();
        let url = host.upload("https://uploads.github.com/a/assets{?name,label}", "b+c").unwrap();
        assert_eq!(url.as_str(), "https://uploads.github.com/a/assets?name=b%2Bc");
        assert!(host.upload("https://api.github.com/a", "x").is_ok());
        for foreign in [
            "https://uploads.example.org/a{?name}",
            "https://github.com.example.org/a",
            "https://notgithub.com/a",
            "http://uploads.github.com/a",
            "http://127.0.0.1/a",
            "",
        ] {
            let fault = host.upload(foreign, "x").unwrap_err();
            assert_eq!(fault.kind, Kind::Store, "{foreign}");
        }
    }
}
