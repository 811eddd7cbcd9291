//! Why no channel is shown, in one line.

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Map;

use super::{
    channels::{self, Named},
    connection::{Connection, parse},
    failure::Failure,
};

/// Channels that are named to someone who asked for others.
const NAMED_MAX: usize = 3;

#[derive(Deserialize)]
struct Health {
    degraded: Option<String>,
}

/// The reason if the patterns select no channel, `None` if they select one.
pub(super) fn selected(
    connection: &mut Connection,
    patterns: &[String],
) -> Result<Option<String>, Failure> {
    if channels::are_there(connection, channels::selection(patterns))? {
        return Ok(None);
    }
    let mut count = 0;
    let mut named = Vec::new();
    channels::each(connection, Map::new(), |text| {
        count += 1;
        if named.len() < NAMED_MAX {
            named.push(parse::<Named>(text)?.id);
        }
        Ok(())
    })?;
    if count == 0 {
        let health = connection.ask("Status", &Map::new())?;
        return Ok(Some(none_at_all(&parse(health.get())?).to_owned()));
    }
    Ok(Some(none_of(patterns, &named, count)))
}

/// Says it where it disturbs no program that reads the output.
pub(super) fn tell(reason: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stderr(), "stillwell: {reason}")?)
}

fn none_at_all(health: &Health) -> &'static str {
    if health.degraded.is_some() {
        "there are no channels: the daemon runs without inputs, see `stillwell status`"
    } else {
        "there are no channels"
    }
}

fn none_of(patterns: &[String], named: &[String], count: usize) -> String {
    let etc = if named.len() < count { ", …" } else { "" };
    let patterns = patterns.join(" or ");
    let named = named.join(", ");
    // What a device named itself must not drive the terminal.
    format!("no channel matches {patterns}; there are {named}{etc} ({count} in all)")
        .replace(char::is_control, "\u{FFFD}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn some_of_the_others_are_named() {
        assert_eq!(
            none_of(&owned(&["nope*"]), &owned(&["a", "b", "c"]), 14),
            "no channel matches nope*; there are a, b, c, … (14 in all)"
        );
        assert_eq!(
            none_of(&owned(&["x*", "y?"]), &owned(&["a", "\x1bb"]), 2),
            "no channel matches x* or y?; there are a, \u{FFFD}b (2 in all)"
        );
    }

    #[test]
    fn a_daemon_without_inputs_says_so() {
        let health = |text| parse::<Health>(text).expect("parses");
        assert_eq!(none_at_all(&health("{}")), "there are no channels");
        let degraded = health(r#"{"degraded":"config.toml:3: no"}"#);
        assert!(none_at_all(&degraded).ends_with("without inputs, see `stillwell status`"));
    }
}
