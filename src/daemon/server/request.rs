//! One line of a client, parsed.
//!
//! Everything is checked here, once: what comes out is within its bounds.

use serde_json::{Map, Value};

use super::refusal::{BadRequest, Refusal};
use crate::{
    engine::duration,
    limits::{
        REQUEST_DEPTH_MAX, REQUEST_PATTERNS_MAX, REQUEST_STRING_BYTES_MAX, WATCH_INTERVAL_MAX_MS,
    },
    query::{Selection, WindowChoice},
};

/// Interface of the daemon; the name carries the major version.
pub(super) const INTERFACE: &str = "io.stillwell.v1";
/// Interface that every varlink service has.
pub(super) const SERVICE: &str = "org.varlink.service";

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    /// What is asked.
    pub(super) call: Call,
    /// No reply is wanted.
    pub(super) oneway: bool,
}

/// A method with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    /// Current summaries and live states.
    Get(Get),
    /// Bins behind the current percentiles of one window.
    Histogram(Histogram),
    /// Channels.
    List(Paging),
    /// Current summaries and live states, again and again.
    Watch(Watch),
    /// Frames and what becomes of them, as they come.
    Tap(Tap),
    /// All that comes over the source of this name, from now on.
    Record(String),
    /// State of the daemon.
    Status(Cursor),
    /// Who is speaking.
    GetInfo,
    /// The text of an interface.
    GetInterfaceDescription(Interface),
}

/// Which channels, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Paging {
    /// Which channels.
    pub(super) selection: Selection,
    /// First id to be told; the `next` of the page before.
    pub(super) from: String,
    /// Most channels in the reply.
    pub(super) limit: usize,
}

/// Parameters of `Get`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Get {
    /// Which channels.
    pub(super) paging: Paging,
    /// Which window, and how it was written.
    pub(super) window: Option<NamedWindow>,
}

/// Parameters of `Histogram`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    /// Which channels.
    pub(super) paging: Paging,
    /// Which window.
    pub(super) window: NamedWindow,
}

/// Parameters of `Watch`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watch {
    /// Which channels.
    pub(super) selection: Selection,
    /// Which window, and how it was written.
    pub(super) window: Option<NamedWindow>,
    /// Shortest time between two messages.
    pub(super) min_interval_ms: u64,
}

/// Parameters of `Tap`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tap {
    /// Which source; all of them if there is none.
    pub(super) source: Option<String>,
    /// Which channels.
    pub(super) selection: Selection,
}

/// A window as a client wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NamedWindow {
    /// As written.
    pub(super) name: String,
    /// Its length in nanoseconds.
    pub(super) length_ns: i64,
}

/// The windows that an optional name means.
pub(super) fn choice(window: Option<&NamedWindow>) -> WindowChoice {
    window.map_or(WindowChoice::All, |window| WindowChoice::Length(window.length_ns))
}

/// Parameters of `Status`: where to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cursor {
    /// First source to be told; empty for the first of all.
    pub(super) source: String,
    /// First of its devices to be told.
    pub(super) device: u32,
}

/// An interface of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    /// [`INTERFACE`].
    Stillwell,
    /// [`SERVICE`].
    Service,
}

/// Reads one line, terminator removed.
pub(super) fn parse(line: &[u8]) -> Result<Request, Refusal> {
    if line.starts_with(b"\xEF\xBB\xBF") {
        return Err(BadRequest::ByteOrderMark.into());
    }
    let text = std::str::from_utf8(line).map_err(|_| BadRequest::NotUtf8)?;
    if REQUEST_DEPTH_MAX < depth(text) {
        return Err(BadRequest::TooDeep.into());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| BadRequest::NotJson)?;
    if !strings_fit(&value) {
        return Err(BadRequest::StringTooLong.into());
    }
    let Value::Object(mut request) = value else {
        return Err(BadRequest::NotAnObject.into());
    };
    let method = Parameters::string(request.remove("method"), "method")?
        .ok_or(Refusal::InvalidParameter("method".into()))?;
    let mut flag = |name: &'static str| match request.remove(name) {
        None => Ok(false),
        Some(Value::Bool(set)) => Ok(set),
        Some(_) => Err(Refusal::InvalidParameter(name.into())),
    };
    let (more, oneway, upgrade) = (flag("more")?, flag("oneway")?, flag("upgrade")?);
    if upgrade {
        return Err(Refusal::InvalidParameter("upgrade".into()));
    }
    let parameters = match request.remove("parameters") {
        None => Map::new(),
        Some(Value::Object(parameters)) => parameters,
        Some(_) => return Err(Refusal::InvalidParameter("parameters".into())),
    };
    if let Some(unknown) = request.keys().next() {
        return Err(Refusal::InvalidParameter(unknown.clone()));
    }
    let call = call(&method, Parameters(parameters))?;
    if matches!(call, Call::Watch(_) | Call::Tap(_) | Call::Record(_)) && !more {
        return Err(Refusal::ExpectedMore);
    }
    Ok(Request { call, oneway })
}

/// A name without a dot means the current major version of [`INTERFACE`].
fn call(method: &str, mut parameters: Parameters) -> Result<Call, Refusal> {
    let (interface, name) = method.rsplit_once('.').unwrap_or((INTERFACE, method));
    let call = match (interface, name) {
        (INTERFACE, "Get") => {
            let paging = parameters.paging()?;
            Call::Get(Get { paging, window: parameters.window()? })
        }
        (INTERFACE, "Histogram") => {
            let (paging, window) = (parameters.paging()?, parameters.window()?);
            let window = window.ok_or_else(|| Refusal::InvalidParameter("window".into()))?;
            Call::Histogram(Histogram { paging, window })
        }
        (INTERFACE, "List") => Call::List(parameters.paging()?),
        (INTERFACE, "Watch") => Call::Watch(Watch {
            selection: parameters.channels()?,
            window: parameters.window()?,
            min_interval_ms: parameters
                .number("min_interval_ms", WATCH_INTERVAL_MAX_MS)?
                .unwrap_or(0),
        }),
        (INTERFACE, "Tap") => Call::Tap(Tap {
            source: Parameters::string(parameters.0.remove("source"), "source")?,
            selection: parameters.channels()?,
        }),
        (INTERFACE, "Record") => {
            let source = Parameters::string(parameters.0.remove("source"), "source")?;
            Call::Record(source.ok_or_else(|| Refusal::InvalidParameter("source".into()))?)
        }
        (INTERFACE, "Status") => {
            let source = Parameters::string(parameters.0.remove("source"), "source")?;
            let device = parameters.number("device", u64::from(u32::MAX))?.unwrap_or(0);
            let device = u32::try_from(device).unwrap_or(u32::MAX);
            Call::Status(Cursor { source: source.unwrap_or_default(), device })
        }
        (SERVICE, "GetInfo") => Call::GetInfo,
        (SERVICE, "GetInterfaceDescription") => {
            let name = Parameters::string(parameters.0.remove("interface"), "interface")?;
            match name.as_deref() {
                Some(INTERFACE) => Call::GetInterfaceDescription(Interface::Stillwell),
                Some(SERVICE) => Call::GetInterfaceDescription(Interface::Service),
                Some(other) => return Err(Refusal::InterfaceNotFound(other.into())),
                None => return Err(Refusal::InvalidParameter("interface".into())),
            }
        }
        (INTERFACE | SERVICE, _) => return Err(Refusal::MethodNotFound(method.into())),
        (other, _) => return Err(Refusal::InterfaceNotFound(other.into())),
    };
    match parameters.0.keys().next() {
        Some(unknown) => Err(Refusal::InvalidParameter(unknown.clone())),
        None => Ok(call),
    }
}

/// Parameters that nobody has asked for yet; what is left at the end is unknown.
struct Parameters(Map<String, Value>);

impl Parameters {
    fn string(value: Option<Value>, name: &str) -> Result<Option<String>, Refusal> {
        match value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::InvalidParameter(name.into())),
        }
    }

    fn number(&mut self, name: &str, max: u64) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| *number <= max);
        number.map(Some).ok_or_else(|| Refusal::InvalidParameter(name.into()))
    }

    fn channels(&mut self) -> Result<Selection, Refusal> {
        let refusal = || Refusal::InvalidParameter("channels".into());
        let patterns = match self.0.remove("channels") {
            None => return Ok(Selection::default()),
            Some(Value::Array(patterns)) => patterns,
            Some(_) => return Err(refusal()),
        };
        if REQUEST_PATTERNS_MAX < patterns.len() {
            return Err(BadRequest::TooManyPatterns.into());
        }
        let texts: Option<Vec<&str>> = patterns.iter().map(Value::as_str).collect();
        Ok(Selection::new(texts.ok_or_else(refusal)?))
    }

    fn paging(&mut self) -> Result<Paging, Refusal> {
        let selection = self.channels()?;
        let from = Self::string(self.0.remove("from"), "from")?.unwrap_or_default();
        let limit = match self.number("limit", u64::MAX)? {
            Some(0) => return Err(Refusal::InvalidParameter("limit".into())),
            limit => limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX),
        };
        Ok(Paging { selection, from, limit })
    }

    fn window(&mut self) -> Result<Option<NamedWindow>, Refusal> {
        let Some(name) = Self::string(self.0.remove("window"), "window")? else {
            return Ok(None);
        };
        match duration::parse(&name) {
            Ok(length_ns) => Ok(Some(NamedWindow { name, length_ns })),
            Err(_) => Err(Refusal::InvalidParameter("window".into())),
        }
    }
}

/// Deepest nesting of brackets outside of strings; before parsing, so that nothing recurses.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            (true, b'\\') => {
                bytes.next();
            }
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn strings_fit(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= REQUEST_STRING_BYTES_MAX,
        Value::Array(items) => items.iter().all(strings_fit),
        Value::Object(entries) => entries
            .iter()
            .all(|(key, value)| key.len() <= REQUEST_STRING_BYTES_MAX && strings_fit(value)),
    }
}

#[cfg(test)]
pub(in crate::daemon::server) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(line: &str) -> Refusal {
        parse(line.as_bytes()).expect_err(line)
    }

    fn parameter(name: &str) -> Refusal {
        Refusal::InvalidParameter(name.into())
    }

    #[test]
    fn a_bare_name_means_the_current_interface() {
        let bare = parse(br#"{"method":"Get"}"#).expect("valid");
        assert_eq!(parse(br#"{"method":"io.stillwell.v1.Get"}"#).expect("valid"), bare);
        assert!(matches!(bare.call, Call::Get(_)));
    }

    #[test]
    fn everything_that_may_be_said() {
        let line = concat!(
            r#"{"method":"Get","parameters":{"channels":["boiler.*"],"window":"1m","#,
            r#""from":"boiler.x","limit":7},"more":false,"oneway":true,"upgrade":false}"#
        );
        let request = parse(line.as_bytes()).expect("valid");
        assert!(request.oneway);
        let Call::Get(get) = request.call else { panic!("a Get") };
        assert!(get.paging.selection.matches("boiler.flow"));
        assert!(!get.paging.selection.matches("plant.flow"));
        assert_eq!((get.paging.from.as_str(), get.paging.limit), ("boiler.x", 7));
        assert_eq!(choice(get.window.as_ref()), WindowChoice::Length(60_000_000_000));
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert_eq!(refused(r#"{"method":"Get","sensors":[]}"#), parameter("sensors"));
        assert_eq!(
            refused(r#"{"method":"Get","parameters":{"chanels":[]}}"#),
            parameter("chanels")
        );
        assert_eq!(
            refused(r#"{"method":"Get","parameters":{"channels":"a"}}"#),
            parameter("channels")
        );
        assert_eq!(
            refused(r#"{"method":"Get","parameters":{"channels":[1]}}"#),
            parameter("channels")
        );
        assert_eq!(
            refused(r#"{"method":"Get","parameters":{"window":"soon"}}"#),
            parameter("window")
        );
        assert_eq!(refused(r#"{"method":"Get","parameters":{"limit":0}}"#), parameter("limit"));
        assert_eq!(refused(r#"{"method":"Get","parameters":{"limit":-1}}"#), parameter("limit"));
        assert_eq!(refused(r#"{"method":"Get","parameters":[]}"#), parameter("parameters"));
        assert_eq!(refused(r#"{"method":"Get","more":1}"#), parameter("more"));
        assert_eq!(refused(r#"{"method":"Get","upgrade":true}"#), parameter("upgrade"));
        assert_eq!(refused(r#"{"method":7}"#), parameter("method"));
        assert_eq!(refused("{}"), parameter("method"));
        assert_eq!(refused(r#"{"method":"Gett"}"#), Refusal::MethodNotFound("Gett".into()));
        assert_eq!(
            refused(r#"{"method":"io.stillwell.v2.Get"}"#),
            Refusal::InterfaceNotFound("io.stillwell.v2".into())
        );
        assert_eq!(refused(r#"{"method":"Watch"}"#), Refusal::ExpectedMore);
        assert_eq!(refused(r#"{"method":"Histogram"}"#), parameter("window"));
    }

    #[test]
    fn bounds_hold() {
        let nested =
            format!(r#"{{"method":"Get","parameters":{}1{}}}"#, "[".repeat(8), "]".repeat(8));
        assert_eq!(refused(&nested), BadRequest::TooDeep.into());
        let in_a_string = format!(r#"{{"method":"{}"}}"#, "[".repeat(9));
        assert!(matches!(refused(&in_a_string), Refusal::MethodNotFound(_)));
        let long = format!(r#"{{"method":"{}"}}"#, "a".repeat(257));
        assert_eq!(refused(&long), BadRequest::StringTooLong.into());
        let many = format!(
            r#"{{"method":"Get","parameters":{{"channels":[{}"b"]}}}}"#,
            r#""a","#.repeat(64)
        );
        assert_eq!(refused(&many), BadRequest::TooManyPatterns.into());
        assert_eq!(refused("[1]"), BadRequest::NotAnObject.into());
        assert_eq!(refused("{nope}"), BadRequest::NotJson.into());
        assert_eq!(refused("\u{FEFF}{}"), BadRequest::ByteOrderMark.into());
        assert_eq!(parse(b"{\"method\":\"\xFF\"}"), Err(BadRequest::NotUtf8.into()));
    }

    proptest! {
        #[test]
        fn no_line_panics_and_each_refusal_is_one_line_of_json(line in any_line()) {
            if let Err(refusal) = parse(&line) {
                let reply = refusal.reply();
                prop_assert!(!reply.contains(&b'\n') && !reply.contains(&0));
                let reply: Value = serde_json::from_slice(&reply).expect("JSON");
                prop_assert!(reply["error"].is_string());
            }
        }
    }

    /// Noise, JSON-like noise, and nearly valid requests.
    pub(in crate::daemon::server) fn any_line() -> impl Strategy<Value = Vec<u8>> {
        let nearly = (
            "(Get|List|Status|io\\.stillwell\\.v1\\.Get|org\\.varlink\\.service\\.GetInfo|X)",
            "(channels|window|from|limit|x|\\\\u0000)",
            "(1|\"1m\"|\\[\"a\\*\"\\]|null|\\{\\}|\\[\\[\\]\\])",
        )
            .prop_map(|(method, key, value)| {
                format!(r#"{{"method":"{method}","parameters":{{"{key}":{value}}}}}"#).into_bytes()
            });
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"\{["a-z:,\[\]\{\} 0-9\\u]{0,80}\}?"#.prop_map(String::into_bytes),
            nearly,
        ]
    }
}
