//! Where the query socket is when nobody says: the one thing that daemon and client must agree
//! on without talking to each other.

use std::{
    env,
    ffi::OsString,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Path of a query socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPath {
    path: PathBuf,
    is_default: bool,
}

/// What the default depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `RUNTIME_DIRECTORY`: set by systemd for a service that has one.
    pub runtime_directory: Option<OsString>,
    /// `XDG_RUNTIME_DIR`: a person's own directory.
    pub xdg_runtime_dir: Option<OsString>,
    /// Effective user.
    pub uid: u32,
}

const FILE: &str = "query.sock";
const SYSTEM: &str = "/run/stillwell";

impl SocketPath {
    /// A path that somebody chose; its directory is theirs to make.
    #[must_use]
    pub fn chosen(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_default: false }
    }

    /// Where a daemon in these surroundings serves.
    #[must_use]
    pub fn of_daemon(surroundings: &Surroundings) -> Self {
        let path = match &surroundings.runtime_directory {
            // Several directories are separated by colons; the first is the service's own.
            Some(directories) => {
                let first = env::split_paths(directories).next().unwrap_or_default();
                first.join(FILE)
            }
            None => surroundings.own_directory().join(FILE),
        };
        Self { path, is_default: true }
    }

    /// Where a client in these surroundings looks, in this order.
    #[must_use]
    pub fn candidates(surroundings: &Surroundings) -> Vec<PathBuf> {
        let mut paths = vec![surroundings.own_directory().join(FILE)];
        for directory in [PathBuf::from(SYSTEM), temporary(surroundings.uid)] {
            let path = directory.join(FILE);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nobody chose it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.is_default
    }
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            runtime_directory: variable("RUNTIME_DIRECTORY"),
            xdg_runtime_dir: variable("XDG_RUNTIME_DIR"),
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    fn own_directory(&self) -> PathBuf {
        match &self.xdg_runtime_dir {
            Some(directory) => Path::new(directory).join("stillwell"),
            None if self.uid == 0 => PathBuf::from(SYSTEM),
            None => temporary(self.uid),
        }
    }

    /// Whether a socket at this default path can be trusted: in a directory that everyone may
    /// write to, anyone could have made it.
    #[must_use]
    pub fn trusts(&self, socket: &Path) -> bool {
        let Some(directory) = socket.parent() else { return false };
        if directory != temporary(self.uid) {
            return true;
        }
        let metadata = directory.symlink_metadata();
        metadata.is_ok_and(|m| m.is_dir() && m.uid() == self.uid && m.mode() & 0o002 == 0)
    }
}

fn temporary(uid: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/stillwell-{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(runtime: Option<&str>, xdg: Option<&str>, uid: u32) -> Surroundings {
        Surroundings {
            runtime_directory: runtime.map(Into::into),
            xdg_runtime_dir: xdg.map(Into::into),
            uid,
        }
    }

    #[test]
    fn a_service_a_person_root_and_nobody() {
        let daemon = |s| SocketPath::of_daemon(&s).path.display().to_string();
        assert_eq!(
            daemon(surroundings(Some("/run/stillwell"), Some("/run/user/7"), 7)),
            "/run/stillwell/query.sock"
        );
        assert_eq!(
            daemon(surroundings(None, Some("/run/user/7"), 7)),
            "/run/user/7/stillwell/query.sock"
        );
        assert_eq!(daemon(surroundings(None, None, 0)), "/run/stillwell/query.sock");
        assert_eq!(daemon(surroundings(None, None, 7)), "/tmp/stillwell-7/query.sock");
    }

    #[test]
    fn a_client_looks_wherever_a_daemon_may_be() {
        let person = surroundings(None, Some("/run/user/7"), 7);
        let paths = SocketPath::candidates(&person);
        let expected = [
            "/run/user/7/stillwell/query.sock",
            "/run/stillwell/query.sock",
            "/tmp/stillwell-7/query.sock",
        ];
        assert_eq!(paths, expected.map(PathBuf::from));
        for runtime in [None, Some("/run/stillwell")] {
            for xdg in [None, Some("/run/user/7")] {
                for uid in [0, 7] {
                    let daemon = SocketPath::of_daemon(&surroundings(runtime, xdg, uid));
                    let client = SocketPath::candidates(&surroundings(None, xdg, uid));
                    assert!(client.contains(&daemon.path), "{runtime:?} {xdg:?} {uid}");
                }
            }
        }
    }
}
