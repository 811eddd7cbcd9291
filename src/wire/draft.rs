//! A frame that has not proven good yet, for formats that name their fields.

use std::ops::Range;

use super::{
    DeviceClock, FIELD_OVERFLOW, FIELD_UNKNOWN, Frames, Head, Health, Sample, names::Names,
};
use crate::limits::FIELD_PATH_BYTES_MAX;

/// The error of a time is not known.
const TIME_ERROR_UNKNOWN: u8 = 255;

/// The samples of one frame: kept whole, or taken back whole when this is dropped.
///
/// Names that are new are learned with the frame and not before, so that garbage teaches none.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) names: &'a mut Names,
    out: &'a mut Frames,
    /// Where the frame begins in the samples.
    start: usize,
}

/// Names that are to be learned if the frame is good. Garbage may bring them again and again:
/// they are kept in one text.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    texts: String,
    met: Vec<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    /// Index of its sample.
    sample: usize,
    /// Where in the text its name is, and its unit, which may be empty.
    name: Range<usize>,
    unit: Range<usize>,
}

impl Strangers {
    fn meet(&mut self, sample: usize, name: &str, unit: Option<&str>) {
        let start = self.texts.len();
        self.texts.push_str(name);
        let between = self.texts.len();
        self.texts.push_str(unit.unwrap_or_default());
        self.met.push(Stranger { sample, name: start..between, unit: between..self.texts.len() });
    }

    fn forget_from(&mut self, sample: usize) {
        self.met.retain(|stranger| stranger.sample < sample);
        if self.met.is_empty() {
            self.texts.clear();
        }
    }
}

impl<'a> Draft<'a> {
    /// A frame without samples.
    pub(super) fn new(names: &'a mut Names, out: &'a mut Frames) -> Self {
        let start = out.samples.len();
        Self { names, out, start }
    }

    /// Adds a value, NaN where there is none, without a time.
    #[inline]
    pub(super) fn push(&mut self, name: &str, value: f64) {
        self.push_with(name, None, 0, value);
    }

    /// Adds a value with the unit of its field and with its time. A name that is empty or beyond
    /// the bound is unknown.
    #[inline]
    pub(super) fn push_with(&mut self, name: &str, unit: Option<&str>, at_ns: i64, value: f64) {
        self.push_new(name, || unit, at_ns, value);
    }

    /// As [`Self::push_with`], with a unit that is looked up only for a name that is new.
    #[inline]
    pub(super) fn push_new<'u>(
        &mut self,
        name: &str,
        unit: impl FnOnce() -> Option<&'u str>,
        at_ns: i64,
        value: f64,
    ) {
        if name.is_empty() || FIELD_PATH_BYTES_MAX < name.len() {
            self.out.samples.push(Sample { field: FIELD_UNKNOWN, at_ns, value });
            return;
        }
        let field = self.names.find(name).unwrap_or_else(|| {
            self.names.strangers.meet(self.out.samples.len(), name, unit());
            FIELD_UNKNOWN
        });
        self.out.samples.push(Sample { field, at_ns, value });
    }

    /// As [`Self::push`] for a field whose name has been looked up before.
    pub(super) fn push_known(&mut self, field: u32, value: f64) {
        self.out.samples.push(Sample { field, at_ns: 0, value });
    }

    /// Number of samples so far.
    pub(super) fn len(&self) -> usize {
        self.out.samples.len() - self.start
    }

    /// Gives the samples from this one on this time.
    pub(super) fn stamp_from(&mut self, sample: usize, at_ns: i64) {
        let samples = &mut self.out.samples[self.start + sample..];
        samples.iter_mut().for_each(|sample| sample.at_ns = at_ns);
    }

    /// Takes back the samples from this one on.
    pub(super) fn truncate(&mut self, sample: usize) {
        let end = self.start + sample;
        self.out.samples.truncate(end);
        self.names.strangers.forget_from(end);
    }

    /// The frame is good and was made as a whole at this time, if it says so: as [`Self::keep`].
    #[inline]
    pub(super) fn keep_at(mut self, time_ns: Option<i64>, arrived_ns: i64) -> usize {
        let Some(time_ns) = time_ns else { return self.keep(DeviceClock::None, arrived_ns) };
        self.stamp_from(0, time_ns);
        self.keep(DeviceClock::Utc, arrived_ns)
    }

    /// Whether a sample has a name that was not known before.
    pub(super) fn has_strangers(&self) -> bool {
        let strange = |sample: &Sample| matches!(sample.field, FIELD_UNKNOWN | FIELD_OVERFLOW);
        self.out.samples[self.start..].iter().any(strange)
    }

    #[cold]
    fn learn(&mut self) {
        let mut strangers = std::mem::take(&mut self.names.strangers);
        for Stranger { sample, name, unit } in strangers.met.drain(..) {
            let unit = Some(&strangers.texts[unit]).filter(|unit| !unit.is_empty());
            let field = self.names.find_or_learn(&strangers.texts[name], unit);
            self.out.samples[sample].field = field;
        }
        self.names.strangers = strangers;
    }

    /// The frame is good: learns its names, closes it, and returns the number of its samples.
    #[inline]
    pub(super) fn keep(mut self, clock: DeviceClock, arrived_ns: i64) -> usize {
        if !self.names.strangers.met.is_empty() {
            self.learn();
        }
        let samples = self.len();
        self.start = self.out.samples.len();
        self.out.heads.push(Head {
            device: 0,
            boot: 0,
            sequence: None,
            health: Health::Good,
            clock,
            first: false,
            time_error: TIME_ERROR_UNKNOWN,
            arrived_ns,
            samples: u32::try_from(samples).expect("each has a byte of the frame at least"),
            shed: false,
        });
        samples
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        self.truncate(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::Naming;

    #[test]
    fn what_is_not_kept_leaves_no_trace() {
        let mut names = Names::new(&Naming { known: vec!["t".into()], discover: 9 });
        let mut out = Frames::default();
        let mut draft = Draft::new(&mut names, &mut out);
        draft.push("t", 1.0);
        assert!(!draft.has_strangers());
        draft.push("h", 2.0);
        assert!(draft.has_strangers());
        drop(draft);
        assert_eq!((out.clone(), names.table().len()), (Frames::default(), 1));

        let mut draft = Draft::new(&mut names, &mut out);
        draft.push_with("h", Some("%RH"), 7, 2.0);
        draft.push("h", 3.0);
        assert_eq!(draft.keep(DeviceClock::Utc, 9), 2);
        assert_eq!((out.heads[0].samples, out.heads[0].arrived_ns), (2, 9));
        assert_eq!(out.samples[1], Sample { field: 1, at_ns: 0, value: 3.0 });
        assert_eq!(names.table().unit(1).map(|unit| &**unit), Some("%RH"));
    }
}
