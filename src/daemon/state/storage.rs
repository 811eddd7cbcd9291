//! The few things that are done with the files of a directory, behind a trait, so that a disk that
//! fails can be had in a test.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

/// A place for files.
pub trait Storage {
    /// All of a file; `None` if there is none.
    ///
    /// # Errors
    /// What the system says, or if it is longer than `most` bytes.
    fn read(&mut self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>>;

    /// Makes a file of these parts and waits until they are on the disk. What is there of it after
    /// an error may be anything.
    ///
    /// # Errors
    /// What the system says.
    fn write(&mut self, name: &str, parts: &mut dyn Iterator<Item = &[u8]>) -> io::Result<()>;

    /// Puts a file in the place of another at once, and waits until that is on the disk.
    ///
    /// # Errors
    /// What the system says.
    fn replace(&mut self, from: &str, to: &str) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// This directory, which is made for this user alone when something is first written, if it
    /// is not there.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Storage for Directory {
    fn read(&mut self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if most < bytes.len() as u64 {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(Some(bytes))
    }

    fn write(&mut self, name: &str, parts: &mut dyn Iterator<Item = &[u8]>) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(self.0.join(name))?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()
    }

    fn replace(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))?;
        File::open(&self.0)?.sync_all()
    }
}
