//! What hosts refuse, and what their reader can do about it. Each host has its own words; how they
//! are told is the same for all.

use reqwest::StatusCode;

use crate::{
    model::{Fault, Kind},
    store::{
        call::{ApiRequest, ApiResponse},
        retry::AttemptFailure,
    },
};

/// Who asks whom, for messages.
#[derive(Clone, Debug)]
pub(super) struct Parties {
    /// `github:OWNER/REPO`, as the manifest has it.
    pub(super) store: String,
    /// The server, as logins name it.
    pub(super) host: String,
    /// Where the login came from, if there is one.
    pub(super) login: Option<String>,
    pub(super) advice: &'static LoginAdvice,
}

/// What helps who may not do something.
#[derive(Debug)]
pub(super) struct LoginAdvice {
    /// Who has a login that does not see the repository.
    pub(super) with: &'static str,
    /// Who has none, and would read.
    pub(super) without: &'static str,
    /// Who has none, and would publish.
    pub(super) publish: &'static str,
}

/// What a host says in a refusal.
pub(super) struct Refusal {
    /// Its own words, if there are any.
    pub(super) words: String,
    /// What that means and what helps, if forge knows it.
    pub(super) known: Option<(String, String)>,
}

impl Parties {
    /// The login, as messages call it.
    pub(super) fn login(&self) -> String {
        match &self.login {
            Some(source) => format!("the login from {source}"),
            None => "nobody without a login".into(),
        }
    }

    /// The repository shows itself to nobody of this name, or is not there.
    pub(super) fn hidden(&self) -> Fault {
        let what = format!("{} does not exist, or is private", self.store);
        let (why, hint) = match &self.login {
            Some(source) => (format!("the login from {source} cannot see it"), self.advice.with),
            None => (format!("forge has no login for `{}`", self.host), self.advice.without),
        };
        Fault::new(Kind::Store, what).because(why).hint(hint)
    }

    /// Publishing takes a login, and there is none.
    pub(super) fn needs_login(&self) -> Fault {
        Fault::new(Kind::Store, format!("publishing to {} takes a login", self.store))
            .because(format!("forge has none for `{}`", self.host))
            .hint(self.advice.publish)
    }
}

/// What went wrong with `call`, of which the host says `refusal`, and whether it passes.
pub(super) fn failure(
    call: &ApiRequest,
    reply: &ApiResponse,
    refusal: Refusal,
    who: &Parties,
) -> AttemptFailure {
    let Refusal { words, known } = refusal;
    let passes = reply.status.is_server_error() || reply.status == StatusCode::REQUEST_TIMEOUT;
    if reply.status == StatusCode::NOT_FOUND && call.is_read() {
        return AttemptFailure::never(who.hidden());
    }
    let said = (!words.is_empty()).then(|| format!("the server says: {words}"));
    let Some((what, hint)) = known.filter(|_| !passes) else {
        let failure = reply.failure(call);
        let fault = said.into_iter().fold(failure.fault, Fault::because);
        return AttemptFailure { fault, ..failure };
    };
    let why = said.unwrap_or_else(|| format!("the server answered {}", reply.status));
    AttemptFailure::never(Fault::new(Kind::Store, what).because(why).hint(hint))
}
