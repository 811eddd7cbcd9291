//! Where the query socket is unless a configuration or an argument says otherwise.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What the default path depends on; nothing here reads the environment.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// `RUNTIME_DIRECTORY`, which systemd sets for a service with `RuntimeDirectory=`
    /// (systemd.exec(5)); several directories are separated by colons.
    pub runtime_directory: Option<&'a OsStr>,
    /// `XDG_RUNTIME_DIR`, which a login session has.
    pub xdg_runtime_dir: Option<&'a OsStr>,
    /// The user's number.
    pub uid: u32,
}

/// The socket's name in its directory.
const SOCKET: &str = "query.sock";
/// The socket of the daemon as a service of the system.
const SERVICE_SOCKET: &str = "/run/stillwell/query.sock";

impl Surroundings<'_> {
    /// Where a daemon in these surroundings serves.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        // The system's manager gives /run/stillwell, a user's gives one below XDG_RUNTIME_DIR.
        let directories = self.runtime_directory.map(OsStr::as_bytes).unwrap_or_default();
        match directories.split(|&byte| byte == b':').next() {
            Some(dir) if !dir.is_empty() => Path::new(OsStr::from_bytes(dir)).join(SOCKET),
            _ => self.own_socket(),
        }
    }

    /// Where a client in these surroundings looks, in this order: the user's own daemon first,
    /// then the service.
    #[must_use]
    pub fn candidates(&self) -> [PathBuf; 2] {
        [self.own_socket(), PathBuf::from(SERVICE_SOCKET)]
    }

    fn own_socket(&self) -> PathBuf {
        // The specification wants an absolute path and relative ones ignored.
        let session = self.xdg_runtime_dir.map(PathBuf::from).filter(|dir| dir.is_absolute());
        let dir = match session {
            Some(dir) => dir.join("stillwell"),
            None => PathBuf::from(format!("/tmp/stillwell-{}", self.uid)),
        };
        dir.join(SOCKET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_by_surroundings() {
        let some = |text: &'static str| Some(OsStr::new(text));
        let cases = [
            (some("/run/stillwell"), some("/run/user/7"), "/run/stillwell/query.sock"),
            (some("/run/stillwell:/run/more"), None, "/run/stillwell/query.sock"),
            (None, some("/run/user/7"), "/run/user/7/stillwell/query.sock"),
            (some(""), some("/run/user/7"), "/run/user/7/stillwell/query.sock"),
            (None, some("relative"), "/tmp/stillwell-7/query.sock"),
            (None, None, "/tmp/stillwell-7/query.sock"),
        ];
        for (runtime_directory, xdg_runtime_dir, path) in cases {
            let surroundings = Surroundings { runtime_directory, xdg_runtime_dir, uid: 7 };
            assert_eq!(surroundings.socket(), PathBuf::from(path), "{surroundings:?}");
        }
    }

    #[test]
    fn clients_look_for_the_users_own_daemon_first() {
        let surroundings = Surroundings {
            runtime_directory: None,
            xdg_runtime_dir: Some(OsStr::new("/run/user/7")),
            uid: 7,
        };
        let paths = ["/run/user/7/stillwell/query.sock", "/run/stillwell/query.sock"];
        assert_eq!(surroundings.candidates(), paths.map(PathBuf::from));
    }
}
