//! The stores: who is asking, what they may do, what they would do; and whose assets are taken.

use std::sync::Arc;

use crate::{
    model::{Fault, Kind},
    probe::{NOT_ASKED, is_remote, trusted_repositories},
    provenance::{Permission, Surroundings, Trust, may_publish_to},
    store::{Access, Store, StoreUrl, default_url, open},
    workspace::Workspace,
};

use super::{super::session::Session, check::Check};

/// A check for each store of `workspace`, and for what goes in and out.
pub(super) async fn check_stores(
    session: &Session,
    workspace: &Workspace,
    surroundings: &Surroundings,
) -> Vec<Check> {
    let mut checks = vec![trust(workspace)];
    for (index, store) in opened(session, workspace).into_iter().enumerate() {
        let (url, store) = match store {
            (_, Ok(store)) => (store.url().to_owned(), store),
            (url, Err(fault)) => {
                checks.push(Check::new("store", url, "cannot be opened").bad(fault));
                continue;
            }
        };
        let is_private = workspace.stores.is_empty();
        let publishing = (index == 0).then(|| permission(&*store, surroundings, is_private));
        if session.flags.offline && is_remote(&url) {
            checks.push(Check::new("store", url, NOT_ASKED));
        } else {
            checks.push(examine(&*store, surroundings, publishing.as_ref()).await);
        }
        checks.extend(publishing.map(|permission| told(&*store, &permission)));
    }
    checks
}

/// A store, or why there is none.
type Opened = Result<Arc<dyn Store>, Fault>;

/// Each store as the manifest calls it, opened if it can be.
fn opened(session: &Session, workspace: &Workspace) -> Vec<(String, Opened)> {
    let settings = session.settings_of_stores(workspace, true);
    if workspace.stores.is_empty() {
        let store = default_url(&workspace.project, &workspace.layout)
            .and_then(|url| open(&url, &settings));
        return vec![("your own".into(), store)];
    }
    let store = |text: &String| {
        let url = StoreUrl::parse(text).map_err(|why| Fault::new(Kind::Usage, why));
        (text.clone(), url.and_then(|url| open(&url, &settings)))
    };
    workspace.stores.iter().map(store).collect()
}

/// What may be published; to a store that `is_private`, for nobody else.
fn permission(store: &dyn Store, surroundings: &Surroundings, is_private: bool) -> Permission {
    match (store.is_writable(), store.is_shared()) {
        (false, _) => Permission::Never("the store is only read".into()),
        (true, is_shared) => match may_publish_to(surroundings, is_shared) {
            Permission::Yes(_) if is_private => Permission::Yes(
                "to your own store, which nobody else sees: versions.yml names no `releases`"
                    .into(),
            ),
            permission => permission,
        },
    }
}

fn told(store: &dyn Store, permission: &Permission) -> Check {
    let word = match permission {
        Permission::Yes(_) => "yes",
        Permission::OnRequest(_) => "with `--publish`",
        Permission::Never(_) => "never",
    };
    Check::new("publishing", store.url(), format!("{word}: {}", permission.why()))
}

fn trust(workspace: &Workspace) -> Check {
    let repositories = trusted_repositories(workspace);
    let found = match (workspace.trust, repositories.as_slice()) {
        (Trust::Any, _) => "assets of anybody who may publish are taken".to_owned(),
        (Trust::Attested, []) => {
            let fault = Fault::new(Kind::Failed, "nothing says whose attestations count")
                .because("no store in `releases` of versions.yml names the project's repository")
                .hint("name it: `repository: https://github.com/OWNER/REPO`");
            return Check::new("trust", "attested", "no asset can be taken").note(fault);
        }
        (Trust::Attested, ours) => {
            format!("assets that GitHub attests the CI of {} built are taken", ours.join(" or "))
        }
        (Trust::Ci, []) => {
            let fault = Fault::new(Kind::Failed, "the CI of any repository is trusted")
                .because("no store in `releases` of versions.yml names the project's repository")
                .hint("name it: `repository: https://github.com/OWNER/REPO`");
            let found = "assets that some CI says it built are taken";
            return Check::new("trust", "ci", found).note(fault);
        }
        (Trust::Ci, ours) => {
            format!("assets that the CI of {} says it built are taken", ours.join(" or "))
        }
    };
    Check::new("trust", workspace.trust.as_str(), found)
}

async fn examine(
    store: &dyn Store,
    surroundings: &Surroundings,
    publishing: Option<&Permission>,
) -> Check {
    let url = store.url();
    let access = match store.access().await {
        Ok(access) => access,
        Err(fault) => return Check::new("store", url, "does not answer").bad(fault),
    };
    let check = Check::new("store", url, found(store, &access));
    if !access.may_read {
        return check.bad(unreadable(url, &access));
    }
    let publishes = matches!(publishing, Some(Permission::Yes(_)));
    match access.may_write {
        Some(false) if publishes && store.is_writable() => {
            check.bad(unwritable(url, &access, surroundings))
        }
        _ => check,
    }
}

/// What may be done, as whom, and what else the store says.
fn found(store: &dyn Store, access: &Access) -> String {
    let may = match (access.may_read, access.may_write) {
        (false, _) => "may not be read",
        (true, _) if !store.is_writable() => "may be read",
        (true, Some(true)) => "may be read and written",
        (true, Some(false)) => "may be read, not written",
        (true, None) => "may be read; whether it may be written shows when it is",
    };
    let login = match &access.login {
        Some(source) => format!(", with the login from {source}"),
        None if store.is_shared() && store.is_writable() => ", without a login".into(),
        None => String::new(),
    };
    let notes: String = access.notes.iter().map(|note| format!("; {note}")).collect();
    format!("{may}{login}{notes}")
}

fn unreadable(url: &str, access: &Access) -> Fault {
    let fault = Fault::new(Kind::Store, format!("{url} may not be read")).because(who(access));
    fault.hint(match url.split(':').next() {
        Some("github") => {
            "correct its name, or log in with `gh auth login` (or GH_TOKEN) as somebody who may read it"
        }
        Some("gitea") => "correct its name, or set GITEA_TOKEN to a token that may read it",
        Some("gitlab") => "correct its name, or set GITLAB_TOKEN to a token that may read it",
        _ => "correct its URL, or log in as somebody who may read it",
    })
}

fn unwritable(url: &str, access: &Access, surroundings: &Surroundings) -> Fault {
    let fault =
        Fault::new(Kind::Store, format!("publishing to {url} would fail")).because(who(access));
    fault.hint(match surroundings {
        Surroundings::GitHub(_) => "give the job `permissions: { contents: write }`, and the step its token: `GITHUB_TOKEN: ${{ github.token }}`",
        _ if !is_remote(url) => "make the folder writable, or publish nothing with `--no-publish`",
        _ => "log in as somebody who may write, or publish nothing with `--no-publish`",
    })
}

fn who(access: &Access) -> String {
    match &access.login {
        Some(source) => format!("the login from {source} is not allowed to"),
        None => "there is no login".into(),
    }
}

#[cfg(test)]
#[path = "stores/tests.rs"]
mod tests;
