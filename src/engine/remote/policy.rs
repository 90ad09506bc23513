//! Who may read and write the remote cache.
//!
//! One rule for both ways: a run that may publish builds by itself and writes, any other reads and does not write.
//! Then what a run for a proposed change could write is read by nobody, and what is published was built by the run
//! that publishes it, even if whoever may write to the server is not who should.

use crate::{
    provenance::{Classes, RunClass, Surroundings},
    workspace::RemoteSettings,
};

/// What a run may do with the remote cache, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteRights {
    /// Why it does not read it; nothing if it does.
    pub unread: Option<&'static str>,
    /// Why it does not write it; nothing if it does.
    pub unwritten: Option<&'static str>,
}

impl RemoteRights {
    /// Those of a run of these `classes`.
    pub fn new(settings: &RemoteSettings, classes: Classes, surroundings: &Surroundings) -> Self {
        let publishes = classes.takes > RunClass::Untrusted;
        let unread = match () {
            () if !settings.reads => Some("versions.yml has `read: false`"),
            () if publishes => Some("a run that may publish builds by itself"),
            () => None,
        };
        let unwritten = match () {
            () if !settings.writes => Some("versions.yml has `write: never`"),
            () if *surroundings == Surroundings::Laptop => Some("only runs of CI write it"),
            () if !publishes => Some("only runs that may publish write it"),
            () => None,
        };
        Self { unread, unwritten }
    }

    /// The same, reading nothing, since `why`.
    #[must_use]
    pub fn without_reading(self, why: &'static str) -> Self {
        Self { unread: Some(why), ..self }
    }

    /// The same, writing nothing, since `why`.
    #[must_use]
    pub fn without_writing(self, why: &'static str) -> Self {
        Self { unwritten: Some(why), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{provenance::ActionsRun, reapi::ServerAddress};

    #[test]
    fn no_run_both_reads_and_writes() {
        let settings = RemoteSettings {
            address: ServerAddress::parse("grpcs://c:1").unwrap(),
            instance: String::new(),
            headers: Vec::new(),
            authorities: None,
            identity: None,
            reads: true,
            writes: true,
            salt: String::new(),
            timeout: std::time::Duration::from_secs(1),
            execution: None,
        };
        let github = |event: &str, reference: &str| {
            Surroundings::GitHub(ActionsRun {
                event: event.into(),
                reference: reference.into(),
                default_branch: Some("main".into()),
                ..ActionsRun::default()
            })
        };
        let main = github("push", "refs/heads/main");
        let branch = github("push", "refs/heads/other");
        let request = github("pull_request", "refs/pull/1/merge");
        for (surroundings, asked, reads, writes) in [
            (&main, false, false, true),
            (&main, true, false, true),
            (&branch, false, true, false),
            (&branch, true, false, true),
            (&request, false, true, false),
            (&request, true, true, false),
            (&Surroundings::Laptop, false, true, false),
            (&Surroundings::Laptop, true, false, false),
        ] {
            let rights = RemoteRights::new(&settings, surroundings.classes(asked), surroundings);
            let found = (rights.unread.is_none(), rights.unwritten.is_none());
            assert_eq!(found, (reads, writes), "{surroundings:?} {asked}");
        }
        let never = RemoteSettings { reads: false, writes: false, ..settings };
        let rights = RemoteRights::new(&never, main.classes(true), &main);
        assert!(rights.unread.is_some() && rights.unwritten.is_some());
    }
}
