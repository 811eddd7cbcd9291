//! The formats that a port may speak.

use std::{io, path::Path};

use crate::{config::Config, wire::decode::Format};

/// A format to try.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// What people call it.
    pub(super) name: &'static str,
    /// The lines of a `[[source]]` that choose it.
    pub(super) toml: &'static str,
    /// What a good frame says against chance, in bits: those of its checksum, and of what else
    /// must be right about it. It decides between two formats that explain the same bytes.
    pub(super) bits: u32,
}

/// All of them. A new format is a line.
pub(super) const CANDIDATES: &[Candidate] = &[
    Candidate { name: "native frames", toml: "format = \"native\"", bits: 32 },
    Candidate { name: "NMEA 0183", toml: "format = \"nmea\"", bits: 12 },
    Candidate { name: "VE.Direct", toml: "format = \"vedirect\"", bits: 16 },
    Candidate { name: "DSMR P1", toml: "format = \"dsmr\"", bits: 20 },
    Candidate { name: "text", toml: "format = \"text\"", bits: 6 },
];

impl Candidate {
    /// The format, taking up every name that comes.
    pub(super) fn format(&self) -> Format {
        let toml = format!(
            "[[source]]\nname = \"probe\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
             unknown = \"discover\"\n{}\n",
            self.toml
        );
        let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let loaded = Config::parse(&toml, Path::new(self.name), &nothing);
        let mut config = loaded.expect("a test parses each line of the table").config;
        config.inputs.remove(0).format
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_format_of_its_own() {
        for (at, candidate) in CANDIDATES.iter().enumerate() {
            let format = candidate.format();
            assert!(CANDIDATES[..at].iter().all(|other| other.format() != format), "{candidate:?}");
        }
    }
}
