//! What the kernel counts about serial lines.

use std::{io, os::fd::AsRawFd};

/// Errors that a serial port has counted since it was registered; each wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineErrorCounts {
    /// Characters without a stop bit: wrong baud rate, noise, a break.
    pub framing: u32,
    /// Characters with a wrong parity bit.
    pub parity: u32,
    /// Characters lost in the chip.
    pub overrun: u32,
    /// Characters lost in the driver's buffer.
    pub buffer_overrun: u32,
}

/// struct serial_icounter_struct of linux/serial.h.
#[repr(C)]
#[derive(Default)]
struct SerialCounters {
    cts: libc::c_int,
    dsr: libc::c_int,
    rng: libc::c_int,
    dcd: libc::c_int,
    rx: libc::c_int,
    tx: libc::c_int,
    frame: libc::c_int,
    overrun: libc::c_int,
    parity: libc::c_int,
    brk: libc::c_int,
    buf_overrun: libc::c_int,
    reserved: [libc::c_int; 9],
}

/// Reads a serial port's error counters.
///
/// # Errors
///
/// Those of `ioctl`: ENOTTY from a port that does not count, as a pseudo-terminal.
pub fn line_errors(port: &impl AsRawFd) -> io::Result<LineErrorCounts> {
    let mut counters = SerialCounters::default();
    // SAFETY: TIOCGICOUNT writes one serial_icounter_struct, which `counters` is, and nothing
    // else; a descriptor that is no serial port answers ENOTTY and writes nothing.
    let result = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCGICOUNT, &raw mut counters) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(LineErrorCounts {
        framing: counters.frame.cast_unsigned(),
        parity: counters.parity.cast_unsigned(),
        overrun: counters.overrun.cast_unsigned(),
        buffer_overrun: counters.buf_overrun.cast_unsigned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_serial_port() {
        let null = std::fs::File::open("/dev/null").unwrap();
        let error = line_errors(&null).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
