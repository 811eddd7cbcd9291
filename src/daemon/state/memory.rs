//! Images in memory that the service manager keeps: they outlive the daemon, but not the host.
//!
//! Each image goes into a memfd of its own, which is sealed when it is whole and then handed to the
//! service manager under one of two names; only then the one before is taken back. So there is
//! always one that is whole, and a daemon that is killed while it writes leaves nothing behind.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use tracing::warn;

use super::found::Found;
use crate::{
    daemon::{kernel, notify},
    engine::image::Sealed,
    limits::IMAGE_BYTES_MAX,
};

/// Names of the descriptors in the service manager's store.
const NAMES: [&str; 2] = ["state-a", "state-b"];

/// Where images lie in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Which of the two names is taken next.
    next: usize,
}

impl Memory {
    /// The service manager's store, if there is a service manager.
    #[must_use]
    pub fn of_service() -> Option<Self> {
        notify::is_heard().then(Self::default)
    }

    /// Looks at what the service manager has given back.
    pub fn look(&mut self) -> Vec<Found> {
        let kept = kernel::inherited(|name| NAMES.contains(&name)).unwrap_or_else(|error| {
            warn!(%error, "The state that the service manager keeps is left alone.");
            Vec::new()
        });
        let mut found = Vec::new();
        for (name, fd) in kept {
            let Some(place) = NAMES.into_iter().find(|known| *known == name) else { continue };
            found.push(match read(fd) {
                Ok(bytes) => Found::of(place, bytes),
                Err(error) => Found::unread(place, &error),
            });
        }
        let newest = found.iter().filter(|found| found.image.is_ok()).max_by_key(|f| f.order());
        self.next = usize::from(newest.is_some_and(|newest| newest.place == NAMES[0]));
        found
    }

    /// Hands an image to the service manager; under which name.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&mut self, image: &Sealed) -> io::Result<&'static str> {
        let name = NAMES[self.next];
        let memory = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut file = File::from(memory);
        image.parts().try_for_each(|part| file.write_all(part))?;
        let whole = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, whole)?;
        // One of that name may be left from before the last one.
        notify::forget(name)?;
        notify::keep(name, file.as_fd())?;
        notify::forget(NAMES[1 - self.next])?;
        self.next = 1 - self.next;
        Ok(name)
    }
}

fn read(fd: OwnedFd) -> io::Result<Vec<u8>> {
    let mut file = File::from(fd);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(IMAGE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether an image was found in memory.
#[must_use]
pub fn is_place(place: &str) -> bool {
    NAMES.contains(&place)
}
