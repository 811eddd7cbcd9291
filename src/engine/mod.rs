//! The core: decoded frames in, snapshots out.
//!
//! Nothing here awaits, reads a clock, opens a file or draws a random number: time comes with
//! each batch, and the same inputs give the same snapshots, always.

pub mod rules;
pub mod verdict;
pub mod plan;
pub mod unit;
pub mod calibration;
pub mod duration;
pub mod glob;
pub mod recycle;
pub mod batch;
pub mod ledger;
pub mod stages;
pub mod validate;
pub mod registry;
pub mod sequence;
pub mod device_clock;
pub mod condition;
pub mod devices;
pub mod timeline;
pub mod trace;
pub mod image;
pub mod normalize;
pub mod qc;
pub mod rolling;
pub mod aggregate;
pub mod pace;
pub mod split;
pub mod edition;
pub mod desk;
pub mod windows;
pub mod open;
pub mod partial;
pub mod bins;
pub mod arena;
pub mod ring;
pub mod chain;
pub mod exact;
pub mod statistics;
pub mod judge;
pub mod summary;
pub mod books;
pub mod directory;
pub mod column;
pub mod gallery;
pub mod snapshot;

pub use batch::{Batch, Input, Link};
pub use ledger::{Ledger, ReadingRefusal};
pub use plan::{ChannelKey, ChannelPlan, PatternPlan, Plan, SourcePlan, TimeMode, Unknown};
pub use rules::{ExactWindow, Rules, Window};
pub use snapshot::Snapshot;
