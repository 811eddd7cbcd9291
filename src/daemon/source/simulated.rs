//! The simulator as a source: a scenario played in real time through the decoder.
//!
//! A frame arrives at the time that the scenario gives it, not when the timer happens to fire, so
//! that the seed and the start alone decide what is aggregated. After a suspend the frames of the
//! lost time come at once: the simulated devices have not slept.

use super::{
    outlet::{EngineGone, Outlet},
    until_due,
};
use crate::{
    config::model::SimulatorConfig,
    daemon::clock::Line,
    engine::{Link, batch::Transport},
    simulate::Player,
};

/// Plays the scenario to its end, if it has one. Safe to cancel.
///
/// # Errors
///
/// [`EngineGone`] if the queue to the engine is closed.
pub async fn run(
    config: &SimulatorConfig,
    line: Line,
    outlet: &mut Outlet,
) -> Result<(), EngineGone> {
    let started_ns = line.now_ns();
    let mut player = Player::new(&config.scenario, config.seed, started_ns);
    outlet.report(Link::Up(format!("simulated, seed {}", config.seed).into()), started_ns);
    while let Some(frame) = player.next() {
        until_due(frame.at_ns, line, outlet).await?;
        outlet.count(&Transport { datagrams: 1, ..Transport::default() });
        outlet.feed(frame.bytes, frame.at_ns);
        if outlet.is_full() {
            outlet.offer(frame.at_ns).await?;
            tokio::task::yield_now().await;
        }
    }
    outlet.report(Link::Ended(None), line.now_ns());
    Ok(())
}
