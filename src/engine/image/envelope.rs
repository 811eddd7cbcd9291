//! What an image is put into before it is written somewhere: length, version, checksum.
//!
//! ```text
//!  0  8  "STILLWEL"
//!  8  4  version of what follows the head
//! 12  4  0
//! 16  8  length of the whole, head and checksum included
//! 24  8  epoch
//! 32  8  number of the image within its epoch
//! 40  8  when it was taken, nanoseconds since 1970 on the daemon's line
//! 48  8  anchor of that line: its time minus CLOCK_BOOTTIME
//! 56 16  boot id of the host, 0 if it was not known
//! 72  …  records
//!  …  4  CRC-32 (zlib) over everything before
//! ```
//!
//! All numbers are little-endian. The first 24 bytes and the checksum at the end are of every
//! version, so that a whole image of a newer one is told from a damaged one.

use std::fmt;

use super::sitting::Blocks;
use crate::limits::IMAGE_BYTES_MAX;

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"STILLWEL";
const HEAD_BYTES: usize = 72;
const CHECKSUM_BYTES: usize = 4;

/// What is known of an image without its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Stretch of unbroken time line.
    pub epoch: u64,
    /// Counts the images of an epoch.
    pub number: u64,
    /// When it was taken, nanoseconds since 1970 on the daemon's line.
    pub at_ns: i64,
    /// Time on that line minus CLOCK_BOOTTIME.
    pub anchor_ns: i64,
    /// Boot id of the host; zeros if it was not known.
    pub boot_id: [u8; 16],
}

impl Head {
    /// Which of two images is the newer one.
    #[must_use]
    pub fn order(&self) -> (u64, u64) {
        (self.epoch, self.number)
    }
}

/// Why bytes are no image that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// There is nothing.
    Empty,
    /// They begin otherwise.
    Foreign,
    /// They are not as many as they say.
    Length,
    /// The checksum does not fit.
    Checksum,
    /// They are whole, and of a version that this program does not know.
    Version(u32),
    /// They are whole, and make no sense.
    Records,
}

impl Damage {
    /// Name in Status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Foreign => "foreign",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Version(_) => "version",
            Self::Records => "records",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Foreign => f.write_str("it is not a state of stillwell"),
            Self::Length => f.write_str("it is cut off, or longer than it says"),
            Self::Checksum => f.write_str("its checksum does not fit"),
            Self::Version(version) => write!(
                f,
                "it is of version {version}, which is newer than this program: only version \
                 {VERSION} can be read"
            ),
            Self::Records => f.write_str("its records make no sense"),
        }
    }
}

/// An image ready to be written: its parts, to be written one after the other.
#[derive(Debug)]
pub struct Sealed {
    head: [u8; HEAD_BYTES],
    blocks: Blocks,
    checksum: [u8; CHECKSUM_BYTES],
}

impl Sealed {
    /// Puts records into their envelope.
    #[must_use]
    pub fn new(head: &Head, blocks: Blocks) -> Self {
        let records: usize = blocks.iter().map(Vec::len).sum();
        let length = (HEAD_BYTES + records + CHECKSUM_BYTES) as u64;
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head.epoch.to_le_bytes());
        bytes.extend_from_slice(&head.number.to_le_bytes());
        bytes.extend_from_slice(&head.at_ns.to_le_bytes());
        bytes.extend_from_slice(&head.anchor_ns.to_le_bytes());
        bytes.extend_from_slice(&head.boot_id);
        let head = bytes.try_into().expect("the lengths of its parts sum up to it");
        let mut sealed = Self { head, blocks, checksum: [0; CHECKSUM_BYTES] };
        let mut checksum = crc32fast::Hasher::new();
        sealed.parts().take(1 + sealed.blocks.len()).for_each(|part| checksum.update(part));
        sealed.checksum = checksum.finalize().to_le_bytes();
        sealed
    }

    /// Its bytes, in the order in which they are written.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let blocks = self.blocks.iter().map(Vec::as_slice);
        [&self.head[..]].into_iter().chain(blocks).chain([&self.checksum[..]])
    }

    /// How many bytes that are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.parts().map(|part| part.len() as u64).sum()
    }

    /// Never: there is at least a head.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// All of it in one piece.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.parts().collect::<Vec<_>>().concat()
    }
}

/// Takes an image out of its envelope: what is known of it, and where in the bytes its records
/// are.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn open(bytes: &[u8]) -> Result<(Head, &[u8]), Damage> {
    if bytes.is_empty() {
        return Err(Damage::Empty);
    }
    let Some((start, _)) = bytes.split_at_checked(24) else { return Err(Damage::Length) };
    if start[..8] != MAGIC {
        return Err(Damage::Foreign);
    }
    let number = |at: usize| {
        let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
        word.map(u64::from_le_bytes).unwrap_or_default()
    };
    let length = bytes.len() as u64;
    if number(16) != length || IMAGE_BYTES_MAX < length {
        return Err(Damage::Length);
    }
    let Some((whole, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(Damage::Length);
    };
    if crc32fast::hash(whole) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    let version = number(8) as u32;
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let Some((head, records)) = whole.split_at_checked(HEAD_BYTES) else {
        return Err(Damage::Length);
    };
    let mut boot_id = [0; 16];
    boot_id.copy_from_slice(&head[56..]);
    let head = Head {
        epoch: number(24),
        number: number(32),
        at_ns: number(40).cast_signed(),
        anchor_ns: number(48).cast_signed(),
        boot_id,
    };
    Ok((head, records))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Vec<u8> {
        let head = Head { epoch: 7, number: 3, at_ns: -5, anchor_ns: 9, boot_id: [1; 16] };
        Sealed::new(&head, vec![vec![1, 2, 3], vec![4]]).to_bytes()
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let bytes = sealed();
        let (head, records) = open(&bytes).expect("whole");
        assert_eq!((head.order(), head.at_ns, head.anchor_ns), ((7, 3), -5, 9));
        assert_eq!((head.boot_id, records), ([1; 16], &[1, 2, 3, 4][..]));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = sealed();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(open(&flipped).is_err(), "bit {bit} of byte {at}");
            }
            assert!(open(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(open(&[]), Err(Damage::Empty));
        let longer = [bytes, vec![0]].concat();
        assert_eq!(open(&longer), Err(Damage::Length));
    }

    #[test]
    fn a_whole_image_of_a_newer_version_is_told_from_a_damaged_one() {
        let mut bytes = sealed();
        bytes[8] = 2;
        assert_eq!(open(&bytes), Err(Damage::Checksum));
        let end = bytes.len() - CHECKSUM_BYTES;
        let checksum = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(open(&bytes), Err(Damage::Version(2)));
        assert!(Damage::Version(2).to_string().contains("version 2, which is newer"));
    }
}
