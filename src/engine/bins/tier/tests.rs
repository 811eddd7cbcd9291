//! Both forms against a map, and when which is taken.

use std::{collections::BTreeMap, iter};

use proptest::prelude::*;

use super::{
    super::{rank, tally::Tally},
    *,
};

type Counted = BTreeMap<Bin, u64>;

/// A window whose form is decided by a rule of its own.
trait Form {
    fn add(&mut self, packed: &[u8]);
    fn subtract(&mut self, packed: &[u8]);
    fn tier(&self) -> &Tier<u32>;
}

/// The form that is right with so much room.
struct Automatic(Tier<u32>, Room);

/// Chunks whatever comes.
struct Sparse(Tier<u32>);

/// A strip whatever comes.
struct Dense(Tier<u32>);

impl Form for Automatic {
    fn add(&mut self, packed: &[u8]) {
        self.0.add(Entries::new(packed), self.1);
    }

    fn subtract(&mut self, packed: &[u8]) {
        self.0.subtract(Entries::new(packed));
    }

    fn tier(&self) -> &Tier<u32> {
        &self.0
    }
}

impl Form for Sparse {
    fn add(&mut self, packed: &[u8]) {
        let Tier::Sparse(chunks) = &mut self.0 else { panic!("became a strip") };
        chunks.add(Entries::new(packed));
    }

    fn subtract(&mut self, packed: &[u8]) {
        self.0.subtract(Entries::new(packed));
    }

    fn tier(&self) -> &Tier<u32> {
        &self.0
    }
}

impl Dense {
    fn new() -> Self {
        let mut chunks = Chunks::EMPTY;
        chunks.add(iter::once((0, 1)));
        let mut strip = Strip::of(&chunks);
        strip.subtract(iter::once((0, 1)));
        Self(Tier::Dense { strip, used: 0 })
    }
}

impl Form for Dense {
    fn add(&mut self, packed: &[u8]) {
        let Tier::Dense { strip, .. } = &mut self.0 else { panic!("became chunks") };
        let mut entries = Entries::new(packed);
        while let Some(beyond) = strip.add(&mut entries) {
            strip.widen(beyond.0, beyond.0);
            strip.add_one(beyond);
        }
    }

    fn subtract(&mut self, packed: &[u8]) {
        self.0.subtract(Entries::new(packed));
    }

    fn tier(&self) -> &Tier<u32> {
        &self.0
    }
}

fn packed(counts: &Counted) -> Vec<u8> {
    let (mut tally, mut bytes) = (Tally::new(), Vec::new());
    counts.iter().for_each(|(&bin, &count)| tally.add(bin, count));
    tally.pack(&mut bytes);
    bytes
}

fn all_of(tier: &Tier<u32>) -> Counted {
    let mut all = Counted::new();
    tier.for_each(|bin, count| assert!(all.insert(bin, count).is_none(), "told once"));
    all
}

fn at_ranks(tier: &Tier<u32>, ranks: &[u64]) -> Vec<Bin> {
    let mut bins = Vec::new();
    tier.at_ranks(ranks.iter().copied(), |bin| bins.push(bin));
    bins
}

fn naive_rank(counted: &Counted, rank: u64) -> Bin {
    let mut below = 0;
    let found = counted.iter().find(|(_, n)| {
        below += **n;
        rank <= below
    });
    *found.expect("a rank of these").0
}

/// Chunks that are in use.
fn used_of(counted: &Counted) -> usize {
    let mut places: Vec<i32> =
        counted.keys().map(|bin| i32::from(*bin).div_euclid(CHUNK_BINS as i32)).collect();
    places.dedup();
    places.len()
}

/// A pane: clusters of readings, some far away.
fn pane() -> impl Strategy<Value = Counted> {
    let center = prop_oneof![4 => -60..60_i16, 2 => -2_000..2_000_i16, 1 => any::<Bin>()];
    let cluster = (center, 1..400_i16, proptest::collection::vec((any::<u16>(), 1..9_u64), 0..60));
    proptest::collection::vec(cluster, 0..3).prop_map(|clusters| {
        let mut counted = Counted::new();
        for (center, width, readings) in clusters {
            for (at, n) in readings {
                let bin = center.saturating_add((at % width as u16) as i16);
                *counted.entry(bin).or_insert(0) += n;
            }
        }
        counted
    })
}

proptest! {
    /// Whichever form a window has, and whenever it changes: the same bins, the same ranks.
    #[test]
    fn every_form_holds_the_same(
        panes in proptest::collection::vec(pane(), 1..40),
        keep in 1..12_usize,
        percentile in 0.1..100.0_f64,
        confined in 0..60_usize,
    ) {
        let automatic = |room| Automatic(Tier::EMPTY, room);
        let (mut ample, mut tight) = (automatic(Room::Ample), automatic(Room::Tight));
        let mut later = automatic(Room::Ample);
        let (mut sparse, mut dense) = (Sparse(Tier::EMPTY), Dense::new());
        let mut expected = Counted::new();
        let (mut most_used, mut lowest, mut highest) = (0, i64::MAX, i64::MIN);
        for (i, pane) in panes.iter().enumerate() {
            if i == confined {
                later.1 = Room::Tight;
                later.0.confine();
                prop_assert_eq!(later.0.taken().spare, 0);
            }
            let gone = i.checked_sub(keep).map(|gone| &panes[gone]);
            let forms: [&mut dyn Form; 5] =
                [&mut ample, &mut tight, &mut later, &mut sparse, &mut dense];
            for form in forms {
                gone.iter().for_each(|pane| form.subtract(&packed(pane)));
                form.add(&packed(pane));
            }
            for (bin, n) in gone.into_iter().flatten() {
                *expected.get_mut(bin).expect("was added") -= n;
            }
            pane.iter().for_each(|(bin, n)| *expected.entry(*bin).or_insert(0) += n);
            expected.retain(|_, n| *n != 0);
            let n: u64 = expected.values().sum();
            let mut ranks = [1, rank(percentile, n), n / 2 + 1, n];
            ranks.sort_unstable();
            let forms: [&dyn Form; 5] = [&ample, &tight, &later, &sparse, &dense];
            for form in forms {
                prop_assert_eq!(&all_of(form.tier()), &expected);
                let mut widened = Counted::new();
                form.tier().widened().for_each(|bin, count| { widened.insert(bin, count); });
                prop_assert_eq!(&widened, &expected);
                if 0 < n {
                    let bins = ranks.map(|rank| naive_rank(&expected, rank));
                    prop_assert_eq!(at_ranks(form.tier(), &ranks), bins.to_vec());
                }
            }
            let used = used_of(&expected);
            prop_assert!(keeps_to(&ample.0, 4 * Chunks::<u32>::bytes_of(used), used));
            prop_assert!(keeps_to(&tight.0, with_growth(Chunks::<u32>::bytes_of(used)), used));
            prop_assert_eq!(tight.0.taken().spare, 0);
            most_used = most_used.max(expected.len() as u64);
            lowest = lowest.min(expected.keys().next().map_or(i64::MAX, |bin| i64::from(*bin)));
            highest = highest.max(expected.keys().last().map_or(i64::MIN, |bin| i64::from(*bin)));
            let range = (highest.saturating_sub(lowest).saturating_add(1)).max(0) as u64;
            for form in [&ample.0, &tight.0, &later.0] {
                prop_assert!(form.taken().bytes as u64 <= bytes_at_most(most_used, range));
            }
        }
    }

    /// What is taken when a pane has come follows from the panes: not from whether those before
    /// had gone when they could, or when they had to.
    #[test]
    fn the_form_does_not_depend_on_when_panes_go(
        panes in proptest::collection::vec(pane(), 1..40),
        keep in 1..12_usize,
        room in prop_oneof![Just(Room::Ample), Just(Room::Tight)],
    ) {
        let (mut late, mut early) = (Tier::<u32>::EMPTY, Tier::<u32>::EMPTY);
        for (i, pane) in panes.iter().enumerate() {
            if let Some(gone) = i.checked_sub(keep) {
                late.subtract(Entries::new(&packed(&panes[gone])));
            }
            late.add(Entries::new(&packed(pane)), room);
            early.add(Entries::new(&packed(pane)), room);
            prop_assert_eq!(late.taken(), early.taken());
            prop_assert_eq!(is_dense(&late), is_dense(&early));
            if let Some(gone) = (i + 1).checked_sub(keep) {
                early.subtract(Entries::new(&packed(&panes[gone])));
                prop_assert_eq!(late.taken(), early.taken(), "nor does it change between");
            }
        }
    }
}

/// A strip is within its limit, and knows how many of its chunks are in use.
fn keeps_to(tier: &Tier<u32>, most_bytes: usize, used: usize) -> bool {
    match tier {
        Tier::Sparse(chunks) => chunks.count() == used,
        Tier::Dense { strip, used: known } => {
            strip.bytes() <= most_bytes && strip.used() == used && *known == used
        }
    }
}

/// Bins at equal distances.
fn comb(count: i16, distance: i16) -> Counted {
    (0..count).map(|i| (i * distance, 1)).collect()
}

fn is_dense(tier: &Tier<u32>) -> bool {
    matches!(tier, Tier::Dense { .. })
}

#[test]
fn many_chunks_close_together_are_a_strip() {
    let dense = |counted: &Counted, room| {
        let mut tier = Tier::<u32>::EMPTY;
        tier.add(Entries::new(&packed(counted)), room);
        is_dense(&tier)
    };
    let bins = CHUNK_BINS as i16;
    assert!(!dense(&comb(7, bins), Room::Tight) && dense(&comb(8, bins), Room::Tight));
    // Every third chunk in use is room enough for speed, and not where there is little.
    assert!(dense(&comb(20, 3 * bins), Room::Ample) && !dense(&comb(20, 3 * bins), Room::Tight));
    assert!(!dense(&comb(20, 4 * bins), Room::Ample));
}

/// Goes back later than it began, so that a window at the limit does not change with each pane.
#[test]
fn a_strip_goes_on_for_a_while() {
    let bins = CHUNK_BINS as i16;
    let mut tier = Tier::<u32>::EMPTY;
    let mut add = |counted: &Counted| {
        tier.add(Entries::new(&packed(counted)), Room::Ample);
        is_dense(&tier)
    };
    assert!(add(&comb(20, 3 * bins)));
    let one = |bin: Bin| Counted::from([(bin, 1)]);
    assert!(add(&one(75 * bins)), "3.4 times as large");
    assert!(!add(&one(120 * bins)), "5.2 times as large");
    let mut tier = Tier::<u32>::EMPTY;
    let all = packed(&comb(8, bins));
    tier.add(Entries::new(&all), Room::Ample);
    let mut held = comb(8, bins);
    for left in [7, 6, 5, 4, 3] {
        let gone = Counted::from([held.pop_last().expect("one of eight")]);
        tier.subtract(Entries::new(&packed(&gone)));
        tier.add(Entries::new(&[]), Room::Ample);
        assert_eq!(is_dense(&tier), 3 < left, "{left} chunks");
        assert_eq!(all_of(&tier), held);
    }
}

/// What leaves a range behind is not paid for for ever.
#[test]
fn a_window_that_wanders_stays_small() {
    let mut tier = Tier::<u32>::EMPTY;
    let pane = |at: usize| -> Counted { (0..200).map(|i| (at as i16 * 13 + i, 1)).collect() };
    for at in 0..2_000_usize {
        tier.add(Entries::new(&packed(&pane(at))), Room::Ample);
        if let Some(gone) = at.checked_sub(9) {
            tier.subtract(Entries::new(&packed(&pane(gone))));
        }
        let used = (200 + 13 * 9) / CHUNK_BINS + 2;
        assert!(tier.taken().bytes <= 4 * Chunks::<u32>::bytes_of(used), "at {at}");
    }
    assert!(is_dense(&tier));
}
