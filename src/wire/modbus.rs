//! Modbus, as a master reads it from its devices: over a serial line (RTU) or over TCP.
//!
//! A frame here is one reply. It does not say which registers it holds: only the request does. So
//! what a source hands over, and what a log of it records, are [`Exchange`]s: a request with all
//! that came for it. "MODBUS Application Protocol Specification V1.1b3", "MODBUS over Serial Line
//! V1.02" and "MODBUS Messaging on TCP/IP Implementation Guide V1.0b" (modbus.org) say the rest.

pub mod dialogue;
pub mod map;
pub mod reply;
pub mod request;

#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use self::{
    map::RegisterMap,
    reply::{Answer, End},
    request::Asked,
};
use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, WireTally,
    checksum::{Crc, CrcRule},
    decode::{Decode, Framing, Naming},
    draft::Draft,
    names::Names,
};

static CRC: LazyLock<Crc> = LazyLock::new(|| Crc::new(CrcRule::MODBUS));

/// How requests and replies are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With the device first and a CRC last.
    Rtu,
    /// With a header that numbers transactions.
    Tcp,
}

/// How exchanges are read.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// How they are framed.
    pub mode: Mode,
    /// Which registers hold what.
    pub map: Arc<RegisterMap>,
}

/// A request and what came for it, as one piece of bytes: how many bytes the request has, with the
/// highest bit set where the line went down before its reply was whole; the request; the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// The request as it was sent; empty before bytes for which nobody asked.
    pub asked: &'a [u8],
    /// All that came.
    pub came: &'a [u8],
    /// The line went down before the reply was whole.
    pub line_is_down: bool,
}

/// Bit of the first byte of an exchange.
const LINE_IS_DOWN: u8 = 0x80;

impl<'a> Exchange<'a> {
    /// Replaces what is in `bytes` by this exchange.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        let down = if self.line_is_down { LINE_IS_DOWN } else { 0 };
        bytes.push(self.asked.len() as u8 | down);
        bytes.extend_from_slice(self.asked);
        bytes.extend_from_slice(self.came);
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first()?;
        let (asked, came) = rest.split_at_checked(usize::from(head & !LINE_IS_DOWN))?;
        Some(Self { asked, came, line_is_down: head & LINE_IS_DOWN != 0 })
    }
}

/// Decoder of one source of exchanges.
#[derive(Debug)]
pub(super) struct ModbusDecoder {
    framing: Framing,
    mode: Mode,
    map: Arc<RegisterMap>,
    names: Names,
}

impl ModbusDecoder {
    pub(super) fn new(options: &ModbusOptions, framing: Framing) -> Self {
        let (mode, map) = (options.mode, Arc::clone(&options.map));
        Self { framing, mode, map, names: Names::new(&options.naming) }
    }

    /// The reply to a request, or that there is none.
    fn answered(
        &mut self,
        asked: &Asked,
        exchange: &Exchange<'_>,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) {
        let came = exchange.came;
        match reply::end(asked, came) {
            End::Reply(start, answer) => {
                // Before the reply: what the answer to another request left, or an echo.
                let before = &came[..start];
                self.strangers(before, |frame| reply::misfit(asked, frame), tally);
                match answer {
                    Answer::Values(values) => {
                        let mut draft = Draft::new(&mut self.names, out);
                        for (register, value) in self.map.values(asked.request(), values) {
                            let rule = &register.rule;
                            draft.push_with(&rule.name, rule.unit.as_deref(), 0, value);
                        }
                        let readings = draft.keep(DeviceClock::None, arrived_ns);
                        tally.accept(came.len() - start, readings);
                    }
                    Answer::Exception(_) => {
                        tally.refuse(FrameRefusal::Exception, came.len() - start);
                    }
                    Answer::Misfit(why) => tally.refuse(why, came.len() - start),
                }
            }
            End::OutOfStep => tally.refuse(FrameRefusal::Header, came.len()),
            End::Open => {
                let came = came.strip_prefix(asked.bytes()).unwrap_or(came);
                tally.bytes_skipped += (exchange.came.len() - came.len()) as u64;
                self.unanswered(asked, Exchange { came, ..*exchange }, tally);
            }
        }
    }

    /// No reply: one frame that is refused at least, unless the line was not there to bring it.
    fn unanswered(&self, asked: &Asked, exchange: Exchange<'_>, tally: &mut WireTally) {
        let Exchange { came, line_is_down, .. } = exchange;
        let mut strange = 0;
        for span in reply::strangers(self.mode, came) {
            strange += span.len();
            tally.refuse(reply::misfit(asked, &came[span.clone()]), span.len());
        }
        let broken = came.len() - strange;
        let (_, whole) = asked.request().line_bytes(self.mode);
        match (broken, line_is_down) {
            (0, true) => {}
            (0, false) if 0 < strange => {}
            (0, false) => tally.refuse(FrameRefusal::Timeout, 0),
            (_, true) => tally.refuse(FrameRefusal::Partial, broken),
            (..) if broken < whole => tally.refuse(FrameRefusal::Truncated, broken),
            (..) => tally.refuse(FrameRefusal::Checksum, broken),
        }
    }

    /// Refuses each sound reply among some bytes and skips the others.
    fn strangers(&self, bytes: &[u8], why: impl Fn(&[u8]) -> FrameRefusal, tally: &mut WireTally) {
        let mut skipped = bytes.len();
        for span in reply::strangers(self.mode, bytes) {
            skipped -= span.len();
            tally.refuse(why(&bytes[span.clone()]), span.len());
        }
        tally.bytes_skipped += skipped as u64;
    }
}

impl Decode for ModbusDecoder {
    /// Counts what came, and not what was asked. A stream has no bounds of exchanges: all of it is
    /// skipped.
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        if self.framing == Framing::Stream {
            tally.bytes_in += bytes.len() as u64;
            tally.bytes_skipped += bytes.len() as u64;
            return;
        }
        let Some(exchange) = Exchange::read(bytes) else {
            tally.bytes_in += bytes.len() as u64;
            let why = if bytes.is_empty() { FrameRefusal::Empty } else { FrameRefusal::Malformed };
            return tally.refuse(why, bytes.len());
        };
        let came = exchange.came;
        tally.bytes_in += came.len() as u64;
        match Asked::parse(self.mode, exchange.asked) {
            Some(asked) => self.answered(&asked, &exchange, arrived_ns, out, tally),
            None if exchange.asked.is_empty() => {
                self.strangers(came, |_| FrameRefusal::Unasked, tally);
            }
            None => tally.refuse(FrameRefusal::Malformed, came.len()),
        }
    }

    fn reset(&mut self, _tally: &mut WireTally) {}

    fn buffered(&self) -> usize {
        0
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}
