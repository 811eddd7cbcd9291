//! What is known of a read as a whole need not be asked of its parts one by one.

/// Where in some bytes these begin, which are a part of them; `None` if they are none.
pub(super) fn position_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    (at.checked_add(part.len())? <= whole.len()).then_some(at)
}

/// A read, of which it is known how far it is text.
///
/// To look at thousands of bytes at once costs a fraction of what their lines cost one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<'a> {
    text: &'a str,
}

impl<'a> Whole<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        Self { text }
    }

    /// These bytes as text, if they are; they may be a part of the read or not.
    #[inline]
    pub(super) fn text_of<'p>(self, part: &'p [u8]) -> Option<&'p str>
    where
        'a: 'p,
    {
        let known = position_in(self.text.as_bytes(), part)
            .and_then(|at| self.text.get(at..at + part.len()));
        known.or_else(|| str::from_utf8(part).ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_part_is_text_where_it_is_so_on_its_own(
            pieces in prop::collection::vec(
                prop_oneof!["[a-z\u{e9}\u{20ac}\u{1f600}]{0,6}".prop_map(String::into_bytes),
                    prop::collection::vec(any::<u8>(), 0..3)],
                0..8,
            ),
            cut in (0..40_usize, 0..40_usize),
        ) {
            let bytes = pieces.concat();
            let from = cut.0.min(bytes.len());
            let to = (from + cut.1).min(bytes.len());
            let whole = Whole::of(&bytes);
            let (part, elsewhere) = (&bytes[from..to], bytes[from..to].to_vec());
            prop_assert_eq!(position_in(&bytes, part), Some(from));
            for part in [part, &elsewhere] {
                prop_assert_eq!(whole.text_of(part), str::from_utf8(part).ok());
            }
            if !elsewhere.is_empty() {
                prop_assert_eq!(position_in(&bytes, &elsewhere), None);
            }
        }
    }
}
