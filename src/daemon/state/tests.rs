//! Disks that fail in every way, and what is found afterwards.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, mpsc::sync_channel},
};

use super::{
    calls::Calls,
    files::Files,
    found::{Choice, Useless},
    keeper::Keeper,
    standing::Standing,
    storage::{Directory, Storage},
};
use crate::{
    daemon::{clock::Line, rate::LogLimits},
    engine::image::{Damage, Head, Kind, Sealed, Sitting, sitting::Blocks},
    limits::SECOND,
};

/// A disk in memory that can be made to fail.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    files: BTreeMap<String, Vec<u8>>,
    /// What the next operation comes to, if not what it should.
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// So many bytes are written, and then this error comes: a disk that is full or read-only.
    Write(usize, i32),
    /// All bytes are written, and cannot be brought to the disk, which keeps so many.
    Sync(usize),
    /// The file cannot take the place of the other.
    Replace(i32),
    /// The file takes the place of the other, but nobody knows whether that is on the disk.
    SyncDirectory,
}

impl Disk {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl Storage for Disk {
    fn read(&mut self, name: &str, _most: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.inside().files.get(name).cloned())
    }

    fn write(&mut self, name: &str, parts: &mut dyn Iterator<Item = &[u8]>) -> io::Result<()> {
        let mut whole = parts.collect::<Vec<_>>().concat();
        let mut inside = self.inside();
        let outcome = match inside.fault {
            Some(Fault::Write(kept, error)) => {
                whole.truncate(kept);
                Err(io::Error::from_raw_os_error(error))
            }
            Some(Fault::Sync(kept)) => {
                whole.truncate(kept);
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            _ => Ok(()),
        };
        inside.files.insert(name.to_owned(), whole);
        outcome
    }

    fn replace(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inside = self.inside();
        if let Some(Fault::Replace(error)) = inside.fault {
            return Err(io::Error::from_raw_os_error(error));
        }
        let moved = inside.files.remove(from).expect("it was written");
        inside.files.insert(to.to_owned(), moved);
        match inside.fault {
            Some(Fault::SyncDirectory) => Err(io::Error::from_raw_os_error(libc::EIO)),
            _ => Ok(()),
        }
    }
}

fn records() -> Blocks {
    let (send, given) = sync_channel(1);
    let sitting = Sitting::new(move |blocks| send.send(blocks).expect("room"));
    let mut sheet = sitting.sheet();
    sheet.record(Kind::Source, |writer| {
        writer.count(0);
        writer.text("plant");
        writer.flag(false);
        writer.flag(false);
    });
    sheet.hand_in();
    drop(sitting);
    given.try_recv().expect("given")
}

fn head(epoch: u64, number: u64) -> Head {
    Head { epoch, number, ..Head::default() }
}

fn image(epoch: u64, number: u64) -> Sealed {
    Sealed::new(&head(epoch, number), records())
}

type Chosen = (Option<(u64, u64)>, Vec<(&'static str, Useless)>);

/// What a start would go on from.
fn chosen(disk: &Disk) -> Chosen {
    let choice = Choice::of(Files::new(disk.clone()).look());
    (choice.image.map(|(_, image)| image.head().order()), choice.useless)
}

#[test]
fn whatever_fails_the_newest_whole_image_is_found_and_the_next_one_is_kept() {
    let length = image(1, 1).to_bytes().len();
    let torn = (0..length).map(|kept| Fault::Write(kept, libc::ENOSPC));
    let unsynced = (0..length).map(Fault::Sync);
    let refused = [Fault::Write(0, libc::EROFS), Fault::Replace(libc::EROFS)];
    for fault in torn.chain(unsynced).chain(refused).chain([Fault::Replace(libc::EIO)]) {
        let disk = Disk::default();
        let mut files = Files::new(disk.clone());
        for number in 1..=6 {
            // Every second one fails, at either of the two places.
            let fails = number % 2 == 0;
            disk.inside().fault = fails.then_some(fault);
            assert_eq!(files.save(&image(1, number)).is_err(), fails, "{fault:?}");
            disk.inside().fault = None;
            let newest = if fails { number - 1 } else { number };
            assert_eq!(chosen(&disk), (Some((1, newest)), vec![]), "{fault:?}");
        }
    }
}

#[test]
fn an_image_of_which_nobody_knows_whether_it_is_there_leaves_the_one_before() {
    let disk = Disk::default();
    let mut files = Files::new(disk.clone());
    files.save(&image(1, 1)).expect("kept");
    disk.inside().fault = Some(Fault::SyncDirectory);
    assert!(files.save(&image(1, 2)).is_err());
    // The directory may come back as it was before, or as it is now: both have a whole image.
    assert_eq!(chosen(&disk).0, Some((1, 2)));
    disk.inside().files.remove("state.b");
    assert_eq!(chosen(&disk).0, Some((1, 1)));
}

#[test]
fn every_flipped_byte_and_every_truncation_leaves_the_other_file() {
    let disk = Disk::default();
    let mut files = Files::new(disk.clone());
    files.save(&image(4, 1)).expect("kept");
    files.save(&image(4, 2)).expect("kept");
    let newer = disk.inside().files["state.b"].clone();
    let damaged = (0..newer.len()).flat_map(|at| {
        let mut flipped = newer.clone();
        flipped[at] ^= 0x40;
        [flipped, newer[..at].to_vec()]
    });
    for bytes in damaged {
        disk.inside().files.insert("state.b".to_owned(), bytes);
        let (found, useless) = chosen(&disk);
        assert_eq!(found, Some((4, 1)));
        assert!(matches!(useless[..], [("state.b", Useless::Damaged(_))]), "{useless:?}");
        // The next image takes the place of the damaged one.
        let mut files = Files::new(disk.clone());
        let epoch = Choice::of(files.look()).epoch();
        assert_eq!(epoch, 6, "the damaged one may have been of epoch 5");
        assert_eq!(files.save(&image(epoch, 1)).expect("kept"), "state.b");
    }
}

#[test]
fn an_image_of_a_newer_version_is_named_and_left_out() {
    let disk = Disk::default();
    let mut bytes = image(2, 1).to_bytes();
    bytes[8] = 9;
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&checksum);
    disk.inside().files.insert("state.a".to_owned(), bytes);
    let (found, useless) = chosen(&disk);
    assert_eq!(found, None);
    assert_eq!(useless, [("state.a", Useless::Damaged(Damage::Version(9)))]);
}

#[test]
fn a_disk_that_fails_is_counted_and_forgiven() {
    let (disk, standing) = (Disk::default(), Arc::new(Standing::default()));
    let mut keeper = Keeper {
        memory: None,
        files: Some(Files::new(disk.clone())),
        standing: Arc::clone(&standing),
        log: LogLimits::default(),
    };
    for (number, fault) in (1..).zip([
        None,
        Some(Fault::Write(10, libc::ENOSPC)),
        Some(Fault::Write(0, libc::EROFS)),
        Some(Fault::Sync(7)),
        Some(Fault::Sync(7)),
        None,
    ]) {
        disk.inside().fault = fault;
        keeper.keep(&head(1, number), records());
    }
    let news = standing.news();
    assert_eq!(news.saved, 2);
    let failed: Vec<(&str, u64)> = news.failed.iter().map(|((place, _), n)| (*place, *n)).collect();
    assert_eq!(failed, [("files", 2), ("files", 1), ("files", 1)], "{:?}", news.failed);
    assert_eq!(chosen(&disk).0, Some((1, 6)));
}

#[test]
fn a_real_directory_is_made_and_one_that_cannot_be_says_so() {
    let base = std::env::temp_dir().join(format!("stillwell-state-{}", std::process::id()));
    let mut files = Files::new(Directory::new(base.join("deep")));
    assert!(files.look().is_empty());
    assert_eq!(files.save(&image(1, 1)).expect("kept"), "state.a");
    assert_eq!(files.save(&image(1, 2)).expect("kept"), "state.b");
    let mut again = Files::new(Directory::new(base.join("deep")));
    let choice = Choice::of(again.look());
    assert_eq!(choice.image.expect("one").1.head().order(), (1, 2));
    assert_eq!(again.save(&image(2, 1)).expect("kept"), "state.a", "the older one goes");
    // A file is no directory, for whatever user.
    let mut none = Files::new(Directory::new(base.join("deep/state.a/no")));
    assert!(none.save(&image(3, 1)).is_err());
    std::fs::remove_dir_all(&base).expect("ours");
}

#[test]
fn images_are_called_for_at_once_then_each_period_and_not_while_one_is_under_way() {
    let standing = Arc::new(Standing::new(None, false, 60 * SECOND));
    let (send, taken) = sync_channel(1);
    let mut calls = Calls::new((5, Line::at(100)), None, send, Arc::clone(&standing));
    let first = calls.due(7 * SECOND).expect("at once");
    assert!(calls.due(66 * SECOND).is_none());
    assert!(calls.due(67 * SECOND).is_none(), "the first is under way");
    assert_eq!(standing.news().skipped, 1);
    drop(first);
    let written = taken.try_recv().expect("an empty one");
    assert_eq!((written.head.order(), written.head.at_ns), ((5, 1), 7 * SECOND));
    assert_eq!(written.head.anchor_ns, 100);
    assert!(calls.due(127 * SECOND).is_none(), "it is being written");
    drop(written);
    drop(calls.due(187 * SECOND).expect("a period later"));
    drop(calls.last(188 * SECOND));
    assert_eq!(taken.try_recv().expect("one").head.order(), (5, 2));
    assert_eq!(standing.news().skipped, 3, "there is room for one");
}
