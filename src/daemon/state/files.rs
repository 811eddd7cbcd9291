//! Images as files: two of them, `state.a` and `state.b`, and the newer one counts.
//!
//! A new image is written as `state.new`, waited for, and put in the place of the older one of the
//! two. So whatever happens while it is written, by a crash, a full disk or a disk that lies, the
//! newest image before it is whole.

use std::io;

use super::{found::Found, storage::Storage};
use crate::{engine::image::Sealed, limits::IMAGE_BYTES_MAX};

const NAMES: [&str; 2] = ["state.a", "state.b"];
const FRESH: &str = "state.new";

/// Where images lie as files.
#[derive(Debug)]
pub struct Files<S> {
    storage: S,
    /// Which of the two is to be replaced next.
    next: usize,
}

impl<S: Storage> Files<S> {
    /// The files of this storage.
    #[must_use]
    pub fn new(storage: S) -> Self {
        Self { storage, next: 0 }
    }

    /// Looks at both, and gives what it finds.
    pub fn look(&mut self) -> Vec<Found> {
        let look = |name: &'static str| match self.storage.read(name, IMAGE_BYTES_MAX) {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(Found::of(name, bytes)),
            Err(error) => Some(Found::unread(name, &error)),
        };
        let mut found: Vec<Found> = NAMES.into_iter().filter_map(look).collect();
        // The older one goes first, and one that is of no use before any.
        let age = |name: &str| {
            let place = found.iter().find(|found| found.place == name);
            place.and_then(|found| found.image.as_ref().ok()).map(|image| image.head().order())
        };
        self.next = usize::from(age(NAMES[1]) < age(NAMES[0]));
        found.shrink_to_fit();
        found
    }

    /// Replaces the older one; which it was.
    ///
    /// # Errors
    /// What the system says; both are as they were then.
    pub fn save(&mut self, image: &Sealed) -> io::Result<&'static str> {
        let name = NAMES[self.next];
        self.storage.write(FRESH, &mut image.parts())?;
        self.storage.replace(FRESH, name)?;
        self.next = 1 - self.next;
        Ok(name)
    }
}
