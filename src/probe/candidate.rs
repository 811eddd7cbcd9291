//! The formats that a port may speak.

use std::{io, path::Path};

use memchr::memmem;

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
    /// What most of its messages contain, where another format explains them as well.
    pub(super) marks: &'static [&'static [u8]],
}

/// All of them. A new format is a line.
pub(super) const CANDIDATES: &[Candidate] = &[
    of("native frames", "format = \"native\"", 32),
    of("NMEA 0183", "format = \"nmea\"", 12),
    // One of these is much text of a certain form besides its checksum, and they are rare.
    of("VE.Direct", "format = \"vedirect\"", 40),
    of("DSMR P1", "format = \"dsmr\"", 40),
    of("frames of a PMS5003", "format = \"binary\"\npreset = \"pms5003\"", 48),
    of("frames of an SDS011", "format = \"binary\"\npreset = \"sds011\"", 32),
    of("SenML", "format = \"senml\"", 24),
    Candidate {
        marks: &[b"\"model\""],
        ..of("JSON of rtl_433", "format = \"json\"\npreset = \"rtl_433\"", 20)
    },
    Candidate {
        marks: &[b"\"serial_number\"", b"\"type\""],
        ..of("JSON of a Tempest", "format = \"json\"\npreset = \"tempest\"", 20)
    },
    of("JSON", "format = \"json\"", 16),
    of("StatsD", "format = \"statsd\"", 8),
    of("text", "format = \"text\"", 6),
    // Below text, since `a=1 b=2` is both.
    of("line protocol", "format = \"influx\"", 5),
];

const fn of(name: &'static str, toml: &'static str, bits: u32) -> Candidate {
    Candidate { name, toml, bits, marks: &[] }
}

impl Candidate {
    /// Whether the bytes of so many good frames contain what they should.
    pub(super) fn is_marked(&self, pieces: &[Vec<u8>], frames: u64) -> bool {
        self.marks.is_empty() || {
            let bytes = pieces.concat();
            let count = |mark: &&[u8]| memmem::find_iter(&bytes, mark).count() as u64;
            self.marks.iter().all(|mark| frames <= 2 * count(mark))
        }
    }

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
