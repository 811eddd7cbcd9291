//! Tells when a path may lead to something new.
//!
//! A device that is plugged in again appears under its stable name, in a directory that may not
//! have been there a moment ago: /dev/serial/by-id comes with its first entry and goes with its
//! last. So the nearest directory that exists is watched for the next part of the path.

use std::{
    ffi::OsString,
    io,
    mem::MaybeUninit,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

use crate::daemon::kernel::Readable;

/// Room for some events at once: each has a header of 16 bytes and a name of up to 256.
const EVENT_BYTES: usize = 4_096;

/// A watch over one path, for one change.
#[derive(Debug)]
pub struct PathWatch {
    inotify: Readable,
    /// The part of the path that is waited for, within the directory that is watched.
    awaited: OsString,
}

impl PathWatch {
    /// Watches from now on.
    ///
    /// # Errors
    ///
    /// Those of inotify(7): the user's limit of watches, a directory that may not be read.
    pub fn new(path: &Path) -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut awaited = path;
        loop {
            let Some(directory) = awaited.parent() else {
                return Err(io::ErrorKind::NotFound.into());
            };
            match inotify::add_watch(&fd, here_if_empty(directory), Self::news()) {
                // What came between the look and the watch would be missed.
                Ok(_) if awaited != path && awaited.is_dir() => awaited = path,
                Ok(_) => break,
                Err(Errno::NOENT | Errno::NOTDIR) => awaited = directory,
                Err(error) => return Err(error.into()),
            }
        }
        let awaited = awaited.file_name().unwrap_or_default().to_owned();
        Ok(Self { inotify: Readable::new(fd)?, awaited })
    }

    /// What may make a path lead to something else: an entry that appears, a right that is
    /// granted, or the end of the directory.
    fn news() -> WatchFlags {
        WatchFlags::ONLYDIR
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
    }

    /// Waits until the path may lead to something new. Safe to cancel.
    ///
    /// # Errors
    ///
    /// If the watch does not work any more.
    pub async fn changed(&mut self) -> io::Result<()> {
        while !self.inotify.read(|inotify| concerns(inotify, &self.awaited)).await? {}
        Ok(())
    }
}

/// Reads events; whether one of them is about `awaited`, or about the directory itself.
fn concerns(inotify: BorrowedFd<'_>, awaited: &OsString) -> io::Result<bool> {
    let about_all = ReadFlags::DELETE_SELF
        | ReadFlags::MOVE_SELF
        | ReadFlags::IGNORED
        | ReadFlags::UNMOUNT
        | ReadFlags::QUEUE_OVERFLOW;
    let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
    let mut events = Reader::new(inotify, &mut buffer);
    loop {
        let event = events.next()?;
        let name = event.file_name().map(std::ffi::CStr::to_bytes);
        if event.events().intersects(about_all) || name == Some(awaited.as_bytes()) {
            return Ok(true);
        }
        if events.is_buffer_empty() {
            return Ok(false);
        }
    }
}

/// The directory of a bare name is the current one.
fn here_if_empty(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf};

    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("stillwell-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Fails after a while if there is no news.
    async fn told(watch: &mut PathWatch) {
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, watch.changed()).await.expect("news").unwrap();
    }

    #[tokio::test]
    async fn a_link_that_appears_or_is_replaced_is_news() {
        let dir = Dir::new("watch-link");
        let path = dir.0.join("port");
        let mut watch = PathWatch::new(&path).unwrap();
        symlink("/dev/null", &path).unwrap();
        told(&mut watch).await;
        let mut watch = PathWatch::new(&path).unwrap();
        let fresh = dir.0.join("fresh");
        symlink("/dev/zero", &fresh).unwrap();
        fs::rename(fresh, &path).unwrap();
        told(&mut watch).await;
    }

    #[tokio::test]
    async fn the_directories_of_the_path_may_come_and_go() {
        let dir = Dir::new("watch-chain");
        let path = dir.0.join("serial/by-id/port");
        let mut watch = PathWatch::new(&path).unwrap();
        fs::create_dir(dir.0.join("serial")).unwrap();
        told(&mut watch).await;
        let mut watch = PathWatch::new(&path).unwrap();
        fs::create_dir(dir.0.join("serial/by-id")).unwrap();
        told(&mut watch).await;
        let mut watch = PathWatch::new(&path).unwrap();
        fs::remove_dir(dir.0.join("serial/by-id")).unwrap();
        told(&mut watch).await;
    }

    #[tokio::test]
    async fn what_else_happens_in_the_directory_is_no_news() {
        let dir = Dir::new("watch-other");
        let mut watch = PathWatch::new(&dir.0.join("port")).unwrap();
        for n in 0..100 {
            fs::write(dir.0.join(format!("other{n}")), "").unwrap();
        }
        {
            let mut changed = task::spawn(watch.changed());
            assert_pending!(changed.poll());
        }
        fs::write(dir.0.join("port"), "").unwrap();
        told(&mut watch).await;
    }

    #[tokio::test]
    async fn rights_that_are_granted_are_news() {
        use std::os::unix::fs::PermissionsExt;
        let dir = Dir::new("watch-rights");
        let path = dir.0.join("port");
        fs::write(&path, "").unwrap();
        let mut watch = PathWatch::new(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        told(&mut watch).await;
    }

    #[tokio::test]
    async fn the_root_has_no_directory_to_watch() {
        assert!(PathWatch::new(Path::new("/")).is_err());
        let mut watch = PathWatch::new(Path::new("a-name-that-is-nowhere")).unwrap();
        let mut changed = task::spawn(watch.changed());
        assert_pending!(changed.poll());
        drop(changed);
        assert_ready!(task::spawn(async {}).poll());
    }
}
