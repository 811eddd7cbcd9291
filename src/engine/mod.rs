//! The core: decoded frames in, snapshots out.
//!
//! Nothing here awaits, reads a clock, opens a file or draws a random number: time comes with
//! each batch, and the same inputs give the same snapshots, always.

pub mod batch;
pub mod duration;
pub mod glob;
pub mod ledger;
pub mod plan;
pub mod rules;
pub mod snapshot;
pub mod summary;
pub mod unit;

pub use batch::{Batch, Input, Link};
pub use ledger::{Ledger, ReadingRefusal};
pub use plan::{ChannelKey, ChannelPlan, Plan, SourcePlan, TimeMode, Unknown};
pub use rules::{Rules, Window};
pub use snapshot::Snapshot;
