//! What tests of the real binaries have in common: a directory, a daemon, its clients, and things
//! that send to it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use stillwell::daemon::clock;

mod books;
mod client;
mod daemon;
mod device;
mod pty;
mod simulator;

pub(crate) use self::{
    books::{assert_as_reported, assert_balanced, number, refused},
    client::Client,
    daemon::{Daemon, stillwell},
    device::{Device, Steady},
    pty::Pty,
    simulator::Simulator,
};

/// Only a defect lasts this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at something that will come.
const LOOK: Duration = Duration::from_millis(10);

/// A limit on how long something may take.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(i64);

impl Deadline {
    pub(crate) fn of(wait: Duration) -> Self {
        Self(clock::boot_ns() + i64::try_from(wait.as_nanos()).expect("a wait of the living"))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.0 < clock::boot_ns()
    }
}

/// Looks until there is something; `None` if there is nothing for [`PATIENCE`].
pub(crate) fn look<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::of(PATIENCE);
    loop {
        let found = probe();
        if found.is_some() || deadline.has_passed() {
            return found;
        }
        std::thread::sleep(LOOK);
    }
}

/// A directory of one test, gone with it.
#[derive(Debug)]
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Short, for paths of sockets must be.
        let name = format!("stillwell-it-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the temporary directory takes another");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with this text.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the directory takes a file");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file that is shipped, by its path in the repository.
pub(crate) fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A recorded file or an independent oracle; `None` where there is none, which is said.
///
/// # Panics
/// With CI=true, if it is absent.
pub(crate) fn recorded(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("STILLWELL_TEST_DATA")
        .map_or_else(|| shipped("../shared/data"), PathBuf::from);
    let path = data.join(name);
    if path.exists() {
        return Some(path);
    }
    did_not_run(&format!("{} is absent", path.display()));
    None
}

/// Says that a test did not run, which CI does not let pass.
pub(crate) fn did_not_run(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    println!("did not run: {why}");
}
