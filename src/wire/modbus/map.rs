//! Which registers of a source hold what, and the requests that read them.

use std::ops::Range;

use super::{
    super::binary::FieldRule,
    request::{Request, Table},
};

/// One value of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// Address of the device.
    pub device: u8,
    /// The table that it is in.
    pub table: Table,
    /// The first of its entries, counted from 0.
    pub address: u16,
    /// How the bytes of these entries are read; of a bit, one byte that is 0 or 1.
    pub rule: FieldRule,
}

impl Register {
    /// Entries that it takes.
    #[must_use]
    pub fn count(&self) -> u16 {
        let bytes = self.rule.number.size();
        if self.table.is_bits() { 1 } else { bytes.div_ceil(2) as u16 }
    }

    fn entries(&self) -> Range<usize> {
        let start = usize::from(self.address);
        start..start + usize::from(self.count())
    }

    /// Its value in a reply to a request that reads all of it.
    pub(super) fn value(&self, request: &Request, values: &[u8]) -> Option<f64> {
        let (all, own) = (entries_of(request), self.entries());
        if own.start < all.start || all.end < own.end {
            return None;
        }
        let (first, behind) = (own.start - all.start, own.end - all.start);
        if self.table.is_bits() {
            let bit = values.get(first / 8)? >> (first % 8) & 1;
            return Some(self.rule.value(&[bit]));
        }
        Some(self.rule.value(values.get(2 * first..2 * behind)?))
    }
}

fn entries_of(request: &Request) -> Range<usize> {
    let start = usize::from(request.address);
    start..start + usize::from(request.count)
}

/// The registers of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterMap(Box<[Register]>);

impl RegisterMap {
    /// Puts them in order.
    #[must_use]
    pub fn new(mut registers: Vec<Register>) -> Self {
        registers.sort_by_key(|register| (register.device, register.table, register.address));
        Self(registers.into())
    }

    /// All of them, by device, table and address.
    #[must_use]
    pub fn registers(&self) -> &[Register] {
        &self.0
    }

    /// Those that a reply to this request holds, each with its value.
    pub(super) fn values<'a>(
        &'a self,
        request: &'a Request,
        values: &'a [u8],
    ) -> impl Iterator<Item = (&'a Register, f64)> {
        let place = (request.device, request.table, request.address);
        let first = self.0.partition_point(|r| (r.device, r.table, r.address) < place);
        let same = move |r: &&Register| (r.device, r.table) == (request.device, request.table);
        let reached = move |r: &&Register| usize::from(r.address) < entries_of(request).end;
        let there = self.0[first..].iter().take_while(same).take_while(reached);
        there.filter_map(|register| Some((register, register.value(request, values)?)))
    }
}

/// How registers may share a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joining {
    /// Most registers, or sixteenths of the bits, of one request; what takes more has one of its
    /// own.
    pub registers_max: u16,
    /// Most entries between two that are read though nobody wants them.
    pub bridge: u16,
}

impl Joining {
    fn count_max(self, table: Table) -> u16 {
        let most = if table.is_bits() { self.registers_max * 16 } else { self.registers_max };
        most.min(table.count_max())
    }

    /// The requests that read these registers, which are in order.
    #[must_use]
    pub fn requests<'a>(self, registers: impl IntoIterator<Item = &'a Register>) -> Vec<Request> {
        let mut requests: Vec<Request> = Vec::new();
        for register in registers {
            let Register { device, table, address, .. } = *register;
            let end = register.entries().end;
            if let Some(last) = requests.last_mut()
                && (last.device, last.table) == (device, table)
                && usize::from(address) <= entries_of(last).end + usize::from(self.bridge)
                && end - usize::from(last.address) <= usize::from(self.count_max(table))
            {
                let count = end.max(entries_of(last).end) - usize::from(last.address);
                last.count = count as u16;
                continue;
            }
            requests.push(Request { device, table, address, count: register.count() });
        }
        requests
    }
}
