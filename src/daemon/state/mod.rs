//! State across restarts: when images of the engine are taken, where they are kept, and which one a
//! daemon goes on from.
//!
//! An image ([`crate::engine::image`]) is called for when the daemon starts, then each
//! `state_every`, and at the end ([`calls`]). It goes to memory that the service manager keeps,
//! where there is one ([`memory`]), and to files, where there is a directory ([`files`]), on a
//! thread of its own ([`keeper`]). A start goes on from the newest whole image ([`found`]), and its
//! line of time goes on with it unless the host was rebooted ([`mod@line`]). What is lost by which
//! failure: `docs/state.md`.
//!
//! **Invariant:** nothing here can hold up or end a daemon; what fails is counted, and said by
//! Status ([`standing`]).

pub mod calls;
pub mod files;
pub mod found;
pub mod keeper;
pub mod line;
pub mod memory;
pub mod standing;
pub mod storage;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, mpsc::sync_channel},
    thread,
};

use tokio::sync::oneshot;
use tracing::{info, warn};

use self::{
    calls::Calls, files::Files, found::Choice, keeper::Keeper, memory::Memory, standing::Standing,
    storage::Directory,
};
use super::{
    clock::{Clocks, Line},
    rate::LogLimits,
};
use crate::engine::{
    image::Image,
    validate::{GoesOn, Terms},
};

/// What a daemon starts with.
#[derive(Debug)]
pub struct Start {
    /// Its line of time.
    pub line: Line,
    /// Its stretch of that.
    pub epoch: u64,
    /// What it goes on from, if there is anything, and under which terms.
    pub image: Option<(Arc<Image>, Terms)>,
    /// What calls for images, if they are kept anywhere.
    pub calls: Option<Calls>,
    /// What Status says of it.
    pub standing: Arc<Standing>,
    /// The thread that writes them, which ends with who calls for them.
    pub keeper: Option<oneshot::Receiver<()>>,
}

/// Looks for what was kept, and begins to keep what comes. Nothing is kept of a daemon that runs
/// `without` its inputs: it would overwrite what the one with them needs.
#[must_use]
pub fn begin(
    directory: Option<PathBuf>,
    every_ns: i64,
    sources: Vec<GoesOn>,
    without: bool,
) -> Start {
    let mut memory = Memory::of_service();
    let mut files = directory.clone().map(|path| Files::new(Directory::new(path)));
    let mut found = memory.as_mut().map(Memory::look).unwrap_or_default();
    found.extend(files.as_mut().map(Files::look).unwrap_or_default());
    let choice = Choice::of(found);
    for (place, why) in &choice.useless {
        warn!(place, "What was kept of the state is of no use: {why}.");
    }
    let boot_id = line::boot_id();
    let (line, line_goes_on) = line_of(&choice, boot_id);
    let epoch = choice.epoch();
    let in_memory = memory.is_some();
    let mut standing = Standing::new(directory, in_memory, every_ns);
    if without {
        let standing = Arc::new(standing);
        return Start { line, epoch, image: None, calls: None, standing, keeper: None };
    }
    standing.choose(&choice);
    let standing = Arc::new(standing);
    let terms = Terms { now_ns: line.now_ns(), line_goes_on, sources };
    let image = choice.image.map(|(_, image)| (image, terms));
    let (calls, keeper) = if memory.is_some() || files.is_some() {
        let (send, taken) = sync_channel(1);
        let (ended, keeper) = oneshot::channel();
        let log = LogLimits::default();
        let keep = Keeper { memory, files, standing: Arc::clone(&standing), log };
        let body = move || {
            keep.run(&taken);
            // Nobody waits any more once the shutdown was cut off.
            let _ = ended.send(());
        };
        match thread::Builder::new().name("state".to_owned()).spawn(body) {
            Ok(_) => {
                let calls = Calls::new((epoch, line), boot_id, send, Arc::clone(&standing));
                (Some(calls), Some(keeper))
            }
            Err(error) => {
                warn!(%error, "No state is kept: its thread cannot be started.");
                (None, None)
            }
        }
    } else {
        (None, None)
    };
    Start { line, epoch, image, calls, standing, keeper }
}

/// Where the service manager lets the daemon keep state (`STATE_DIRECTORY`).
#[must_use]
pub fn directory_of_service() -> Option<PathBuf> {
    // Several directories are separated by colons; the first is the service's own.
    let directories = std::env::var_os("STATE_DIRECTORY")?;
    std::env::split_paths(&directories).next()
}

/// The line of time, and whether it is that of what is gone on from.
fn line_of(choice: &Choice, boot_id: Option<[u8; 16]>) -> (Line, bool) {
    let Some((place, image)) = &choice.image else { return (Line::anchored(), false) };
    let clocks = Clocks::now();
    let was_in_memory = memory::is_place(place);
    match line::goes_on(image.head(), was_in_memory, boot_id, clocks) {
        Some(anchor_ns) => {
            let line = Line::at(anchor_ns);
            let ahead_ms = (line.now_ns() - clocks.wall_ns) / crate::limits::MS;
            info!(ahead_ms, "The line of time goes on; the wall clock is not asked.");
            (line, true)
        }
        None => (Line::anchored(), false),
    }
}
