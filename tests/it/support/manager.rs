//! A service manager: what a daemon is passed at its start, and told to keep.

use std::{
    fs::{self, Permissions},
    io::IoSliceMut,
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt as _, net::UnixDatagram},
    },
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::process::{Process, Scratch};

/// A service manager with a store of descriptors, which keeps what it is given as systemd does.
#[derive(Debug)]
pub(crate) struct Manager {
    scratch: Scratch,
    store: Arc<Mutex<Vec<(String, OwnedFd)>>>,
}

impl Manager {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let socket = UnixDatagram::bind(scratch.path("notify")).expect("binds");
        // Whoever the service runs as may tell.
        fs::set_permissions(scratch.path("notify"), Permissions::from_mode(0o777)).expect("ours");
        let store = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&store);
        // It ends with the process of the tests.
        thread::spawn(move || {
            while let Some((message, fds)) = received(&socket) {
                let has = |line: &str| message.lines().any(|told| told == line);
                let name = message.lines().find_map(|line| line.strip_prefix("FDNAME="));
                let mut store = kept.lock().expect("nobody panics with it");
                if has("FDSTORE=1") {
                    // It would watch them, and give up what has an error.
                    assert!(has("FDPOLL=0"), "{message}");
                    store.extend(fds.into_iter().map(|fd| (name.expect("a name").to_owned(), fd)));
                } else if has("FDSTOREREMOVE=1") {
                    store.retain(|(kept, _)| Some(&**kept) != name);
                }
            }
        });
        Self { scratch, store }
    }

    /// What is in the store.
    pub(crate) fn kept(&self) -> Vec<(String, OwnedFd)> {
        let store = self.store.lock().expect("nobody panics with it");
        store.iter().map(|(name, fd)| (name.clone(), fd.try_clone().expect("clones"))).collect()
    }

    /// Names in the store.
    pub(crate) fn names(&self) -> Vec<String> {
        self.kept().into_iter().map(|(name, _)| name).collect()
    }

    /// What is kept under this name.
    pub(crate) fn find(&self, name: &str) -> Option<OwnedFd> {
        self.kept().into_iter().find_map(|(kept, fd)| (kept == name).then_some(fd))
    }

    /// Starts a daemon, and gives it back what was kept.
    pub(crate) fn start(&self, command: &mut Command, scratch: &Scratch) -> Process {
        self.start_passing(Vec::new(), command, scratch)
    }

    /// As [`Self::start`], with sockets of units too.
    pub(crate) fn start_passing(
        &self,
        mut fds: Vec<(String, OwnedFd)>,
        command: &mut Command,
        scratch: &Scratch,
    ) -> Process {
        fds.extend(self.kept());
        command.env("NOTIFY_SOCKET", self.scratch.path("notify"));
        Process::start_passing(fds, command, scratch)
    }

    /// Where it is to be told.
    pub(crate) fn dir(&self) -> &Scratch {
        &self.scratch
    }
}

fn received(socket: &UnixDatagram) -> Option<(String, Vec<OwnedFd>)> {
    let (mut message, mut space) = ([0; 4_096], [MaybeUninit::uninit(); 256]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(&mut message)];
    let length = recvmsg(socket, into, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?.bytes;
    let fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds = fds.flatten().collect();
    Some((String::from_utf8_lossy(&message[..length]).into_owned(), fds))
}
