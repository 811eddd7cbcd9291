//! Ctrl-C, for a loop that blocks for a moment at most.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use crate::daemon::signal::Shutdown;

/// Whether SIGINT or SIGTERM came.
#[derive(Clone, Debug)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Catches the signals from now on; a thread waits for them to the end of the process.
    pub(super) fn catch() -> io::Result<Self> {
        let asked: Arc<AtomicBool> = Arc::default();
        let flag = Arc::clone(&asked);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (caught, is_caught) = mpsc::sync_channel(1);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                let signals = Shutdown::catch();
                let outcome = signals.as_ref().map(|_| ()).map_err(|error| error.kind().into());
                // The other end waits for this one message.
                let _ = caught.send(outcome);
                if let Ok(mut signals) = signals {
                    signals.wait().await;
                    flag.store(true, Relaxed);
                }
            });
        })?;
        is_caught.recv().unwrap_or_else(|gone| Err(io::Error::other(gone)))?;
        Ok(Self(asked))
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Relaxed)
    }
}
