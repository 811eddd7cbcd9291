//! `stillwell get --histogram`: the counts behind the percentiles of one window.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    args::GetArgs,
    connection::{Connection, parse},
    failure::Failure,
    nothing,
    output::Output,
    replies::{Shown, parameters},
};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    histograms: Vec<&'a RawValue>,
}

pub(super) fn run(args: &GetArgs) -> Result<(), Failure> {
    let window = args.window.as_deref();
    let (parameters, shown) = parameters(&args.patterns, window)?;
    if shown == Shown::One || window == Some("all") {
        return Err(Failure::Usage("--histogram is of one window: name its --window".into()));
    }
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    if let Some(reason) = nothing::selected(&mut connection, &args.patterns)? {
        return nothing::tell(&reason);
    }
    connection.wait_for_publication()?;
    // There is nothing in it for people to read.
    let mut output = Output::new(true);
    connection.pages("Histogram", parameters, |page| {
        let page: Page<'_> = parse(page.get())?;
        let mut lines = page.histograms.iter();
        Ok(lines.try_for_each(|histogram| output.line(histogram.get()))?)
    })
}
