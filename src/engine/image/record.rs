//! The records of an image, found and put in order.
//!
//! An image is a list of records in any order: kind, length, contents. Looking through it takes no
//! more than it says of itself: names, numbers and where the contents of each are. Those are read
//! by whoever they are of.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{bytes::Reader, envelope::Damage};
use crate::{
    engine::plan::ChannelKey,
    limits::{
        CHANNEL_ID_BYTES_MAX, CHANNELS_MAX, DEVICES_PER_SOURCE_MAX, FIELD_PATH_BYTES_MAX,
        SOURCE_NAME_BYTES_MAX, SOURCES_MAX, UNIT_BYTES_MAX,
    },
};

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The time of a source.
    Source = 1,
    /// A lane of a source.
    Lane = 2,
    /// What is known of a device from frame to frame.
    Device = 3,
    /// The ledger of a source.
    Book = 4,
    /// The ledger of a device.
    DeviceBook = 5,
    /// What the calibration of a channel remembers.
    Curve = 6,
    /// What the tests of a channel remember.
    Judged = 7,
    /// The panes and windows of a channel.
    Channel = 8,
    /// The socket of a source.
    Socket = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Source,
        Self::Lane,
        Self::Device,
        Self::Book,
        Self::DeviceBook,
        Self::Curve,
        Self::Judged,
        Self::Channel,
        Self::Socket,
    ];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Where in the bytes of an image something is.
pub type Place = Range<usize>;

/// The records of an image by what they are of.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By the number that a source has in the image.
    pub(super) sources: BTreeMap<u32, SourceRecords>,
    /// By the number that a channel has in the image.
    pub(super) channels: BTreeMap<u32, ChannelRecords>,
    /// Numbers of channels by their ids.
    pub(super) by_id: BTreeMap<Arc<str>, u32>,
}

/// What there is of a source.
#[derive(Debug, Default)]
pub struct SourceRecords {
    /// Its name; empty if only others tell of it.
    pub name: Box<str>,
    /// Its time.
    pub time: Place,
    /// Its lanes.
    pub lanes: Vec<Place>,
    /// Its devices, in the order in which they were met.
    pub devices: Vec<Place>,
    /// Its ledger.
    pub book: Option<Place>,
    /// Those of its devices.
    pub device_books: Vec<Place>,
    /// Its socket.
    pub socket: Option<Place>,
}

/// What there is of a channel.
#[derive(Debug)]
pub struct ChannelRecords {
    /// Its id.
    pub id: Arc<str>,
    /// Number of its source in the image.
    pub source: u32,
    /// Where its readings come from.
    pub key: ChannelKey,
    /// Its unit.
    pub unit: Option<Arc<str>>,
    /// Found on the wire rather than configured.
    pub discovered: bool,
    /// What it was made under.
    pub fingerprint: u64,
    /// Accepted readings in its open panes.
    pub claimed: u64,
    /// Whether another one waits for its verdict.
    pub waits: bool,
    /// Its panes and windows.
    pub windows: Place,
    /// What its calibration remembers.
    pub curve: Option<Place>,
    /// What its tests remember.
    pub judged: Option<Place>,
}

impl Index {
    /// Looks through records, which begin at `from` of `bytes`.
    pub(super) fn new(bytes: &[u8], records: Place) -> Result<Self, Damage> {
        Self::read(bytes, records).ok_or(Damage::Records)
    }

    fn read(bytes: &[u8], Place { start: mut at, end }: Place) -> Option<Self> {
        let (mut index, mut curves, mut judged) = (Self::default(), Vec::new(), Vec::new());
        while at < end {
            let mut reader = Reader::new(&bytes[at..end]);
            let kind = Kind::of(reader.byte()?)?;
            let contents = reader.bytes()?;
            let after = end - reader.rest().len();
            let place = after - contents.len()..after;
            at = after;
            match kind {
                Kind::Curve => curves.push(Self::of_channel(bytes, place)?),
                Kind::Judged => judged.push(Self::of_channel(bytes, place)?),
                Kind::Channel => index.channel(bytes, place)?,
                Kind::Source
                | Kind::Lane
                | Kind::Device
                | Kind::Book
                | Kind::DeviceBook
                | Kind::Socket => index.source(kind, bytes, place)?,
            }
        }
        for (number, place) in curves {
            index.channels.get_mut(&number)?.curve = Some(place);
        }
        for (number, place) in judged {
            let channel = index.channels.get_mut(&number)?;
            // A reading that waits for its verdict is in no pane yet.
            channel.waits = bytes[place.clone()].first() == Some(&1);
            channel.judged = Some(place);
        }
        let is_of_source = |channel: &ChannelRecords| index.sources.contains_key(&channel.source);
        index.channels.values().all(is_of_source).then_some(index)
    }

    /// The number at the front of a record, and the rest of it.
    fn of_channel(bytes: &[u8], place: Place) -> Option<(u32, Place)> {
        let mut reader = Reader::new(&bytes[place.clone()]);
        let number = reader.small()?;
        Some((number, place.end - reader.rest().len()..place.end))
    }

    fn source(&mut self, kind: Kind, bytes: &[u8], place: Place) -> Option<()> {
        let (number, place) = Self::of_channel(bytes, place)?;
        let source = self.sources.entry(number).or_default();
        match kind {
            Kind::Source => {
                let mut reader = Reader::new(&bytes[place.clone()]);
                source.name = reader.text(SOURCE_NAME_BYTES_MAX)?.into();
                source.time = place.end - reader.rest().len()..place.end;
            }
            Kind::Lane => source.lanes.push(place),
            Kind::Device => source.devices.push(place),
            Kind::Book => source.book = Some(place),
            Kind::Socket => source.socket = Some(place),
            _ => source.device_books.push(place),
        }
        let fits = source.devices.len() <= DEVICES_PER_SOURCE_MAX
            && source.device_books.len() <= DEVICES_PER_SOURCE_MAX
            && source.lanes.len() <= CHANNELS_MAX;
        (fits && self.sources.len() <= SOURCES_MAX).then_some(())
    }

    fn channel(&mut self, bytes: &[u8], place: Place) -> Option<()> {
        let (number, place) = Self::of_channel(bytes, place)?;
        let mut reader = Reader::new(&bytes[place.clone()]);
        let id: Arc<str> = reader.text(ID_BYTES_MAX)?.into();
        let channel = ChannelRecords {
            id: Arc::clone(&id),
            source: reader.small()?,
            key: match reader.byte()? {
                0 => ChannelKey::Numbered { device: reader.small()?, index: reader.byte()? },
                1 => ChannelKey::Named(reader.text(FIELD_PATH_BYTES_MAX)?.into()),
                _ => return None,
            },
            unit: reader.option(|reader| reader.text(UNIT_BYTES_MAX).map(Arc::from))?,
            discovered: reader.flag()?,
            fingerprint: reader.word()?,
            claimed: reader.tally()?,
            waits: false,
            windows: place.end - reader.rest().len()..place.end,
            curve: None,
            judged: None,
        };
        // What is there twice is not to be believed either time.
        let is_first = self.channels.insert(number, channel).is_none()
            && self.by_id.insert(id, number).is_none();
        (is_first && self.channels.len() <= CHANNELS_MAX).then_some(())
    }
}

/// Longest id: that of a configured channel, or what is made of a source and a field.
const ID_BYTES_MAX: usize = CHANNEL_ID_BYTES_MAX + SOURCE_NAME_BYTES_MAX + FIELD_PATH_BYTES_MAX;
