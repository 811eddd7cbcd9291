//! What tests of whole daemons have in common: the daemon itself, its clients, and what sends to
//! it.

use std::path::PathBuf;

use crate::process::{did_not_run, shipped};

mod books;
mod client;
mod daemon;
mod device;
mod manager;
mod modbus;
mod played;
mod pty;
mod random;
pub(crate) mod seal;
mod simulator;
mod sums;

pub(crate) use self::{
    books::{assert_as_reported, assert_balanced, number, refused},
    client::Client,
    daemon::Daemon,
    device::{Device, PLANT, Steady},
    manager::Manager,
    modbus::{Devices, Faults, Line, Mode as ModbusMode, held},
    played::{Log, Played},
    pty::Pty,
    random::Random,
    simulator::Simulator,
    sums::{Crc16, sum8, with_sum16},
};

/// A recorded file or an independent oracle; `None` where there is none, which is said.
///
/// # Panics
/// With CI=true, if it is absent.
pub(crate) fn recorded(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("STILLWELL_TEST_DATA")
        .map_or_else(|| shipped("../shared/data"), PathBuf::from);
    let path = data.join(name);
    if path.exists() {
        return Some(path);
    }
    did_not_run(&format!("{} is absent", path.display()));
    None
}
