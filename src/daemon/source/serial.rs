//! A serial port: read as bytes come, written to where the device wants to be asked, reopened for
//! ever when it is lost.
//!
//! A port that hung up reads as end of file for ever, so one empty read is the end of it: what is
//! half received is counted as a partial frame, the port is closed, and its path is opened again,
//! which under /dev/serial/by-id finds the device wherever it reappears: at once where the kernel
//! tells of it, else at the next attempt. Nothing is discarded when it is opened: what a port had
//! buffered goes through the decoder like all else.
//!
//! The port is read through `AsyncRead` only: tokio-serial's `readable` never clears readiness
//! and would spin.

pub mod condition;
pub mod port;
pub mod talk;

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    io,
    pin::Pin,
    task::Poll,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep_until,
};

use self::{condition::Condition, port::LineErrors, talk::Talk};
use super::{
    backoff::Backoff,
    outlet::{EngineGone, Outlet},
    path_watch::PathWatch,
    rest, ticks,
};
use crate::{
    config::model::SerialConfig,
    daemon::clock::{self, Line},
    engine::{Link, batch::Transport},
    limits::SERIAL_READ_BYTES,
    wire::diagnosis::LineErrorCounts,
};

/// Opens the port, trying for ever, and reads it; again when it is lost. `text` tells whether its
/// format is one of text. Safe to cancel.
///
/// # Errors
///
/// [`EngineGone`]; it never ends otherwise.
pub async fn run(
    config: &SerialConfig,
    text: bool,
    line: Line,
    outlet: &mut Outlet,
) -> Result<Infallible, EngineGone> {
    let mut backoff = Backoff::default();
    let mut condition = Condition::new(config, text);
    let path = &config.port.path;
    loop {
        // From before the attempt on, so that nothing is missed between the two.
        let mut watch = PathWatch::new(path).ok();
        let reason = match port::open(&config.port) {
            Ok((port, detail)) => {
                drop(watch.take());
                let opened_ns = line.now_ns();
                report(outlet, condition.opened(detail, opened_ns), opened_ns);
                outlet.offer(opened_ns).await?;
                let mut talk = Talk::new(config, opened_ns);
                let lost = read(port, &mut talk, &mut condition, line, outlet).await?;
                outlet.reset();
                if matches!(lost, Lost::Silent) {
                    continue;
                }
                backoff.was_open_for(line.now_ns() - opened_ns);
                watch = PathWatch::new(path).ok();
                format!("{} {lost}", path.display())
            }
            Err(reason) => reason,
        };
        condition.lost();
        outlet.report(Link::Down(reason.into()), line.now_ns());
        tokio::select! {
            biased;
            () = changed(&mut watch) => backoff = Backoff::default(),
            rested = rest(backoff.next_ns(), line, outlet) => rested?,
        }
    }
}

/// Waits until the path may lead to something new; for ever if nobody tells.
pub(super) async fn changed(watch: &mut Option<PathWatch>) {
    if let Some(watch) = watch
        && watch.changed().await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}

fn report(outlet: &mut Outlet, link: Option<Link>, now_ns: i64) {
    if let Some(link) = link {
        outlet.report(link, now_ns);
    }
}

/// How a port was lost.
#[derive(Debug)]
pub enum Lost {
    /// It hung up.
    HungUp,
    /// It cannot be read or written.
    Broken(io::Error),
    /// It says nothing, and the configuration wants it to be opened again then.
    Silent,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HungUp => f.write_str("hung up: unplugged, or closed by the other side"),
            Self::Broken(error) => write!(f, "cannot be read any more: {error}"),
            Self::Silent => f.write_str("says nothing"),
        }
    }
}

/// Reads an open port until it is lost, and writes to it what is due. Each read is handed over at
/// once. Safe to cancel.
///
/// # Errors
///
/// [`EngineGone`] if the queue to the engine is closed.
pub async fn read<P>(
    mut port: P,
    talk: &mut Talk,
    condition: &mut Condition,
    line: Line,
    outlet: &mut Outlet,
) -> Result<Lost, EngineGone>
where
    P: AsyncRead + AsyncWrite + LineErrors + Unpin,
{
    let mut tick = ticks();
    let mut counted = port.line_errors();
    let mut buffer = vec![0; SERIAL_READ_BYTES];
    loop {
        let event = tokio::select! {
            biased;
            _ = tick.tick() => Event::Tick,
            () = until(talk.due_ns(), line) => Event::Due,
            event = exchange(&mut port, talk.unsent(), &mut buffer) => event,
        };
        let now_ns = line.now_ns();
        // Asked each time: a port that hangs up takes its counters with it.
        let errors = errors_since(&mut counted, port.line_errors());
        condition.count(&errors);
        outlet.count(&Transport { line_errors: errors.total(), ..Transport::default() });
        match event {
            Event::Read(Ok(0)) => return Ok(Lost::HungUp),
            Event::Read(Ok(length)) => {
                let (bytes, before) = (&buffer[..length], *outlet.tally());
                outlet.feed(bytes, now_ns);
                let link = condition.heard(bytes, &before, outlet.tally(), now_ns);
                report(outlet, link, now_ns);
            }
            Event::Written(Ok(length)) => talk.sent(length),
            Event::Read(Err(error)) | Event::Written(Err(error)) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    return Ok(Lost::Broken(error));
                }
            }
            Event::Due => talk.begin(now_ns),
            Event::Tick => {
                report(outlet, condition.passed(now_ns), now_ns);
                outlet.tick(now_ns).await?;
                if condition.wants_reopening(now_ns) {
                    return Ok(Lost::Silent);
                }
            }
        }
        outlet.offer(now_ns).await?;
    }
}

/// What a task at a line waits for.
pub(super) enum Event {
    /// A while has passed.
    Tick,
    /// Something is to be done now.
    Due,
    /// So many bytes came.
    Read(io::Result<usize>),
    /// So many bytes were taken.
    Written(io::Result<usize>),
}

/// Sends of `unsent` what the port takes, or reads what has come. Safe to cancel.
///
/// Never flushes: that would wait in the kernel until the line has sent everything.
pub(super) async fn exchange<P>(port: &mut P, unsent: &[u8], buffer: &mut [u8]) -> Event
where
    P: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| {
        if !unsent.is_empty()
            && let Poll::Ready(written) = Pin::new(&mut *port).poll_write(context, unsent)
        {
            return Poll::Ready(Event::Written(written));
        }
        let mut buffer = ReadBuf::new(buffer);
        let read = Pin::new(&mut *port).poll_read(context, &mut buffer);
        read.map(|read| Event::Read(read.map(|()| buffer.filled().len())))
    })
    .await
}

/// Waits until the line has reached a time, if there is one.
async fn until(due_ns: Option<i64>, line: Line) {
    match due_ns {
        Some(due_ns) => sleep_until(clock::deadline_in(due_ns - line.now_ns())).await,
        None => pending().await,
    }
}

/// How far the counters have moved.
pub(super) fn errors_since(
    counted: &mut Option<LineErrorCounts>,
    now: Option<LineErrorCounts>,
) -> LineErrorCounts {
    let (Some(before), Some(now)) = (*counted, now) else { return LineErrorCounts::default() };
    *counted = Some(now);
    now.since(&before)
}

/// What is configured of a line where nothing is but its path.
#[cfg(test)]
fn plain() -> SerialConfig {
    use std::path::Path;

    use crate::config::{Config, model::InputKind};

    let toml = "[[source]]\nname = \"port\"\nkind = \"serial\"\npath = \"/dev/fake\"\n\
                format = \"text\"\n";
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(toml, Path::new("port.toml"), &nothing).expect("it is valid");
    match loaded.config.inputs.into_iter().next().expect("a source").kind {
        InputKind::Serial(config) => config,
        other => panic!("a serial line: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_errors_are_those_since_the_last_look() {
        let counts = |framing| Some(LineErrorCounts { framing, ..LineErrorCounts::default() });
        let mut counted = counts(u32::MAX);
        assert_eq!(errors_since(&mut counted, counts(2)).total(), 3);
        assert_eq!(errors_since(&mut counted, None).total(), 0);
        assert_eq!(errors_since(&mut counted, counts(3)).total(), 1);
        assert_eq!(errors_since(&mut None, counts(9)).total(), 0);
    }
}
