//! `[daemon]`: the process itself.

use std::path::{Path, PathBuf};

use super::{DaemonConfig, errors::Remark, keys, reader::Section};
use crate::limits::{
    PERCENTILE_BYTES_DEFAULT, PERCENTILE_BYTES_MAX, PERCENTILE_BYTES_MIN, PUBLISH_DEFAULT_NS,
    PUBLISH_MAX_NS, PUBLISH_MIN_NS, QUEUE_BATCHES_DEFAULT, QUEUE_BATCHES_MAX, SHARDS_MAX,
    SOCKET_PATH_BYTES_MAX, STATE_EVERY_DEFAULT_NS, STATE_EVERY_MAX_NS, STATE_EVERY_MIN_NS,
};

/// Reads `[daemon]`, which may be absent; relative paths are relative to `dir`.
pub(super) fn read(root: &Section<'_>, dir: &Path) -> DaemonConfig {
    let mut daemon = DaemonConfig {
        socket: None,
        state_dir: None,
        state_every_ns: STATE_EVERY_DEFAULT_NS,
        publish_ns: PUBLISH_DEFAULT_NS,
        queue_batches: QUEUE_BATCHES_DEFAULT,
        shards: 1,
        percentile_bytes: PERCENTILE_BYTES_DEFAULT,
    };
    let Some(section) = root.section("daemon", "[daemon]", keys::DAEMON) else { return daemon };
    daemon.socket = path(&section, "socket", dir, SOCKET_PATH_BYTES_MAX);
    daemon.state_dir = path(&section, "state_dir", dir, PATH_BYTES_MAX);
    if let Some(found) = section.duration("state_every", STATE_EVERY_MIN_NS..=STATE_EVERY_MAX_NS) {
        daemon.state_every_ns = found.value;
    }
    if let Some(found) = section.duration("publish", PUBLISH_MIN_NS..=PUBLISH_MAX_NS) {
        daemon.publish_ns = found.value;
    }
    if let Some(found) = section.integer("queue", 1..=QUEUE_BATCHES_MAX as i64) {
        daemon.queue_batches = found.value as usize;
    }
    if let Some(found) = section.integer("shards", 1..=SHARDS_MAX as i64) {
        daemon.shards = found.value as usize;
    }
    if let Some(bytes) =
        section.bytes("percentile_memory", PERCENTILE_BYTES_MIN..=PERCENTILE_BYTES_MAX)
    {
        daemon.percentile_bytes = bytes;
    }
    daemon
}

/// Longest path: PATH_MAX of Linux, less the closing zero.
pub(super) const PATH_BYTES_MAX: usize = 4_095;

/// A path of this host, relative to the directory of the configuration.
pub(super) fn path(
    section: &Section<'_>,
    key: &'static str,
    dir: &Path,
    bytes_max: usize,
) -> Option<PathBuf> {
    let found = section.text(key)?;
    if found.value.is_empty() || found.value.contains('\0') {
        let remark = Remark::new(format!("`{key}` is no path"));
        section.sink.error(&found.span, remark);
        return None;
    }
    let path = dir.join(found.value);
    let bytes = path.as_os_str().len();
    if bytes_max < bytes {
        let title = format!("`{key}` is {bytes} bytes long, more than {bytes_max}");
        let help = format!("the path is {}", path.display());
        section.sink.error(&found.span, Remark::new(title).help(help));
        return None;
    }
    Some(path)
}
