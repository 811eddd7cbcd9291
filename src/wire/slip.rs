//! SLIP (RFC 1055): a byte that ends a frame, and an escape for it within.

/// Ends a frame, and may begin one.
pub(super) const END: u8 = 0xC0;
const ESCAPE: u8 = 0xDB;
const ESCAPED_END: u8 = 0xDC;
const ESCAPED_ESCAPE: u8 = 0xDD;

/// An escape that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Error;

/// Takes the escapes out of `bytes`, which have no [`END`], and appends the rest to `out`.
///
/// # Errors
/// If an escape has nothing behind it that can be escaped; `out` then holds a part of the bytes.
pub(super) fn unescape(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        out.push(match byte {
            ESCAPE => match rest.next() {
                Some(&ESCAPED_END) => END,
                Some(&ESCAPED_ESCAPE) => ESCAPE,
                _ => return Err(Error),
            },
            byte => byte,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_taken_out_and_broken_ones_refused() {
        let unescaped = |bytes: &[u8]| {
            let mut out = Vec::new();
            unescape(bytes, &mut out).map(|()| out)
        };
        assert_eq!(unescaped(&[1, 0xDB, 0xDC, 2, 0xDB, 0xDD]), Ok(vec![1, 0xC0, 2, 0xDB]));
        assert_eq!(unescaped(&[]), Ok(vec![]));
        assert_eq!(unescaped(&[1, 0xDB]), Err(Error));
        assert_eq!(unescaped(&[0xDB, 0x01]), Err(Error));
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(bytes in prop::collection::vec(0xBF..=0xDE_u8, 0..60)) {
            let escape = |&byte: &u8| match byte {
                END => vec![ESCAPE, ESCAPED_END],
                ESCAPE => vec![ESCAPE, ESCAPED_ESCAPE],
                byte => vec![byte],
            };
            let escaped: Vec<u8> = bytes.iter().flat_map(escape).collect();
            let mut out = Vec::new();
            prop_assert!(!escaped.contains(&END));
            prop_assert_eq!(unescape(&escaped, &mut out), Ok(()));
            prop_assert_eq!(out, bytes);
        }
    }
}
