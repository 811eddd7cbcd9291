//! Opening a serial port, and saying why one does not open.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serial::{ClearBuffer, ErrorKind, SerialPort, SerialPortBuilder, SerialStream};

use crate::{
    config::model::{Flow, Parity, PortConfig, Rs485},
    daemon::kernel,
    wire::diagnosis::LineErrorCounts,
};

/// The error counters of a port.
pub trait LineErrors {
    /// What the driver has counted; `None` if it does not count.
    fn line_errors(&self) -> Option<LineErrorCounts>;
}

/// What can be set at a port beyond what every terminal has.
pub trait Controls {
    /// Hands over each byte at once.
    ///
    /// # Errors
    ///
    /// If the driver cannot.
    fn set_low_latency(&self) -> io::Result<()>;

    /// Switches the direction of an RS-485 line.
    ///
    /// # Errors
    ///
    /// If the driver cannot, or not in this way.
    fn set_rs485(&self, rs485: &Rs485) -> io::Result<()>;

    /// Sets the line DTR.
    ///
    /// # Errors
    ///
    /// If the port has no such line.
    fn set_dtr(&mut self, level: bool) -> io::Result<()>;

    /// Sets the line RTS.
    ///
    /// # Errors
    ///
    /// If the port has no such line.
    fn set_rts(&mut self, level: bool) -> io::Result<()>;
}

/// An open port. What it has not sent when it is dropped is discarded: a close would wait for it,
/// half a minute where the other side holds the line.
#[derive(Debug)]
pub struct Port(SerialStream);

impl Drop for Port {
    fn drop(&mut self) {
        // A port that hung up has nothing to discard.
        let _ = self.0.clear(ClearBuffer::Output);
    }
}

impl AsyncRead for Port {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

/// For `poll_write` alone: a flush waits in the kernel until the line has sent everything, and
/// with it the thread.
impl AsyncWrite for Port {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl LineErrors for Port {
    fn line_errors(&self) -> Option<LineErrorCounts> {
        kernel::line_errors(&self.0).ok()
    }
}

impl Controls for Port {
    fn set_low_latency(&self) -> io::Result<()> {
        kernel::set_low_latency(&self.0)
    }

    fn set_rs485(&self, rs485: &Rs485) -> io::Result<()> {
        kernel::set_rs485(&self.0, rs485)
    }

    fn set_dtr(&mut self, level: bool) -> io::Result<()> {
        Ok(self.0.write_data_terminal_ready(level)?)
    }

    fn set_rts(&mut self, level: bool) -> io::Result<()> {
        Ok(self.0.write_request_to_send(level)?)
    }
}

/// Opens the port raw and for this process alone; with what is worth knowing.
///
/// # Errors
///
/// The reason why not, in words.
pub fn open(config: &PortConfig) -> Result<(Port, String), String> {
    let path = config.path.display();
    let Some(builder) = builder(config) else {
        return Err(format!("{path} is not UTF-8, which the serial library asks of a path"));
    };
    let stream = SerialStream::open(&builder).map_err(|error| diagnose(&config.path, &error))?;
    let mut port = Port(stream);
    let parity = match config.parity {
        Parity::None => 'N',
        Parity::Odd => 'O',
        Parity::Even => 'E',
    };
    let PortConfig { baud, data_bits, stop_bits, .. } = config;
    let mut detail = format!("{path}, {baud} baud {data_bits}{parity}{stop_bits}");
    // Some chips round to what they can divide their clock to; a receiver bears about 2 %.
    if let Ok(actual) = port.0.baud_rate()
        && 2 * u64::from(*baud) < 100 * u64::from(actual.abs_diff(*baud))
    {
        detail = format!("{detail}, but the port runs at {actual} baud");
    }
    for remark in prepare(&mut port, config)? {
        detail = format!("{detail}, {remark}");
    }
    Ok((port, detail))
}

/// Sets what the configuration asks for beyond the usual; with what the port cannot do and works
/// without.
///
/// # Errors
///
/// If it does not work without, in words.
pub fn prepare(port: &mut impl Controls, config: &PortConfig) -> Result<Vec<&'static str>, String> {
    let path = config.path.display();
    if let Some(rs485) = &config.rs485 {
        port.set_rs485(rs485).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => format!(
                "the driver of {path} does not switch the direction of RS-485 as `rs485` says: \
                 most USB adapters do it by themselves, then remove that key"
            ),
            _ => format!("cannot set the RS-485 mode of {path}: {error}"),
        })?;
    }
    let mut remarks = Vec::new();
    if config.low_latency && port.set_low_latency().is_err() {
        remarks.push("without a low-latency mode");
    }
    if config.dtr.is_some_and(|level| port.set_dtr(level).is_err()) {
        remarks.push("without a DTR line");
    }
    if config.rts.is_some_and(|level| port.set_rts(level).is_err()) {
        remarks.push("without an RTS line");
    }
    Ok(remarks)
}

fn builder(config: &PortConfig) -> Option<SerialPortBuilder> {
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
    use std::cell::RefCell;

    use super::{super::plain, *};

    /// A port that can do some of it, and notes what it was told.
    #[derive(Default)]
    struct Fake {
        can: bool,
        told: RefCell<Vec<String>>,
    }

    impl Fake {
        fn tell(&self, what: String) -> io::Result<()> {
            if !self.can {
                return Err(io::ErrorKind::Unsupported.into());
            }
            self.told.borrow_mut().push(what);
            Ok(())
        }
    }

    impl Controls for Fake {
        fn set_low_latency(&self) -> io::Result<()> {
            self.tell("low latency".to_owned())
        }

        fn set_rs485(&self, rs485: &Rs485) -> io::Result<()> {
            self.tell(format!("on send {}", rs485.rts_on_send))
        }

        fn set_dtr(&mut self, level: bool) -> io::Result<()> {
            self.tell(format!("dtr {level}"))
        }

        fn set_rts(&mut self, level: bool) -> io::Result<()> {
            self.tell(format!("rts {level}"))
        }
    }

    fn config(rs485: bool) -> PortConfig {
        let direction = Rs485 {
            rts_on_send: true,
            rts_after_send: false,
            delay_before_ms: 0,
            delay_after_ms: 0,
            rx_during_tx: false,
        };
        PortConfig {
            low_latency: true,
            rs485: rs485.then_some(direction),
            dtr: Some(false),
            rts: Some(true),
            ..plain().port
        }
    }

    #[test]
    fn a_line_is_set_as_it_is_configured() {
        use tokio_serial::{DataBits, FlowControl, Parity as Bit, StopBits};
        let usual = plain().port;
        let expected = tokio_serial::new("/dev/fake", 115_200)
            .exclusive(true)
            .data_bits(DataBits::Eight)
            .stop_bits(StopBits::One)
            .parity(Bit::None)
            .flow_control(FlowControl::None);
        assert_eq!(builder(&usual), Some(expected.clone()));
        let changed = PortConfig {
            baud: 9_600,
            data_bits: 7,
            parity: Parity::Even,
            stop_bits: 2,
            flow: Flow::Hardware,
            ..usual.clone()
        };
        let expected = expected
            .baud_rate(9_600)
            .data_bits(DataBits::Seven)
            .stop_bits(StopBits::Two)
            .parity(Bit::Even)
            .flow_control(FlowControl::Hardware);
        assert_eq!(builder(&changed), Some(expected.clone()));
        let changed = PortConfig { parity: Parity::Odd, flow: Flow::Software, ..changed };
        let expected = expected.parity(Bit::Odd).flow_control(FlowControl::Software);
        assert_eq!(builder(&changed), Some(expected));
    }

    #[test]
    fn a_port_is_told_what_is_configured() {
        let mut port = Fake { can: true, ..Fake::default() };
        assert_eq!(prepare(&mut port, &config(true)), Ok(Vec::new()));
        let told = port.told.into_inner();
        assert_eq!(told, ["on send true", "low latency", "dtr false", "rts true"]);
    }

    #[test]
    fn what_a_port_works_without_is_remarked_and_the_rest_refused() {
        let mut port = Fake::default();
        let remarks = prepare(&mut port, &config(false)).expect("it works");
        let expected = ["without a low-latency mode", "without a DTR line", "without an RTS line"];
        assert_eq!(remarks, expected);
        let refused = prepare(&mut port, &config(true)).expect_err("it does not");
        assert!(refused.contains("/dev/fake") && refused.contains("`rs485`"), "{refused}");
    }
}
