//! A pseudo terminal that stands in for a serial port.

use std::{
    ffi::OsStr,
    fs,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::symlink},
    },
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, tcgetattr},
};

use crate::process::wait_for;

/// The end of the line that the device holds; dropping it unplugs the device.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    path: PathBuf,
}

impl Pty {
    pub(crate) fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a terminal");
        grantpt(&master).expect("grants");
        unlockpt(&master).expect("unlocks");
        rustix::io::ioctl_fionbio(&master, true).expect("a terminal need not block");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        Self { master, path }
    }

    /// Appends what the daemon sends until there is so much.
    pub(crate) fn hear(&self, heard: &mut Vec<u8>, length: usize) {
        wait_for("what the daemon sends", || {
            let mut buffer = [0; 256];
            let room = (length - heard.len()).min(buffer.len());
            match rustix::io::read(&self.master, &mut buffer[..room]) {
                Ok(n) => heard.extend_from_slice(&buffer[..n]),
                // Not open yet, or between two openings.
                Err(Errno::AGAIN | Errno::INTR | Errno::IO) => {}
                Err(error) => panic!("the terminal cannot be read: {error}"),
            }
            (heard.len() == length).then_some(())
        });
    }

    /// What the daemon has sent up to now.
    pub(crate) fn heard(&self) -> Vec<u8> {
        let mut buffer = [0; 256];
        // Nothing to read, not open yet, or between two openings.
        let length = rustix::io::read(&self.master, &mut buffer).unwrap_or(0);
        buffer[..length].to_vec()
    }

    /// The end of the line that the daemon opens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a link to it appear at once, in place of an earlier one.
    pub(crate) fn link(&self, link: &Path) {
        let fresh = link.with_extension("fresh");
        symlink(&self.path, &fresh).expect("the directory takes a link");
        fs::rename(&fresh, link).expect("a link takes the place of another");
    }

    /// Writes everything; the daemon must have opened the line, which makes it raw.
    pub(crate) fn write(&self, mut bytes: &[u8]) {
        wait_for("a reader of the terminal", || {
            while !bytes.is_empty() {
                match rustix::io::write(&self.master, bytes) {
                    Ok(n) if 0 < n => bytes = &bytes[n..],
                    Ok(_) | Err(Errno::AGAIN | Errno::INTR) => return None,
                    Err(error) => panic!("the terminal takes nothing: {error}"),
                }
            }
            Some(())
        });
    }

    /// How its other end is set; `None` where that cannot be asked.
    pub(crate) fn settings(&self) -> Option<Termios> {
        tcgetattr(&self.master).ok()
    }

    /// Writes as much as there is room for; the rest is lost, as on a line that nobody reads.
    pub(crate) fn offer(&self, bytes: &[u8]) {
        let _ = rustix::io::write(&self.master, bytes);
    }
}
