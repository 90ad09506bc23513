//! Man pages: one of forge, and one of each verb.

use std::{io, path::Path};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{
    super::{CliError, args::Args, session::Session},
    command,
};
use crate::{disk::Folder, model::Fault};

/// Writes them to `folder`.
pub(super) fn write(session: &Session, folder: &Path) -> Result<u8, CliError> {
    let cannot =
        |error: io::Error| Fault::io(format!("cannot write to {}", folder.display()), &error);
    let mut count = 0;
    for (name, command) in pages() {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map_err(cannot)?;
        if !session.flags.dry_run {
            let file = Path::new(&name).with_extension("1");
            Folder::make(folder)
                .and_then(|it| it.replace(&file, &page, Path::new(""), false))
                .map_err(cannot)?;
        }
        count += 1;
    }
    let verb = if session.flags.dry_run { "would write" } else { "wrote" };
    session.say(&format!("{verb} {count} pages to {}\n", folder.display()))?;
    Ok(0)
}

/// The commands that have a page, and what it is called.
fn pages() -> Vec<(String, Command)> {
    // Built as a whole: what a verb says may refer to options of all.
    let mut whole = command();
    whole.build();
    let of_verb =
        |verb: &Command| (format!("forge-{}", verb.get_name().replace(':', "-")), verb.clone());
    let verbs = whole.get_subcommands().filter(|verb| !verb.is_hide_set()).map(of_verb);
    [("forge".to_owned(), Args::command())].into_iter().chain(verbs).collect()
}
