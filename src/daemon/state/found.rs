//! What was found of earlier images, and which of them counts.

use std::{io, sync::Arc};

use crate::engine::image::{Damage, Image};

/// What was found at one place.
#[derive(Debug)]
pub struct Found {
    /// Where.
    pub place: &'static str,
    /// The image, or why there is none that can be used.
    pub image: Result<Image, Useless>,
}

/// Why what was found is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Useless {
    /// It is no whole image of this version.
    Damaged(Damage),
    /// It cannot be read.
    Unread(Box<str>),
}

impl Useless {
    /// Name in Status.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Damaged(damage) => damage.name(),
            Self::Unread(_) => "unreadable",
        }
    }
}

impl std::fmt::Display for Useless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(damage) => damage.fmt(f),
            Self::Unread(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

impl Found {
    /// These bytes.
    #[must_use]
    pub fn of(place: &'static str, bytes: Vec<u8>) -> Self {
        Self { place, image: Image::open(bytes).map_err(Useless::Damaged) }
    }

    /// Nothing that could be read.
    #[must_use]
    pub fn unread(place: &'static str, error: &io::Error) -> Self {
        Self { place, image: Err(Useless::Unread(error.to_string().into())) }
    }

    /// How new it is; the newest is the largest.
    #[must_use]
    pub fn order(&self) -> Option<(u64, u64)> {
        self.image.as_ref().ok().map(|image| image.head().order())
    }
}

/// What to go on from.
#[derive(Debug, Default)]
pub struct Choice {
    /// The newest image, and where it was.
    pub image: Option<(&'static str, Arc<Image>)>,
    /// What was of no use, and why.
    pub useless: Vec<(&'static str, Useless)>,
}

impl Choice {
    /// The newest of what was found; of equals the first.
    #[must_use]
    pub fn of(found: Vec<Found>) -> Self {
        let mut choice = Self::default();
        for Found { place, image } in found {
            match image {
                Err(why) => choice.useless.push((place, why)),
                Ok(image) => {
                    let best = choice.image.as_ref().map(|(_, best)| best.head().order());
                    if best < Some(image.head().order()) {
                        choice.image = Some((place, Arc::new(image)));
                    }
                }
            }
        }
        choice
    }

    /// The epoch that begins now: one more than that of the image. One that was damaged may have
    /// been of the next, which is left out then.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        let before = self.image.as_ref().map_or(0, |(_, image)| image.head().epoch);
        before.saturating_add(1).saturating_add(self.useless.len() as u64)
    }
}
