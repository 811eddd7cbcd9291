//! What a serial driver counts and can be set to beyond termios.
//!
//! A driver that knows one of these calls not answers ENOTTY or EINVAL, as every pseudo-terminal
//! does, and changes nothing.

use std::{io, mem, os::fd::AsRawFd};

use crate::{config::model::Rs485, wire::diagnosis::LineErrorCounts};

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
    Ok(counters.errors())
}

impl SerialCounters {
    fn errors(&self) -> LineErrorCounts {
        LineErrorCounts {
            framing: self.frame.cast_unsigned(),
            parity: self.parity.cast_unsigned(),
            overrun: self.overrun.cast_unsigned(),
            buffer_overrun: self.buf_overrun.cast_unsigned(),
        }
    }
}

/// struct serial_struct of linux/serial.h.
#[repr(C)]
struct SerialSettings {
    kind: libc::c_int,
    line: libc::c_int,
    port: libc::c_uint,
    irq: libc::c_int,
    flags: libc::c_int,
    xmit_fifo_size: libc::c_int,
    custom_divisor: libc::c_int,
    baud_base: libc::c_int,
    close_delay: libc::c_ushort,
    io_type: libc::c_char,
    reserved: libc::c_char,
    hub6: libc::c_int,
    closing_wait: libc::c_ushort,
    closing_wait2: libc::c_ushort,
    iomem_base: *mut libc::c_uchar,
    iomem_reg_shift: libc::c_ushort,
    port_high: libc::c_uint,
    iomap_base: libc::c_ulong,
}

// As the C compiler lays it out: 60 bytes on 32-bit machines, 72 on 64-bit ones.
const _: () = assert!(mem::size_of::<SerialSettings>() == 48 + 3 * mem::size_of::<usize>());

/// ASYNC_LOW_LATENCY of linux/tty_flags.h: hand over what was received without delay.
const LOW_LATENCY: libc::c_int = 1 << 13;

/// Asks a serial driver to hand over what it receives at once; no privilege is needed for it.
///
/// # Errors
///
/// Those of `ioctl`: ENOTTY from a driver that has no such setting.
pub fn set_low_latency(port: &impl AsRawFd) -> io::Result<()> {
    let mut settings = mem::MaybeUninit::<SerialSettings>::zeroed();
    // SAFETY: TIOCGSERIAL writes at most one serial_struct, which `settings` has room for; a
    // descriptor that is no serial port answers ENOTTY and writes nothing.
    let result = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCGSERIAL, settings.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: integers and one raw pointer, of which all bit patterns are values; all zeroes
    // before the kernel wrote into it.
    let mut settings = unsafe { settings.assume_init() };
    if settings.flags & LOW_LATENCY != 0 {
        return Ok(());
    }
    settings.flags |= LOW_LATENCY;
    // SAFETY: TIOCSSERIAL reads one serial_struct and keeps no pointer to it; its `iomem_base` is
    // what the kernel itself gave, and is only compared there.
    let result = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCSSERIAL, &raw const settings) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// struct serial_rs485 of linux/serial.h; its last part is a union of reserved words.
#[repr(C)]
#[derive(Clone, Copy)]
struct DirectionControl {
    flags: u32,
    delay_rts_before_send: u32,
    delay_rts_after_send: u32,
    reserved: [u32; 5],
}

// The size is part of the number of the call on some machines.
const _: () = assert!(mem::size_of::<DirectionControl>() == 32);

const RS485_ENABLED: u32 = 1 << 0;
const RS485_RTS_ON_SEND: u32 = 1 << 1;
const RS485_RTS_AFTER_SEND: u32 = 1 << 2;
const RS485_RX_DURING_TX: u32 = 1 << 4;

/// Has the driver switch the direction of an RS-485 line.
///
/// # Errors
///
/// `Unsupported` if the driver cannot do it, or not in this way; else those of `ioctl`.
pub fn set_rs485(port: &impl AsRawFd, rs485: &Rs485) -> io::Result<()> {
    let wanted = DirectionControl::of(rs485);
    let mut given = wanted;
    // SAFETY: TIOCSRS485 reads one serial_rs485, which `given` is, and writes back what it made
    // of it, which any bits can be; it keeps no pointer.
    let result = unsafe { libc::ioctl(port.as_raw_fd(), TIOCSRS485, &raw mut given) };
    if result < 0 {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            Some(libc::ENOTTY | libc::EINVAL | libc::EOPNOTSUPP) => {
                io::ErrorKind::Unsupported.into()
            }
            _ => error,
        });
    }
    // Some drivers answer success and do something else, which they write back.
    let made = |control: DirectionControl| {
        (control.flags, control.delay_rts_before_send, control.delay_rts_after_send)
    };
    if made(given) == made(wanted) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

impl DirectionControl {
    fn of(rs485: &Rs485) -> Self {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        Self {
            flags: RS485_ENABLED
                | flag(rs485.rts_on_send, RS485_RTS_ON_SEND)
                | flag(rs485.rts_after_send, RS485_RTS_AFTER_SEND)
                | flag(rs485.rx_during_tx, RS485_RX_DURING_TX),
            delay_rts_before_send: rs485.delay_before_ms,
            delay_rts_after_send: rs485.delay_after_ms,
            reserved: [0; 5],
        }
    }
}

/// TIOCSRS485, which `libc` does not name on SPARC.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const TIOCSRS485: libc::Ioctl = libc::TIOCSRS485;
/// `_IOWR('T', 0x42, struct serial_rs485)` of asm/ioctls.h there.
#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
const TIOCSRS485: libc::Ioctl = 0xc020_5442_u32 as libc::Ioctl;

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use rustix::pty::{OpenptFlags, openpt};

    use super::*;

    const RS485: Rs485 = Rs485 {
        rts_on_send: true,
        rts_after_send: false,
        delay_before_ms: 1,
        delay_after_ms: 2,
        rx_during_tx: false,
    };

    /// Places and bits as a C compiler has them from linux/serial.h.
    #[test]
    fn the_kernel_and_this_program_mean_the_same() {
        let counters = [
            offset_of!(SerialCounters, frame),
            offset_of!(SerialCounters, overrun),
            offset_of!(SerialCounters, parity),
            offset_of!(SerialCounters, brk),
            offset_of!(SerialCounters, buf_overrun),
            mem::size_of::<SerialCounters>(),
        ];
        assert_eq!(counters, [24, 28, 32, 36, 40, 80]);
        assert_eq!(offset_of!(SerialSettings, flags), 16);
        let control = [
            offset_of!(DirectionControl, flags),
            offset_of!(DirectionControl, delay_rts_before_send),
            offset_of!(DirectionControl, delay_rts_after_send),
        ];
        assert_eq!(control, [0, 4, 8]);
        assert_eq!(LOW_LATENCY, 0x2000);
        for (rs485, flags) in [
            (RS485, 0b00011),
            (Rs485 { rts_on_send: false, rts_after_send: true, ..RS485 }, 0b00101),
            (Rs485 { rx_during_tx: true, ..RS485 }, 0b10011),
        ] {
            let control = DirectionControl::of(&rs485);
            let delays = (control.delay_rts_before_send, control.delay_rts_after_send);
            assert_eq!((control.flags, delays), (flags, (1, 2)));
        }
    }

    #[test]
    fn each_error_is_counted_as_what_it_is() {
        let counters = SerialCounters {
            rx: 9,
            frame: 1,
            overrun: 2,
            parity: -1,
            brk: 9,
            buf_overrun: 4,
            ..SerialCounters::default()
        };
        let errors =
            LineErrorCounts { framing: 1, parity: u32::MAX, overrun: 2, buffer_overrun: 4 };
        assert_eq!(counters.errors(), errors);
    }

    #[test]
    fn what_has_no_driver_of_serial_ports_has_none_of_it() {
        let pty = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        for fd in [&pty, &null.into()] {
            let not_a_tty = Some(libc::ENOTTY);
            assert_eq!(line_errors(fd).unwrap_err().raw_os_error(), not_a_tty);
            assert_eq!(set_low_latency(fd).unwrap_err().raw_os_error(), not_a_tty);
            assert_eq!(set_rs485(fd, &RS485).unwrap_err().kind(), io::ErrorKind::Unsupported);
        }
    }
}
