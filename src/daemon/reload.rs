//! Another configuration while the daemon runs: what SIGHUP asks for.
//!
//! The file is read and checked whole, by the same rules as at the start and by `stillwell check`.
//! If anything is wrong with it, everything stays as it was and the log and Status say what. Else
//! what changes is said before it is done ([`Change`]).

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use tracing::{error, info, warn};

use crate::config::{self, Config, Loaded, change::Change};

/// What came of the last reload, for Status.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Option<Outcome>>);

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many there were, with this one.
    pub n: u64,
    /// When it was asked for, nanoseconds on the daemon's line.
    pub at_ns: i64,
    /// What was changed, or why nothing was.
    pub result: Result<String, String>,
}

impl Standing {
    /// What came of the last one, if there was any.
    #[must_use]
    pub fn last(&self) -> Option<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what came of one.
    pub fn note(&self, at_ns: i64, result: Result<String, String>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let n = last.as_ref().map_or(0, |last| last.n) + 1;
        *last = Some(Outcome { n, at_ns, result });
    }
}

/// The configuration that runs, and where another may come from.
#[derive(Debug)]
pub struct Running {
    /// As it is run.
    pub config: Config,
    /// Its file.
    pub path: Option<PathBuf>,
}

/// Lines of a change that are logged; the rest is counted.
const LINES_MAX: usize = 40;

impl Running {
    /// Reads the file anew, and says what would change.
    ///
    /// # Errors
    /// All that is wrong with it, a line each, as it was logged.
    pub fn read(&self) -> Result<(Config, Change), String> {
        let Some(path) = &self.path else {
            return Err("there is no file of the configuration".to_owned());
        };
        match config::load(path) {
            Ok(Loaded { config, warnings }) => {
                warnings.lines().for_each(|line| warn!("{line}"));
                let change = Change::between(&self.config, &config);
                Ok((config, change))
            }
            Err(errors) => {
                errors.lines().for_each(|line| error!("{line}"));
                error!("The configuration stays as it was: mend the file and reload again.");
                Err(errors.lines().collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// Logs what changes.
pub fn say(change: &Change) {
    let text = change.to_string();
    for (at, line) in text.lines().enumerate().take(LINES_MAX) {
        match at {
            0 => info!("The configuration is read anew. {line}"),
            _ => info!("{line}"),
        }
    }
    if let Some(more @ 1..) = text.lines().count().checked_sub(LINES_MAX) {
        info!("  and {more} more");
    }
}
