//! The key of a source, and the tags of native frames that are made with it.
//!
//! HMAC-SHA-256 (RFC 2104, FIPS 198-1), cut to the first 16 bytes as RFC 4868 does. This is apart
//! from the codec in [`super::frame`], which is for firmware too and leaves the choice of a
//! library to it.

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::frame::TAG_BYTES;
use crate::limits::{KEY_BYTES_MAX, KEY_BYTES_MIN};

/// A key that a source shares with its devices.
///
/// Nothing prints it. What is kept is not the key but the two states of the hash that have taken
/// it in, which saves half of the work of a short frame.
#[derive(Clone)]
pub struct Key(Arc<Hmac<Sha256>>);

/// Why a text is no key. Says nothing of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not pairs of hexadecimal digits.
    NotHex,
    /// Fewer bytes than [`KEY_BYTES_MIN`].
    Short(usize),
    /// More bytes than [`KEY_BYTES_MAX`].
    Long(usize),
}

impl Key {
    /// The key that a text of hexadecimal digits stands for, white space around it aside.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let (pairs, rest) = text.trim_ascii().as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let byte = |&[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        match bytes {
            Some(bytes) if rest.is_empty() => match bytes.len() {
                length if length < KEY_BYTES_MIN => Err(KeyError::Short(length)),
                length if KEY_BYTES_MAX < length => Err(KeyError::Long(length)),
                _ => Ok(Self::of(&bytes)),
            },
            _ => Err(KeyError::NotHex),
        }
    }

    fn of(bytes: &[u8]) -> Self {
        Self(Arc::new(Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length")))
    }

    /// The tag of a frame, made of all its bytes before the tag.
    #[must_use]
    pub fn tag(&self, before: &[u8]) -> [u8; TAG_BYTES] {
        let whole = self.begin(before).finalize().into_bytes();
        let (tag, _) = whole.split_first_chunk().expect("a digest has 32 bytes");
        *tag
    }

    /// Whether this is the tag of a frame with these bytes before it. How long that takes tells
    /// nothing of how much of it is right.
    #[must_use]
    pub fn verifies(&self, before: &[u8], tag: &[u8; TAG_BYTES]) -> bool {
        self.begin(before).verify_truncated_left(tag).is_ok()
    }

    fn begin(&self, before: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::clone(&self.0);
        mac.update(before);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// Keys are the same if they make the same tags.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        other.verifies(&[], &self.tag(&[]))
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHex => f.write_str("it is not pairs of hexadecimal digits"),
            Self::Short(bytes) => {
                write!(f, "it has {bytes} bytes, fewer than {KEY_BYTES_MIN}")
            }
            Self::Long(bytes) => write!(f, "it has {bytes} bytes, more than {KEY_BYTES_MAX}"),
        }
    }
}

#[cfg(test)]
mod tests;
