//! The bins that the engine hands out are those of the results that it shows at the same time.
//!
//! The reference is the crate, which reads what is handed out, and ranks it by itself.

use std::sync::{
    Arc,
    mpsc::{self, Receiver},
};

use hdrhistogram::{Histogram, serialization::Deserializer};
use proptest::prelude::*;
use stillwell::{
    engine::{
        Snapshot,
        aggregate::Aggregator,
        bins::{counting::Precision, export::Export, rank},
        desk::{Desk, Pick, Place, Question, Told},
        rolling::Rolling,
        summary::Summary,
    },
    limits::MS,
    scan::{Rest, Step},
};

use super::{
    CHANNELS, DEVICES, Front, PERCENTILES, RESOLUTION, batches,
    history::{history, moves, setting},
    plan,
};

/// One who always asks, for the windows that have bins.
struct Asker {
    desk: Arc<Desk>,
    picks: Arc<[Pick]>,
    waits: Option<(Place, Receiver<Told>)>,
    told: usize,
    /// As configured.
    figures: u8,
}

impl Asker {
    fn new(desk: Arc<Desk>, windows: usize, figures: u8) -> Self {
        let channels = 0..DEVICES * CHANNELS;
        let picks = channels
            .flat_map(|channel| (0..windows).map(move |window| Pick { channel, window }))
            .collect();
        Self { desk, picks, waits: None, told: 0, figures }
    }

    fn ask(&mut self) {
        if self.waits.is_none() {
            let (told, waits) = mpsc::channel();
            let tell = Box::new(move |answer| told.send(answer).expect("the test waits"));
            let picks = Arc::clone(&self.picks);
            let place = self.desk.leave(Question { picks, tell }).expect("nobody else asks");
            self.waits = Some((place, waits));
        }
    }

    /// Looks at the answer, which comes with a snapshot if it comes.
    fn look(&mut self, published: &Arc<Snapshot>) {
        let Some(told) = self.waits.as_ref().and_then(|(_, waits)| waits.try_recv().ok()) else {
            return;
        };
        self.waits = None;
        self.told += 1;
        assert!(Arc::ptr_eq(&told.snapshot, published));
        assert_eq!(told.exports.len(), self.picks.len());
        for (pick, export) in self.picks.iter().zip(told.exports) {
            let summary = published.channel(pick.channel).summary(pick.window);
            check(export, summary.as_ref(), self.figures);
        }
    }
}

fn read(payload: &[u8], figures: u8) -> Histogram<u64> {
    if payload.is_empty() {
        return Histogram::new(figures).expect("valid");
    }
    let histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut &*payload).expect("the crate reads it");
    assert_eq!(histogram.sigfig(), figures);
    histogram
}

fn check(export: Option<Export>, summary: Option<&Summary>, configured: u8) {
    let Some(Export { figures, n, positive, negative }) = export else {
        // Given up since, or before.
        return;
    };
    assert_eq!(n, summary.map_or(0, |summary| summary.n));
    let [positive, negative] = [positive, negative].map(|payload| read(&payload, figures));
    assert_eq!(positive.len() + negative.len(), n);
    let Some((summary, values)) = summary.and_then(|s| Some((s, s.values.as_ref()?))) else {
        return;
    };
    // A result of before the last relief may have been counted in more.
    let is_as_shown = match summary.precision {
        Precision::Configured => figures == configured,
        Precision::Coarsened(shown) => shown == figures,
        Precision::Withheld => panic!("bins that were given up are there"),
    };
    if !is_as_shown {
        return;
    }
    for (percentile, shown) in PERCENTILES.iter().zip(&values.percentiles) {
        let magnitude = |histogram: &Histogram<u64>, rank: u64| {
            let mut before = 0;
            let mut bins = histogram.iter_recorded();
            let bin = bins.find(|bin| {
                before += bin.count_since_last_iteration();
                rank <= before
            });
            histogram.median_equivalent(bin.expect("a rank among them").value_iterated_to()) as f64
        };
        let rank = rank(*percentile, n);
        let middle = match rank.checked_sub(negative.len()) {
            None | Some(0) => -magnitude(&negative, negative.len() - rank + 1),
            Some(rank) => magnitude(&positive, rank),
        };
        let expected = (middle * RESOLUTION).clamp(values.min, values.max);
        let near = (shown - expected).abs() <= expected.abs() * 1e-12;
        assert!(near, "{shown} {expected}");
    }
}

proptest! {
    #[test]
    fn what_is_handed_out_is_what_is_shown(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
        publish_ms in prop_oneof![Just(1_i64), 1..2_000_i64],
        (slice, idle) in prop_oneof![Just((usize::MAX, 300_usize)), (1..4_usize, 0..3_usize)],
    ) {
        let (plan, events) = (plan(&setting), history(&moves));
        let desk = Arc::new(Desk::default());
        let aggregator = Aggregator::in_slices(slice);
        let mut rolling = Rolling::with(&plan, publish_ms * MS, 1, aggregator)
            .at(Arc::clone(&desk).attend());
        let mut front = Front::new(&plan);
        let mut asker = Asker::new(desk, setting.windows.len(), setting.figures);
        let mut published = 0;
        for batch in batches(&events, &cuts, 400 * MS) {
            // The channels are known from the first publication on.
            if 0 < published {
                asker.ask();
            }
            let mut came = rolling.step(front.step(batch));
            for _ in 0..=idle {
                if let Some(snapshot) = came.take() {
                    published += 1;
                    asker.look(&snapshot);
                }
                if let Rest::Says(snapshot) = rolling.go_on() {
                    came = Some(snapshot);
                }
            }
            if let Some(snapshot) = came {
                published += 1;
                asker.look(&snapshot);
            }
        }
        prop_assert!(published < 4 || slice < usize::MAX || 0 < asker.told, "{published}");
        // At the end nobody waits in vain.
        let waits = asker.waits.take();
        drop(rolling);
        if let Some((_, waits)) = waits {
            prop_assert!(waits.recv().is_err());
        }
    }
}
