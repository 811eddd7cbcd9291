//! `key_file`: the key of authenticated frames, which stands in a file of its own so that the
//! configuration can be shown to anybody.

use std::path::Path;

use super::{
    Context,
    daemon::{PATH_BYTES_MAX, path},
    errors::Remark,
    reader::Section,
};
use crate::wire::key::{Key, KeyError};

/// The key in the file that a table names, if it names one. What is recorded tells the path and
/// never the contents.
pub(super) fn read(section: &Section<'_>, context: &Context<'_>) -> Option<Key> {
    let path = path(section, "key_file", context.dir, PATH_BYTES_MAX)?;
    let span = section.key_span("key_file")?;
    let text = match (context.loader)(&path) {
        Ok(text) => text,
        Err(error) => {
            let remark = Remark::new(format!("cannot read the key {}: {error}", path.display()));
            section.sink.error(&span, remark.help("the path is relative to this file"));
            return None;
        }
    };
    context.secrets.borrow_mut().push(path.clone());
    Key::from_hex(&text).inspect_err(|why| section.sink.error(&span, complaint(&path, *why))).ok()
}

fn complaint(path: &Path, why: KeyError) -> Remark {
    let remark = Remark::new(format!("{} holds no key: {why}", path.display()));
    remark.help("64 hexadecimal digits, made by `openssl rand -hex 32`")
}
