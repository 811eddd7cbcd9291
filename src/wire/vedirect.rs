//! VE.Direct text blocks: what Victron's battery monitors and chargers print.
//!
//! A block is lines of a label, a tab and a value, each *begun* by CR LF, and ends with the byte
//! behind the label `Checksum`, with which all its bytes add up to 0 modulo 256 ("VE.Direct
//! Protocol", Victron Energy). That byte may have any value. HEX messages, a `:` and hexadecimal
//! digits up to a LF, may come between blocks and within them and are no part of the sum.

mod labels;

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use memchr::{memchr, memchr_iter, memchr2, memmem};

use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, WireTally, checksum::sum8, decode::Naming,
    draft::Draft, names::Names, seek::Seek, window::Cut,
};
use crate::limits::{HEX_MESSAGE_BYTES_MAX, VEDIRECT_BLOCK_BYTES_MAX};

const LINE_BEGIN: &[u8] = b"\r\n";
const LAST_LABEL: &[u8] = b"\r\nChecksum\t";
/// Bytes that wait for the end of a block. As much as two blocks, so that a block is found also
/// where it begins in the middle of garbage.
const WAITING_MAX: usize = 2 * VEDIRECT_BLOCK_BYTES_MAX;

/// How VE.Direct blocks are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VedirectOptions {
    /// Which labels are taken up.
    pub naming: Naming,
}

/// Makes frames of blocks.
#[derive(Debug)]
pub(super) struct VedirectReader {
    names: Names,
    /// The label that the last good block began with.
    first_label: Vec<u8>,
    /// Bytes that are no line came directly before: the begin of a block may be lost in them.
    torn: bool,
    /// A block without its HEX messages.
    clean: Vec<u8>,
    /// Finds the last label.
    last_label: memmem::Finder<'static>,
}

impl VedirectReader {
    pub(super) fn new(options: &VedirectOptions) -> Self {
        Self {
            names: Names::new(&options.naming),
            first_label: Vec::new(),
            torn: false,
            clean: Vec::new(),
            last_label: memmem::Finder::new(LAST_LABEL),
        }
    }

    /// Reads a block, or what looks like one, counts it, and returns how many bytes that took.
    fn block(
        &mut self,
        block: &[u8],
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> usize {
        let torn = std::mem::take(&mut self.torn);
        self.clean.clear();
        let (mut from, mut hex_bytes) = (0, 0);
        for message in hex_messages(&block[..block.len() - 1]) {
            tally.refuse(FrameRefusal::Hex, message.len());
            hex_bytes += message.len();
            self.clean.extend_from_slice(&block[from..message.start]);
            from = message.end;
        }
        let clean = if hex_bytes == 0 {
            block
        } else {
            self.clean.extend_from_slice(&block[from..]);
            &self.clean
        };
        let Some(begin) = begin(clean, &self.first_label) else {
            let why = if torn { FrameRefusal::Truncated } else { FrameRefusal::Checksum };
            // What should have been the checksum may be where the next block begins.
            let last = usize::from(block.ends_with(b"\r"));
            tally.refuse(why, clean.len() - last);
            return clean.len() + hex_bytes - last;
        };
        if 0 < begin {
            tally.refuse(FrameRefusal::Truncated, begin);
        }
        let good = &clean[begin..];
        self.first_label.clear();
        self.first_label.extend_from_slice(label(&good[LINE_BEGIN.len()..]));
        let mut draft = Draft::new(&mut self.names, out);
        // Behind the last tab stands the checksum.
        let lines = &good[LINE_BEGIN.len()..good.len() - LAST_LABEL.len() - 1];
        // Text as a whole if it can be; else each label on its own.
        let text = str::from_utf8(lines);
        let mut start = 0;
        for line in lines.split(|&byte| byte == b'\n') {
            // It is near: a search for many bytes at once would cost more than it finds.
            if let Some(tab) = line.iter().position(|&byte| byte == b'\t') {
                let name = match text {
                    Ok(text) => text.get(start..start + tab),
                    Err(_) => str::from_utf8(&line[..tab]).ok(),
                };
                let value = line.strip_suffix(b"\r").unwrap_or(line).get(tab + 1..);
                if let Some((name, value)) = name.zip(value) {
                    labels::read(name, value, &mut draft);
                }
            }
            start += line.len() + 1;
        }
        tally.accept(good.len(), draft.keep(DeviceClock::None, arrived_ns));
        block.len()
    }
}

impl Seek for VedirectReader {
    fn take(
        &mut self,
        bytes: &[u8],
        ended: bool,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> Cut {
        let noise = match bytes {
            // A line end begins a line, and no line follows.
            b"\r\n" | b"\r" if ended => {
                tally.bytes_skipped += bytes.len() as u64;
                return Cut::Took(bytes.len());
            }
            [b':', ..] => match hex_message(bytes) {
                Hex::Message(length) => {
                    tally.refuse(FrameRefusal::Hex, length);
                    return Cut::Took(length);
                }
                Hex::Begun => return Cut::More(bytes.len() + 1),
                Hex::Other => 1,
            },
            [b'\r', b'\n', ..] => match self.last_label.find(bytes) {
                // The checksum follows at once, whatever it looks like.
                Some(at) if at + LAST_LABEL.len() < bytes.len() => {
                    let block = &bytes[..=at + LAST_LABEL.len()];
                    return Cut::Took(self.block(block, arrived_ns, out, tally));
                }
                // No block is as long as half of this.
                None if WAITING_MAX <= bytes.len() => VEDIRECT_BLOCK_BYTES_MAX,
                _ => return Cut::More(bytes.len() + 1),
            },
            [b'\r'] => return Cut::More(2),
            _ => memchr2(b'\r', b':', &bytes[1..]).map_or(bytes.len(), |at| at + 1),
        };
        self.torn = true;
        tally.bytes_skipped += noise as u64;
        Cut::Took(noise)
    }

    fn part(&mut self) {
        self.torn = false;
    }

    fn forget(&mut self) {
        self.first_label.clear();
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}

/// Where the block with a sound sum begins that ends with these bytes.
///
/// Eight bits are a weak check: where all lines do not add up, only those are tried that can begin
/// a block, lest one damaged block in ten passes without its first lines.
fn begin(block: &[u8], first_label: &[u8]) -> Option<usize> {
    let lines = block.len() - LAST_LABEL.len() - 1;
    let mut sum = sum8(block);
    if sum == 0 && 0 < lines {
        return Some(0);
    }
    let mut from = 0;
    memmem::find_iter(&block[..lines], LINE_BEGIN).skip(1).find(|&at| {
        sum = sum.wrapping_sub(sum8(&block[from..at]));
        from = at;
        let label = label(&block[at + LINE_BEGIN.len()..]);
        let can_begin = label == b"PID" || label == b"H1" || label == first_label;
        sum == 0 && can_begin
    })
}

fn label(line: &[u8]) -> &[u8] {
    &line[..memchr(b'\t', line).unwrap_or_default()]
}

enum Hex {
    Message(usize),
    Begun,
    Other,
}

/// Whether these bytes, which begin with a colon, begin with a HEX message.
fn hex_message(bytes: &[u8]) -> Hex {
    let within = &bytes[1..bytes.len().min(HEX_MESSAGE_BYTES_MAX)];
    match within.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        Some(digits) if 0 < digits && within[digits] == b'\n' => Hex::Message(digits + 2),
        None if bytes.len() < HEX_MESSAGE_BYTES_MAX => Hex::Begun,
        _ => Hex::Other,
    }
}

fn hex_messages(block: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let message = move |at: usize| match hex_message(&block[at..]) {
        Hex::Message(length) => Some(at..at + length),
        Hex::Begun | Hex::Other => None,
    };
    memchr_iter(b':', block).filter_map(message)
}
