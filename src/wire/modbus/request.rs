//! What a device is asked: neighbouring registers of one table.

use super::{CRC, Mode};

/// The tables of a device ("MODBUS Application Protocol V1.1b3", section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Bits that may be written.
    Coils,
    /// Bits that are only read.
    DiscreteInputs,
    /// Registers of 16 bits that may be written.
    HoldingRegisters,
    /// Registers of 16 bits that are only read.
    InputRegisters,
}

impl Table {
    /// All tables with their names in a configuration, in the order of the function that reads
    /// each.
    pub const ALL: [(&'static str, Self); 4] = [
        ("coil", Self::Coils),
        ("discrete", Self::DiscreteInputs),
        ("holding", Self::HoldingRegisters),
        ("input", Self::InputRegisters),
    ];

    /// Name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The function that reads it.
    pub(super) fn function(self) -> u8 {
        self as u8 + 1
    }

    fn read_by(function: u8) -> Option<Self> {
        let index = usize::from(function).checked_sub(1)?;
        Self::ALL.get(index).map(|(_, table)| *table)
    }

    /// Whether its entries are bits.
    #[must_use]
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coils | Self::DiscreteInputs)
    }

    /// Most entries that one request may ask for: the protocol's own bound.
    #[must_use]
    pub fn count_max(self) -> u16 {
        if self.is_bits() { 2_000 } else { 125 }
    }
}

/// A request to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Address of the device on its line ("unit id").
    pub device: u8,
    /// What is read.
    pub table: Table,
    /// The first entry, counted from 0.
    pub address: u16,
    /// How many, 1 to [`Table::count_max`].
    pub count: u16,
}

impl Request {
    /// Bytes of values in its reply.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        let count = usize::from(self.count);
        if self.table.is_bits() { count.div_ceil(8) } else { 2 * count }
    }

    /// Bytes of the request in a mode, and of its reply.
    #[must_use]
    pub fn line_bytes(&self, mode: Mode) -> (usize, usize) {
        let (out, back) = match mode {
            Mode::Rtu => (RTU_BYTES, RTU_REPLY_BYTES),
            Mode::Tcp => (TCP_BYTES, TCP_REPLY_BYTES),
        };
        (out, back + self.data_bytes())
    }

    /// The same device and table, and a reply of another length: no reply to the one can be taken
    /// for one to the other. What it reads is part of what this one reads where that has more
    /// than the least that can be told apart.
    #[must_use]
    pub fn told_apart(&self) -> Self {
        let Self { address, count, .. } = *self;
        let count = match (self.table.is_bits(), count) {
            (true, ..=8) => 9,
            (true, more) => (more - 1) / 8 * 8,
            (false, 1) => 2,
            (false, more) => more - 1,
        };
        // All addresses of the protocol are there to be asked for, up to the last.
        let address = address.min(u16::MAX - (count - 1));
        Self { address, count, ..*self }
    }

    fn pdu(&self) -> [u8; PDU_BYTES] {
        let ([a, b], [c, d]) = (self.address.to_be_bytes(), self.count.to_be_bytes());
        [self.table.function(), a, b, c, d]
    }

    fn of_pdu(device: u8, pdu: &[u8]) -> Option<Self> {
        let [function, a, b, c, d] = *pdu else { return None };
        let table = Table::read_by(function)?;
        let (address, count) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let ends = usize::from(address) + usize::from(count) <= 1 << u16::BITS;
        let fits = (1..=table.count_max()).contains(&count) && ends;
        fits.then_some(Self { device, table, address, count })
    }
}

const PDU_BYTES: usize = 5;
/// Device, request, CRC.
const RTU_BYTES: usize = PDU_BYTES + 3;
/// Device, function, length and CRC of a reply.
const RTU_REPLY_BYTES: usize = 5;
/// Transaction, protocol, length, device, function and length of a reply.
const TCP_REPLY_BYTES: usize = 9;
/// Transaction, protocol, length, device, request.
const TCP_BYTES: usize = PDU_BYTES + 7;

/// A request as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    mode: Mode,
    request: Request,
    bytes: [u8; TCP_BYTES],
}

impl Asked {
    /// The request as it is sent in a mode, as this transaction where there are any.
    #[must_use]
    pub fn new(mode: Mode, request: Request, transaction: u16) -> Self {
        let mut bytes = [0; TCP_BYTES];
        match mode {
            Mode::Rtu => {
                bytes[0] = request.device;
                bytes[1..=PDU_BYTES].copy_from_slice(&request.pdu());
                let sum = CRC.of(&bytes[..=PDU_BYTES]) as u16;
                bytes[PDU_BYTES + 1..RTU_BYTES].copy_from_slice(&sum.to_le_bytes());
            }
            Mode::Tcp => {
                bytes[..2].copy_from_slice(&transaction.to_be_bytes());
                bytes[5] = PDU_BYTES as u8 + 1;
                bytes[6] = request.device;
                bytes[7..].copy_from_slice(&request.pdu());
            }
        }
        Self { mode, request, bytes }
    }

    /// The request that was sent as these bytes; `None` if they are none.
    #[must_use]
    pub fn parse(mode: Mode, bytes: &[u8]) -> Option<Self> {
        let (device, pdu, transaction) = match (mode, bytes) {
            (Mode::Rtu, [device, pdu @ .., _, _]) => (*device, pdu, 0),
            (Mode::Tcp, [a, b, _, _, _, _, device, pdu @ ..]) => {
                (*device, pdu, u16::from_be_bytes([*a, *b]))
            }
            _ => return None,
        };
        let asked = Self::new(mode, Request::of_pdu(device, pdu)?, transaction);
        (asked.bytes() == bytes).then_some(asked)
    }

    /// What is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let length = match self.mode {
            Mode::Rtu => RTU_BYTES,
            Mode::Tcp => TCP_BYTES,
        };
        &self.bytes[..length]
    }

    /// What is asked.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn transaction(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }
}
