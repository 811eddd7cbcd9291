//! Files and standard output.

use std::{
    fs::File,
    io::{self, BufWriter, Stdout, Write},
    path::Path,
};

use stillwell::{
    simulate::{Emission, put_framed, scenario::LineFormat},
    wire::decode::Framing,
};

/// First line of a log: its name and version.
const HEAD: &str = "#stillwell-log 1\n";

/// Where bytes are written and buffered.
pub(crate) enum Log {
    /// A log: one line a frame, with its time.
    File(BufWriter<File>, Vec<u8>),
    /// A byte stream as on a serial line.
    Stdout(Stdout, Vec<u8>),
}

impl Log {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(HEAD.as_bytes())?;
        Ok(Self::File(file, Vec::new()))
    }

    pub(crate) fn stdout() -> Self {
        Self::Stdout(io::stdout(), Vec::new())
    }

    /// Writes one frame and returns how many bytes of the frame that were.
    pub(crate) fn write(&mut self, format: LineFormat, emission: &Emission<'_>) -> io::Result<u64> {
        match self {
            Self::File(file, line) => {
                const DIGITS: [u8; 16] = *b"0123456789abcdef";
                line.clear();
                write!(line, "{} ", emission.at_ns)?;
                for byte in emission.bytes {
                    line.push(DIGITS[usize::from(byte >> 4)]);
                    line.push(DIGITS[usize::from(byte & 15)]);
                }
                line.push(b'\n');
                file.write_all(line)?;
                Ok(emission.bytes.len() as u64)
            }
            Self::Stdout(stdout, buffer) => {
                buffer.clear();
                put_framed(format, Framing::Stream, emission.bytes, buffer);
                stdout.write_all(buffer)?;
                // A frame is to be seen when it is sent, however few bytes it has.
                stdout.flush()?;
                Ok(buffer.len() as u64)
            }
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Stdout(stdout, _) => stdout.flush(),
        }
    }
}
