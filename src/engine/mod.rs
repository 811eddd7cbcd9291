//! The core: decoded frames in, snapshots out.
//!
//! Nothing here awaits, reads a clock, opens a file or draws a random number: time comes with
//! each batch, and the same inputs give the same snapshots, always.

pub mod batch;
pub mod bins;
pub mod books;
pub mod chain;
pub mod device_clock;
pub mod duration;
pub mod gallery;
pub mod ledger;
pub mod normalize;
pub mod open;
pub mod partial;
pub mod plan;
pub mod registry;
pub mod ring;
pub mod rolling;
pub mod stages;
pub mod rules;
pub mod sequence;
pub mod snapshot;
pub mod summary;
pub mod timeline;
pub mod unit;
pub mod validate;
pub mod windows;

pub use batch::{Batch, Input, Link};
pub use ledger::{Ledger, ReadingRefusal};
pub use plan::{ChannelKey, ChannelPlan, Plan, SourcePlan, TimeMode, Unknown};
pub use rules::{Rules, Window};
pub use snapshot::Snapshot;
