//! Which of the bytes that came are the reply, and what the others are.
//!
//! On a serial line only the device, the function and the length of a reply tell what it answers,
//! and the CRC whether it is one. So a reply is only what fits its request in all of them; what
//! comes before it is not of it. Over TCP a transaction number comes first, and a stream whose
//! headers do not fit is lost: nothing tells where the next one begins.

use std::ops::Range;

use super::{super::FrameRefusal, CRC, Mode, request::Asked};

/// Bit of the function of a reply that is an exception.
const EXCEPTION: u8 = 0x80;
/// Bytes of an exception on a serial line.
const RTU_EXCEPTION_BYTES: usize = 5;
/// Transaction, protocol and length.
const TCP_HEAD_BYTES: usize = 6;
/// Largest length that such a header says: device and the largest request or reply.
const TCP_LENGTH_MAX: usize = 254;
/// So many transactions before the present one are known to have been asked.
const TRANSACTIONS_KNOWN: u16 = 256;

/// What a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The values, as many bytes as were asked for.
    Values(&'a [u8]),
    /// The device refuses, for the reason with this code.
    Exception(u8),
    /// It answers this very transaction, and does not fit the request.
    Misfit(FrameRefusal),
}

/// What the bytes up to now end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// Nothing that could be the reply.
    Open,
    /// The reply, which begins at this byte.
    Reply(usize, Answer<'a>),
    /// A header that leads nowhere.
    OutOfStep,
}

/// What the bytes that came since the request end with. To be asked at each byte: of all
/// beginnings only those count that end here.
#[must_use]
pub fn end<'a>(asked: &Asked, came: &'a [u8]) -> End<'a> {
    match asked.mode() {
        Mode::Rtu => rtu_end(asked, came),
        Mode::Tcp => tcp_end(asked, came),
    }
}

fn rtu_end<'a>(asked: &Asked, came: &'a [u8]) -> End<'a> {
    let request = asked.request();
    let (function, length) = (request.table.function(), request.data_bytes());
    let tail = |bytes: usize| came.len().checked_sub(bytes).map(|start| (start, &came[start..]));
    if let Some((start, frame)) = tail(5 + length)
        && frame[..3] == [request.device, function, length as u8]
        && is_sound(frame)
        // An adapter that hears itself: there are requests that look like their own reply.
        && frame != asked.bytes()
    {
        return End::Reply(start, Answer::Values(&frame[3..3 + length]));
    }
    if let Some((start, frame)) = tail(RTU_EXCEPTION_BYTES)
        && frame[..2] == [request.device, function | EXCEPTION]
        && is_sound(frame)
    {
        return End::Reply(start, Answer::Exception(frame[2]));
    }
    End::Open
}

fn tcp_end<'a>(asked: &Asked, came: &'a [u8]) -> End<'a> {
    let mut start = 0;
    loop {
        let rest = &came[start..];
        let Ok(length) = tcp_length(rest) else { return End::OutOfStep };
        let Some(frame) = length.and_then(|length| rest.get(..length)) else { return End::Open };
        let transaction = u16::from_be_bytes([frame[0], frame[1]]);
        match asked.transaction().wrapping_sub(transaction) {
            0 => return End::Reply(start, tcp_answer(asked, frame)),
            1..=TRANSACTIONS_KNOWN => start += frame.len(),
            _ => return End::OutOfStep,
        }
    }
}

/// The length of the frame that begins here, if that much of it is there.
fn tcp_length(bytes: &[u8]) -> Result<Option<usize>, ()> {
    let head = &bytes[..bytes.len().min(TCP_HEAD_BYTES)];
    if head.iter().skip(2).take(2).any(|&protocol| protocol != 0) {
        return Err(());
    }
    let &[.., high, low] = head else { return Ok(None) };
    if head.len() < TCP_HEAD_BYTES {
        return Ok(None);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    (3..=TCP_LENGTH_MAX).contains(&length).then_some(Some(TCP_HEAD_BYTES + length)).ok_or(())
}

fn tcp_answer<'a>(asked: &Asked, frame: &'a [u8]) -> Answer<'a> {
    let request = asked.request();
    let function = request.table.function();
    let (device, pdu) = (frame[TCP_HEAD_BYTES], &frame[TCP_HEAD_BYTES + 1..]);
    match pdu {
        _ if device != request.device => Answer::Misfit(FrameRefusal::Unit),
        [found, code] if *found == function | EXCEPTION => Answer::Exception(*code),
        [found, ..] if *found | EXCEPTION != function | EXCEPTION => {
            Answer::Misfit(FrameRefusal::Function)
        }
        [found, length, values @ ..]
            if *found == function
                && usize::from(*length) == values.len()
                && values.len() == request.data_bytes() =>
        {
            Answer::Values(values)
        }
        _ => Answer::Misfit(FrameRefusal::Length),
    }
}

/// Whether bytes end with the CRC of those before it.
fn is_sound(frame: &[u8]) -> bool {
    let (body, sum) = frame.split_at(frame.len() - 2);
    CRC.of(body) == u32::from(u16::from_le_bytes([sum[0], sum[1]]))
}

/// Sound replies in bytes that hold no reply to what was asked, each with its place.
pub(super) fn strangers(mode: Mode, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        while start < bytes.len() {
            let at = start;
            match stranger(mode, &bytes[at..]) {
                Some(length) => {
                    start += length;
                    return Some(at..start);
                }
                None if mode == Mode::Rtu => start += 1,
                None => start = bytes.len(),
            }
        }
        None
    })
}

/// The length of the sound reply that begins here.
fn stranger(mode: Mode, bytes: &[u8]) -> Option<usize> {
    let length = match (mode, bytes) {
        (Mode::Tcp, _) => tcp_length(bytes).ok()??,
        (Mode::Rtu, [_, function, ..]) if is_read(*function) && EXCEPTION < *function => {
            RTU_EXCEPTION_BYTES
        }
        (Mode::Rtu, [_, function, length, ..]) if is_read(*function) && 0 < *length => {
            5 + usize::from(*length)
        }
        _ => return None,
    };
    let frame = bytes.get(..length)?;
    (mode == Mode::Tcp || is_sound(frame)).then_some(length)
}

fn is_read(function: u8) -> bool {
    (1..=4).contains(&(function & !EXCEPTION))
}

/// In what a sound reply that is none to the request differs from one.
pub(super) fn misfit(asked: &Asked, frame: &[u8]) -> FrameRefusal {
    let request = asked.request();
    match (asked.mode(), frame) {
        // Of another transaction.
        (Mode::Tcp, _) => FrameRefusal::Unasked,
        (Mode::Rtu, [device, ..]) if *device != request.device => FrameRefusal::Unit,
        (Mode::Rtu, [_, function, ..]) if *function & !EXCEPTION != request.table.function() => {
            FrameRefusal::Function
        }
        _ => FrameRefusal::Length,
    }
}
