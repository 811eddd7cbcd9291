//! What the daemon answers when it does not do what was asked: stable names.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    limits::{
        CLIENTS_MAX, CLIENTS_PER_UID_MAX, DESK_PLACES, LISTENERS_MAX, REQUEST_BYTES_MAX,
        REQUEST_DEPTH_MAX, REQUEST_PATTERNS_MAX, REQUEST_STRING_BYTES_MAX,
    },
    query::json::append,
};

/// An error of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The line is no request.
    BadRequest(BadRequest),
    /// A parameter is unknown, missing or out of its range.
    InvalidParameter(String),
    /// The interface has no such method.
    MethodNotFound(String),
    /// There is no such interface.
    InterfaceNotFound(String),
    /// The method answers more than once, and the client did not ask for that.
    ExpectedMore,
    /// No channel has this id.
    NoSuchChannel(String),
    /// None of the selected channels has this window.
    NoSuchWindow(String),
    /// No source has this name.
    NoSuchSource(String),
    /// No selected channel has bins for this window.
    NoHistogram(Binless),
    /// Too many clients.
    Busy(Full),
    /// The daemon ends.
    ShuttingDown,
}

/// Why a line is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRequest {
    /// Longer than the bound.
    LineTooLong,
    /// Its end did not come in time.
    HalfLine,
    /// Does not start with `{`.
    NotAnObject,
    /// Starts with a byte order mark.
    ByteOrderMark,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    NotJson,
    /// Nested deeper than the bound.
    TooDeep,
    /// A string longer than the bound.
    StringTooLong,
    /// More patterns than the bound.
    TooManyPatterns,
}

/// Which number of clients is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// That of all clients.
    Clients,
    /// That of one user.
    ClientsOfUid,
    /// That of those who listen to the bytes of sources.
    Listeners,
    /// That of those who wait for histograms.
    Questions,
}

/// Why a window has no bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binless {
    /// It slides with each reading: its percentiles are readings.
    Exact,
    /// The channel has no percentiles.
    NoPercentiles,
}

impl From<BadRequest> for Refusal {
    fn from(why: BadRequest) -> Self {
        Self::BadRequest(why)
    }
}

impl Refusal {
    /// The reply, without terminator.
    pub(super) fn reply(&self) -> Vec<u8> {
        let (error, parameters) = match self {
            Self::BadRequest(why) => ("io.stillwell.v1.BadRequest", why.parameters()),
            Self::InvalidParameter(name) => {
                ("org.varlink.service.InvalidParameter", json!({ "parameter": name }))
            }
            Self::MethodNotFound(name) => {
                ("org.varlink.service.MethodNotFound", json!({ "method": name }))
            }
            Self::InterfaceNotFound(name) => {
                ("org.varlink.service.InterfaceNotFound", json!({ "interface": name }))
            }
            Self::ExpectedMore => ("org.varlink.service.ExpectedMore", json!({})),
            Self::NoSuchChannel(id) => ("io.stillwell.v1.NoSuchChannel", json!({ "id": id })),
            Self::NoSuchWindow(name) => ("io.stillwell.v1.NoSuchWindow", json!({ "window": name })),
            Self::NoSuchSource(name) => ("io.stillwell.v1.NoSuchSource", json!({ "source": name })),
            Self::NoHistogram(why) => ("io.stillwell.v1.NoHistogram", why.parameters()),
            Self::Busy(full) => ("io.stillwell.v1.Busy", full.parameters()),
            Self::ShuttingDown => ("io.stillwell.v1.ShuttingDown", json!({})),
        };
        let mut out = Vec::new();
        append(&mut out, &Reply { error, parameters });
        out
    }
}

#[derive(Serialize)]
struct Reply {
    error: &'static str,
    parameters: Value,
}

impl BadRequest {
    fn parameters(self) -> Value {
        let (reason, limit) = match self {
            Self::LineTooLong => ("line_too_long", Some(REQUEST_BYTES_MAX)),
            Self::HalfLine => ("half_line", None),
            Self::NotAnObject => ("not_an_object", None),
            Self::ByteOrderMark => ("byte_order_mark", None),
            Self::NotUtf8 => ("not_utf8", None),
            Self::NotJson => ("not_json", None),
            Self::TooDeep => ("too_deep", Some(REQUEST_DEPTH_MAX)),
            Self::StringTooLong => ("string_too_long", Some(REQUEST_STRING_BYTES_MAX)),
            Self::TooManyPatterns => ("too_many_patterns", Some(REQUEST_PATTERNS_MAX)),
        };
        match limit {
            Some(limit) => json!({ "reason": reason, "limit": limit }),
            None => json!({ "reason": reason }),
        }
    }
}

impl Full {
    fn parameters(self) -> Value {
        match self {
            Self::Clients => json!({ "reason": "max_clients", "max": CLIENTS_MAX }),
            Self::ClientsOfUid => {
                json!({ "reason": "max_clients_of_uid", "max": CLIENTS_PER_UID_MAX })
            }
            Self::Listeners => json!({ "reason": "max_listeners", "max": LISTENERS_MAX }),
            Self::Questions => json!({ "reason": "max_questions", "max": DESK_PLACES }),
        }
    }
}

impl Binless {
    fn parameters(self) -> Value {
        match self {
            Self::Exact => json!({ "reason": "exact" }),
            Self::NoPercentiles => json!({ "reason": "no_percentiles" }),
        }
    }
}
