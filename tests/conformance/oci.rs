//! The OCI store, against Debian's `docker-registry` and against the stand-in as it plays ghcr.io and
//! Amazon's.

use std::time::Duration;

use async_trait::async_trait;
use forge::{
    model::Fault,
    store::{Login, Logins, RegistryLogin, RegistrySecret, StoreSettings, Tempo},
};

use super::{
    servers::{Running, is_here},
    suite::{Host, TAG, lists_many, reads, settings, stays_offline, store, upload, writes},
};
use crate::support::registry::{LOGIN, Registry, Rules};

const CARELESS: Host = Host { takes_empty: true, decides_races: false, tells_digest: true };

#[derive(Debug)]
struct Somebody(&'static str);

#[async_trait]
impl Logins for Somebody {
    async fn login(&self, _: &str) -> Option<Login> {
        None
    }

    async fn registry(&self, _: &str, _: &str) -> Result<Option<RegistryLogin>, Fault> {
        let (user, password) = (LOGIN.0.to_owned(), self.0.to_owned());
        let secret = RegistrySecret::Password { user, password };
        Ok(Some(RegistryLogin { secret, source: "the tests".into() }))
    }
}

/// Settings of whoever has the login with `password`, and is in a hurry.
pub fn logged_in(password: &'static str) -> StoreSettings {
    hasty(StoreSettings { logins: std::sync::Arc::new(Somebody(password)), ..settings(&[]) })
}

/// The same without a login.
pub fn hasty(settings: StoreSettings) -> StoreSettings {
    let (settling, look) = (Duration::from_secs(2), Duration::from_millis(40));
    StoreSettings { tempo: Some(Tempo { settling, look, ..Tempo::default() }), ..settings }
}

/// Debian's registry, which keeps everything in `folder`.
pub fn docker_registry(folder: &std::path::Path) -> Running {
    Running::start("docker-registry", folder, |port| {
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage:\n  filesystem: {{ rootdirectory: {} }}\n  \
             delete: {{ enabled: true }}\nhttp: {{ addr: '127.0.0.1:{port}' }}\n",
            folder.display()
        );
        std::fs::write(folder.join("config.yml"), config).expect("its configuration");
        vec!["serve".into(), folder.join("config.yml").display().to_string()]
    })
}

#[tokio::test]
async fn debians_registry_conforms_except_in_races() {
    if !is_here("docker-registry") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let server = docker_registry(temp.path());
    let url = format!("oci:127.0.0.1:{}/acme/releases", server.port);
    writes(&*store(&url, &hasty(settings(&[]))), CARELESS).await;
    stays_offline(&url, &settings(&[])).await;
    lists_many(&*store(&format!("{url}/many"), &hasty(settings(&[]))), 30).await;
}

#[tokio::test]
async fn the_stand_in_conforms_as_whatever_it_plays() {
    let split = Rules { wants_login: true, is_split: true, ..Rules::default() };
    for (name, rules, host) in [
        ("plain", Rules::default(), CARELESS),
        ("split", split, CARELESS),
        ("ghcr", Rules { lag: Duration::from_millis(30), ..Rules::ghcr() }, CARELESS),
        ("ecr", Rules::ecr(), Host { decides_races: true, ..CARELESS }),
    ] {
        let registry = Registry::start(rules);
        registry.world().repositories.insert("acme/releases".into());
        let url = format!("oci:{}/acme/releases", registry.host());
        writes(&*store(&url, &logged_in(LOGIN.1)), host).await;
        if name != "ecr" {
            // Whoever has no login reads what is public.
            let anonymous = store(&url, &hasty(settings(&[])));
            reads(&*anonymous, host).await;
        }
        let elsewhere =
            registry.take_asked().into_iter().filter(|it| it.host.starts_with("localhost"));
        let elsewhere: Vec<_> = elsewhere.collect();
        assert_eq!(elsewhere.is_empty(), name != "split");
        assert!(elsewhere.iter().all(|asked| asked.authorization.is_none()), "{name}");
        assert_eq!(registry.world().dangling(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_what_to_do() {
    let registry = Registry::start(Rules::ghcr());
    let url = format!("oci:{}/acme/releases", registry.host());
    let temp = tempfile::tempdir().unwrap();
    let upload = upload(temp.path(), "1", b"1");
    let release = super::suite::release(TAG);
    let fault = store(&url, &hasty(settings(&[]))).publish(&release, &upload).await.unwrap_err();
    assert!(fault.to_string().contains("403 Forbidden (DENIED"), "{fault}");
    assert!(fault.hint.unwrap().contains("docker login"));
    let fault = store(&url, &logged_in("wrong")).publish(&release, &upload).await.unwrap_err();
    assert!(fault.to_string().contains("does not accept the login from the tests"), "{fault}");
    let access = store(&url, &hasty(settings(&[]))).access().await.unwrap();
    assert_eq!((access.may_read, access.may_write), (true, Some(false)), "{access:?}");

    let registry = Registry::start(Rules::ecr());
    let url = format!("oci:{}/acme/releases", registry.host());
    let fault = store(&url, &logged_in(LOGIN.1)).publish(&release, &upload).await.unwrap_err();
    assert!(fault.to_string().contains("NAME_UNKNOWN"), "{fault}");
    assert!(fault.hint.unwrap().contains("make the repository `acme/releases`"));
}
