//! The bins behind percentiles: asked of the engine, which answers with its next publication.

use std::sync::Arc;

use tokio::{sync::oneshot, task::yield_now, time::sleep};

use super::{
    refusal::{Binless, Full, Refusal},
    request::{Histogram, Paging},
    service::{check_window, host_clock},
    session::{Ending, Session},
};
use crate::{
    engine::{
        Snapshot,
        desk::{Pick, Question, Told, Turned},
        snapshot::ChannelInfo,
    },
    limits::REPLY_HISTOGRAMS_MAX,
    query::{
        histogram::Histograms,
        page::{Header, Seek, Walk},
    },
};

/// Which of the things that are waited for came first.
enum Wake {
    Stop,
    Told(Option<Told>),
    Check,
}

impl Session {
    /// Answers with the histograms of the next publication.
    pub(super) async fn histogram(&mut self, ask: &Histogram) -> Result<(), Ending> {
        let snapshot = Arc::clone(&self.service.snapshots.borrow());
        let reply = match picks(&snapshot, ask).await {
            Err(refusal) => Err(refusal),
            Ok((picks, next)) => {
                let picks: Arc<[Pick]> = picks.into();
                let told = match picks.is_empty() {
                    true => Ok(Told { snapshot, exports: Vec::new() }),
                    false => {
                        // What is published next is of another snapshot.
                        drop(snapshot);
                        self.told(Arc::clone(&picks)).await?
                    }
                };
                told.map(|told| self.page(&told, &picks, next.as_deref()))
            }
        };
        self.send(reply.unwrap_or_else(|refusal| refusal.reply())).await
    }

    /// Waits for the engine's answer, unless there is none or the client leaves.
    async fn told(&mut self, picks: Arc<[Pick]>) -> Result<Result<Told, Refusal>, Ending> {
        let (tell, mut told) = oneshot::channel();
        // Nobody takes it any more from a client that has left.
        let tell = Box::new(move |answer| _ = tell.send(answer));
        // Given up, whichever way this ends.
        let _place = match self.service.about.desk.leave(Question { picks, tell }) {
            Ok(place) => place,
            Err(Turned::Full) => return Ok(Err(Refusal::Busy(Full::Questions))),
            Err(Turned::Closed) => return Ok(Err(Refusal::ShuttingDown)),
        };
        loop {
            let wake = tokio::select! {
                biased;
                told = &mut told => Wake::Told(told.ok()),
                _ = self.stop.wait_for(|stop| *stop) => Wake::Stop,
                () = sleep(self.timeouts.watch_check) => Wake::Check,
            };
            if self.has_left() {
                return Err(Ending::Left);
            }
            match wake {
                Wake::Check => {}
                Wake::Stop | Wake::Told(None) => return Ok(Err(Refusal::ShuttingDown)),
                Wake::Told(Some(told)) => {
                    self.is_published(told.snapshot.seq).await;
                    return Ok(Ok(told));
                }
            }
        }
    }

    /// Waits until nobody can be shown an older snapshot than this; it is a moment away.
    async fn is_published(&self, seq: u64) {
        let mut snapshots = self.service.snapshots.clone();
        // Nothing is published any more at the end.
        let _ = snapshots.wait_for(|latest| seq <= latest.seq).await.map(drop);
    }

    fn page(&self, told: &Told, picks: &[Pick], next: Option<&str>) -> Vec<u8> {
        let (page, rest) = Histograms::of(told, picks);
        let Snapshot { epoch, seq, .. } = *told.snapshot;
        page.reply(&Header {
            continues: false,
            epoch,
            seq,
            now_ns: self.service.line.now_ns(),
            clock: host_clock(),
            skipped: None,
            next: rest.or(next),
        })
    }
}

/// The windows that are asked for, no more than for one reply, and the first channel that is left
/// out then.
async fn picks(
    snapshot: &Snapshot,
    ask: &Histogram,
) -> Result<(Vec<Pick>, Option<String>), Refusal> {
    let Histogram { paging: Paging { selection, from, limit }, window } = ask;
    check_window(snapshot, selection, Some(window)).await?;
    let mut walk = Walk::new(snapshot, selection, from);
    let (mut picks, mut binless) = (Vec::new(), None);
    loop {
        match walk.seek(selection) {
            Seek::Pause => yield_now().await,
            Seek::End => break,
            Seek::Found(info) => match pick(info, window.length_ns) {
                Some(Ok(_)) if picks.len() == REPLY_HISTOGRAMS_MAX.min(*limit) => {
                    return Ok((picks, Some(info.id.to_string())));
                }
                Some(Ok(pick)) => picks.push(pick),
                Some(Err(why)) => binless = binless.or(Some(why)),
                None => {}
            },
        }
    }
    match binless {
        // A page behind others may have none.
        Some(why) if picks.is_empty() && from.is_empty() => Err(Refusal::NoHistogram(why)),
        _ => Ok((picks, None)),
    }
}

/// The channel's window of this length; the one that is published most often if there are several.
fn pick(info: &ChannelInfo, length_ns: i64) -> Option<Result<Pick, Binless>> {
    let rules = &info.rules;
    match rules.windows.iter().position(|window| window.length_ns == length_ns) {
        Some(_) if rules.percentiles.is_empty() => Some(Err(Binless::NoPercentiles)),
        Some(window) => Some(Ok(Pick { channel: info.index, window })),
        None => {
            let is_exact = rules.exact.iter().any(|exact| exact.length_ns == length_ns);
            is_exact.then_some(Err(Binless::Exact))
        }
    }
}
