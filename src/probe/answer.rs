//! What a probe found, and the configuration that reads it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    judge::Verdict,
    port::{Bits, Place, Settings},
};
use crate::{
    config::Config,
    limits::SOURCE_NAME_BYTES_MAX,
    wire::{decode::Framing, influx::Precision},
};

/// Where the links to serial ports are that survive replugging.
const BY_ID: &str = "/dev/serial/by-id";

/// What was probed.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A serial port, with the settings at which it makes sense.
    Serial(PathBuf, Settings),
    /// A UDP port.
    Udp(std::net::SocketAddr),
    /// A recording.
    File(PathBuf),
}

impl Subject {
    pub(super) fn new(place: &Place, settings: Settings) -> Self {
        match place {
            Place::Serial(path) => Self::Serial(lasting(path), settings),
            Place::Udp(address) => Self::Udp(*address),
        }
    }

    /// The `[[source]]` to paste.
    ///
    /// # Panics
    /// If it is no valid configuration, which tests of each kind hold.
    pub(super) fn toml(&self, verdict: &Verdict) -> String {
        // What JSON escapes in a string, TOML escapes the same way.
        let quoted = |path: &Path| Value::from(path.to_string_lossy()).to_string();
        let (kind, place) = match self {
            Self::Serial(path, Settings { baud, bits }) => {
                let bits = match bits {
                    Bits::EightNone => "",
                    Bits::SevenEven => "data_bits = 7\nparity = \"even\"\n",
                    Bits::SevenOdd => "data_bits = 7\nparity = \"odd\"\n",
                };
                ("serial", format!("path = {}\nbaud = {baud}\n{bits}", quoted(path)))
            }
            Self::Udp(address) => {
                let framing = match verdict.framing {
                    Framing::Datagram => String::new(),
                    other => format!("framing = \"{}\"\n", framing_name(other)),
                };
                ("udp", format!("listen = \"{address}\"\n{framing}"))
            }
            Self::File(path) => ("replay", format!("path = {}\n", quoted(path))),
        };
        let precision = match verdict.precision {
            Precision::Nanoseconds => String::new(),
            other => format!("precision = \"{}\"\n", other.name()),
        };
        let name = self.name();
        let toml = format!(
            "[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\n{place}{}\n{precision}\
             unknown = \"discover\"\n",
            verdict.candidate.toml
        );
        let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let checked = Config::parse(&toml, Path::new("stillwell.toml"), &nothing);
        checked.unwrap_or_else(|errors| panic!("it writes what it cannot read: {errors}"));
        toml
    }

    /// What is said of it in JSON.
    pub(super) fn json(&self, verdict: &Verdict) -> Value {
        let mut found = json!({
            "format": verdict.candidate.name,
            "share": verdict.share,
            "frames_ok": verdict.tally.frames_ok,
            "frames_refused": verdict.tally.refused_total(),
            "readings": verdict.tally.readings,
            "samples": verdict.samples,
            "toml": self.toml(verdict),
        });
        if let Self::Udp(_) = self {
            found["framing"] = framing_name(verdict.framing).into();
        }
        if let Self::Serial(_, settings) = self {
            found["baud"] = settings.baud.into();
            found["line"] = settings.bits.name().into();
        }
        found
    }

    /// A name for the source: what is left of the place's own.
    fn name(&self) -> String {
        let own = match self {
            Self::Serial(path, _) | Self::File(path) => {
                path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
            }
            Self::Udp(address) => format!("udp-{}", address.port()),
        };
        let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = own.to_ascii_lowercase().chars().map(fits).collect();
        let name = name.trim_matches('_');
        let name = &name[..name.len().min(SOURCE_NAME_BYTES_MAX)];
        if name.is_empty() { "port".to_owned() } else { name.to_owned() }
    }
}

fn framing_name(framing: Framing) -> &'static str {
    match framing {
        Framing::Datagram => "datagram",
        Framing::Stream => "stream",
    }
}

/// The path by which a configuration in any directory finds the same file.
pub(super) fn anywhere(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The name of a port that it keeps when it is plugged in again, if it has one.
fn lasting(path: &Path) -> PathBuf {
    let path = &anywhere(path);
    let Ok(device) = fs::canonicalize(path) else { return path.to_owned() };
    if path.starts_with(BY_ID) {
        return path.to_owned();
    }
    let links = fs::read_dir(BY_ID).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut links = links.filter(|link| fs::canonicalize(link).is_ok_and(|at| at == device));
    links.next().unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{candidate::CANDIDATES, judge};

    #[test]
    fn what_is_printed_is_a_configuration_for_every_format_and_place() {
        let verdict = judge::best(&[b"t:1\n".to_vec()], Framing::Stream).expect("something");
        let settings = |bits| Settings { baud: 300, bits };
        let subjects = [
            Subject::Serial(
                "/dev/serial/by-id/usb-X Y_\"Z\"-if00".into(),
                settings(Bits::SevenEven),
            ),
            Subject::Serial("/dev/pts/7".into(), settings(Bits::EightNone)),
            Subject::Udp("[::]:7420".parse().expect("an address")),
            Subject::File("a/…".into()),
        ];
        for candidate in CANDIDATES {
            for subject in &subjects {
                let toml = subject.toml(&Verdict { candidate, ..verdict.clone() });
                assert!(toml.contains(candidate.toml), "{toml}");
            }
        }
        let names: Vec<_> = subjects.iter().map(Subject::name).collect();
        assert_eq!(names, ["usb-x_y__z_-if00", "7", "udp-7420", "port"]);
    }
}
