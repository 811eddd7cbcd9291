//! A stream combinator that drives a state machine over a stream.
//!
//! This module knows `futures` only: no runtime, no clock, no channel.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, stream::FusedStream};
use pin_project_lite::pin_project;

use crate::limits::STEPS_PER_POLL_MAX;

/// A state machine that is fed items and now and then has something to say.
///
/// The engine's stages implement it, so that the same stage runs under a stream in the daemon,
/// over a file in `replay`, and in a plain loop in a test.
pub trait Step {
    /// What it is fed.
    type In;
    /// What it says.
    type Out;

    /// Takes one item. `None` means that there is nothing to say yet.
    fn step(&mut self, item: Self::In) -> Option<Self::Out>;

    /// The input has ended: says what is still to be said, once.
    fn finish(&mut self) -> Option<Self::Out>;

    /// Goes on with what was put off, for as long as an item may have to wait; asked while there
    /// is no item. Most steps put nothing off.
    fn go_on(&mut self) -> Rest<Self::Out> {
        Rest::Nothing
    }
}

/// What is left of the work that a step has put off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest<T> {
    /// There is none.
    Nothing,
    /// There is more.
    More,
    /// There may be more, and meanwhile there is something to say.
    Says(T),
}

/// The combinators of this crate, for every stream.
pub trait StreamExt: Stream {
    /// Drives `step` with the items of this stream and yields what it says.
    ///
    /// This differs from [`futures::StreamExt::scan`] in what a rolling aggregate needs:
    ///
    /// * the state is kept by `&mut`, and a step is a plain function, not a future that takes
    ///   and returns it;
    /// * `None` from a step means "nothing to say yet" and not "end of the stream";
    /// * when the input ends, [`Step::finish`] may yield one more item, so that what has
    ///   gathered is not lost;
    /// * the stream is fused: after its end it stays at its end, whatever the input does;
    /// * while the input has nothing, [`Step::go_on`] does what the step has put off, so that a
    ///   long job need not be done in one piece.
    ///
    /// One item of input gives at most one item of output, and order is kept.
    ///
    /// # Cancel safety
    ///
    /// All state is in the stream. A call of `next` that is dropped before it is ready has
    /// consumed and stepped only items that had nothing to say; none is lost.
    ///
    /// # Fairness
    ///
    /// A step that says nothing makes the combinator ask its input again at once. An input that
    /// is always ready would so hold the task for ever; therefore one poll takes a bounded
    /// number of items ([`STEPS_PER_POLL_MAX`]), wakes its own task and returns
    /// [`Poll::Pending`]. So it does after each piece of work that was put off.
    ///
    /// # Examples
    ///
    /// Sums of pairs, and what is left over at the end:
    ///
    /// ```
    /// use futures::{StreamExt as _, executor::block_on, stream};
    /// use stillwell::scan::{Step, StreamExt as _};
    ///
    /// #[derive(Default)]
    /// struct Pairs(Option<u32>);
    ///
    /// impl Step for Pairs {
    ///     type In = u32;
    ///     type Out = u32;
    ///
    ///     fn step(&mut self, item: u32) -> Option<u32> {
    ///         match self.0.take() {
    ///             Some(first) => Some(first + item),
    ///             None => {
    ///                 self.0 = Some(item);
    ///                 None
    ///             }
    ///         }
    ///     }
    ///
    ///     fn finish(&mut self) -> Option<u32> {
    ///         self.0.take()
    ///     }
    /// }
    ///
    /// let sums = stream::iter([1, 2, 3, 4, 5]).scan_with(Pairs::default());
    /// assert_eq!(block_on(sums.collect::<Vec<_>>()), [3, 7, 5]);
    /// ```
    fn scan_with<S>(self, step: S) -> ScanWith<Self, S>
    where
        S: Step<In = Self::Item>,
        Self: Sized,
    {
        assert_stream(ScanWith::new(self, step))
    }
}

impl<St: Stream + ?Sized> StreamExt for St {}

pin_project! {
    /// Stream for the [`scan_with`](StreamExt::scan_with) method.
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct ScanWith<St, S> {
        #[pin]
        stream: St,
        step: S,
        finished: bool,
    }
}

impl<St: Stream, S> ScanWith<St, S> {
    fn new(stream: St, step: S) -> Self {
        Self { stream, step, finished: false }
    }

    /// The state machine.
    pub fn state(&self) -> &S {
        &self.step
    }
}

impl<St, S> Stream for ScanWith<St, S>
where
    St: Stream,
    S: Step<In = St::Item>,
{
    type Item = S::Out;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Out>> {
        let mut this = self.project();
        if *this.finished {
            return Poll::Ready(None);
        }
        for _ in 0..STEPS_PER_POLL_MAX {
            let said = match this.stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => this.step.step(item),
                Poll::Ready(None) => {
                    *this.finished = true;
                    return Poll::Ready(this.step.finish());
                }
                Poll::Pending => match this.step.go_on() {
                    Rest::Nothing => return Poll::Pending,
                    Rest::More => break,
                    Rest::Says(out) => Some(out),
                },
            };
            if said.is_some() {
                return Poll::Ready(said);
            }
        }
        // Much input and no output, or work that goes on without: the input may have registered
        // no waker, so this task asks for its own next turn and lets the others have theirs.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.finished {
            return (0, Some(0));
        }
        // Steps may say nothing, and the end may say one thing more.
        let (_, upper) = self.stream.size_hint();
        (0, upper.and_then(|upper| upper.checked_add(1)))
    }
}

impl<St, S> FusedStream for ScanWith<St, S>
where
    St: Stream,
    S: Step<In = St::Item>,
{
    fn is_terminated(&self) -> bool {
        self.finished
    }
}

/// Makes a wrong item type an error here rather than where the stream is used.
fn assert_stream<T, St: Stream<Item = T>>(stream: St) -> St {
    stream
}
