//! The client side.
pub mod replay;
