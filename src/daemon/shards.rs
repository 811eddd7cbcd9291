//! Several aggregators, each with a part of the channels and a thread of its own.
//!
//! The engine's thread validates, and divides what was accepted; nothing is decided anywhere
//! else. A publication is a mark in the queue of every shard. A shard that comes to it answers
//! with what its channels are at that place of the stream, and once all have answered the
//! snapshot is put together: one state at one instant, as if there were one aggregator.
//!
//! The queues are bounded, and nothing is dropped in them: while a shard's is full the engine
//! waits, its own queue fills, and the sources count what finds no room there.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::publish::Vitals;
use crate::{
    engine::{
        Snapshot,
        aggregate::{Aggregator, Answer, Work},
        bins::relief::Relief,
        edition::{Binder, Edition, Editor},
        split::Split,
        validate::Checked,
    },
    limits::SHARD_QUEUE,
    scan::StreamExt as _,
};

/// One shard, to be run on a thread of its own.
#[derive(Debug)]
pub struct Shard {
    number: usize,
    work: mpsc::Receiver<Work>,
    answers: mpsc::Sender<Answer>,
    vitals: Arc<Vitals>,
}

/// The other ends of all shards.
#[derive(Debug)]
pub struct Shards {
    work: Vec<mpsc::Sender<Work>>,
    answers: Vec<mpsc::Receiver<Answer>>,
    vitals: Arc<Vitals>,
}

/// So many shards as the vitals have places for, and what they are reached by.
#[must_use]
pub fn open(vitals: &Arc<Vitals>) -> (Shards, Vec<Shard>) {
    let (mut work, mut answers, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for (number, shard) in vitals.shards.iter().enumerate() {
        let (send_work, receive_work) = mpsc::channel(SHARD_QUEUE);
        // One for the publication under way, and the last.
        let (send_answers, receive_answers) = mpsc::channel(2);
        shard.queue.max.store(SHARD_QUEUE as u64, Relaxed);
        work.push(send_work);
        answers.push(receive_answers);
        let vitals = Arc::clone(vitals);
        each.push(Shard { number, work: receive_work, answers: send_answers, vitals });
    }
    (Shards { work, answers, vitals: Arc::clone(vitals) }, each)
}

impl Shard {
    /// Runs until the engine has dropped its end of the queue, and the last answer is given.
    pub async fn run(self) {
        let Self { number, work, answers, vitals } = self;
        let vitals = &vitals.shards[number];
        let mut given = ReceiverStream::new(work)
            .map(|work| {
                vitals.took();
                work
            })
            .scan_with(Aggregator::new());
        while let Some(answer) = given.next().await {
            if answers.send(answer).await.is_err() {
                // The engine has ended before the stream: nobody is left to answer.
                return;
            }
        }
    }
}

impl Shards {
    /// Runs `checked` through all shards until it ends and the last snapshot was given to
    /// `publish`.
    pub async fn run(
        self,
        checked: impl Stream<Item = Checked>,
        editor: Editor,
        binder: Binder,
        publish: impl FnMut(Arc<Snapshot>),
    ) {
        let Self { work, answers, vitals } = self;
        // One publication is under way at most: the next mark must say what came of the last.
        let (announce, editions) = mpsc::channel(1);
        let (bound, turns) = mpsc::channel(1);
        bound.try_send(binder.relief()).expect("it has room for one");
        let divide = Divide { split: Split::new(work.len()), work, vitals, announce, turns };
        tokio::join!(divide.run(checked, editor), bind(editions, answers, binder, bound, publish));
    }
}

/// The engine's side up to the queues: enters, divides and hands out.
struct Divide {
    split: Split,
    work: Vec<mpsc::Sender<Work>>,
    vitals: Arc<Vitals>,
    announce: mpsc::Sender<Edition>,
    turns: mpsc::Receiver<Relief>,
}

impl Divide {
    /// Runs to the end of `checked`, or to that of a shard, which is a defect; `None` then.
    async fn run(mut self, checked: impl Stream<Item = Checked>, mut editor: Editor) -> Option<()> {
        let mut checked = pin!(checked);
        while let Some(mut checked) = checked.next().await {
            let arrived_ns = editor.enter(&mut checked);
            self.split.divide(arrived_ns, &mut checked);
            let sitting = checked.sitting.take();
            // Its lists can be filled again while this waits for room.
            drop(checked);
            for shard in 0..self.work.len() {
                if let Some(portion) = self.split.take(shard) {
                    self.hand(shard, Work::Take(portion)).await?;
                }
            }
            if let Some(sitting) = sitting {
                editor.save(&sitting);
                for shard in 0..self.work.len() {
                    self.hand(shard, Work::Sit(Arc::clone(&sitting))).await?;
                }
            }
            if let Some(edition) = editor.due() {
                self.publish(edition).await?;
            }
        }
        // With this the shards' queues end, and each of them answers a last time.
        let Self { announce, .. } = self;
        announce.send(editor.edition()).await.ok()
    }

    async fn publish(&mut self, edition: Edition) -> Option<()> {
        let turn = edition.turn(self.turns.recv().await?);
        for shard in 0..self.work.len() {
            self.hand(shard, Work::Publish(turn.clone())).await?;
        }
        self.announce.send(edition).await.ok()
    }

    async fn hand(&self, shard: usize, work: Work) -> Option<()> {
        self.work[shard].send(work).await.ok()?;
        self.vitals.shards[shard].handed();
        Some(())
    }
}

/// The engine's side from the answers on: puts each edition together with them.
async fn bind(
    mut editions: mpsc::Receiver<Edition>,
    mut answers: Vec<mpsc::Receiver<Answer>>,
    mut binder: Binder,
    bound: mpsc::Sender<Relief>,
    mut publish: impl FnMut(Arc<Snapshot>),
) -> Option<()> {
    while let Some(edition) = editions.recv().await {
        let mut given = Vec::with_capacity(answers.len());
        for shard in &mut answers {
            given.push(shard.recv().await?);
        }
        publish(binder.bind(edition, given));
        // After the last nobody asks.
        let _ = bound.send(binder.relief()).await;
    }
    Some(())
}
