//! Why a verb ended early.

use crate::{
    model::{Fault, Kind, Problems},
    workspace::LoadError,
};

/// Why a verb ended early.
pub(crate) enum CliError {
    /// Something is wrong in the files people wrote.
    Problems(Problems),
    /// Something went wrong.
    Fault(Fault),
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Problems(problems) => Self::Problems(problems),
            LoadError::Wanted(files) => {
                let urls = files.iter().map(|file| file.shown.clone()).collect::<Vec<_>>();
                Self::Fault(Fault::new(Kind::Store, format!("{} is not here", urls.join(", "))))
            }
            LoadError::Fault(fault) => Self::Fault(fault),
        }
    }
}
