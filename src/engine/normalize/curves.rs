//! Channels whose calibration is more than a line, and those that measure their cold junctions.

mod saved;

use std::sync::Arc;

use crate::engine::{
    Plan,
    calibration::{Cold, Count, Eras, Graded, Moment},
    qc::bounds::Spans,
    summary::Flag,
    unit::{Conversion, Unit},
    validate::{Checked, Reading},
    verdict::Test,
};

/// The unit of the reference functions of thermocouples.
const CELSIUS: &str = "Cel";

/// What is kept of such channels.
#[derive(Debug)]
pub(super) struct Curves {
    /// By channel, its place in `curves`, or [`Curves::LINE`]; a channel that is not there is a
    /// line too.
    places: Vec<u32>,
    curves: Vec<Curve>,
    /// By rising channel.
    junctions: Vec<Measured>,
    /// Places of the junctions that the frame at hand has readings of.
    fresh: Vec<usize>,
}

/// A channel with more than a line.
#[derive(Debug)]
struct Curve {
    eras: Arc<Eras>,
    conversion: Conversion,
    count: Option<Count>,
    /// Whether it asks for the temperature of another channel.
    asks: bool,
}

/// A channel that measures a cold junction.
#[derive(Debug)]
struct Measured {
    channel: u32,
    /// From its unit to degrees Celsius; `None` if it has no such unit.
    to_celsius: Option<Conversion>,
    /// Its test of its range: the one that needs nothing but the value, as it comes before all
    /// tests.
    bounds: Option<Spans>,
    /// Its last reading before the frame at hand, then those in the frame: all that count.
    seen: Vec<Seen>,
}

/// A reading of a cold junction.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at_ns: i64,
    value: f64,
    flag: Flag,
}

impl Curves {
    const LINE: u32 = u32::MAX;

    /// No channel yet; the plan says which ones measure cold junctions.
    pub(super) fn new(plan: &Plan) -> Self {
        let celsius = Unit::parse(CELSIUS).ok();
        let measured = |channel: u32| {
            let plan = plan.channels.get(channel as usize);
            let bounds = plan.and_then(|plan| plan.qc.as_ref()?.gross_range);
            let unit =
                plan.and_then(|plan| plan.unit.as_deref()).and_then(|code| Unit::parse(code).ok());
            let pair = unit.zip(celsius);
            let to_celsius = pair.and_then(|(from, to)| Conversion::between(&from, &to).ok());
            Measured { channel, to_celsius, bounds, seen: Vec::new() }
        };
        let junctions = plan.junctions().into_iter().map(measured).collect();
        Self { places: Vec::new(), curves: Vec::new(), junctions, fresh: Vec::new() }
    }

    /// Whether every channel is a line.
    pub(super) fn is_empty(&self) -> bool {
        self.curves.is_empty()
    }

    /// Adds a channel with more than a line.
    pub(super) fn add(&mut self, channel: u32, eras: &Arc<Eras>, conversion: Conversion) {
        let place = u32::try_from(self.curves.len()).expect("CHANNELS_MAX holds");
        self.places.resize(channel as usize, Self::LINE);
        self.places.push(place);
        let asks = eras.all().iter().any(|era| era.junction_channel().is_some());
        self.curves.push(Curve { eras: Arc::clone(eras), conversion, count: None, asks });
    }

    /// Calibrates the readings of a batch, those of lines by `by_line`.
    pub(super) fn take(&mut self, checked: &mut Checked, by_line: impl Fn(&mut Reading)) {
        if self.junctions.is_empty() {
            checked.readings.iter_mut().for_each(|reading| self.reading(reading, &by_line));
            return;
        }
        let mut rest = checked.readings.as_mut_slice();
        let mut taken = 0;
        for &end in &checked.frame_ends {
            let frame;
            (frame, rest) = rest.split_at_mut(end - taken);
            taken = end;
            self.frame(frame, &by_line);
        }
    }

    /// Calibrates the readings of a frame: those that ask for another's value come last, so that
    /// their order within the frame does not matter.
    fn frame(&mut self, frame: &mut [Reading], by_line: &impl Fn(&mut Reading)) {
        for asking in [false, true] {
            for reading in frame.iter_mut() {
                if self.asks(reading.channel) == asking {
                    self.reading(reading, by_line);
                    self.see(reading);
                }
            }
        }
        for place in self.fresh.drain(..) {
            let seen = &mut self.junctions[place].seen;
            seen.drain(..seen.len().saturating_sub(1));
        }
    }

    fn reading(&mut self, reading: &mut Reading, by_line: &impl Fn(&mut Reading)) {
        let Some(place) = self.place(reading.channel) else {
            by_line(reading);
            return;
        };
        if reading.flag == Flag::Missing {
            return;
        }
        let Curve { eras, conversion, count, .. } = &mut self.curves[place];
        let at_ns = reading.at_ns;
        let graded = match eras.at(at_ns) {
            None => Graded::fail(Test::Undated),
            Some(era) => {
                let junctions = &self.junctions;
                let cold = era.junction_channel().and_then(|(channel, max_age_ns)| {
                    junctions[junction(junctions, channel)?].at(at_ns, max_age_ns)
                });
                era.apply(reading.value, &mut Moment { at_ns, cold, count })
            }
        };
        let Graded { value, .. } = graded;
        let Graded { value, flag, tests } =
            graded.then(Graded::good(conversion.point(value))).representable();
        reading.value = value;
        reading.flag = reading.flag.combine(flag);
        reading.tests = reading.tests | tests;
    }

    /// Remembers the reading if its channel measures a cold junction.
    fn see(&mut self, &Reading { channel, flag, at_ns, value, .. }: &Reading) {
        let Some(place) = junction(&self.junctions, channel) else { return };
        let Measured { bounds, seen, .. } = &mut self.junctions[place];
        let flag = bounds.map_or(flag, |bounds| flag.combine(bounds.judge(value)));
        if flag.counts() {
            seen.push(Seen { at_ns, value, flag });
            self.fresh.push(place);
        }
    }

    fn asks(&self, channel: u32) -> bool {
        self.place(channel).is_some_and(|place| self.curves[place].asks)
    }

    fn place(&self, channel: u32) -> Option<usize> {
        let place = self.places.get(channel as usize)?;
        (*place != Self::LINE).then_some(*place as usize)
    }
}

/// Where among the junctions a channel is.
fn junction(junctions: &[Measured], channel: u32) -> Option<usize> {
    junctions.binary_search_by_key(&channel, |measured| measured.channel).ok()
}

impl Measured {
    /// The temperature for a reading at this time: that of the nearest in time, and of several as
    /// near the last that came.
    fn at(&self, at_ns: i64, max_age_ns: i64) -> Option<Cold> {
        let distance = |seen: &&Seen| seen.at_ns.abs_diff(at_ns);
        let nearest = self.seen.iter().rev().min_by_key(distance)?;
        let is_near = distance(&nearest) <= max_age_ns.unsigned_abs();
        let celsius = self.to_celsius?.point(nearest.value);
        is_near.then_some(Cold { celsius, is_suspect: nearest.flag == Flag::Suspect })
    }
}
