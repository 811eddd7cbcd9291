//! Native frames from datagrams and from COBS on a byte stream.
use std::sync::Arc;

use super::{FieldTable, Frames, WireTally, decode::Framing};

/// stub
#[derive(Debug)]
pub struct NativeDecoder {
    fields: Arc<FieldTable>,
}
#[allow(missing_docs, unused_variables)]
impl NativeDecoder {
    pub fn new(framing: Framing) -> Self {
        Self { fields: Arc::default() }
    }
    pub fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
    }
    pub fn reset(&mut self, tally: &mut WireTally) {}
    pub fn buffered(&self) -> usize {
        0
    }
    pub fn fields(&self) -> &Arc<FieldTable> {
        &self.fields
    }
}
