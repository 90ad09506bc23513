//! Which proxy a URL is fetched through, by the variables that curl reads and in the order that curl
//! reads them: the name in small letters before the one in capitals.
//!
//! | variable | for |
//! |---|---|
//! | `http_proxy`, `HTTP_PROXY` | `http` URLs |
//! | `https_proxy`, `HTTPS_PROXY` | `https` URLs |
//! | `all_proxy`, `ALL_PROXY` | whatever the others say nothing of |
//! | `no_proxy`, `NO_PROXY` | hosts that are reached without one |
//!
//! `no_proxy` is a list with commas or blanks: `*` for everything; a domain, with or without a dot
//! before it, for itself and all below it; an address; a block of addresses (`10.0.0.0/8`,
//! `fd00::/8`). An entry with a port counts for that port only.

use std::{collections::BTreeMap, net::IpAddr};

use reqwest::Url;

/// The proxies that the environment names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EnvironmentProxies {
    http: Option<Url>,
    https: Option<Url>,
    direct: Vec<Direct>,
    /// Whether anything was said at all.
    is_set: bool,
}

/// What is reached without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Direct {
    place: ProxyPlace,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ProxyPlace {
    Everything,
    /// A domain in small letters, without dots around it, and all below it.
    Domain(String),
    /// Addresses that begin with these bits.
    Block(IpAddr, u8),
}

impl EnvironmentProxies {
    /// Those that `variables` name. One that is empty is as good as unset.
    pub(super) fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let get =
            |name: &str| variables.get(name).map(|text| text.trim()).filter(|t| !t.is_empty());
        let either = |name: &str| get(name).or_else(|| get(&name.to_ascii_uppercase()));
        // In a CGI script, a request's header `Proxy:` sets HTTP_PROXY.
        let http = match get("REQUEST_METHOD") {
            Some(_) => get("http_proxy"),
            None => either("http_proxy"),
        };
        let (https, all) = (either("https_proxy"), either("all_proxy"));
        let direct = either("no_proxy");
        Self {
            http: http.or(all).and_then(proxy),
            https: https.or(all).and_then(proxy),
            direct: direct.into_iter().flat_map(entries).filter_map(Direct::read).collect(),
            is_set: [http, https, all, direct].iter().any(Option::is_some),
        }
    }

    /// Whether the environment says anything about proxies. If not, the system may.
    pub(super) fn are_set(&self) -> bool {
        self.is_set
    }

    /// The proxy for `url`, if it is not reached directly.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "http" => self.http.as_ref(),
            _ => self.https.as_ref(),
        };
        proxy.filter(|_| !self.direct.iter().any(|direct| direct.holds(url)))
    }
}

/// A proxy as people write it: without a scheme it speaks http.
fn proxy(text: &str) -> Option<Url> {
    match text.contains("://") {
        true => Url::parse(text).ok(),
        false => Url::parse(&format!("http://{text}")).ok(),
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}

impl Direct {
    fn read(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self { place: ProxyPlace::Everything, port: None });
        }
        if let Some(block) = ProxyPlace::block(entry) {
            return Some(Self { place: block, port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        if let Some(block) = ProxyPlace::block(host) {
            return Some(Self { place: block, port });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let domain = host.trim_matches('.').to_ascii_lowercase();
        (!domain.is_empty()).then_some(Self { place: ProxyPlace::Domain(domain), port })
    }

    fn holds(&self, url: &Url) -> bool {
        let is_port = self.port.is_none() || self.port == url.port_or_known_default();
        is_port && url.host_str().is_some_and(|host| self.place.holds(host))
    }
}

impl ProxyPlace {
    /// An address or a block of them; none if `text` is neither.
    fn block(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = bare(address).parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        Some(Self::Block(address, bits.unwrap_or(all).min(all)))
    }

    fn holds(&self, host: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Domain(domain) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(domain.as_str())
                    .is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Self::Block(block, bits) => {
                bare(host).parse().is_ok_and(|address| shares(*block, address, *bits))
            }
        }
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether two addresses begin with the same `bits`.
fn shares(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let differs = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differs.leading_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> EnvironmentProxies {
        EnvironmentProxies::from_variables(
            &pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        )
    }

    fn used(pairs: &[(&str, &str)], url: &str) -> String {
        let proxies = proxies(pairs);
        let found = proxies.proxy_for(&Url::parse(url).unwrap());
        found.map_or("none".into(), |url| url.host_str().unwrap().to_owned())
    }

    fn is_direct(list: &str, url: &str) -> bool {
        used(&[("all_proxy", "http://p:1"), ("no_proxy", list)], url) == "none"
    }

    #[test]
    fn small_letters_go_before_capitals() {
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            let url = if name == "http_proxy" { "http://x.org" } else { "https://x.org" };
            let capitals = name.to_ascii_uppercase();
            let both = [(name, "http://small:1"), (capitals.as_str(), "http://capital:1")];
            assert_eq!(used(&both, url), "small");
            assert_eq!(used(&both[1..], url), "capital");
            assert_eq!(used(&[(name, " "), both[1]], url), "capital", "blank is unset");
        }
        let all = ("all_proxy", "all:1");
        assert_eq!(used(&[all, ("https_proxy", "s:1")], "https://x.org"), "s");
        assert_eq!(used(&[all, ("https_proxy", "s:1")], "http://x.org"), "all");
        let direct = [all, ("no_proxy", "x.org"), ("NO_PROXY", "y.org")];
        assert_eq!(used(&direct, "http://x.org"), "none");
        assert_eq!(used(&direct, "http://y.org"), "all");
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil:1")];
        assert_eq!(used(&cgi, "http://x.org"), "none");
        assert!(!proxies(&[]).are_set() && proxies(&[("NO_PROXY", "*")]).are_set());
    }

    #[test]
    fn a_star_is_everything_and_an_address_is_no_exception() {
        for url in
            ["http://127.0.0.1:80/x", "https://example.org", "http://[::1]/", "http://10.0.0.1"]
        {
            assert!(is_direct("*", url), "{url}");
            assert!(is_direct("a.org, *", url), "{url}");
        }
    }

    #[test]
    fn lists_name_domains_addresses_blocks_and_ports() {
        for (list, url) in [
            ("example.org", "https://example.org/x"),
            ("example.org", "https://a.b.EXAMPLE.org"),
            (".example.org", "https://example.org"),
            ("*.example.org", "https://a.example.org"),
            ("example.org.", "https://example.org"),
            ("a.org b.org,\tc.org", "http://c.org"),
            ("127.0.0.1", "http://127.0.0.1:8080"),
            ("10.0.0.0/8", "http://10.200.3.4"),
            ("192.168.1.1/32", "http://192.168.1.1"),
            ("0.0.0.0/0", "http://1.2.3.4"),
            ("::1", "http://[::1]:80"),
            ("[::1]", "http://[::1]"),
            ("fd00::/8", "http://[fd12::1]"),
            ("example.org:8080", "http://example.org:8080"),
            ("example.org:443", "https://example.org"),
            ("[::1]:81", "http://[::1]:81"),
            ("127.0.0.1:81", "http://127.0.0.1:81"),
        ] {
            assert!(is_direct(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("example.org", "https://notexample.org"),
            ("a.example.org", "https://example.org"),
            ("example.org", "https://example.org.evil.net"),
            ("127.0.0.1", "http://127.0.0.2"),
            ("10.0.0.0/8", "http://11.0.0.1"),
            ("10.0.0.0/8", "http://[::1]"),
            ("example.org:8080", "http://example.org"),
            ("127.0.0.1:81", "http://127.0.0.1:82"),
            ("", "http://example.org"),
            (".", "http://example.org"),
            ("10.0.0.0/x", "http://10.0.0.1"),
        ] {
            assert!(!is_direct(list, url), "{list} {url}");
        }
    }
}
