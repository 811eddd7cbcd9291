//! Questions that no snapshot answers by itself: the bins behind the percentiles of a window.
//!
//! Bins stay where they are counted, and change while readings come. Who wants them leaves a
//! question at the desk. At the next publication the engine takes what lies there, each aggregator
//! hands out the bins of its channels when its results are settled, and the snapshot that is bound
//! of them goes to who asked, together with the bins: both are of one instant.
//!
//! The desk has a few places, so that whoever asks, the engine has no more to do for a publication
//! than that. It never waits for one who is at the desk: a place that is being used is looked at
//! again the next time.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{Snapshot, bins::export::Export};
use crate::limits::DESK_PLACES;

/// A window of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Dense index of the channel.
    pub channel: u32,
    /// Number of the window in the channel's rules; none of the exact ones.
    pub window: usize,
}

/// What is told to who asked.
#[derive(Debug)]
pub struct Told {
    /// What is published.
    pub snapshot: Arc<Snapshot>,
    /// Bins behind its results, for each pick; `None` where they were given up.
    pub exports: Vec<Option<Export>>,
}

/// Bins that an aggregator found: which of the picks, and what [`Told`] has of it.
pub type Given = (usize, Option<Export>);

/// A question, and where its answer goes.
pub struct Question {
    /// The windows whose bins are wanted.
    pub picks: Arc<[Pick]>,
    /// Takes the answer; dropped if there is none, because the engine ends.
    pub tell: Box<dyn FnOnce(Told) + Send>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("picks", &self.picks).finish_non_exhaustive()
    }
}

/// Where questions lie until the next publication.
#[derive(Debug, Default)]
pub struct Desk {
    places: [Mutex<Option<Question>>; DESK_PLACES],
    /// The engine has ended.
    is_closed: AtomicBool,
}

/// Why a question cannot be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// All places are taken until the next publication.
    Full,
    /// The engine has ended.
    Closed,
}

impl Desk {
    /// Leaves a question, which lies there until it is taken or the place is given up.
    ///
    /// # Errors
    /// If there is no place, or nobody to take it.
    pub fn leave(self: &Arc<Self>, question: Question) -> Result<Place, Turned> {
        for (at, place) in self.places.iter().enumerate() {
            let mut lies = hold(place);
            // Whoever closes it comes by at each place afterwards.
            if self.is_closed.load(Relaxed) {
                return Err(Turned::Closed);
            }
            if lies.is_none() {
                let picks = Arc::clone(&question.picks);
                *lies = Some(question);
                return Ok(Place { desk: Arc::clone(self), at, picks });
            }
        }
        Err(Turned::Full)
    }

    /// How many questions lie there.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.places.iter().filter(|place| hold(place).is_some()).count()
    }

    /// The engine's side.
    #[must_use]
    pub fn attend(self: Arc<Self>) -> Attendant {
        // After a reload it is another engine's.
        self.is_closed.store(false, Relaxed);
        Attendant { desk: self }
    }
}

/// A question that lies at the desk, as long as this is kept.
#[derive(Debug)]
pub struct Place {
    desk: Arc<Desk>,
    at: usize,
    picks: Arc<[Pick]>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lies = hold(&self.desk.places[self.at]);
        if lies.as_ref().is_some_and(|question| Arc::ptr_eq(&question.picks, &self.picks)) {
            *lies = None;
        }
    }
}

/// Who takes the questions; closes the desk in the end.
#[derive(Debug)]
pub struct Attendant {
    desk: Arc<Desk>,
}

impl Attendant {
    /// What lies there.
    pub fn take(&self) -> Vec<Question> {
        let places = self.desk.places.iter();
        places.filter_map(|place| place.try_lock().ok()?.take()).collect()
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.desk.is_closed.store(true, Relaxed);
        for place in &self.desk.places {
            *hold(place) = None;
        }
    }
}

/// Nothing that is done with a place can leave it half done.
fn hold(place: &Mutex<Option<Question>>) -> MutexGuard<'_, Option<Question>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All picks of some questions, in their order.
#[must_use]
pub fn picks(questions: &[Question]) -> Arc<[Pick]> {
    if questions.is_empty() {
        // Nearly always; and this takes no memory.
        return Arc::default();
    }
    questions.iter().flat_map(|question| question.picks.iter().copied()).collect()
}

/// Tells each what was given of its [`picks`]; nothing of a question of which some is lacking.
pub fn tell(questions: Vec<Question>, snapshot: &Arc<Snapshot>, mut given: Vec<Given>) {
    given.sort_unstable_by_key(|(pick, _)| *pick);
    let mut given = given.into_iter().peekable();
    let mut first = 0;
    for Question { picks, tell } in questions {
        let end = first + picks.len();
        let mut exports = Vec::with_capacity(picks.len());
        while let Some((_, export)) = given.next_if(|(pick, _)| *pick < end) {
            exports.push(export);
        }
        if exports.len() == picks.len() {
            tell(Told { snapshot: Arc::clone(snapshot), exports });
        }
        first = end;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn pick(channel: u32) -> Pick {
        Pick { channel, window: 0 }
    }

    fn question(channels: &[u32]) -> (Question, mpsc::Receiver<Told>) {
        let (told, answer) = mpsc::channel();
        let picks = channels.iter().map(|channel| pick(*channel)).collect();
        let tell = Box::new(move |answer| told.send(answer).expect("somebody waits"));
        (Question { picks, tell }, answer)
    }

    fn export(n: u64) -> Option<Export> {
        let (positive, negative) = (Box::default(), Box::default());
        Some(Export { figures: 2, n, positive, negative })
    }

    #[test]
    fn there_are_so_many_places_and_who_goes_frees_one() {
        let desk = Arc::new(Desk::default());
        let attendant = Arc::clone(&desk).attend();
        let leave = || desk.leave(question(&[1]).0);
        let mut places: Vec<Place> = (0..DESK_PLACES).map(|_| leave().expect("free")).collect();
        assert_eq!(leave().map(drop), Err(Turned::Full));
        places.remove(1);
        let third = leave().expect("free again");
        assert_eq!(leave().map(drop), Err(Turned::Full));
        assert_eq!(attendant.take().len(), DESK_PLACES);
        let next = leave().expect("free after a publication");
        // Those that were taken are nobody's place any more.
        drop((places, third));
        assert_eq!(attendant.take().len(), 1);
        drop(next);
    }

    #[test]
    fn the_engine_does_not_wait_for_a_place_in_use() {
        let desk = Arc::new(Desk::default());
        let attendant = Arc::clone(&desk).attend();
        let _first = desk.leave(question(&[1]).0).expect("free");
        let _second = desk.leave(question(&[2]).0).expect("free");
        let in_use = hold(&desk.places[0]);
        assert_eq!(attendant.take()[0].picks[..], [pick(2)]);
        drop(in_use);
        assert_eq!(attendant.take()[0].picks[..], [pick(1)]);
    }

    #[test]
    fn nobody_waits_for_an_engine_that_has_ended() {
        let desk = Arc::new(Desk::default());
        let attendant = Arc::clone(&desk).attend();
        let (question_there, answer) = question(&[1]);
        let _place = desk.leave(question_there).expect("free");
        drop(attendant);
        assert_eq!(answer.try_recv().map(drop), Err(mpsc::TryRecvError::Disconnected));
        assert_eq!(desk.leave(question(&[1]).0).map(drop), Err(Turned::Closed));
    }

    #[test]
    fn each_is_told_what_it_asked_for() {
        let [(a, to_a), (b, to_b), (c, to_c)] = [&[5, 6][..], &[7], &[8, 9]].map(question);
        let questions = vec![a, b, c];
        assert_eq!(picks(&questions)[..], [5, 6, 7, 8, 9].map(pick));
        // From two shards, and the last of the picks is lacking.
        let given = vec![(0, export(50)), (3, export(80)), (1, export(60)), (2, None)];
        tell(questions, &Arc::new(Snapshot { seq: 4, ..Snapshot::default() }), given);
        let Told { snapshot, exports } = to_a.try_recv().expect("told");
        assert_eq!((snapshot.seq, exports), (4, vec![export(50), export(60)]));
        assert_eq!(to_b.try_recv().expect("told").exports, [None]);
        assert_eq!(to_c.try_recv().map(drop), Err(mpsc::TryRecvError::Disconnected));
    }
}
