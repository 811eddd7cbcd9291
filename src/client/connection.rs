//! The socket, from the client's side: blocking, one call at a time.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::{
    channels::{self, Named},
    failure::Failure,
};
use crate::{
    endpoint::{SocketPath, Surroundings},
    limits::{PUBLISH_MAX_NS, REPLY_BYTES_MAX},
};

/// Longer than the daemon takes to answer anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// Names that are offered in place of one that does not exist.
const SUGGESTIONS_MAX: usize = 3;

/// A connection to a daemon.
pub(super) struct Connection {
    reader: BufReader<UnixStream>,
    path: PathBuf,
    line: Vec<u8>,
}

/// A message of the daemon.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    error: Option<String>,
    #[serde(default)]
    continues: bool,
}

#[derive(Deserialize)]
struct Next {
    next: Option<Value>,
}

impl Connection {
    /// Connects to this socket, or to the first of the default ones that exists.
    pub(super) fn open(socket: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = socket {
            return Self::connect(path).map_err(|error| failed(vec![path.to_owned()], error));
        }
        let surroundings = Surroundings::of_process();
        let candidates = SocketPath::candidates(&surroundings);
        let mut latest = io::Error::from_raw_os_error(libc::ENOENT);
        for path in candidates.iter().filter(|path| surroundings.trusts(path)) {
            match Self::connect(path) {
                Ok(connection) => return Ok(connection),
                Err(error) if is_absent(&error) => latest = error,
                Err(error) => return Err(Failure::Connection { path: path.clone(), error }),
            }
        }
        Err(Failure::NoDaemon { tried: candidates, error: latest })
    }

    fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(stream), path: path.to_owned(), line: Vec::new() })
    }

    /// Asks once, and returns the parameters of the answer.
    pub(super) fn ask(
        &mut self,
        method: &str,
        parameters: &Map<String, Value>,
    ) -> Result<Box<RawValue>, Failure> {
        self.request(&json!({ "method": method, "parameters": parameters }))?;
        self.message()
    }

    /// Asks, and hands over the parameters of each page until there is no next one.
    pub(super) fn pages(
        &mut self,
        method: &str,
        mut parameters: Map<String, Value>,
        mut each: impl FnMut(&RawValue) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let page = self.ask(method, &parameters)?;
            each(&page)?;
            let next: Next = parse(page.get())?;
            match &next.next {
                None => return Ok(()),
                // Pages that go round in circles would never end.
                next if *next == before => {
                    return Err(Failure::Protocol("the daemon repeats a page".into()));
                }
                Some(Value::Object(cursor)) => parameters.extend(cursor.clone()),
                Some(from) => {
                    parameters.insert("from".into(), from.clone());
                }
            }
            before = next.next;
        }
    }

    /// Waits for answers that come with the daemon's next publication.
    pub(super) fn wait_for_publication(&mut self) -> Result<(), Failure> {
        let wait = PATIENCE + Duration::from_nanos(PUBLISH_MAX_NS.unsigned_abs());
        let limited = self.reader.get_ref().set_read_timeout(Some(wait));
        limited.map_err(|error| self.broken(error))
    }

    /// Asks for a stream of messages; they are read with [`Self::message`].
    pub(super) fn subscribe(
        &mut self,
        method: &str,
        parameters: &Map<String, Value>,
    ) -> Result<(), Failure> {
        self.request(&json!({ "method": method, "parameters": parameters, "more": true }))?;
        // A subscription may be quiet for as long as nothing changes.
        let unlimited = self.reader.get_ref().set_read_timeout(None);
        unlimited.map_err(|error| self.broken(error))
    }

    /// Has [`Self::look`] return after this time where no message is complete.
    pub(super) fn look_for(&mut self, time: Duration) -> Result<(), Failure> {
        let limited = self.reader.get_ref().set_read_timeout(Some(time));
        limited.map_err(|error| self.broken(error))
    }

    /// Parameters of the next message, and whether others follow; `None` if it is not here yet.
    pub(super) fn look(&mut self) -> Result<Option<(Box<RawValue>, bool)>, Failure> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        match self.read_line() {
            Ok(()) => {}
            // What has come of the message stays for the next look.
            Err(Failure::Connection { error, .. })
                if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) =>
            {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        }
        self.take_message().map(Some)
    }

    /// Parameters of the next message.
    pub(super) fn message(&mut self) -> Result<Box<RawValue>, Failure> {
        self.read_line()?;
        self.take_message().map(|(parameters, _)| parameters)
    }

    fn read_line(&mut self) -> Result<(), Failure> {
        // Twice what a daemon sends: enough for one that is newer.
        let room = (2 * REPLY_BYTES_MAX).saturating_sub(self.line.len());
        let mut limited = (&mut self.reader).take(room as u64);
        match limited.read_until(b'\n', &mut self.line) {
            Err(error) => Err(self.broken(error)),
            Ok(_) if self.line.last() != Some(&b'\n') => {
                let error = io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the daemon closed the connection in the middle of an answer",
                );
                Err(self.broken(error))
            }
            Ok(_) => Ok(()),
        }
    }

    fn take_message(&mut self) -> Result<(Box<RawValue>, bool), Failure> {
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line)
            .map_err(|error| Failure::Protocol(format!("the daemon sent no text: {error}")))?;
        let message: Message<'_> = parse(text)?;
        let continues = message.continues;
        match (message.error, message.parameters) {
            (None, Some(parameters)) => Ok((parameters.to_owned(), continues)),
            (None, None) => {
                let nothing = to_raw_value(&Map::new()).map_err(|error| no_answer(&error));
                nothing.map(|parameters| (parameters, continues))
            }
            (Some(error), parameters) => {
                let parameters = parameters.map_or("{}", RawValue::get).to_owned();
                Err(self.refusal(&error, &parameters))
            }
        }
    }

    fn request(&mut self, request: &Value) -> Result<(), Failure> {
        let written = self.reader.get_mut().write_all(format!("{request}\n").as_bytes());
        written.map_err(|error| self.broken(error))
    }

    fn broken(&self, error: io::Error) -> Failure {
        Failure::Connection { path: self.path.clone(), error }
    }

    /// The daemon's refusal in words.
    fn refusal(&mut self, error: &str, parameters: &str) -> Failure {
        let parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
        let text = |key: &str| parameters[key].as_str().unwrap_or("?").to_owned();
        match error.rsplit('.').next().unwrap_or(error) {
            "NoSuchChannel" => self.no_such_channel(&text("id")),
            "NoSuchWindow" => Failure::Refused(format!(
                "none of the channels has a window of {}; `stillwell list` shows what they have",
                text("window")
            )),
            "NoSuchSource" => Failure::Refused(format!(
                "there is no source {}; `stillwell status` shows what there is",
                text("source")
            )),
            "Busy" if text("reason") == "max_listeners" => Failure::Unavailable(format!(
                "{} clients listen to the sources already: close one, or try again",
                parameters["max"]
            )),
            "Busy" if text("reason") == "max_questions" => Failure::Unavailable(format!(
                "{} clients wait for histograms already: try again",
                parameters["max"]
            )),
            "NoHistogram" if text("reason") == "exact" => Failure::Refused(
                "an exact window has no histogram: its percentiles are readings, not bins".into(),
            ),
            "NoHistogram" => Failure::Refused(
                "none of the channels has percentiles, hence no histogram either".into(),
            ),
            "Busy" => Failure::Unavailable(format!(
                "the daemon has too many clients ({} {}): close some, or try again",
                text("reason"),
                parameters["max"]
            )),
            "ShuttingDown" => Failure::Unavailable("the daemon has ended".into()),
            _ => Failure::Refused(format!("the daemon refuses: {error} {parameters}")),
        }
    }

    fn no_such_channel(&mut self, id: &str) -> Failure {
        let near = self.near_ids(id).unwrap_or_default();
        let hint = match near.as_slice() {
            [] => "`stillwell list` shows all".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        Failure::Refused(format!("there is no channel {id}; {hint}"))
    }

    fn near_ids(&mut self, id: &str) -> Result<Vec<String>, Failure> {
        let lower = id.to_lowercase();
        let mut near: Vec<(f64, String)> = Vec::new();
        channels::each(self, Map::new(), |text| {
            let Named { id } = parse(text)?;
            let score = strsim::jaro_winkler(&lower, &id.to_lowercase());
            if 0.8 <= score {
                near.push((score, id));
                near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
                near.truncate(SUGGESTIONS_MAX);
            }
            Ok(())
        })?;
        Ok(near.into_iter().map(|(_, id)| id).collect())
    }
}

/// Reads a piece of an answer.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| no_answer(&error))
}

fn no_answer(error: &serde_json::Error) -> Failure {
    Failure::Protocol(format!("the daemon's answer makes no sense: {error}"))
}

fn failed(tried: Vec<PathBuf>, error: io::Error) -> Failure {
    match tried.as_slice() {
        [path] if !is_absent(&error) => Failure::Connection { path: path.clone(), error },
        _ => Failure::NoDaemon { tried, error },
    }
}

/// Nobody is there: no file, or one that a daemon left behind.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
