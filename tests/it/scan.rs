//! The combinator by its promises: values, wake-ups, fusing, fairness, the final flush.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt as _, channel::mpsc, stream, stream::FusedStream};
use stillwell::{
    limits::STEPS_PER_POLL_MAX,
    scan::{Rest, Step, StreamExt as _},
};
use tokio_test::{assert_pending, assert_ready_eq, task};

/// Says the sum of each three items, and at the end what is left.
#[derive(Debug, Default)]
struct Threes {
    sum: u32,
    count: usize,
    finished: usize,
}

impl Step for Threes {
    type In = u32;
    type Out = u32;

    fn step(&mut self, item: u32) -> Option<u32> {
        self.sum += item;
        self.count += 1;
        (self.count.is_multiple_of(3)).then(|| std::mem::take(&mut self.sum))
    }

    fn finish(&mut self) -> Option<u32> {
        self.finished += 1;
        (self.sum != 0).then(|| std::mem::take(&mut self.sum))
    }
}

/// Takes everything and says nothing.
struct Mute;

impl Step for Mute {
    type In = u32;
    type Out = u32;

    fn step(&mut self, _: u32) -> Option<u32> {
        None
    }

    fn finish(&mut self) -> Option<u32> {
        None
    }
}

/// Puts off a piece of work for each unit of an item, and says the item once it is all done.
#[derive(Default)]
struct Later {
    item: u32,
    left: u32,
}

impl Step for Later {
    type In = u32;
    type Out = u32;

    fn step(&mut self, item: u32) -> Option<u32> {
        (self.item, self.left) = (item, item);
        None
    }

    fn finish(&mut self) -> Option<u32> {
        (self.left != 0).then_some(self.item)
    }

    fn go_on(&mut self) -> Rest<u32> {
        match self.left {
            0 => Rest::Nothing,
            1 => {
                self.left = 0;
                Rest::Says(self.item)
            }
            _ => {
                self.left -= 1;
                Rest::More
            }
        }
    }
}

#[test]
fn gives_what_the_steps_say_and_flushes_at_the_end() {
    let mut sums = task::spawn(stream::iter(1..=7).scan_with(Threes::default()));
    assert_ready_eq!(sums.poll_next(), Some(6));
    assert_ready_eq!(sums.poll_next(), Some(15));
    assert_ready_eq!(sums.poll_next(), Some(7));
    assert_ready_eq!(sums.poll_next(), None);
}

#[test]
fn an_end_with_nothing_left_ends_at_once() {
    let mut sums = task::spawn(stream::iter(1..=3).scan_with(Threes::default()));
    assert_ready_eq!(sums.poll_next(), Some(6));
    assert_ready_eq!(sums.poll_next(), None);
}

#[test]
fn waits_for_its_input_and_is_woken_by_it() {
    let (mut items, input) = mpsc::channel(8);
    let mut sums = task::spawn(input.scan_with(Threes::default()));
    assert_pending!(sums.poll_next());
    items.try_send(1).expect("room");
    assert!(sums.is_woken());
    assert_pending!(sums.poll_next());
    assert!(!sums.is_woken(), "an item without output must not spin");
    items.try_send(2).expect("room");
    items.try_send(3).expect("room");
    assert!(sums.is_woken());
    assert_ready_eq!(sums.poll_next(), Some(6));
    assert_pending!(sums.poll_next());
    drop(items);
    assert!(sums.is_woken(), "the end of the input is news");
    assert_ready_eq!(sums.poll_next(), None);
}

#[test]
fn goes_on_with_what_was_put_off_while_the_input_has_nothing() {
    let (mut items, input) = mpsc::channel(8);
    let mut later = task::spawn(input.scan_with(Later::default()));
    items.try_send(3).expect("room");
    for _ in 0..2 {
        assert_pending!(later.poll_next());
        assert!(later.is_woken(), "there is more to do, after others had their turn");
    }
    assert_ready_eq!(later.poll_next(), Some(3));
    assert_pending!(later.poll_next());
    assert!(!later.is_woken(), "nothing is left to do");
    items.try_send(2).expect("room");
    assert_pending!(later.poll_next());
    items.try_send(1).expect("room");
    assert_ready_eq!(later.poll_next(), Some(1));
    items.try_send(4).expect("room");
    assert_pending!(later.poll_next());
    drop(items);
    assert_ready_eq!(later.poll_next(), Some(4));
    assert_ready_eq!(later.poll_next(), None);
}

#[test]
fn what_is_gathered_survives_pending() {
    let (mut items, input) = mpsc::channel(8);
    let mut sums = task::spawn(input.scan_with(Threes::default()));
    for item in [10, 20] {
        items.try_send(item).expect("room");
        assert_pending!(sums.poll_next());
    }
    drop(items);
    assert_ready_eq!(sums.poll_next(), Some(30));
    assert_ready_eq!(sums.poll_next(), None);
}

/// An input that goes on after its end, as the `Stream` trait allows.
struct Unfused(u32);

impl Stream for Unfused {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        self.0 += 1;
        Poll::Ready((self.0 % 2 == 1).then_some(self.0))
    }
}

#[test]
fn is_fused_whatever_its_input_does() {
    let mut sums = task::spawn(Unfused(0).scan_with(Threes::default()));
    assert!(!sums.is_terminated());
    assert_ready_eq!(sums.poll_next(), Some(1));
    assert!(sums.is_terminated());
    for _ in 0..5 {
        assert_ready_eq!(sums.poll_next(), None);
    }
    assert_eq!(sums.state().finished, 1, "finish is called once");
    assert_eq!(sums.size_hint(), (0, Some(0)));
}

#[test]
fn an_always_ready_input_that_never_emits_lets_others_run() {
    let mut polls = 0;
    let input = stream::repeat(1).inspect(|_| polls += 1);
    {
        let mut mute = task::spawn(input.scan_with(Mute));
        for _ in 0..3 {
            assert_pending!(mute.poll_next());
            assert!(mute.is_woken(), "it must ask for its next turn itself");
        }
    }
    assert_eq!(polls, 3 * STEPS_PER_POLL_MAX);
}

#[test]
fn a_poll_never_takes_more_than_its_share() {
    let items = u32::try_from(STEPS_PER_POLL_MAX).expect("small");
    let mut mute = task::spawn(stream::iter(0..items).scan_with(Mute));
    assert_pending!(mute.poll_next());
    assert_ready_eq!(mute.poll_next(), None);
}

#[test]
fn size_hint_allows_for_silence_and_for_the_flush() {
    let sums = stream::iter(1..=7).scan_with(Threes::default());
    assert_eq!(sums.size_hint(), (0, Some(8)));
    assert_eq!(stream::repeat(1).scan_with(Mute).size_hint(), (0, None));
}

#[test]
fn stages_chain_and_each_flushes_in_turn() {
    let twice = stream::iter(1..=10).scan_with(Threes::default()).scan_with(Threes::default());
    assert_eq!(futures::executor::block_on(twice.collect::<Vec<_>>()), [45, 10]);
}

#[test]
fn is_send_and_sync_when_its_parts_are() {
    fn holds<T: Send + Sync + Unpin>(_: &T) {}
    holds(&stream::iter([1_u32]).scan_with(Threes::default()));
}
