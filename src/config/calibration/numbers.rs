//! Numbers, pairs of them, and lists, as calibrations have them.

use toml::{Spanned, de::DeValue};

use crate::config::{
    errors::Remark,
    reader::{Found, Section, number_of},
};

/// A raw value and the true one, and where they stand.
type Point = Found<(f64, f64)>;

/// Beyond this, no quantity is measured.
const MOST: f64 = 1e30;

/// A number that must be there.
pub(super) fn number(section: &Section<'_>, key: &'static str) -> Option<f64> {
    section.require(key, "1.0");
    section.number(key, -MOST..=MOST).map(|found| found.value)
}

/// A number, or what counts without it; `None` is an error.
pub(super) fn number_or(section: &Section<'_>, key: &'static str, default: f64) -> Option<f64> {
    if section.has(key) { number(section, key) } else { Some(default) }
}

/// A number above 0, which must be there unless there is a default.
pub(super) fn positive(
    section: &Section<'_>,
    key: &'static str,
    default: Option<f64>,
) -> Option<f64> {
    if let (Some(default), false) = (default, section.has(key)) {
        return Some(default);
    }
    section.require(key, "10000");
    section.number(key, 1.0 / MOST..=MOST).map(|found| found.value)
}

/// `[least, most]`, in this order; the outer `None` is an error.
pub(super) fn range(section: &Section<'_>, key: &'static str) -> Option<Option<Found<(f64, f64)>>> {
    if !section.has(key) {
        return Some(None);
    }
    let list = section.array(key)?;
    let [least, most] = pair(section, key, list.value, &list.span)?;
    if most <= least {
        let title = format!("`{key}` is [{least}, {most}], where nothing lies between");
        section.sink.error(&list.span, Remark::new(title));
        return None;
    }
    Some(Some(Found { value: (least, most), span: list.span }))
}

/// Points `[[raw, true], …]`, each with its place.
pub(super) fn points(section: &Section<'_>) -> Option<Found<Vec<Point>>> {
    section.require("points", "[[0, 0], [100, 250.5]]");
    let list = section.array("points")?;
    let point = |item: &Spanned<DeValue<'_>>| {
        let span = item.span();
        let Some(numbers) = item.get_ref().as_array() else {
            section.wrong_type("points", &span, item.get_ref(), "a list of pairs", None);
            return None;
        };
        let [raw, value] = pair(section, "points", numbers, &span)?;
        Some(Found { value: (raw, value), span })
    };
    let points: Vec<Option<_>> = list.value.iter().map(point).collect();
    Some(Found { value: points.into_iter().collect::<Option<_>>()?, span: list.span })
}

/// A list of numbers.
pub(super) fn numbers(section: &Section<'_>, key: &'static str) -> Option<Found<Vec<f64>>> {
    section.require(key, "[0.0, 1.0]");
    let list = section.array(key)?;
    let numbers: Vec<Option<f64>> =
        list.value.iter().map(|item| element(section, key, item)).collect();
    Some(Found { value: numbers.into_iter().collect::<Option<_>>()?, span: list.span })
}

fn pair(
    section: &Section<'_>,
    key: &'static str,
    items: &[Spanned<DeValue<'_>>],
    span: &std::ops::Range<usize>,
) -> Option<[f64; 2]> {
    let [first, second] = items else {
        let title = format!("`{key}` has {} numbers where two belong", items.len());
        section.sink.error(span, Remark::new(title));
        return None;
    };
    let (first, second) = (element(section, key, first), element(section, key, second));
    Some([first?, second?])
}

fn element(section: &Section<'_>, key: &'static str, item: &Spanned<DeValue<'_>>) -> Option<f64> {
    let Some(number) = number_of(item.get_ref()) else {
        section.wrong_type(key, &item.span(), item.get_ref(), "a list of numbers", None);
        return None;
    };
    if !(-MOST..=MOST).contains(&number) {
        section.out_of_range(key, &item.span(), number, -MOST, MOST);
        return None;
    }
    Some(number)
}
