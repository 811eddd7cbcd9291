//! The channels, as `List` tells them.

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    connection::{Connection, parse},
    failure::Failure,
};

/// A channel.
#[derive(Debug, Deserialize)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) unit: Option<String>,
    pub(super) source: String,
    pub(super) device: Option<u64>,
    pub(super) index: Option<u64>,
    pub(super) field: Option<String>,
    pub(super) state: String,
    pub(super) discovered: bool,
    pub(super) expected_rate: Option<f64>,
    pub(super) resolution: Option<f64>,
    pub(super) windows: Vec<String>,
}

/// What of a channel is enough to speak of it.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    channels: Vec<&'a RawValue>,
}

/// What asks for the channels that fit one of these patterns; for all of them if there are none.
pub(super) fn selection(patterns: &[String]) -> Map<String, Value> {
    let mut parameters = Map::new();
    if !patterns.is_empty() {
        parameters.insert("channels".into(), patterns.into());
    }
    parameters
}

/// Whether there is any of these channels.
pub(super) fn are_there(
    connection: &mut Connection,
    mut parameters: Map<String, Value>,
) -> Result<bool, Failure> {
    parameters.insert("limit".into(), 1.into());
    let page = connection.ask("List", &parameters)?;
    Ok(!parse::<Page<'_>>(page.get())?.channels.is_empty())
}

/// Hands over each of these channels, as the daemon wrote it.
pub(super) fn each(
    connection: &mut Connection,
    parameters: Map<String, Value>,
    mut take: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    connection.pages("List", parameters, |page| {
        let page: Page<'_> = parse(page.get())?;
        page.channels.into_iter().try_for_each(|text| take(text.get()))
    })
}
