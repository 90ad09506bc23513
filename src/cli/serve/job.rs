//! `forge serve:job`: what the process of a job is. It takes the seat that the server made for it, does what its words
//! say as if a person had typed them, and leaves how that ended.

use std::{ffi::OsString, path::PathBuf};

use clap::Parser;

use crate::{
    model::{Fault, Kind},
    serve::{JobOutcome, JobSeat},
};

use super::{
    super::{CliError, args::Args, run, session::Session},
    ground::into_fault,
};

/// What stands behind `forge serve:job`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct JobArgs {
    /// The folder of the job
    folder: PathBuf,
    /// What it does
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

/// Does what a job is about.
pub(in super::super) fn job(session: &Session, wish: &JobArgs) -> Result<u8, CliError> {
    let Some(seat) = JobSeat::take(&wish.folder)? else {
        session.note("somebody else took the job over; nothing was done");
        return Ok(0);
    };
    let words = std::iter::once(OsString::from("forge")).chain(wish.words.iter().cloned());
    let ended = Args::try_parse_from(words)
        .map_err(|error| CliError::Fault(Fault::new(Kind::Usage, error.to_string())))
        .and_then(|args| {
            let own = Session::new(session.host.clone(), args.global, true);
            match args.verb {
                Some(verb) => run(&own, verb),
                None => Ok(0),
            }
        });
    let (code, fault) = match ended {
        Ok(code) => (code, None),
        Err(stop) => {
            let fault = into_fault(stop);
            (fault.kind.exit_code(), Some(fault))
        }
    };
    let told = fault.as_ref().map(|fault| {
        let hint = fault.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        session.host.secrets().mask(&format!("{fault}{hint}")).into_owned()
    });
    let outcome =
        JobOutcome { code: code.into(), fault: told.unwrap_or_default(), is_given_up: false };
    seat.leave(&outcome)?;
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok(code),
    }
}
