//! What is sent to a device, and when.

use std::sync::Arc;

use crate::config::model::{PollConfig, SerialConfig};

/// The sending side of one opening of a port.
#[derive(Debug)]
pub struct Talk {
    /// Sent first, if not yet begun.
    greeting: Option<Arc<[u8]>>,
    poll: Option<PollConfig>,
    /// When the next of them is due; `None` if there is nothing to send.
    due_ns: Option<i64>,
    /// What was begun, and how much of it the port has taken.
    begun: Arc<[u8]>,
    taken: usize,
}

impl Talk {
    /// For a port that was opened at `opened_ns`.
    #[must_use]
    pub fn new(config: &SerialConfig, opened_ns: i64) -> Self {
        let greeting = (!config.on_open.is_empty()).then(|| Arc::clone(&config.on_open));
        let speaks = greeting.is_some() || config.poll.is_some();
        Self {
            greeting,
            poll: config.poll.clone(),
            due_ns: speaks.then(|| opened_ns.saturating_add(config.settle_ns)),
            begun: [].into(),
            taken: 0,
        }
    }

    /// When [`Self::begin`] is to be called; `None` if there is nothing to send, or the port has
    /// not taken what was begun: a device that is behind is not asked twice.
    #[must_use]
    pub fn due_ns(&self) -> Option<i64> {
        self.due_ns.filter(|_| self.unsent().is_empty())
    }

    /// What the port has not taken yet.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.begun[self.taken..]
    }

    /// The port has taken so many of the unsent bytes.
    pub fn sent(&mut self, length: usize) {
        self.taken = (self.taken + length).min(self.begun.len());
    }

    /// Begins what is due.
    pub fn begin(&mut self, now_ns: i64) {
        let Some(due_ns) = self.due_ns().filter(|due_ns| *due_ns <= now_ns) else { return };
        let poll = self.poll.as_ref();
        let greeting = self.greeting.take();
        // The first poll follows the greeting; polls that were missed are not made up for.
        self.due_ns = poll.map(|poll| match greeting {
            Some(_) => now_ns,
            None => due_ns.saturating_add(poll.every_ns).max(now_ns),
        });
        if let Some(bytes) = greeting.or_else(|| poll.map(|poll| Arc::clone(&poll.bytes))) {
            (self.begun, self.taken) = (bytes, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::plain, *};

    fn talk(on_open: &[u8], poll: Option<&[u8]>) -> Talk {
        let poll = poll.map(|bytes| PollConfig { bytes: bytes.into(), every_ns: 100 });
        let config = SerialConfig { settle_ns: 20, on_open: on_open.into(), poll, ..plain() };
        Talk::new(&config, 1_000)
    }

    #[test]
    fn who_has_nothing_to_say_is_never_due() {
        assert_eq!(talk(b"", None).due_ns(), None);
    }

    #[test]
    fn a_greeting_comes_once_when_the_device_has_settled() {
        let mut talk = talk(b"hello", None);
        assert_eq!(talk.due_ns(), Some(1_020));
        talk.begin(1_019);
        assert_eq!(talk.unsent(), b"");
        talk.begin(1_020);
        assert_eq!((talk.unsent(), talk.due_ns()), (&b"hello"[..], None));
        talk.sent(2);
        assert_eq!(talk.unsent(), b"llo");
        talk.sent(3);
        assert_eq!((talk.unsent(), talk.due_ns()), (&b""[..], None));
    }

    #[test]
    fn polls_follow_in_step_and_wait_for_a_port_that_takes_nothing() {
        let mut talk = talk(b"hi", Some(b"get"));
        talk.begin(1_020);
        assert_eq!((talk.unsent(), talk.due_ns()), (&b"hi"[..], None));
        talk.sent(2);
        assert_eq!(talk.due_ns(), Some(1_020));
        talk.begin(1_021);
        assert_eq!((talk.unsent(), talk.due_ns()), (&b"get"[..], None));
        talk.sent(3);
        assert_eq!(talk.due_ns(), Some(1_120), "in step with the first, however late it was");
        talk.begin(1_500);
        talk.sent(3);
        assert_eq!(talk.due_ns(), Some(1_500), "what was missed is asked once");
    }
}
