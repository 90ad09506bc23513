//! `forge serve:job`: what the process of a job is. It takes the seat that the server made for it, does what its words
//! say as if a person had typed them, and leaves how that ended.

use std::{ffi::OsString, path::PathBuf};

use clap::Parser;

use crate::{
    model::{Fault, Kind},
    serve::{JobLease, JobOutcome, JobSeat, LeaseFinding},
};

use super::{
    super::{CliError, args::Args, run, session::Session},
    ground::into_fault,
    know_passwords,
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
    let too_late = || {
        session.note("somebody else took the job over; nothing was done");
        Ok(0)
    };
    let Some(seat) = JobSeat::take(&wish.folder)? else { return too_late() };
    let lease = match JobLease::take(&wish.folder, |url| know_passwords(session, url)) {
        Ok(LeaseFinding::NotNeeded) => None,
        Ok(LeaseFinding::Taken(lease)) => Some(lease),
        Ok(LeaseFinding::TooLate) => {
            seat.leave(&JobOutcome { is_given_up: true, ..JobOutcome::default() })?;
            return too_late();
        }
        Err(fault) => {
            // Nothing happened, so that it may be tried again.
            seat.leave(&JobOutcome { is_given_up: true, ..JobOutcome::default() })?;
            return Err(fault.into());
        }
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
    if let Some(lease) = lease {
        lease.end(&outcome);
    }
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok(code),
    }
}
