//! What tests of the real binary have in common: a directory, processes that end with their test,
//! and patience.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test speaks through its output")]

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use stillwell::daemon::clock;

use crate::support::seal;

/// What takes this long never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something; `None` if there is nothing for [`PATIENCE`].
pub(crate) fn look<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end_ns = clock::boot_ns() + i64::try_from(PATIENCE.as_nanos()).expect("a minute");
    loop {
        let found = probe();
        if found.is_some() || end_ns <= clock::boot_ns() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Looks until there is something.
///
/// # Panics
/// With what is missing, if there is nothing for [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    look(probe).unwrap_or_else(|| panic!("{what}: not within {PATIENCE:?}"))
}

/// Repeats a call that a signal to this process cut short: other tests have signals, and a socket
/// with a timeout is not taken up again by itself (signal(7)).
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A directory of one test, gone with it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Short, since paths of sockets must be.
        let name = format!("stillwell-house-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("within the directory")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that is killed at the end of its test, if not before.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says on standard error goes to a file in the directory.
    pub(crate) fn start(command: &mut Command, scratch: &Scratch) -> Self {
        let log = new_log(scratch);
        let stderr = File::create(&log).expect("a file");
        let child = command.stderr(stderr).spawn().expect("the process starts");
        Self { child, log }
    }

    /// As [`Self::start`], with descriptors under names, as a service manager passes them.
    ///
    /// # Panics
    /// If there are more than three: they come as 0, 1 and 2 and leave as 3, 4 and 5, since std
    /// has no other way.
    pub(crate) fn start_passing(
        fds: Vec<(String, OwnedFd)>,
        command: &Command,
        scratch: &Scratch,
    ) -> Self {
        assert!(fds.len() <= 3, "there is no room for more: {fds:?}");
        let log = new_log(scratch);
        let moved: String = (0..fds.len()).map(|fd| format!(" {}<&{fd}", fd + 3)).collect();
        let quiet = "</dev/null >/dev/null 2>\"$0\"";
        let shell = format!("exec{moved} {quiet}; export LISTEN_PID=$$; exec \"$@\"");
        let mut shell_command = Command::new("sh");
        shell_command.args(["-c", &shell]).arg(&log);
        shell_command.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell_command.env(name, value.expect("nothing is removed"));
        }
        if !fds.is_empty() {
            let names: Vec<&str> = fds.iter().map(|(name, _)| &**name).collect();
            shell_command.env("LISTEN_FDS", fds.len().to_string());
            shell_command.env("LISTEN_FDNAMES", names.join(":"));
        }
        let mut fds = fds.into_iter().map(|(_, fd)| Stdio::from(fd));
        let mut next = || fds.next().unwrap_or_else(Stdio::null);
        shell_command.stdin(next()).stdout(next()).stderr(next());
        let child = shell_command.spawn().expect("the process starts");
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As [`wait_for`], and fails at once with its log if the process ends.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        wait_for(what, || {
            let ended = self.child.try_wait().expect("our child");
            probe().or_else(|| match ended {
                Some(status) => panic!("{what}: it ended ({status}): {}", self.log()),
                None => None,
            })
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our child");
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(self, signal: Signal) -> (ExitStatus, String) {
        self.signal(signal);
        self.ended()
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = wait_for("the end", || self.child.try_wait().expect("our child"));
        (status, self.log())
    }
}

fn new_log(scratch: &Scratch) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    scratch.path(format!("log.{}", COUNT.fetch_add(1, Ordering::Relaxed)))
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("it wrote: {}", self.log());
        }
    }
}

/// The daemon and client, with nothing on its standard input.
pub(crate) fn stillwell() -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_stillwell"));
    let mut command = seal::every_daemon(binary).unwrap_or_else(|| Command::new(binary));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Whether a program of the system is there; if not, says that a test did not run.
///
/// # Panics
/// With CI=true, if it is absent.
pub(crate) fn has_tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    if !found {
        did_not_run(&format!("{name} is not installed"));
    }
    found
}

/// Says that a test did not run, which is a failure with CI=true.
pub(crate) fn did_not_run(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    println!("did not run: {why}");
}

/// A file that is shipped.
pub(crate) fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
