//! The list of windows, in `[defaults]` or of a channel.

use std::{ops::Range, sync::Arc};

use toml::{Spanned, de::DeValue};

use super::{
    errors::Remark,
    keys,
    reader::{Found, Section},
};
use crate::{
    engine::{ExactWindow, Window, duration::Nanoseconds},
    limits::{
        EXACT_CAPACITY_DEFAULT, EXACT_CAPACITY_MAX, EXACT_LENGTH_MAX_NS, PANE_MIN_NS,
        WINDOW_MAX_NS, WINDOWS_PER_CHANNEL_MAX,
    },
};

/// Windows in ascending order, and where they stand; shared by all that inherit them.
#[derive(Clone, Debug, Default)]
pub(super) struct WindowList {
    /// Those that slide by panes.
    pub(super) sliding: Arc<[Window]>,
    /// Where each of those stands.
    pub(super) spans: Arc<[Range<usize>]>,
    /// Those that slide with each reading.
    pub(super) exact: Arc<[ExactWindow]>,
}

/// One item of the list.
#[derive(Clone, Copy, Debug)]
enum Item {
    Sliding(Window),
    Exact(ExactWindow),
}

impl WindowList {
    /// Windows of these lengths, which stand nowhere.
    pub(super) fn sliding_by_a_tenth(lengths_ns: &[i64]) -> Self {
        Self {
            sliding: lengths_ns.iter().copied().map(sliding_by_a_tenth).collect(),
            spans: lengths_ns.iter().map(|_| 0..0).collect(),
            exact: Arc::default(),
        }
    }
}

fn sliding_by_a_tenth(length_ns: i64) -> Window {
    Window { length_ns, every_ns: length_ns / 10 }
}

/// Reads the key `windows`.
pub(super) fn read(section: &Section<'_>) -> Option<Found<WindowList>> {
    let list = section.array("windows")?;
    let count = list.value.len();
    if count == 0 || WINDOWS_PER_CHANNEL_MAX < count {
        let title = format!("{count} windows, where 1 to {WINDOWS_PER_CHANNEL_MAX} can be");
        section.sink.error(&list.span, Remark::new(title));
        return None;
    }
    let read: Vec<_> = list.value.iter().map(|item| window(section, item)).collect();
    let (mut sliding, mut exact) = (Vec::new(), Vec::new());
    for Found { value, span } in read.into_iter().collect::<Option<Vec<_>>>()? {
        match value {
            Item::Sliding(window) => sliding.push(Found { value: window, span }),
            Item::Exact(window) => exact.push(Found { value: window, span }),
        }
    }
    sliding.sort_by_key(|found| (found.value.every_ns, found.value.length_ns));
    exact.sort_by_key(|found| found.value.length_ns);
    unique(section, &sliding, |window| (window.every_ns, window.length_ns));
    unique(section, &exact, |window| (0, window.length_ns));
    let list_of = WindowList {
        sliding: sliding.iter().map(|found| found.value).collect(),
        spans: sliding.into_iter().map(|found| found.span).collect(),
        exact: exact.into_iter().map(|found| found.value).collect(),
    };
    Some(Found { value: list_of, span: list.span })
}

/// Records windows that are given twice; `key` is step and length.
fn unique<T>(section: &Section<'_>, sorted: &[Found<T>], key: impl Fn(&T) -> (i64, i64)) {
    for pair in sorted.windows(2).filter(|pair| key(&pair[0].value) == key(&pair[1].value)) {
        let length = Nanoseconds(key(&pair[0].value).1);
        let remark = Remark::new(format!("the window {length} is given twice"));
        section.sink.error(&pair[1].span, remark);
    }
}

fn window(section: &Section<'_>, item: &Spanned<DeValue<'_>>) -> Option<Found<Item>> {
    let (value, span) = (item.get_ref(), item.span());
    let lengths = PANE_MIN_NS..=WINDOW_MAX_NS;
    let item = match value {
        DeValue::String(_) => {
            let length_ns = section.duration_of("windows", value, &span)?;
            if !lengths.contains(&length_ns) {
                let (least, most) = (Nanoseconds(*lengths.start()), Nanoseconds(*lengths.end()));
                section.out_of_range("windows", &span, Nanoseconds(length_ns), least, most);
                return None;
            }
            Item::Sliding(sliding_by_a_tenth(length_ns))
        }
        DeValue::Table(table) => {
            let keys = keys::WINDOW;
            of_table(&Section::open(table, span.clone(), "a window", keys, section.sink))?
        }
        _ => {
            let help =
                "write \"1h\", which slides by a tenth, or { length = \"1h\", every = \"1m\" }";
            let expected = "a list of windows";
            section.wrong_type("windows", &span, value, expected, Some(help.to_owned()));
            return None;
        }
    };
    Some(Found { value: item, span })
}

fn of_table(table: &Section<'_>) -> Option<Item> {
    table.require("length", "\"1h\"");
    let exact = match (table.has("exact"), table.boolean("exact")) {
        (true, None) => return None,
        (_, found) => found.is_some_and(|found| found.value),
    };
    if exact {
        return exact_of(table).map(Item::Exact);
    }
    table.require("every", "\"1m\"");
    if let Some(span) = table.key_span("capacity") {
        let remark = Remark::new("`capacity` belongs to an exact window");
        table.sink.error(&span, remark.help("add `exact = true`, or remove it"));
    }
    let lengths = PANE_MIN_NS..=WINDOW_MAX_NS;
    let length_ns = table.duration("length", lengths.clone());
    let every_ns = table.duration("every", lengths);
    Some(Item::Sliding(Window { length_ns: length_ns?.value, every_ns: every_ns?.value }))
}

fn exact_of(table: &Section<'_>) -> Option<ExactWindow> {
    if let Some(span) = table.key_span("every") {
        let remark = Remark::new("an exact window has no `every`: it slides with each reading");
        table.sink.error(&span, remark.help("remove it, or `exact = true`"));
    }
    let length_ns = table.duration("length", PANE_MIN_NS..=EXACT_LENGTH_MAX_NS);
    let capacity = match (table.has("capacity"), table.integer("capacity", CAPACITIES)) {
        (false, _) => EXACT_CAPACITY_DEFAULT,
        (true, found) => usize::try_from(found?.value).ok()?,
    };
    Some(ExactWindow { length_ns: length_ns?.value, capacity })
}

const CAPACITIES: std::ops::RangeInclusive<i64> = 1..=EXACT_CAPACITY_MAX as i64;
