//! When the bounds of a member of `climatology` hold.

use super::{
    errors::Remark,
    reader::{Section, listed, number_of},
};
use crate::engine::qc::climatology::Season;

/// What a key makes of its two ends.
type Make = fn(i64, i64) -> Season;

/// The keys of which one is there, with what they count.
const KINDS: [(&str, i64, i64, Make); 4] = [
    ("months", 1, 12, Season::Months),
    ("quarters", 1, 4, Season::Quarters),
    ("weeks", 1, 53, Season::Weeks),
    ("days", 1, 366, Season::Days),
];
const KEYS: [&str; 5] = ["months", "quarters", "weeks", "days", "between"];

/// Reads the one key that says when.
pub(super) fn season(member: &Section<'_>) -> Option<Season> {
    let given: Vec<&'static str> = KEYS.into_iter().filter(|key| member.has(key)).collect();
    let [key] = given[..] else {
        let title = if given.is_empty() {
            "a member of `climatology` does not say when it holds".to_owned()
        } else {
            format!("{} say twice when a member of `climatology` holds", listed(&given))
        };
        let help = format!("give one of {}", listed(&KEYS));
        member.sink.missing(&member.span, Remark::new(title).help(help));
        return None;
    };
    match KINDS.into_iter().find(|(name, ..)| *name == key) {
        Some((_, least, most, kind)) => counted(member, key, least, most, kind),
        None => between(member),
    }
}

fn counted(
    member: &Section<'_>,
    key: &'static str,
    least: i64,
    most: i64,
    kind: Make,
) -> Option<Season> {
    let list = member.array(key)?;
    let whole =
        |n: f64| (n.fract() == 0.0).then_some(n as i64).filter(|n| (least..=most).contains(n));
    let ends: Option<Vec<i64>> =
        list.value.iter().map(|item| number_of(item.get_ref()).and_then(whole)).collect();
    match ends.as_deref() {
        Some(&[first, last]) => Some(kind(first, last)),
        _ => {
            let remark = Remark::new(format!("`{key}` is no part of the year"));
            let help = format!(
                "write the first and the last, {least} to {most}; [{most}, {least}] goes over \
                 the end of the year"
            );
            member.sink.error(&list.span, remark.help(help));
            None
        }
    }
}

fn between(member: &Section<'_>) -> Option<Season> {
    let list = member.array("between")?;
    let instant = |text: &str| {
        let instant: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(instant.as_nanosecond()).ok()
    };
    let ends: Option<Vec<i64>> =
        list.value.iter().map(|item| item.get_ref().as_str().and_then(instant)).collect();
    match ends.as_deref() {
        Some(&[first, last]) if first <= last => Some(Season::Instants(first, last)),
        _ => {
            let remark = Remark::new("`between` is no stretch of time");
            let help = "write two instants, the earlier first: [\"2026-06-01T00:00:00Z\", \
                        \"2026-09-01T00:00:00Z\"]";
            member.sink.error(&list.span, remark.help(help));
            None
        }
    }
}
