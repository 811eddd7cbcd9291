//! What the query socket says about the engine's values: their JSON form, and which of them a
//! request selects.
//!
//! Nothing here opens a socket or reads a clock. The engine's types know no JSON; the forms
//! below are the edge's own, and within a major version of the interface they only grow. Keys
//! are absent where there is no value, numbers are finite, nothing is ever null.

pub mod channel;
pub mod details;
pub mod histogram;
pub mod json;
pub mod ledger;
pub mod page;
pub mod selection;
pub mod summary;
pub mod trace;

pub use selection::{Selection, WindowChoice};
pub use summary::summary_line;
