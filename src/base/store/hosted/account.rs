//! Who asks a host: the login for it, looked for once, when it is needed first.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::store::{Login, Logins, StoreSettings};

/// The login for one host.
pub(super) struct HostLogin {
    host: String,
    logins: Arc<dyn Logins>,
    login: OnceCell<Option<Login>>,
}

impl HostLogin {
    /// The account at `host`, as logins name it. Asks nobody yet.
    pub(super) fn new(host: String, settings: &StoreSettings) -> Self {
        Self { host, logins: settings.logins.clone(), login: OnceCell::new() }
    }

    /// The login, if there is one.
    pub(super) async fn login(&self) -> Option<&Login> {
        let ask = || async {
            let login = self.logins.login(&self.host).await;
            // A line's end that came along from a file or a command is not a part of it.
            login.map(|login| Login { token: login.token.trim().to_owned(), ..login })
        };
        self.login.get_or_init(ask).await.as_ref()
    }

    /// Where the login came from, for messages.
    pub(super) async fn source(&self) -> Option<String> {
        self.login().await.map(|login| login.source.clone())
    }
}
