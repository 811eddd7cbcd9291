//! How a serial line is: up, silent, or garbled.

use std::sync::Arc;

use crate::{
    config::model::{SerialConfig, SilenceConfig},
    engine::{Link, duration::Nanoseconds},
    limits::GARBLED_BYTES,
    wire::{
        WireTally,
        diagnosis::{Evidence, LineErrorCounts},
    },
};

/// The judgement over one line, across its openings.
#[derive(Debug)]
pub struct Condition {
    silence: Option<SilenceConfig>,
    garbled_after: u32,
    /// Whether the format is one of text.
    text: bool,
    /// What is worth knowing of the open port.
    detail: Arc<str>,
    /// When the port was opened or a byte came, whichever was later.
    heard_ns: i64,
    state: State,
    /// What came since the last good frame.
    evidence: Evidence,
    /// How many times the measure of bad frames must be full for the next judgement.
    due: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Silent,
    Garbled,
}

impl Condition {
    /// The condition of a line that was never open.
    #[must_use]
    pub fn new(config: &SerialConfig, text: bool) -> Self {
        Self {
            silence: config.silence,
            garbled_after: config.garbled_after,
            text,
            detail: Arc::from(""),
            heard_ns: 0,
            state: State::Up,
            evidence: Evidence::default(),
            due: 1,
        }
    }

    /// The port is open. A line that was opened again because it was silent stays so until
    /// something comes.
    pub fn opened(&mut self, detail: String, now_ns: i64) -> Option<Link> {
        self.detail = detail.into();
        self.heard_ns = now_ns;
        self.evidence = Evidence::default();
        self.due = 1;
        (self.state != State::Silent).then(|| self.is(State::Up))
    }

    /// The port is lost, other than by silence.
    pub fn lost(&mut self) {
        self.state = State::Up;
    }

    /// Bytes came, which moved the counts from `before` to `after`; with the state if it is
    /// another one.
    pub fn heard(
        &mut self,
        bytes: &[u8],
        before: &WireTally,
        after: &WireTally,
        now_ns: i64,
    ) -> Option<Link> {
        self.heard_ns = now_ns;
        if before.frames_ok < after.frames_ok {
            self.evidence = Evidence::default();
            self.due = 1;
            return (self.state != State::Up).then(|| self.is(State::Up));
        }
        self.evidence.see(bytes);
        self.evidence.refuse(before, after);
        let full = (self.evidence.refused() / u64::from(self.garbled_after))
            .max(self.evidence.bytes() / GARBLED_BYTES);
        if self.due <= full {
            // Said again when there is twice as much to judge by.
            self.due = 2 * full;
            return Some(self.is(State::Garbled));
        }
        (self.state == State::Silent).then(|| self.is(State::Up))
    }

    /// The driver has counted errors.
    pub fn count(&mut self, errors: &LineErrorCounts) {
        self.evidence.count(errors);
    }

    /// Time has passed; with the state if it is another one.
    pub fn passed(&mut self, now_ns: i64) -> Option<Link> {
        (self.state != State::Silent && self.is_overdue(now_ns)).then(|| self.is(State::Silent))
    }

    /// Whether the port is to be closed and opened again.
    #[must_use]
    pub fn wants_reopening(&self, now_ns: i64) -> bool {
        self.silence.is_some_and(|silence| silence.reopen) && self.is_overdue(now_ns)
    }

    fn is_overdue(&self, now_ns: i64) -> bool {
        self.silence.is_some_and(|silence| silence.after_ns <= now_ns - self.heard_ns)
    }

    fn is(&mut self, state: State) -> Link {
        self.state = state;
        match state {
            State::Up => Link::Up(Arc::clone(&self.detail)),
            State::Silent => {
                let after = Nanoseconds(self.silence.map_or(0, |silence| silence.after_ns));
                Link::Silent(format!("{}: nothing has come for {after}", self.detail).into())
            }
            State::Garbled => {
                let (refused, bytes) = (self.evidence.refused(), self.evidence.bytes());
                let cause = self.evidence.cause(self.text);
                let text = format!(
                    "{}: {bytes} bytes and {refused} broken frames without a good one; {cause}",
                    self.detail
                );
                Link::Garbled(text.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::plain, *};
    use crate::{limits::SECOND, wire::FrameRefusal};

    fn condition(silence: Option<SilenceConfig>) -> Condition {
        let config = SerialConfig { silence, garbled_after: 3, ..plain() };
        let mut condition = Condition::new(&config, true);
        let up = condition.opened("fake".to_owned(), 0);
        assert_eq!(up, Some(Link::Up("fake".into())));
        condition
    }

    fn name(link: &Option<Link>) -> Option<&'static str> {
        link.as_ref().map(Link::name)
    }

    /// A chunk with so many good and bad frames.
    fn chunk(condition: &mut Condition, bytes: &[u8], good: usize, bad: usize) -> Option<Link> {
        let (before, mut after) = (WireTally::default(), WireTally::default());
        (0..good).for_each(|_| after.accept(1, 1));
        (0..bad).for_each(|_| after.refuse(FrameRefusal::Malformed, 1));
        condition.heard(bytes, &before, &after, SECOND)
    }

    #[test]
    fn bad_frames_in_a_row_are_told_and_one_good_frame_ends_it() {
        let mut condition = condition(None);
        assert_eq!(chunk(&mut condition, b"\x80\x81", 0, 2), None);
        assert_eq!(chunk(&mut condition, b"ok", 1, 5), None, "not in a row");
        assert_eq!(chunk(&mut condition, b"\x80\x81", 0, 2), None);
        let garbled = chunk(&mut condition, b"\x82", 0, 1).expect("the third in a row");
        let detail = garbled.detail().expect("words");
        assert_eq!(garbled.name(), "garbled");
        assert!(detail.contains("3 broken frames") && detail.contains("no text"), "{detail}");
        assert_eq!(chunk(&mut condition, b"\x82", 0, 1), None, "said");
        assert_eq!(name(&chunk(&mut condition, b"\x82", 0, 2)), Some("garbled"), "twice as many");
        assert_eq!(name(&chunk(&mut condition, b"ok", 1, 0)), Some("up"));
        assert_eq!(chunk(&mut condition, b"ok", 1, 0), None);
    }

    #[test]
    fn bytes_that_never_become_a_frame_are_told_too() {
        let mut condition = condition(None);
        let most = vec![0xff; usize::try_from(GARBLED_BYTES).expect("fits") - 1];
        assert_eq!(chunk(&mut condition, &most, 0, 0), None);
        let garbled = chunk(&mut condition, &[0xff], 0, 0).expect("as many as no frame has");
        assert!(garbled.detail().expect("words").contains("FF"), "{garbled:?}");
    }

    #[test]
    fn what_the_driver_counts_decides() {
        let mut condition = condition(None);
        condition.count(&LineErrorCounts { parity: 4, ..LineErrorCounts::default() });
        let garbled = chunk(&mut condition, b"\x80\x81\x82", 0, 3).expect("three in a row");
        assert!(garbled.detail().expect("words").contains("`parity`"), "{garbled:?}");
    }

    #[test]
    fn silence_is_told_once_and_ends_with_a_byte() {
        let silence = SilenceConfig { after_ns: 30 * SECOND, reopen: true };
        let mut condition = condition(Some(silence));
        assert_eq!(condition.passed(29 * SECOND), None);
        assert!(!condition.wants_reopening(29 * SECOND));
        let silent = condition.passed(30 * SECOND).expect("it is overdue");
        assert!(silent.detail().expect("words").contains("nothing has come for 30s"));
        assert!(condition.wants_reopening(30 * SECOND));
        assert_eq!(condition.passed(31 * SECOND), None, "said");
        assert_eq!(condition.opened("fake".to_owned(), 32 * SECOND), None, "silent as before");
        assert_eq!(name(&chunk(&mut condition, b"o", 0, 0)), Some("up"));
        condition.lost();
        assert_eq!(name(&condition.opened("fake".to_owned(), 0)), Some("up"));
    }

    #[test]
    fn nothing_is_silent_that_is_not_asked_for() {
        let mut condition = condition(None);
        assert_eq!(condition.passed(i64::MAX), None);
        assert!(!condition.wants_reopening(i64::MAX));
    }
}
