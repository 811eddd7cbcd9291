//! Bytes of a client to lines: pure, bounded, fed by the session.

use super::refusal::BadRequest;
use crate::limits::REQUEST_BYTES_MAX;

/// What a client has sent and the daemon has not read yet.
#[derive(Debug)]
pub(super) struct Inbox {
    buffer: Box<[u8]>,
    filled: usize,
    /// LF or NUL: the first one seen.
    terminator: Option<u8>,
}

/// What stands at the start of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Nothing.
    Empty,
    /// The start of a line.
    Half,
    /// A line of `len` bytes, and `end` with its terminator.
    Line { len: usize, end: usize },
    /// A request of a web browser or of curl.
    Http,
    /// No request.
    Bad(BadRequest),
}

const LF: u8 = b'\n';
const NUL: u8 = 0;
const HTTP: [&[u8]; 3] = [b"GET ", b"HEAD ", b"POST "];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Default for Inbox {
    fn default() -> Self {
        // A line, CR and the terminator.
        let buffer = vec![0; REQUEST_BYTES_MAX + 2].into_boxed_slice();
        Self { buffer, filled: 0, terminator: None }
    }
}

impl Inbox {
    /// Where the next bytes go: never empty as long as [`Self::front`] says `Empty` or `Half`.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    /// Takes up the first `n` bytes of [`Self::space`].
    pub(super) fn fill(&mut self, n: usize) {
        self.filled += n;
    }

    /// What there is to do.
    pub(super) fn front(&mut self) -> Front {
        let bytes = &self.buffer[..self.filled];
        match opening(bytes) {
            Opening::Json => {}
            Opening::Undecided if bytes.is_empty() => return Front::Empty,
            Opening::Undecided => return Front::Half,
            Opening::Http => return Front::Http,
            Opening::ByteOrderMark => return Front::Bad(BadRequest::ByteOrderMark),
            Opening::Other => return Front::Bad(BadRequest::NotAnObject),
        }
        let is_end = |byte: u8| match self.terminator {
            Some(terminator) => byte == terminator,
            None => byte == LF || byte == NUL,
        };
        let end = bytes.iter().position(|byte| is_end(*byte));
        match end {
            Some(end) => {
                let terminator = *self.terminator.get_or_insert(bytes[end]);
                let is_crlf = terminator == LF && bytes[..end].ends_with(b"\r");
                let len = end - usize::from(is_crlf);
                if REQUEST_BYTES_MAX < len {
                    return Front::Bad(BadRequest::LineTooLong);
                }
                Front::Line { len, end: end + 1 }
            }
            None if bytes.len() == self.buffer.len() => Front::Bad(BadRequest::LineTooLong),
            None => Front::Half,
        }
    }

    /// At the end of input, half a line is a line: an object is whole or it is none.
    pub(super) fn last_line(&mut self) -> Front {
        match self.front() {
            Front::Half if self.filled <= REQUEST_BYTES_MAX => {
                Front::Line { len: self.filled, end: self.filled }
            }
            Front::Half => Front::Bad(BadRequest::LineTooLong),
            front => front,
        }
    }

    /// The first `len` bytes.
    pub(super) fn line(&self, len: usize) -> &[u8] {
        &self.buffer[..len]
    }

    /// Removes the first `end` bytes.
    pub(super) fn consume(&mut self, end: usize) {
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
    }

    /// What ends a reply: LF until the client has shown that it speaks NUL.
    pub(super) fn terminator(&self) -> u8 {
        self.terminator.unwrap_or(LF)
    }
}

enum Opening {
    Json,
    Undecided,
    Http,
    ByteOrderMark,
    Other,
}

fn opening(bytes: &[u8]) -> Opening {
    if bytes.first() == Some(&b'{') {
        return Opening::Json;
    }
    if HTTP.iter().any(|word| bytes.starts_with(word)) {
        return Opening::Http;
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Opening::ByteOrderMark;
    }
    if HTTP.iter().chain([&BYTE_ORDER_MARK]).any(|word| word.starts_with(bytes)) {
        return Opening::Undecided;
    }
    Opening::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox::default();
        push(&mut inbox, bytes);
        inbox
    }

    fn push(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.space()[..bytes.len()].copy_from_slice(bytes);
        inbox.fill(bytes.len());
    }

    #[test]
    fn the_first_terminator_holds_for_the_connection() {
        let mut lf = inbox(b"{1}\n{2\0}\n");
        assert_eq!(lf.front(), Front::Line { len: 3, end: 4 });
        lf.consume(4);
        assert_eq!(lf.front(), Front::Line { len: 4, end: 5 });
        assert_eq!(lf.terminator(), b'\n');
        let mut nul = inbox(b"{1}\0{2\n}\0");
        assert_eq!(nul.front(), Front::Line { len: 3, end: 4 });
        nul.consume(4);
        assert_eq!(nul.front(), Front::Line { len: 4, end: 5 });
        assert_eq!(nul.terminator(), 0);
    }

    #[test]
    fn a_carriage_return_is_part_of_the_end() {
        assert_eq!(inbox(b"{}\r\n").front(), Front::Line { len: 2, end: 4 });
    }

    #[test]
    fn byte_by_byte_is_the_same() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.front(), Front::Empty);
        for byte in b"{}" {
            push(&mut inbox, &[*byte]);
            assert_eq!(inbox.front(), Front::Half);
        }
        push(&mut inbox, b"\n");
        assert_eq!(inbox.front(), Front::Line { len: 2, end: 3 });
        inbox.consume(3);
        assert_eq!(inbox.front(), Front::Empty);
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_does_not() {
        let mut line = vec![b'{'; REQUEST_BYTES_MAX];
        line.extend_from_slice(b"\r\n");
        let end = line.len();
        assert_eq!(inbox(&line).front(), Front::Line { len: REQUEST_BYTES_MAX, end });
        let mut long = vec![b'{'; REQUEST_BYTES_MAX + 1];
        long.push(b'\n');
        assert_eq!(inbox(&long).front(), Front::Bad(BadRequest::LineTooLong));
        let endless = vec![b'{'; REQUEST_BYTES_MAX + 2];
        assert_eq!(inbox(&endless).front(), Front::Bad(BadRequest::LineTooLong));
    }

    #[test]
    fn the_first_bytes_tell_what_it_is() {
        assert_eq!(inbox(b"GET / HTTP/1.1\r\n").front(), Front::Http);
        assert_eq!(inbox(b"POST /").front(), Front::Http);
        assert_eq!(inbox(b"GE").front(), Front::Half);
        assert_eq!(inbox(b"help").front(), Front::Bad(BadRequest::NotAnObject));
        assert_eq!(inbox(b"\n").front(), Front::Bad(BadRequest::NotAnObject));
        assert_eq!(inbox(b"\xEF\xBB").front(), Front::Half);
        assert_eq!(inbox(b"\xEF\xBB\xBF{").front(), Front::Bad(BadRequest::ByteOrderMark));
    }

    #[test]
    fn half_a_line_counts_at_the_end_of_input() {
        assert_eq!(inbox(b"{}").last_line(), Front::Line { len: 2, end: 2 });
        assert_eq!(inbox(b"").last_line(), Front::Empty);
    }
}
