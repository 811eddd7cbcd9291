//! What a column without a name is called.

use crate::limits;

/// The name of a column without one: its position, counted from 1.
pub(super) struct Position {
    digits: [u8; 3],
    start: usize,
}

const _: () = assert!(limits::FIELDS_PER_LINE_MAX <= 999);

impl Position {
    /// The position of the column with this index, which is below `FIELDS_PER_LINE_MAX`.
    pub(super) fn new(index: usize) -> Self {
        let mut position = Self { digits: [b'0'; 3], start: 3 };
        let mut rest = index + 1;
        while rest > 0 && position.start > 0 {
            position.start -= 1;
            position.digits[position.start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        position
    }

    /// The decimal number.
    pub(super) fn name(&self) -> &str {
        str::from_utf8(&self.digits[self.start..]).expect("decimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_from_one() {
        for index in 0..limits::FIELDS_PER_LINE_MAX {
            assert_eq!(Position::new(index).name(), (index + 1).to_string());
        }
    }
}
