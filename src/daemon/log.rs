//! Lines of the log on their way to standard error.
//!
//! Whoever reads that may be stuck, and a daemon that waited for it would be stuck too. So lines go
//! through a bounded queue to a thread that has nothing else to do; what finds no room there is
//! dropped, and counted in a line of its own once there is room again.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use crate::limits::{LOG_FLUSH_NS, LOG_LINES_MAX, MS};

/// Where lines are left; for `with_writer` of a layer that formats them.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Flush(SyncSender<()>),
}

/// A line in the making.
#[derive(Debug)]
pub struct Line<'a> {
    lines: &'a Lines,
    bytes: Vec<u8>,
}

impl Lines {
    /// Lines that a thread of their own writes to this.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, items) = sync_channel(LOG_LINES_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let lost = Arc::clone(&dropped);
        thread::Builder::new().name("log".to_owned()).spawn(move || write(&items, &lost, out))?;
        Ok(Self { queue, dropped })
    }

    /// Waits until all is written, for a while: before the process ends.
    pub fn flush(&self) {
        let (written, wait) = sync_channel(1);
        let pause = Duration::from_nanos(MS.unsigned_abs());
        let tries = LOG_FLUSH_NS / MS;
        for _ in 0..tries {
            if self.queue.try_send(Item::Flush(written.clone())).is_ok() {
                // Who does not read by then is not waited for.
                let _ = wait.recv_timeout(Duration::from_nanos(LOG_FLUSH_NS.unsigned_abs()));
                return;
            }
            thread::sleep(pause);
        }
    }
}

fn write(items: &Receiver<Item>, dropped: &AtomicU64, mut out: impl Write) {
    while let Ok(item) = items.recv() {
        // Where the log cannot be written there is nobody to tell.
        match item {
            Item::Line(line) => {
                let _ = out.write_all(&line);
                let lost = dropped.swap(0, Relaxed);
                if 0 < lost {
                    let _ = writeln!(out, "{lost} lines of the log were dropped: nobody read it.");
                }
            }
            Item::Flush(written) => {
                let _ = out.flush();
                let _ = written.try_send(());
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, bytes: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.bytes);
        if !line.is_empty() && self.lines.queue.try_send(Item::Line(line)).is_err() {
            self.lines.dropped.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes what is written as soon as it is let.
    #[derive(Clone, Debug, Default)]
    struct Stuck(Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let out = Stuck::default();
        let held = out.0.lock().unwrap();
        let lines = Lines::to(out.clone()).unwrap();
        let more = 2 * LOG_LINES_MAX;
        for n in 0..more {
            writeln!(lines.make_writer(), "line {n}").unwrap();
        }
        drop(held);
        lines.flush();
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let written = text.lines().filter(|line| line.starts_with("line ")).count();
        let counts = text.lines().filter_map(|line| {
            line.strip_suffix(" lines of the log were dropped: nobody read it.")
        });
        let dropped: usize = counts.map(|n| n.parse::<usize>().unwrap()).sum();
        assert_eq!(written + dropped, more);
        assert!((LOG_LINES_MAX..=LOG_LINES_MAX + 1).contains(&written), "{written}");
    }
}
