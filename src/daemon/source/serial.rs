//! A serial port: read as bytes come, reopened for ever when it is lost.
//!
//! A port that hung up reads as end of file for ever, so one empty read is the end of it: what is
//! half received is counted as a partial frame, the port is closed, and its path is opened again,
//! which under /dev/serial/by-id finds the device wherever it reappears. Nothing is discarded when
//! it is opened: what a port had buffered goes through the decoder like all else.
//!
//! The port is read through `AsyncRead` only: tokio-serial's `readable` never clears readiness
//! and would spin.

use std::{convert::Infallible, io, path::Path};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_serial::{ErrorKind, SerialPort, SerialPortBuilder, SerialStream};

use super::{
    backoff::Backoff,
    outlet::{EngineGone, Outlet},
    rest, ticks,
};
use crate::{
    config::model::{Flow, Parity, SerialConfig},
    daemon::{
        clock::Line,
        kernel::{self, LineErrorCounts},
    },
    engine::{Link, batch::Transport},
    limits::SERIAL_READ_BYTES,
};

/// Opens the port, trying for ever, and reads it; again when it is lost. Safe to cancel.
///
/// # Errors
///
/// [`EngineGone`]; it never ends otherwise.
pub async fn run(
    config: &SerialConfig,
    line: Line,
    outlet: &mut Outlet,
) -> Result<Infallible, EngineGone> {
    let mut backoff = Backoff::default();
    loop {
        let reason = match open(config) {
            Ok((port, detail)) => {
                let opened_ns = line.now_ns();
                outlet.report(Link::Up(detail.into()), opened_ns);
                outlet.offer(opened_ns).await?;
                let lost = read(port, line, outlet).await?;
                outlet.reset();
                backoff.was_open_for(line.now_ns() - opened_ns);
                format!("{} {lost}", config.path.display())
            }
            Err(reason) => reason,
        };
        outlet.report(Link::Down(reason.into()), line.now_ns());
        rest(backoff.next_ns(), line, outlet).await?;
    }
}

/// The error counters of a port.
pub trait LineErrors {
    /// What the driver has counted; `None` if it does not count.
    fn line_errors(&self) -> Option<LineErrorCounts>;
}

impl LineErrors for SerialStream {
    fn line_errors(&self) -> Option<LineErrorCounts> {
        kernel::line_errors(self).ok()
    }
}

/// How a port was lost.
#[derive(Debug)]
pub enum Lost {
    /// It hung up.
    HungUp,
    /// It cannot be read.
    Broken(io::Error),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HungUp => f.write_str("hung up: unplugged, or closed by the other side"),
            Self::Broken(error) => write!(f, "cannot be read any more: {error}"),
        }
    }
}

/// Reads an open port until it is lost. Each read is handed over at once. Safe to cancel.
///
/// # Errors
///
/// [`EngineGone`] if the queue to the engine is closed.
pub async fn read<P>(mut port: P, line: Line, outlet: &mut Outlet) -> Result<Lost, EngineGone>
where
    P: AsyncRead + LineErrors + Unpin,
{
    let mut tick = ticks();
    let mut counted = port.line_errors();
    let mut buffer = vec![0; SERIAL_READ_BYTES];
    loop {
        let event = tokio::select! {
            biased;
            _ = tick.tick() => None,
            read = port.read(&mut buffer) => Some(read),
        };
        let now_ns = line.now_ns();
        // Asked each time: a port that hangs up takes its counters with it.
        let line_errors = errors_since(&mut counted, port.line_errors());
        outlet.count(&Transport { line_errors, ..Transport::default() });
        match event {
            Some(Ok(0)) => return Ok(Lost::HungUp),
            Some(Ok(length)) => outlet.feed(&buffer[..length], now_ns),
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Some(Err(error)) => return Ok(Lost::Broken(error)),
            None => outlet.tick(now_ns).await?,
        }
        outlet.offer(now_ns).await?;
    }
}

/// How far the counters have moved, each of which wraps.
fn errors_since(counted: &mut Option<LineErrorCounts>, now: Option<LineErrorCounts>) -> u64 {
    let (Some(before), Some(now)) = (*counted, now) else {
        return 0;
    };
    *counted = Some(now);
    let moved = [
        now.framing.wrapping_sub(before.framing),
        now.parity.wrapping_sub(before.parity),
        now.overrun.wrapping_sub(before.overrun),
        now.buffer_overrun.wrapping_sub(before.buffer_overrun),
    ];
    moved.into_iter().map(u64::from).sum()
}

/// Opens the port raw and for this process alone; with what is worth knowing, or with the reason
/// why not.
fn open(config: &SerialConfig) -> Result<(SerialStream, String), String> {
    let path = config.path.display();
    let Some(builder) = builder(config) else {
        return Err(format!("{path} is not UTF-8, which the serial library asks of a path"));
    };
    let port = SerialStream::open(&builder).map_err(|error| diagnose(&config.path, &error))?;
    let parity = match config.parity {
        Parity::None => 'N',
        Parity::Odd => 'O',
        Parity::Even => 'E',
    };
    let SerialConfig { baud, data_bits, stop_bits, .. } = config;
    let mut detail = format!("{path}, {baud} baud {data_bits}{parity}{stop_bits}");
    // Some chips round to what they can divide their clock to; a receiver bears about 2 %.
    if let Ok(actual) = port.baud_rate()
        && 2 * u64::from(*baud) < 100 * u64::from(actual.abs_diff(*baud))
    {
        detail = format!("{detail}, but the port runs at {actual} baud");
    }
    Ok((port, detail))
}

fn builder(config: &SerialConfig) -> Option<SerialPortBuilder> {
    use tokio_serial::{DataBits, FlowControl, StopBits};
    let builder = tokio_serial::new(config.path.to_str()?, config.baud)
        .exclusive(true)
        .data_bits(match config.data_bits {
            5 => DataBits::Five,
            6 => DataBits::Six,
            7 => DataBits::Seven,
            _ => DataBits::Eight,
        })
        .stop_bits(if config.stop_bits == 2 { StopBits::Two } else { StopBits::One })
        .parity(match config.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Odd => tokio_serial::Parity::Odd,
            Parity::Even => tokio_serial::Parity::Even,
        })
        .flow_control(match config.flow {
            Flow::None => FlowControl::None,
            Flow::Software => FlowControl::Software,
            Flow::Hardware => FlowControl::Hardware,
        });
    Some(builder)
}

/// Why the port does not open, in words.
///
/// The library says `NoDevice` for a port in use as for one that is gone, so the path is opened
/// once more to tell them apart. That moves no modem line which the failed attempt has not moved.
fn diagnose(path: &Path, error: &tokio_serial::Error) -> String {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let path = path.display();
    match opened {
        Err(Errno::NOENT | Errno::NOTDIR) => {
            format!("{path} is not there: unplugged, or misspelt (see `ls /dev/serial/by-id`)")
        }
        Err(Errno::ACCESS | Errno::PERM) => format!(
            "no permission to open {path}: its group, often dialout, must be one of the daemon's"
        ),
        Err(Errno::NXIO | Errno::NODEV | Errno::IO) => {
            format!("{path} is there, but no device answers behind it")
        }
        Err(Errno::BUSY) => in_use(&path),
        Err(other) => format!("cannot open {path}: {other}"),
        Ok(file) if !rustix::termios::isatty(&file) => format!("{path} is not a serial port"),
        Ok(_) if error.kind() == ErrorKind::NoDevice => in_use(&path),
        Ok(_) => format!("cannot open {path}: {error}"),
    }
}

fn in_use(path: &impl std::fmt::Display) -> String {
    format!("{path} is in use by another program (`fuser {path}` names it)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_errors_are_differences_that_survive_a_wrap() {
        let counts = |framing, parity| {
            Some(LineErrorCounts { framing, parity, ..LineErrorCounts::default() })
        };
        let mut counted = counts(u32::MAX - 1, 5);
        assert_eq!(errors_since(&mut counted, counts(u32::MAX, 5)), 1);
        assert_eq!(errors_since(&mut counted, counts(2, 6)), 4);
        assert_eq!(errors_since(&mut counted, None), 0);
        assert_eq!(errors_since(&mut counted, counts(2, 7)), 1);
        assert_eq!(errors_since(&mut None, counts(9, 9)), 0);
    }
}
