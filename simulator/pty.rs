//! A pseudo terminal that stands in for a serial port.
//!
//! It is looked at in short turns: telling the runtime's reactor of a descriptor that it does not
//! own takes `unsafe`, which is not worth it here.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::symlink},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{Mode, OFlags, inotify},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

/// How long a full terminal, which holds 64 KiB, is left alone.
const FULL: Duration = Duration::from_millis(1);
/// Between two looks at what the reader does.
const LOOK: Duration = Duration::from_millis(10);
/// From the opening to the first byte: readers set up their port first, and some empty it.
const SETTLE: Duration = Duration::from_millis(100);
/// Looks in a row that find nothing unread. Bytes move between two queues of the kernel's, and in
/// between neither has them.
const EMPTY_LOOKS: u32 = 10;
/// Looks without any progress after which the reader is given up: 5 seconds.
const STALLED_LOOKS: u32 = 500;

/// The master end, and what belongs to it.
pub(crate) struct Pty {
    master: OwnedFd,
    /// Open from the beginning to the end: it keeps the line up between two readers, and tells
    /// how much is unread. A reader may open the port for itself alone, so it cannot be opened
    /// later.
    slave: OwnedFd,
    /// Tells of readers that open the slave.
    opens: OwnedFd,
    link: Option<PathBuf>,
}

impl Pty {
    /// Opens it, links to it and prints its path.
    pub(crate) fn open(link: Option<PathBuf>) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let path = Path::new(OsStr::from_bytes(name.as_bytes()));
        let slave =
            rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut settings = tcgetattr(&slave)?;
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let opens = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&opens, path, inotify::WatchFlags::OPEN)?;
        let pty = Self {
            master,
            slave,
            opens,
            link: link.map(|link| make_link(path, link)).transpose()?,
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", path.display())?;
        stdout.flush()?;
        Ok(pty)
    }

    /// Waits for a reader.
    pub(crate) async fn opened(&mut self) -> io::Result<()> {
        let mut events = [MaybeUninit::uninit(); 1_024];
        loop {
            match rustix::io::read(&self.opens, &mut events) {
                Ok(_) => break,
                Err(Errno::AGAIN | Errno::INTR) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(error.into()),
            }
        }
        tokio::time::sleep(SETTLE).await;
        Ok(())
    }

    /// Writes some bytes, and returns how many.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.master, bytes) {
                // A terminal without room for a single byte says so in one of two ways.
                Ok(0) | Err(Errno::AGAIN) => tokio::time::sleep(FULL).await,
                Err(Errno::INTR) => {}
                Ok(n) => return Ok(n),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until all is read, for closing the master throws the rest away, and returns how many
    /// bytes a stalled reader left.
    pub(crate) async fn drained(&mut self) -> io::Result<u64> {
        let mut empty = 0;
        let mut stalled = 0;
        let mut before = u64::MAX;
        loop {
            let unread = match rustix::io::ioctl_fionread(&self.slave) {
                Ok(unread) => unread,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            empty = if unread == 0 { empty + 1 } else { 0 };
            stalled = if unread == before { stalled + 1 } else { 0 };
            before = unread;
            if empty == EMPTY_LOOKS || stalled == STALLED_LOOKS {
                return Ok(unread);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Takes the place of an old link, and of nothing else.
fn make_link(path: &Path, link: PathBuf) -> io::Result<PathBuf> {
    if fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(&link)?;
    }
    symlink(path, &link).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot link {}: {error}", link.display()))
    })?;
    Ok(link)
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // It points nowhere from now on; that it stays is all that can go wrong.
            let _ = fs::remove_file(link);
        }
    }
}
