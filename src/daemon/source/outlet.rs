//! The way from a source to the engine: decodes, collects, hands over, and loses no count.
//!
//! A source never waits for the engine unless it was told to: a reader that is blocked only moves
//! the loss into the kernel. When the queue is full the values are dropped and everything that
//! was counted is kept, so that the ledger balances as soon as the next batch gets through.

mod journal;
mod load;
mod switch;

use std::sync::Arc;

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::timeout_at,
};

use crate::{
    config::model::OnFull,
    daemon::{
        clock,
        tap::{Feeding, Tap},
    },
    engine::{
        Batch, Link,
        batch::{SocketDrops, Transport},
    },
    limits::{BATCH_READINGS_MAX, OUTLET_CLOSE_NS},
    wire::{
        Decoder, FrameRefusal, WireTally,
        decode::{Format, Framing},
    },
};

pub use self::switch::{Course, Switch};
use self::{journal::Journal, load::Load};

/// What a source owns on its way to the engine.
#[derive(Debug)]
pub struct Outlet {
    name: Arc<str>,
    batches: mpsc::Sender<Batch>,
    on_full: OnFull,
    decoder: Decoder,
    framing: Framing,
    tap: Tap,
    load: Load,
    journal: Journal,
    switch: Switch,
}

/// What an outlet is made of.
#[derive(Debug)]
pub struct OutletParts {
    /// Name of the source, for the log.
    pub name: Arc<str>,
    /// Index of the source in the plan.
    pub index: usize,
    /// The queue to the engine.
    pub batches: mpsc::Sender<Batch>,
    /// What to do when it is full.
    pub on_full: OnFull,
    /// What its bytes mean.
    pub format: Format,
    /// How they are framed.
    pub framing: Framing,
    /// Where others may listen to the bytes.
    pub tap: Tap,
    /// Where word is left for it.
    pub switch: Switch,
}

/// The engine has ended: there is nobody to hand anything to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineGone;

impl Outlet {
    /// An outlet that has handed over nothing.
    #[must_use]
    pub fn new(parts: OutletParts) -> Self {
        let OutletParts { name, index, batches, on_full, format, framing, tap, switch } = parts;
        Self {
            name,
            batches,
            on_full,
            decoder: Decoder::new(&format, framing),
            framing,
            tap,
            load: Load::new(index),
            journal: Journal::default(),
            switch,
        }
    }

    /// Name of the source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Decodes bytes of a recording that is played `shift_ns` after its time: what its frames say
    /// of coordinated time is moved with it.
    pub fn feed_shifted(&mut self, bytes: &[u8], arrived_ns: i64, shift_ns: i64) {
        self.decoder.shift_by(shift_ns);
        self.feed(bytes, arrived_ns);
    }

    /// Decodes bytes whose arrival nobody noted: a frame that tells when it was made has arrived
    /// then, any other at `arrived_ns`. Returns how far time has come.
    pub fn feed_unstamped(&mut self, bytes: &[u8], arrived_ns: i64) -> i64 {
        let frames = &self.load.frames;
        let (heads, samples) = (frames.heads.len(), frames.samples.len());
        self.feed(bytes, arrived_ns);
        let now_ns = self.load.frames.arrive_as_made(heads, samples, arrived_ns);
        self.load.now_ns = self.load.now_ns.max(now_ns);
        now_ns
    }

    /// What was counted on the wire and is not handed over yet.
    #[must_use]
    pub fn tally(&self) -> &WireTally {
        &self.load.wire
    }

    /// Decodes bytes that arrived at `arrived_ns`.
    pub fn feed(&mut self, bytes: &[u8], arrived_ns: i64) {
        self.load.now_ns = self.load.now_ns.max(arrived_ns);
        if self.tap.is_open() {
            let Load { frames, wire, marks, .. } = &mut self.load;
            let decoder = &mut self.decoder;
            return self.tap.feed(bytes, &mut Feeding { decoder, frames, wire, marks, arrived_ns });
        }
        self.decoder.feed(bytes, arrived_ns, &mut self.load.frames, &mut self.load.wire);
    }

    /// The input turned out to keep frame boundaries, or not to: starts a decoder anew. To be
    /// called before anything is fed.
    pub fn reframe(&mut self, format: &Format, framing: Framing) {
        self.decoder = Decoder::new(format, framing);
        self.framing = framing;
        self.tap.reframe(framing);
    }

    /// The line went down: forgets what is half received, and counts it.
    pub fn reset(&mut self) {
        let refused = self.load.wire.refused;
        self.decoder.reset(&mut self.load.wire);
        if self.tap.is_open() {
            let Load { frames, wire, marks, now_ns: arrived_ns, .. } = &mut self.load;
            let (decoder, arrived_ns) = (&mut self.decoder, *arrived_ns);
            let mut to = Feeding { decoder, frames, wire, marks, arrived_ns };
            self.tap.line_down(&refused, &mut to);
        }
    }

    /// The input has come to its end: a last line needs no line end.
    pub fn finish(&mut self, arrived_ns: i64) {
        self.decoder.finish(arrived_ns, &mut self.load.frames, &mut self.load.wire);
    }

    /// Counts a datagram of `bytes` that was too long to be read whole.
    pub fn refuse_oversize(&mut self, bytes: usize) {
        self.tap.lose(bytes);
        self.load.wire.bytes_in += bytes as u64;
        self.load.wire.refuse(FrameRefusal::Oversize, bytes);
    }

    /// Adds to the counts of the transport.
    pub fn count(&mut self, transport: &Transport) {
        self.load.transport.add(transport);
    }

    /// Tells what the counter of the socket's drops shows; the latest reading counts.
    pub fn read_drops(&mut self, drops: SocketDrops) {
        self.load.drops = Some(drops);
    }

    /// The state of the source: told to the engine if it is news, and to the log.
    pub fn report(&mut self, link: Link, now_ns: i64) {
        if self.journal.last.as_ref() != Some(&link) {
            self.journal.write(&self.name, &link, now_ns);
            self.journal.last = Some(link.clone());
            self.load.link = Some(link);
        }
    }

    /// Whether a batch is large enough to be handed over before the input is drained.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let fresh_heads = self.load.frames.heads.len() - self.load.shed_heads;
        BATCH_READINGS_MAX <= self.load.frames.samples.len().max(fresh_heads)
    }

    /// Hands over what there is, if there is anything. Safe to cancel: what was not handed over
    /// stays here.
    ///
    /// `now_ns` is how far the source's time has come: nothing that is fed later arrived before.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the queue is closed.
    pub async fn offer(&mut self, now_ns: i64) -> Result<(), EngineGone> {
        let is_idle = self.load.is_empty() && !self.switch.is_set();
        if is_idle { Ok(()) } else { self.tick(now_ns).await }
    }

    /// As [`Self::offer`], but tells the time even if there is nothing else to tell: a silent
    /// source's windows drain by it.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the queue is closed.
    pub async fn tick(&mut self, now_ns: i64) -> Result<(), EngineGone> {
        if self.switch.is_set() {
            self.turn_over().await?;
        }
        self.decoder.tick(now_ns, &mut self.load.frames, &mut self.load.wire);
        // What a pause is still to end has arrived already.
        let come_ns = self.decoder.pending_ns().map_or(now_ns, |at_ns| at_ns.min(now_ns));
        self.load.now_ns = self.load.now_ns.max(come_ns);
        self.tap.hand_over();
        let room = match self.on_full {
            OnFull::Wait => self.batches.reserve().await.map_err(|_| TrySendError::Closed(())),
            OnFull::Count => self.batches.try_reserve(),
        };
        match room {
            Ok(permit) => permit.send(self.load.take(&self.decoder)),
            // What does not fill a batch yet waits for the next: many small batches must not cost
            // what one of them could carry.
            Err(TrySendError::Full(())) if !self.is_full() => {}
            Err(TrySendError::Full(())) => {
                self.load.transport.batches_refused += 1;
                self.journal.shed(&self.name, self.load.shed(), now_ns);
            }
            Err(TrySendError::Closed(())) => return Err(EngineGone),
        }
        Ok(())
    }

    /// Hands the rest to the engine so far, and turns to the next. Safe to cancel.
    async fn turn_over(&mut self) -> Result<(), EngineGone> {
        if !self.load.is_empty() {
            let permit = self.batches.reserve().await.map_err(|_| EngineGone)?;
            permit.send(self.load.take(&self.decoder));
        }
        let Some(Course { index, batches, format }) = self.switch.take() else { return Ok(()) };
        self.batches = batches;
        self.load.source = index;
        // What the next engine knows of the source is what is told of it from here on.
        self.load.link.clone_from(&self.journal.last);
        if let Some(format) = format {
            self.reset();
            self.decoder = Decoder::new(&format, self.framing);
        }
        Ok(())
    }

    /// The state of the source that was told last.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        self.journal.last.as_ref()
    }

    /// As [`Self::offer`], but waits for room whatever the source is set to: for a source that is
    /// told to stop and from which nothing presses any more. It tells no time but that of what was
    /// fed, since older arrivals may follow.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the queue is closed.
    pub async fn offer_when_room(&mut self) -> Result<(), EngineGone> {
        let permit = self.batches.reserve().await.map_err(|_| EngineGone)?;
        permit.send(self.load.take(&self.decoder));
        Ok(())
    }

    /// Hands over the rest and waits for room if need be, so that the ledger is complete when
    /// the source has ended.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the queue is closed, or full for [`OUTLET_CLOSE_NS`].
    pub async fn close(mut self) -> Result<(), EngineGone> {
        if self.load.is_empty() {
            return Ok(());
        }
        match timeout_at(clock::deadline_in(OUTLET_CLOSE_NS), self.batches.reserve()).await {
            Ok(Ok(permit)) => {
                permit.send(self.load.take(&self.decoder));
                Ok(())
            }
            Ok(Err(_)) | Err(_) => {
                let readings = self.load.wire.readings;
                tracing::warn!(
                    source = &*self.name,
                    readings,
                    "The engine did not take the last batch: the ledger lacks it."
                );
                Err(EngineGone)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        daemon::tap::Junction,
        limits::SHED_HEADS_MAX,
        wire::{DeviceClock, Head, Health, Sample},
    };

    fn outlet(capacity: usize, on_full: OnFull) -> (Outlet, mpsc::Receiver<Batch>) {
        let (batches, queue) = mpsc::channel(capacity);
        let outlet = Outlet::new(OutletParts {
            name: "test".into(),
            index: 3,
            batches,
            on_full,
            format: Format::NATIVE,
            framing: Framing::Datagram,
            switch: Switch::default(),
            tap: Tap::new(Arc::new(Junction::new("test".into())), Framing::Datagram),
        });
        (outlet, queue)
    }

    /// Samples that fill a batch.
    const FULL: u32 = BATCH_READINGS_MAX as u32;

    /// Puts in a frame as a decoder would.
    fn decode(outlet: &mut Outlet, sequence: u32, samples: u32) {
        outlet.load.frames.heads.push(Head {
            device: 1,
            boot: 1,
            sequence: Some(sequence),
            first: false,
            health: Health::Good,
            clock: DeviceClock::None,
            time_error: 255,
            arrived_ns: 0,
            samples,
            shed: false,
        });
        let sample = Sample { field: 0, at_ns: 0, value: 1.0 };
        outlet.load.frames.samples.extend((0..samples).map(|_| sample));
        outlet.load.wire.accept(10, samples as usize);
        outlet.load.wire.bytes_in += 10;
    }

    /// Readings of a batch: those with their values, those shed.
    fn readings(batch: &Batch) -> (u64, u64) {
        let shed = batch.frames.heads.iter().filter(|head| head.shed);
        let shed: u64 = shed.map(|head| u64::from(head.samples)).sum();
        (batch.frames.samples.len() as u64, shed + batch.shed_readings)
    }

    #[tokio::test]
    async fn nothing_is_not_handed_over() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        outlet.offer(0).await.unwrap();
        outlet.close().await.unwrap();
        assert!(queue.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_full_queue_costs_values_and_no_count() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        for sequence in 0..4 {
            decode(&mut outlet, sequence, FULL);
            outlet.offer(i64::from(sequence)).await.unwrap();
        }
        let full = u64::from(FULL);
        let first = queue.recv().await.unwrap();
        assert_eq!((first.source, first.now_ns, readings(&first)), (3, 0, (full, 0)));

        decode(&mut outlet, 4, 5);
        outlet.offer(4).await.unwrap();
        let second = queue.recv().await.unwrap();
        assert_eq!(readings(&second), (5, 3 * full));
        assert_eq!(second.wire.readings, 5 + 3 * full);
        assert_eq!(second.wire.frames_ok, 4);
        assert_eq!(second.transport.batches_refused, 3);
        let sequences: Vec<_> = second.frames.heads.iter().map(|head| head.sequence).collect();
        assert_eq!(sequences, [Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(second.frames.heads.iter().filter(|head| head.shed).count(), 3);
    }

    #[tokio::test]
    async fn what_fills_no_batch_waits_for_room() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        for sequence in 0..50 {
            decode(&mut outlet, sequence, 2);
            outlet.offer(0).await.unwrap();
        }
        assert_eq!(readings(&queue.recv().await.unwrap()), (2, 0));
        outlet.offer(0).await.unwrap();
        let rest = queue.recv().await.unwrap();
        assert_eq!((readings(&rest), rest.transport.batches_refused), ((98, 0), 0));
    }

    #[tokio::test]
    async fn shed_heads_are_bounded_and_the_rest_is_a_number() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        let total = u32::try_from(SHED_HEADS_MAX).unwrap() + 100;
        for sequence in 0..total {
            decode(&mut outlet, sequence, FULL);
            outlet.offer(0).await.unwrap();
        }
        assert!(outlet.load.frames.heads.len() <= SHED_HEADS_MAX);
        let first = queue.recv().await.unwrap();
        outlet.close().await.unwrap();
        let last = queue.recv().await.unwrap();
        assert_eq!(last.frames.heads.len(), SHED_HEADS_MAX);
        assert_eq!(last.shed_readings, 99 * u64::from(FULL));
        let (got, shed) = readings(&last);
        let decoded = first.wire.readings + last.wire.readings;
        assert_eq!(readings(&first).0 + got + shed, decoded);
        assert_eq!(decoded, u64::from(total) * u64::from(FULL));
    }

    #[tokio::test]
    async fn a_tick_tells_the_time_and_a_full_queue_does_not_count_it() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        outlet.tick(5).await.unwrap();
        outlet.tick(6).await.unwrap();
        assert_eq!(queue.recv().await.unwrap().now_ns, 5);
        outlet.tick(4).await.unwrap();
        let last = queue.recv().await.unwrap();
        assert_eq!(last.now_ns, 6, "time does not go back");
        assert_eq!(last.transport.batches_refused, 0);
    }

    #[tokio::test]
    async fn the_last_batch_waits_for_room() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        decode(&mut outlet, 0, 1);
        outlet.offer(0).await.unwrap();
        decode(&mut outlet, 1, 1);
        let close = outlet.close();
        let mut close = tokio_test::task::spawn(close);
        tokio_test::assert_pending!(close.poll());
        assert_eq!(readings(&queue.recv().await.unwrap()), (1, 0));
        tokio_test::assert_ready!(close.poll()).unwrap();
        assert_eq!(readings(&queue.recv().await.unwrap()), (1, 0));
    }

    #[tokio::test]
    async fn waiting_loses_nothing_even_when_it_is_cancelled() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Wait);
        decode(&mut outlet, 0, 1);
        outlet.offer(0).await.unwrap();
        decode(&mut outlet, 1, 1);
        {
            let mut offer = tokio_test::task::spawn(outlet.offer(0));
            tokio_test::assert_pending!(offer.poll());
        }
        assert_eq!(readings(&queue.recv().await.unwrap()), (1, 0));
        outlet.offer(0).await.unwrap();
        assert_eq!(readings(&queue.recv().await.unwrap()), (1, 0));
    }

    #[tokio::test]
    async fn the_link_is_told_once_and_survives_a_full_queue() {
        let (mut outlet, mut queue) = outlet(1, OnFull::Count);
        outlet.report(Link::Up("here".into()), 0);
        outlet.offer(0).await.unwrap();
        outlet.report(Link::Up("here".into()), 0);
        outlet.offer(0).await.unwrap();
        outlet.report(Link::Down("gone".into()), 0);
        outlet.offer(0).await.unwrap();
        assert_eq!(queue.recv().await.unwrap().link, Some(Link::Up("here".into())));
        outlet.offer(0).await.unwrap();
        assert_eq!(queue.recv().await.unwrap().link, Some(Link::Down("gone".into())));
        outlet.offer(0).await.unwrap();
        assert!(queue.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_closed_queue_is_news() {
        let (mut outlet, queue) = outlet(1, OnFull::Count);
        drop(queue);
        decode(&mut outlet, 0, 1);
        assert_eq!(outlet.offer(0).await, Err(EngineGone));
        assert_eq!(outlet.close().await, Err(EngineGone));
    }
}
