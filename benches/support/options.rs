//! The arguments that all benches take.

use std::io;

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// `--test`: a moment of each row.
    pub(crate) smoke: bool,
    /// `--instructions`.
    pub(crate) instructions: bool,
    /// `--markdown`.
    pub(crate) markdown: bool,
    /// `--row TEXT`, each.
    pub(crate) rows: Vec<String>,
    /// `--alone NAME`: runs the row of this name in this process, and says the figures.
    pub(super) alone: Option<String>,
    /// `--counted`: with `--alone`, once, with as many items as are worth counting.
    pub(super) counted: bool,
}

impl Options {
    /// Reads them; `--bench`, which cargo adds, means nothing.
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let missing = || invalid(format!("{argument} needs a value"));
                arguments.next().ok_or_else(missing)
            };
            match &*argument {
                "--bench" => {}
                "--test" => options.smoke = true,
                "--instructions" => options.instructions = true,
                "--markdown" => options.markdown = true,
                "--row" => options.rows.push(value()?),
                "--alone" => options.alone = Some(value()?),
                "--counted" => options.counted = true,
                _ => {
                    return Err(invalid(format!(
                        "{argument:?} means nothing; there are --row TEXT, --instructions, \
                         --markdown and --test"
                    )));
                }
            }
        }
        Ok(options)
    }

    /// Whether a row of this name is wanted.
    pub(crate) fn picks(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|text| name.contains(text.as_str()))
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
