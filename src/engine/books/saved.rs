//! Ledgers in an image.
//!
//! Only what nothing else follows from is written, so that the identities of a ledger hold of
//! whatever is read.

use std::{collections::BTreeSet, sync::Arc};

use super::{Books, SourceBook};
use crate::{
    engine::{
        Ledger,
        batch::{SocketDrops, Transport},
        condition::History,
        image::{ChannelRecords, Image, Kind, Reader, Sitting, SourceRecords, Writer},
        ledger::{ReadingRefusal, ReadingTally, SequenceTally},
        snapshot::DeviceView,
    },
    limits::DEVICES_PER_SOURCE_MAX,
    wire::{FrameRefusal, Health, WireTally},
};

/// What the ledgers go on from after a restart.
#[derive(Debug)]
pub struct KeptBooks(Vec<KeptBook>);

#[derive(Debug, Default)]
struct KeptBook {
    ledger: Ledger,
    drops: Option<SocketDrops>,
    last_arrival_ns: Option<i64>,
    /// Devices by their numbers within the source.
    devices: Vec<(u32, DeviceView)>,
    /// Accepted readings that wait for their verdict, and are in no pane.
    waiting: u64,
    /// Accepted readings in open panes.
    claimed: u64,
}

impl KeptBooks {
    /// Nothing, for so many sources.
    #[must_use]
    pub fn new(sources: usize) -> Self {
        Self((0..sources).map(|_| KeptBook::default()).collect())
    }

    /// Reads the ledger of a source and those of its devices, whose numbers `device` gives by
    /// their ids.
    ///
    /// After a reboot, or where nobody knows that there was none, another socket may have the
    /// number of the one that is known: what its counter showed counts only `on_this_boot`. What a
    /// source holds that `is_running` may still become a frame.
    pub(in crate::engine) fn read(
        &mut self,
        source: usize,
        image: &Image,
        records: &SourceRecords,
        (on_this_boot, is_running): (bool, bool),
        mut device: impl FnMut(u32) -> Option<u32>,
    ) -> Option<()> {
        let book = self.0.get_mut(source)?;
        if let Some(place) = &records.book {
            let mut reader = image.reader(place);
            book.ledger = read_ledger(&mut reader, is_running)?;
            book.last_arrival_ns = reader.option(Reader::time)?;
            reader.end()?;
        }
        if let Some(place) = records.socket.as_ref().filter(|_| on_this_boot) {
            let mut reader = image.reader(place);
            let (cookie, count) = (reader.word()?, reader.small()?);
            reader.end()?;
            book.drops = Some(SocketDrops { cookie, count });
        }
        for place in &records.device_books {
            let mut reader = image.reader(place);
            let view = read_device(&mut reader)?;
            reader.end()?;
            if let Some(number) = device(view.device) {
                book.devices.push((number, view));
            }
        }
        Some(())
    }

    /// The devices of the source whose ledgers were read, by number.
    pub(in crate::engine) fn devices(&self, source: usize) -> BTreeSet<u32> {
        self.0[source].devices.iter().map(|(number, _)| *number).collect()
    }

    /// A channel of the source goes on.
    pub(in crate::engine) fn claim(&mut self, source: usize, channel: &ChannelRecords) {
        let book = &mut self.0[source];
        book.waiting += u64::from(channel.waits);
        book.claimed += channel.claimed;
    }

    /// Sees that no more readings are open than were accepted; whether it was so.
    pub(in crate::engine) fn balance(&mut self) -> bool {
        let mut balanced = true;
        for KeptBook { ledger, waiting, claimed, .. } in &mut self.0 {
            let open = *waiting + *claimed;
            if ledger.readings.accepted < open {
                balanced = false;
                ledger.readings.accepted = open;
                derive(ledger);
            }
        }
        balanced
    }

    /// Accepted readings that are in panes, or were, by source.
    pub(in crate::engine) fn in_panes(&self) -> Vec<u64> {
        let of = |book: &KeptBook| book.ledger.readings.accepted - book.waiting;
        self.0.iter().map(of).collect()
    }
}

impl Books {
    /// Writes all ledgers.
    pub fn save(&self, sitting: &Arc<Sitting>) {
        let mut sheet = sitting.sheet();
        for (number, book) in self.sources.iter().enumerate() {
            sheet.record(Kind::Book, |writer| {
                writer.count(number);
                write_ledger(&book.ledger, writer);
                writer.option(book.last_arrival_ns, Writer::integer);
            });
            if let Some(SocketDrops { cookie, count }) = book.drops {
                sheet.record(Kind::Socket, |writer| {
                    writer.count(number);
                    writer.word(cookie);
                    writer.number(u64::from(count));
                });
            }
            for view in book.devices.iter().flatten() {
                sheet.record(Kind::DeviceBook, |writer| {
                    writer.count(number);
                    write_device(view, writer);
                });
            }
        }
        sheet.hand_in();
    }

    /// Goes on from what was kept; all accepted readings count as open.
    pub fn resume(&mut self, kept: KeptBooks) {
        for (book, kept) in self.sources.iter_mut().zip(kept.0) {
            book.resume(kept);
        }
    }
}

impl SourceBook {
    fn resume(&mut self, kept: KeptBook) {
        let KeptBook { ledger, drops, last_arrival_ns, devices, .. } = kept;
        self.ledger.add(&ledger);
        self.drops = self.drops.or(drops);
        self.ledger.in_open_panes += ledger.readings.accepted;
        self.last_arrival_ns = self.last_arrival_ns.or(last_arrival_ns);
        self.changed = true;
        let most = DEVICES_PER_SOURCE_MAX as u32;
        for (number, view) in devices.into_iter().filter(|(number, _)| *number < most) {
            if self.devices.len() <= number as usize {
                self.devices.resize(number as usize + 1, None);
            }
            self.numbers.insert(view.device, number);
            self.devices[number as usize] = Some(view);
        }
    }
}

/// Most that may have been counted: all sources together still fit 64 bits.
const COUNT_MAX: u64 = 1 << 52;

fn count(reader: &mut Reader<'_>) -> Option<u64> {
    reader.number().filter(|count| *count <= COUNT_MAX)
}

/// Counts by reason, as many as there were.
fn write_counts(counts: &[u64], writer: &mut Writer<'_>) {
    writer.count(counts.len());
    counts.iter().for_each(|&n| writer.number(n));
}

/// As many as there are now: reasons are only ever added.
fn read_counts<const N: usize>(reader: &mut Reader<'_>) -> Option<[u64; N]> {
    let mut counts = [0; N];
    let known = reader.count(N)?;
    for n in &mut counts[..known] {
        *n = count(reader)?;
    }
    Some(counts)
}

fn write_ledger(ledger: &Ledger, writer: &mut Writer<'_>) {
    let Ledger { transport, wire, bytes_buffered, readings, sequence, .. } = ledger;
    let Transport { datagrams, kernel_dropped, line_errors, batches_refused, .. } = *transport;
    let Transport { receive_errors, unstamped, .. } = *transport;
    let counts = [datagrams, kernel_dropped, line_errors, batches_refused];
    write_counts(&[&counts[..], &[receive_errors, unstamped]].concat(), writer);
    let WireTally { bytes_in_frames, bytes_skipped, frames_ok, frames_silent, .. } = *wire;
    let counts = [bytes_in_frames, bytes_skipped, frames_ok, frames_silent, *bytes_buffered];
    write_counts(&counts, writer);
    write_counts(&wire.refused, writer);
    writer.number(readings.accepted);
    write_counts(&readings.refused, writer);
    write_sequence(sequence, writer);
}

fn read_ledger(reader: &mut Reader<'_>, is_running: bool) -> Option<Ledger> {
    let [datagrams, kernel_dropped, line_errors, batches_refused, receive_errors, unstamped] =
        read_counts(reader)?;
    let transport = Transport {
        datagrams,
        kernel_dropped,
        line_errors,
        batches_refused,
        receive_errors,
        unstamped,
    };
    let [bytes_in_frames, skipped, frames_ok, frames_silent, buffered] = read_counts(reader)?;
    // What waits for the rest of its frame will have none.
    let (bytes_skipped, bytes_buffered) =
        if is_running { (skipped, buffered) } else { (skipped + buffered, 0) };
    let refused = read_counts::<{ FrameRefusal::ALL.len() }>(reader)?;
    let wire = WireTally {
        bytes_in_frames,
        bytes_skipped,
        frames_ok,
        frames_silent,
        refused,
        ..WireTally::default()
    };
    let accepted = count(reader)?;
    let refused = read_counts::<{ ReadingRefusal::ALL.len() }>(reader)?;
    let readings = ReadingTally { received: 0, accepted, refused };
    let sequence = read_sequence(reader)?;
    let mut ledger =
        Ledger { transport, wire, bytes_buffered, readings, sequence, ..Ledger::default() };
    derive(&mut ledger);
    Some(ledger)
}

/// Works out what follows from the rest.
fn derive(ledger: &mut Ledger) {
    let Ledger { wire, bytes_buffered, readings, .. } = ledger;
    wire.bytes_in = wire.bytes_in_frames + wire.bytes_skipped + *bytes_buffered;
    wire.frames_in = wire.frames_ok + wire.refused_total();
    readings.received = readings.accepted + readings.refused.iter().sum::<u64>();
    wire.readings = readings.received;
}

fn write_device(view: &DeviceView, writer: &mut Writer<'_>) {
    let DeviceView { device, boot, health, history, last_arrival_ns, .. } = view;
    let DeviceView { frames, readings, sequence, .. } = view;
    writer.number(u64::from(*device));
    writer.number(u64::from(*boot));
    writer.byte(*health as u8);
    history.save(writer);
    writer.integer(*last_arrival_ns);
    writer.number(*frames);
    writer.number(readings.received);
    writer.number(readings.accepted);
    write_counts(&readings.refused, writer);
    write_sequence(sequence, writer);
}

fn read_device(reader: &mut Reader<'_>) -> Option<DeviceView> {
    let (device, boot) = (reader.small()?, u16::try_from(reader.number()?).ok()?);
    let (health, history) = (Health::from_code(reader.byte()?)?, History::restore(reader)?);
    let history = Arc::new(history);
    let (last_arrival_ns, frames) = (reader.time()?, count(reader)?);
    let (received, accepted) = (count(reader)?, count(reader)?);
    let readings = ReadingTally { received, accepted, refused: read_counts(reader)? };
    let sequence = read_sequence(reader)?;
    let times = DeviceView { history, last_arrival_ns, ..DeviceView::unheard(device) };
    Some(DeviceView { boot, health, frames, readings, sequence, ..times })
}

fn write_sequence(sequence: &SequenceTally, writer: &mut Writer<'_>) {
    let SequenceTally { missed, found, duplicate, reordered, resets } = *sequence;
    write_counts(&[missed, found, duplicate, reordered, resets], writer);
}

fn read_sequence(reader: &mut Reader<'_>) -> Option<SequenceTally> {
    let [missed, found, duplicate, reordered, resets] = read_counts(reader)?;
    let sequence = SequenceTally { missed, found, duplicate, reordered, resets };
    (found <= missed).then_some(sequence)
}
