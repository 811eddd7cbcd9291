//! TOML to typed configuration: the only parser, the only place with defaults.
//!
//! A file is parsed in two phases. The TOML parser recovers from errors and keeps the position of
//! every key and value; a walk over its tree then reads key by key, records all that is wrong, and
//! goes on. What comes out is a [`Config`] without a single error, or all of the [`Errors`].
//!
//! Only [`load`] and [`load_scenario`] touch files. Nothing here opens a port or a device.

use std::{
    cell::RefCell,
    fs, io,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::de::DeTable;

use self::{
    build::build,
    errors::{File, Finding, Sink},
};
use crate::{limits::CONFIG_BYTES_MAX, simulate::Scenario};

pub mod change;
pub mod model;
pub mod report;

mod binary;
mod build;
mod calibration;
mod channel;
mod daemon;
mod errors;
mod format;
mod key;
mod keys;
mod modbus;
mod partner;
mod pattern;
mod qc;
mod qc_season;
mod reader;
mod rules;
mod scenario;
mod serial;
mod source;
mod statistics;
mod value;
mod windows;

pub use errors::{Errors, Warnings};
pub use model::{Config, DaemonConfig, InputConfig, InputKind};

/// A configuration that can be run, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is most likely not meant.
    pub warnings: Warnings,
}

/// Reads and checks the configuration at `path`, and the scenarios it names.
///
/// # Errors
/// If the file cannot be read, or anything in it or in a scenario is wrong.
pub fn load(path: &Path) -> Result<Loaded, Errors> {
    let text = read(path)?;
    let context = Context::of(path, &read_bounded);
    let mut loaded = Config::parse_in(&context, &text, path)?;
    let open_keys = readable_by_all(path, &text, &context.secrets.take());
    for finding in writable_by_all(path, &text).into_iter().chain(open_keys) {
        loaded.warnings.push(finding);
    }
    Ok(loaded)
}

/// Reads and checks the simulator's scenario at `path`.
///
/// # Errors
/// If the file cannot be read, or anything in it is wrong.
pub fn load_scenario(path: &Path) -> Result<Scenario, Errors> {
    scenario::parse(&read(path)?, path, &Context::of(path, &read_bounded)).map_err(Errors::new)
}

impl Config {
    /// What a daemon runs by whose configuration is broken: it reads nothing and answers.
    ///
    /// # Panics
    /// Never: an empty configuration has only defaults, which fit each other.
    #[must_use]
    pub fn without_inputs() -> Self {
        let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
        Self::parse("", Path::new(""), &nothing).expect("the defaults are valid").config
    }

    /// Checks a configuration that was read from `path`, which messages name and to whose
    /// directory relative paths refer. `loader` reads the scenarios and keys it names.
    ///
    /// # Errors
    /// If anything is wrong: all of it at once.
    pub fn parse(
        text: &str,
        path: &Path,
        loader: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Loaded, Errors> {
        Self::parse_in(&Context::of(path, loader), text, path)
    }

    fn parse_in(context: &Context<'_>, text: &str, path: &Path) -> Result<Loaded, Errors> {
        let file = File::new(path, text);
        let (sink, config) = walk(&file, |table, sink| build(table, sink, context));
        let (mut errors, warnings) = sink.into_findings();
        errors.extend(context.elsewhere.take());
        match config {
            Some(config) if errors.is_empty() => {
                Ok(Loaded { config, warnings: Warnings::new(warnings) })
            }
            _ => Err(Errors::new(errors)),
        }
    }
}

/// What the parts of a configuration need besides their own tables.
struct Context<'a> {
    /// Relative paths are relative to this.
    dir: &'a Path,
    /// Reads other files.
    loader: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Errors found in other files.
    elsewhere: RefCell<Vec<Finding>>,
    /// Files of keys that were read.
    secrets: RefCell<Vec<PathBuf>>,
}

impl<'a> Context<'a> {
    /// What a file at `path` needs, before anything was read.
    fn of(path: &'a Path, loader: &'a dyn Fn(&Path) -> io::Result<String>) -> Self {
        let dir = path.parent().unwrap_or(Path::new(""));
        Self { dir, loader, elsewhere: RefCell::default(), secrets: RefCell::default() }
    }
}

/// Parses the TOML of a file and hands the tree to `read`.
fn walk<T>(
    file: &Arc<File>,
    read: impl FnOnce(&DeTable<'_>, &Sink) -> Option<T>,
) -> (Sink, Option<T>) {
    let mut sink = Sink::new(Arc::clone(file));
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in errors {
        sink.syntax(error.span().unwrap_or(0..0), error.message());
    }
    let value = read(table.get_ref(), &sink);
    (sink, value)
}

fn read(path: &Path) -> Result<String, Errors> {
    read_bounded(path).map_err(|error| {
        let file = File::new(path, "");
        let title = format!("cannot read {}: {error}", path.display());
        Errors::new(vec![Finding::whole(&file, title, None)])
    })
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let most = CONFIG_BYTES_MAX as u64;
    fs::File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if CONFIG_BYTES_MAX < text.len() {
        let message = format!("larger than {} MiB", CONFIG_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

/// Everyone who can read a key can make frames with it.
fn readable_by_all(path: &Path, text: &str, secrets: &[PathBuf]) -> Vec<Finding> {
    let is_open = |secret: &&PathBuf| {
        fs::metadata(secret).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
    };
    let finding = |secret: &PathBuf| {
        let title = format!("{} can be read by every user of this host", secret.display());
        let help = format!("chmod o-r {}", secret.display());
        Finding::whole(&File::new(path, text), title, Some(help))
    };
    secrets.iter().filter(is_open).map(finding).collect()
}

/// Everyone who can write the configuration of a service can make it open what it may open.
fn writable_by_all(path: &Path, text: &str) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o002 != 0).then(|| {
        let title = format!("{} can be written by every user of this host", path.display());
        let help = format!("chmod o-w {}", path.display());
        Finding::whole(&File::new(path, text), title, Some(help))
    })
}

#[cfg(test)]
mod tests;
