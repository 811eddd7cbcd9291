//! Pages that are made once for all subscribers who want the same.
//!
//! What a subscriber is told of a publication depends on its filter and on what it knows. Those
//! with one filter who were told of the same publication know the same, provided that they were
//! told as at the same instant; so the first to look at a publication decides on the instant, and
//! the first to want a page makes it, for all.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::{
    limits::{WATCH_INSTANT_NS, WATCH_SHARED_PAGES},
    query::{
        Selection, WindowChoice,
        page::{Known, Page},
    },
};

/// Pages of the latest publication that was looked at.
#[derive(Debug, Default)]
pub(super) struct Sharing(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    seq: u64,
    /// Instant at which its states are judged, nanoseconds on the daemon's line.
    now_ns: i64,
    pages: Vec<(Wish, Cell)>,
}

/// A page that is there or being made. Whoever waits for it goes on if its maker is cancelled.
type Cell = Arc<OnceCell<Made>>;

/// What a page depends on, besides the publication and the instant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) selection: Selection,
    pub(super) choice: WindowChoice,
    /// What the subscriber has been told.
    pub(super) known: Known,
    /// First id that may be on the page.
    pub(super) from: String,
}

/// A page, and the first id that did not fit it.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) page: Page,
    pub(super) next: Option<String>,
}

impl Sharing {
    /// The instant, near `now_ns`, at which the states of a publication are judged.
    pub(super) fn instant(&self, seq: u64, now_ns: i64) -> i64 {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age_ns = now_ns.saturating_sub(book.now_ns);
        if book.seq != seq || !(0..WATCH_INSTANT_NS).contains(&age_ns) {
            *book = Book { seq, now_ns, pages: Vec::new() };
        }
        book.now_ns
    }

    /// Where the page is, or is to be put by the first to want it. Of an instant that has been
    /// replaced, or when there is no room, it is the caller's alone.
    pub(super) fn page(&self, seq: u64, now_ns: i64, wish: &Wish) -> Cell {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (book.seq, book.now_ns) != (seq, now_ns) {
            return Cell::default();
        }
        if let Some((_, cell)) = book.pages.iter().find(|(known, _)| known == wish) {
            return Arc::clone(cell);
        }
        let cell = Cell::default();
        if book.pages.len() < WATCH_SHARED_PAGES {
            book.pages.push((wish.clone(), Arc::clone(&cell)));
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MS;

    fn wish(pattern: &str, known_seq: u64) -> Wish {
        Wish {
            selection: Selection::new([pattern]),
            choice: WindowChoice::All,
            known: Known { seq: known_seq, at_ns: 0 },
            from: String::new(),
        }
    }

    #[test]
    fn the_same_wish_is_met_by_the_same_page() {
        let sharing = Sharing::default();
        let now_ns = sharing.instant(8, 5_000 * MS);
        let first = sharing.page(8, now_ns, &wish("a*", 7));
        assert!(Arc::ptr_eq(&first, &sharing.page(8, now_ns, &wish("a*", 7))));
        for other in [wish("b*", 7), wish("a*", 6), Wish { from: "ab".into(), ..wish("a*", 7) }] {
            assert!(!Arc::ptr_eq(&first, &sharing.page(8, now_ns, &other)), "{other:?}");
        }
    }

    #[test]
    fn a_publication_is_told_as_at_one_instant_while_that_is_true() {
        let sharing = Sharing::default();
        let first_ns = sharing.instant(8, 5_000 * MS);
        assert_eq!(sharing.instant(8, 5_000 * MS + WATCH_INSTANT_NS - 1), first_ns);
        let page = sharing.page(8, first_ns, &wish("a*", 7));
        let later_ns = sharing.instant(8, 5_000 * MS + WATCH_INSTANT_NS);
        assert_ne!(later_ns, first_ns);
        assert!(!Arc::ptr_eq(&page, &sharing.page(8, later_ns, &wish("a*", 7))));
        assert!(!Arc::ptr_eq(&page, &sharing.page(8, first_ns, &wish("a*", 7))), "of the past");
        assert_eq!(sharing.instant(9, 5_001 * MS), 5_001 * MS);
    }

    #[test]
    fn pages_are_bounded() {
        let sharing = Sharing::default();
        let now_ns = sharing.instant(8, 5_000 * MS);
        let all: Vec<Cell> = (0..1_000).map(|n| sharing.page(8, now_ns, &wish("a*", n))).collect();
        let shared = all.iter().filter(|cell| 1 < Arc::strong_count(cell)).count();
        assert_eq!(shared, WATCH_SHARED_PAGES);
    }
}
