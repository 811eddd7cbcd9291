//! The master's side of the line: one request at a time, and what comes for it.
//!
//! What comes is kept with the request that it came for, as a [`super::Exchange`], which the
//! decoder of the source then judges by the same rules.

use super::{
    Exchange, Mode,
    reply::{Answer, End, end},
    request::{Asked, Request},
};
use crate::limits::MODBUS_CAME_BYTES_MAX;

/// The state of the line.
#[derive(Debug)]
pub struct Dialogue {
    mode: Mode,
    transaction: u16,
    /// The last request.
    asked: Option<Asked>,
    /// Its reply is awaited.
    is_open: bool,
    came: Vec<u8>,
    exchange: Vec<u8>,
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing yet.
    Nothing,
    /// The values that were asked for.
    Values,
    /// The device refuses, for the reason with this code.
    Exception(u8),
    /// The reply does not fit the request.
    Misfit,
    /// The reply to the last request, which is not awaited any more.
    Late,
    /// More than any reply has, and no reply among it.
    TooMuch,
    /// Where the next reply begins is lost.
    OutOfStep,
}

impl Dialogue {
    /// A line on which nothing was said.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            transaction: 0,
            asked: None,
            is_open: false,
            came: Vec::new(),
            exchange: Vec::new(),
        }
    }

    /// Begins an exchange, and returns what is to be sent.
    ///
    /// # Panics
    /// If one is open, or bytes that came unasked have not been taken.
    pub fn ask(&mut self, request: Request) -> &[u8] {
        assert!(!self.is_open, "one request at a time");
        assert!(self.came.is_empty(), "what came before is none of its reply");
        self.transaction = self.transaction.wrapping_add(1);
        self.is_open = true;
        self.asked.insert(Asked::new(self.mode, request, self.transaction)).bytes()
    }

    /// Takes bytes up to the one that tells something; how many, and what. The exchange stays
    /// open until it is taken.
    pub fn hear(&mut self, bytes: &[u8]) -> (usize, Heard) {
        for (taken, &byte) in (1..).zip(bytes) {
            self.came.push(byte);
            let heard = self.judge();
            if heard != Heard::Nothing {
                return (taken, heard);
            }
        }
        (bytes.len(), Heard::Nothing)
    }

    fn judge(&self) -> Heard {
        let end = self.asked.as_ref().map_or(End::Open, |asked| end(asked, &self.came));
        match end {
            End::Reply(_, Answer::Misfit(_)) if self.is_open => Heard::Misfit,
            End::Reply(..) if !self.is_open => Heard::Late,
            End::Reply(_, Answer::Exception(code)) => Heard::Exception(code),
            End::Reply(..) => Heard::Values,
            End::OutOfStep => Heard::OutOfStep,
            End::Open if MODBUS_CAME_BYTES_MAX <= self.came.len() => Heard::TooMuch,
            End::Open => Heard::Nothing,
        }
    }

    /// Bytes that came and are not taken.
    #[must_use]
    pub fn came(&self) -> usize {
        self.came.len()
    }

    /// Ends the exchange, whatever has come for it, and takes it, or what came unasked; `None` if
    /// there is neither.
    pub fn take(&mut self, line_is_down: bool) -> Option<&[u8]> {
        let asked = self.asked.as_ref().filter(|_| std::mem::take(&mut self.is_open));
        if asked.is_none() && self.came.is_empty() {
            return None;
        }
        let asked = asked.map_or(&[][..], Asked::bytes);
        Exchange { asked, came: &self.came, line_is_down }.write(&mut self.exchange);
        self.came.clear();
        Some(&self.exchange)
    }
}
