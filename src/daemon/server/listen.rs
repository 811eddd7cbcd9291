//! The socket in the file system: one owner, and no victim.
//!
//! A lock file beside the socket decides who owns the path, for as long as the process lives.
//! Only its holder may remove a socket that a process left behind, and only a socket.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    process,
};

use rustix::{fs::Mode, process::umask};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{daemon::kernel, endpoint::SocketPath, limits::LISTEN_BACKLOG};

/// Name of the query socket among the descriptors of the service manager.
pub const INHERITED_NAME: &str = "query";

/// A listening socket and the right to its path.
#[derive(Debug)]
pub struct Endpoint {
    listener: UnixListener,
    path: Option<PathBuf>,
    /// Device and inode of the socket's file, if it is ours to remove.
    ours: Option<(u64, u64)>,
    /// Held, not read: the lock ends with it.
    _lock: Option<File>,
}

/// Why there is no socket.
#[derive(Debug)]
pub enum ListenError {
    /// Another process serves there.
    InUse {
        /// Path of the socket.
        path: PathBuf,
        /// Process that holds the lock, if it is known.
        pid: Option<u32>,
    },
    /// Something that is no socket is in the way.
    Occupied {
        /// Path of the socket.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The directory belongs to someone else, who could put a socket of his own there.
    ForeignDirectory {
        /// Path of the directory.
        path: PathBuf,
    },
    /// A step failed.
    Io {
        /// What was tried, as a verb: `bind`.
        step: &'static str,
        /// What it was tried with.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl ListenError {
    /// Exit code by sysexits: 75 (try again later) if another process serves there, 73 (cannot
    /// create) otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InUse { .. } => 75,
            Self::Occupied { .. } | Self::ForeignDirectory { .. } | Self::Io { .. } => 73,
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path, pid: Some(pid) } => write!(
                f,
                "another stillwell (process {pid}) serves {}: stop it, or give this one another \
                 socket",
                path.display()
            ),
            Self::InUse { path, pid: None } => write!(
                f,
                "another process serves {}: stop it, or give this one another socket",
                path.display()
            ),
            Self::Occupied { path, kind } => write!(
                f,
                "{} is {kind}, not a socket, and is left alone: move it away, or choose another \
                 path",
                path.display()
            ),
            Self::ForeignDirectory { path } => write!(
                f,
                "{} belongs to another user or can be written by others: choose another path",
                path.display()
            ),
            Self::Io { step, path, error } => {
                write!(f, "cannot {step} {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::InUse { .. } | Self::Occupied { .. } | Self::ForeignDirectory { .. } => None,
        }
    }
}

impl Endpoint {
    /// Binds the socket with mode 0660.
    ///
    /// The mode comes from the umask, which belongs to the whole process: this must be called
    /// before any other thread is started. A chmod after the bind would leave a moment in which
    /// the socket is open to all.
    ///
    /// # Errors
    /// If the path is in use or occupied, or the system refuses.
    pub fn bind(path: &SocketPath) -> Result<Self, ListenError> {
        Self::claim(path, |path| {
            let before = umask(Mode::from_raw_mode(0o117));
            let bound = bind(path);
            umask(before);
            bound
        })
    }

    /// Takes over the socket that the service manager has bound, if there is one.
    ///
    /// # Errors
    /// If the descriptors contradict each other, or a process started by hand serves the path.
    pub fn inherited() -> Result<Option<Self>, ListenError> {
        let step = "take over the socket of the service manager at";
        let failed = |error| ListenError::Io { step, path: PathBuf::from(INHERITED_NAME), error };
        let mut fds = kernel::inherited(|name| name == INHERITED_NAME).map_err(failed)?;
        let Some((_, fd)) = fds.pop() else {
            return Ok(None);
        };
        Self::adopt(fd).map(Some)
    }

    fn adopt(fd: OwnedFd) -> Result<Self, ListenError> {
        let listener = UnixListener::from(fd);
        let address = listener.local_addr().ok();
        let path = address.and_then(|address| address.as_pathname().map(Path::to_owned));
        // The directory may be read-only to a sealed service: then systemd is the only guard.
        let lock = match path.as_deref().map(lock) {
            Some(Ok(lock)) => Some(lock),
            Some(Err(error @ ListenError::InUse { .. })) => return Err(error),
            Some(Err(_)) | None => None,
        };
        Ok(Self { listener, path, ours: None, _lock: lock })
    }

    fn claim(
        socket: &SocketPath,
        bind: impl FnOnce(&Path) -> io::Result<UnixListener>,
    ) -> Result<Self, ListenError> {
        let path = socket.path();
        if socket.is_default() {
            make_directory(path)?;
        }
        let lock = lock(path)?;
        clear_leftover(path)?;
        let step = "bind";
        let failed = |error| ListenError::Io { step, path: path.to_owned(), error };
        let listener = bind(path).map_err(failed)?;
        let ours = identity(path);
        Ok(Self { listener, path: Some(path.to_owned()), ours, _lock: Some(lock) })
    }

    /// As [`Self::bind`], for tests, whose threads share one umask.
    #[cfg(test)]
    pub(super) fn bind_unmasked(path: &SocketPath) -> Result<Self, ListenError> {
        Self::claim(path, bind)
    }

    /// Where clients find it; `None` for an inherited socket without a name.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The listener, for the accept loop.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(listener)
    }
}

impl Drop for Endpoint {
    /// Removes the socket unless another file has taken its place.
    fn drop(&mut self) {
        if let (Some(path), Some(ours)) = (&self.path, self.ours)
            && identity(path) == Some(ours)
        {
            // A leftover is harmless: the next holder of the lock removes it.
            let _ = fs::remove_file(path);
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(i32::try_from(LISTEN_BACKLOG).unwrap_or(i32::MAX))?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// Creates the directory of a default path; it must be ours, or root's, to be trusted.
fn make_directory(socket: &Path) -> Result<(), ListenError> {
    let Some(path) = socket.parent() else { return Ok(()) };
    let failed =
        |error| ListenError::Io { step: "create the directory", path: path.to_owned(), error };
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    let uid = rustix::process::geteuid().as_raw();
    let is_ours = metadata.uid() == uid || metadata.uid() == 0;
    if metadata.is_dir() && is_ours && metadata.mode() & 0o002 == 0 {
        return Ok(());
    }
    Err(ListenError::ForeignDirectory { path: path.to_owned() })
}

/// Locks the file beside the socket and writes the process id into it.
fn lock(socket: &Path) -> Result<File, ListenError> {
    let mut name = OsString::from(socket);
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |error| ListenError::Io { step: "lock", path: path.clone(), error };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // Not readable to others: whoever can open it can hold the lock.
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = (&mut file).take(32).read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(ListenError::InUse { path: socket.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", process::id())
    };
    write(&mut file).map_err(failed)?;
    Ok(file)
}

/// Removes a socket on which nobody listens any more.
fn clear_leftover(path: &Path) -> Result<(), ListenError> {
    let failed = |step| move |error| ListenError::Io { step, path: path.to_owned(), error };
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
    };
    if !kind.is_socket() {
        return Err(ListenError::Occupied { path: path.to_owned(), kind: describe(kind) });
    }
    if is_served(path).map_err(failed("look at"))? {
        return Err(ListenError::InUse { path: path.to_owned(), pid: None });
    }
    fs::remove_file(path).map_err(failed("remove the leftover socket"))
}

/// Whether somebody listens who does not know the lock, such as a service manager.
fn is_served(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        // A backlog that is full belongs to somebody.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(_) => Ok(false),
    }
}

fn describe(kind: fs::FileType) -> &'static str {
    if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device"
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests;
