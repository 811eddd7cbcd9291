//! The ledgers of all sources and devices, kept up to date from reports.

mod saved;

use std::{collections::BTreeMap, sync::Arc};

pub use self::saved::KeptBooks;
use super::{
    Ledger, Link, Plan,
    batch::SocketDrops,
    condition::Condition,
    devices::{DeviceCounts, DeviceReport, DeviceWord, Heard},
    snapshot::{ChannelInfo, DeviceView, SourceView},
    validate::Report,
    windows::Count,
};

/// Everything that was counted.
#[derive(Debug)]
pub struct Books {
    sources: Vec<SourceBook>,
}

#[derive(Debug)]
struct SourceBook {
    name: Arc<str>,
    link: Link,
    last_arrival_ns: Option<i64>,
    ledger: Ledger,
    /// The reading of the socket's counter up to which the ledger has its drops.
    drops: Option<SocketDrops>,
    channels: usize,
    /// By the number of the device within the source.
    devices: Vec<Option<DeviceView>>,
    /// Numbers of the devices, by their ids.
    numbers: BTreeMap<u32, u32>,
    changed: bool,
    view: Arc<SourceView>,
}

impl Books {
    /// Books without an entry.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let book = |name: &Arc<str>| SourceBook {
            name: Arc::clone(name),
            link: Link::Starting,
            last_arrival_ns: None,
            ledger: Ledger::default(),
            drops: None,
            channels: 0,
            devices: Vec::new(),
            numbers: BTreeMap::new(),
            changed: true,
            view: Arc::new(SourceView::starting(Arc::clone(name))),
        };
        Self { sources: plan.sources.iter().map(|source| book(&source.name)).collect() }
    }

    /// Enters what a batch brought, but for what devices said of themselves.
    pub fn enter(&mut self, report: &mut Report) {
        let book = &mut self.sources[report.source];
        book.changed = true;
        book.ledger.add(&Ledger { bytes_buffered: 0, ..report.ledger });
        book.ledger.bytes_buffered = report.ledger.bytes_buffered;
        book.ledger.in_open_panes += report.ledger.readings.accepted;
        if let Some(drops) = report.drops {
            book.ledger.transport.kernel_dropped += drops.beyond(book.drops);
            book.drops = Some(drops);
        }
        book.last_arrival_ns = report.last_arrival_ns.or(book.last_arrival_ns);
        if let Some(link) = report.link.take() {
            book.link = link;
        }
        for (device, counts) in report.devices.each() {
            book.enter_device(device, counts);
        }
    }

    /// Takes note of what a device of a source said of itself, of which a batch was entered.
    pub fn believe(&mut self, source: usize, word: &DeviceWord) {
        let DeviceWord { number, change, .. } = *word;
        if let Some(view) = &mut self.sources[source].devices[number as usize] {
            Arc::make_mut(&mut view.history).note(change);
        }
    }

    /// A source has one channel more.
    pub fn add_channel(&mut self, source: usize) {
        self.sources[source].channels += 1;
        self.sources[source].changed = true;
    }

    /// The sources as a snapshot shows them; what did not change is shared.
    pub fn views(&mut self) -> Arc<[Arc<SourceView>]> {
        self.sources.iter_mut().map(SourceBook::view).collect()
    }

    /// The worst condition of a channel's device from `from_ns` on and before `until_ns`.
    #[must_use]
    pub fn condition(&self, info: &ChannelInfo, from_ns: i64, until_ns: i64) -> Option<Condition> {
        let book = self.sources.get(info.source)?;
        let number = *book.numbers.get(&info.key.device())?;
        let view = book.devices.get(number as usize)?.as_ref()?;
        view.history.within(from_ns, until_ns)
    }

    /// Sum of all ledgers.
    #[must_use]
    pub fn total(&self) -> Ledger {
        let mut total = Ledger::default();
        self.sources.iter().for_each(|book| total.add(&book.ledger));
        total
    }
}

impl Count for Books {
    fn closed(&mut self, source: usize, n: u64) {
        let book = &mut self.sources[source];
        book.changed = true;
        book.ledger.in_open_panes -= n;
        book.ledger.in_closed_panes += n;
    }
}

impl SourceBook {
    fn enter_device(&mut self, report: &DeviceReport, counts: Option<&DeviceCounts>) {
        let number = report.number as usize;
        if self.devices.len() <= number {
            self.devices.resize(number + 1, None);
        }
        let Self { devices, numbers, .. } = self;
        let view = devices[number].get_or_insert_with(|| {
            numbers.insert(report.device, report.number);
            DeviceView::unheard(report.device)
        });
        if let Some(Heard { boot, health, at_ns }) = report.heard {
            (view.boot, view.health, view.last_arrival_ns) = (boot, health, at_ns);
        }
        view.frames += report.frames;
        view.readings.received += report.received;
        view.readings.accepted += report.accepted;
        if let Some(DeviceCounts { refused, sequence }) = counts {
            for (mine, theirs) in view.readings.refused.iter_mut().zip(refused) {
                *mine += theirs;
            }
            view.sequence.add(sequence);
        }
    }

    fn view(&mut self) -> Arc<SourceView> {
        if std::mem::take(&mut self.changed) {
            let mut devices: Vec<DeviceView> = self.devices.iter().flatten().cloned().collect();
            devices.sort_unstable_by_key(|view| view.device);
            self.view = Arc::new(SourceView {
                name: Arc::clone(&self.name),
                link: self.link.clone(),
                last_arrival_ns: self.last_arrival_ns,
                ledger: self.ledger,
                devices: devices.into(),
                channels: self.channels,
            });
        }
        Arc::clone(&self.view)
    }
}
