//! The serial ports of this host, and who has them.
//!
//! No port is opened for it: opening one moves its modem lines, which resets many a board. So it
//! is read from /sys, /dev and /proc, as far as the user may.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

/// Major number of the memory devices (the kernel's admin-guide/devices.txt).
const MEMORY_MAJOR: u32 = 1;

/// A serial port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PortInfo {
    path: PathBuf,
    /// The name below /dev/serial/by-id that stays when it is plugged in again.
    by_id: Option<PathBuf>,
    /// Maker, product and serial number, as USB tells them.
    product: Option<String>,
    /// Processes that have it open, with their names.
    held_by: Vec<(u32, String)>,
    /// Process that has it locked (flock), which asks others to stay away.
    locked_by: Option<u32>,
}

/// All ports, and whether every process could be asked for what it has open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ports {
    ports: Vec<PortInfo>,
    /// Processes that this user may not look into.
    unseen: usize,
}

impl Ports {
    /// Looks at the system below `root`, which is `/` but for tests.
    pub(super) fn scan(root: &Path) -> Self {
        let mut found: BTreeMap<PathBuf, PortInfo> = BTreeMap::new();
        for entry in entries(&root.join("sys/class/tty")) {
            let device = entry.join("device");
            let Some(name) = entry.file_name() else { continue };
            if device.exists() && !is_phantom(&entry) {
                let path = Path::new("/dev").join(name);
                let product = product(&device);
                found.insert(path.clone(), PortInfo { path, product, ..PortInfo::default() });
            }
        }
        for link in entries(&root.join("dev/serial/by-id")) {
            let target = fs::read_link(&link).ok();
            let name = target.as_deref().and_then(Path::file_name);
            let port = name.and_then(|name| found.get_mut(&Path::new("/dev").join(name)));
            if let (Some(port), Some(id)) = (port, link.file_name()) {
                port.by_id = Some(Path::new("/dev/serial/by-id").join(id));
            }
        }
        let unseen = find_holders(root, &mut found);
        find_locks(root, &mut found);
        Self { ports: found.into_values().collect(), unseen }
    }

    /// A line for each port, for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if self.ports.is_empty() {
            text.push_str("no serial port is plugged in\n");
        }
        for port in &self.ports {
            let name = port.by_id.as_ref().unwrap_or(&port.path);
            write!(text, "{}", name.display()).expect("a string takes it");
            if port.by_id.is_some() {
                write!(text, "  ({})", port.path.display()).expect("a string takes it");
            }
            for words in port.product.iter().cloned().chain(port.holders()) {
                write!(text, "\n    {words}").expect("a string takes it");
            }
            text.push('\n');
        }
        let processes = match self.unseen {
            0 => None,
            1 => Some("1 process".to_owned()),
            unseen => Some(format!("{unseen} processes")),
        };
        if let Some(processes) = processes {
            writeln!(text, "({processes} of other users may have more of them open)")
                .expect("a string takes it");
        }
        // What a device calls itself must not drive the terminal.
        text.replace(|c: char| c.is_control() && c != '\n', "\u{FFFD}")
    }

    /// An object for each port.
    pub(super) fn json(&self) -> Vec<Value> {
        let object = |port: &PortInfo| {
            let held = port.held_by.iter().map(|(pid, name)| json!({ "pid": pid, "name": name }));
            let mut object = json!({ "path": port.path, "held_by": held.collect::<Vec<_>>() });
            let more = [
                ("by_id", port.by_id.as_ref().map(|id| json!(id))),
                ("product", port.product.as_ref().map(|product| json!(product))),
                ("locked_by", port.locked_by.map(|pid| json!(pid))),
            ];
            for (key, value) in more {
                value.into_iter().for_each(|value| object[key] = value);
            }
            object
        };
        self.ports.iter().map(object).collect()
    }
}

/// Who has the port at this path open or locked, in words; `None` if nobody is known to.
pub(super) fn holder(root: &Path, path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // /dev/null and its like are in use everywhere, and no ports.
    let is_memory = |node: fs::Metadata| rustix::fs::major(node.rdev()) == MEMORY_MAJOR;
    if fs::metadata(&path).is_ok_and(is_memory) {
        return None;
    }
    let info = PortInfo { path: path.clone(), ..PortInfo::default() };
    let mut ports = BTreeMap::from([(path, info)]);
    find_holders(root, &mut ports);
    find_locks(root, &mut ports);
    ports.pop_first().and_then(|(_, port)| port.holders().next())
}

impl PortInfo {
    /// In words, one for each.
    fn holders(&self) -> impl Iterator<Item = String> {
        let held =
            self.held_by.iter().map(|(pid, name)| format!("in use by {name} (process {pid})"));
        let locked = self.locked_by.filter(|pid| self.held_by.iter().all(|(held, _)| held != pid));
        held.chain(locked.map(|pid| format!("locked by process {pid}")))
    }
}

/// Entries of a directory, in order; none if there is no such directory.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The kernel keeps names for UARTs that a board could have: those without one have type 0.
fn is_phantom(tty: &Path) -> bool {
    fs::read_to_string(tty.join("type")).is_ok_and(|kind| kind.trim() == "0")
}

/// What the nearest USB device above a port says of itself.
fn product(device: &Path) -> Option<String> {
    let device = fs::canonicalize(device).ok()?;
    let usb = device.ancestors().find(|above| above.join("product").is_file())?;
    let read = |name: &str| {
        let text = fs::read_to_string(usb.join(name)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let words = [read("manufacturer"), read("product"), read("serial")];
    Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// Adds the processes that have ports open; returns how many could not be looked into.
fn find_holders(root: &Path, ports: &mut BTreeMap<PathBuf, PortInfo>) -> usize {
    let mut unseen = 0;
    for process in entries(&root.join("proc")) {
        let name = process.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse().ok()) else { continue };
        if fs::read_dir(process.join("fd")).is_err() {
            unseen += 1;
            continue;
        }
        let mut held: Vec<PathBuf> =
            entries(&process.join("fd")).iter().filter_map(|fd| fs::read_link(fd).ok()).collect();
        held.sort();
        held.dedup();
        // Who has the other end of a pseudo terminal is the device, whatever else it has open.
        let is_device = held.iter().any(|path| path.ends_with("ptmx"));
        for port in held {
            if is_device && port.starts_with("/dev/pts") {
                continue;
            }
            let Some(port) = ports.get_mut(&port) else { continue };
            let comm = fs::read_to_string(process.join("comm")).unwrap_or_default();
            port.held_by.push((pid, comm.trim().to_owned()));
        }
    }
    unseen
}

/// Adds who has locked ports: lines such as `1: FLOCK ADVISORY WRITE 1234 00:05:87 0 EOF`.
fn find_locks(root: &Path, ports: &mut BTreeMap<PathBuf, PortInfo>) {
    let locks = fs::read_to_string(root.join("proc/locks")).unwrap_or_default();
    let of_file: BTreeMap<&str, u32> = locks
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some((*words.get(5)?, words.get(4)?.parse().ok()?))
        })
        .collect();
    for port in ports.values_mut() {
        let node = root.join(port.path.strip_prefix("/").unwrap_or(&port.path));
        let Ok(node) = fs::metadata(node) else { continue };
        port.locked_by = of_file.get(lock_name(&node).as_str()).copied();
    }
}

/// How a file is called in /proc/locks: by its file system and its inode.
fn lock_name(file: &fs::Metadata) -> String {
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    format!("{major:02x}:{minor:02x}:{}", file.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A system with a USB adapter that two processes have open, a UART that is not there, a real
    /// one, and a console.
    fn system() -> PathBuf {
        let root = std::env::temp_dir().join(format!("stillwell-ports-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::write(path, text).expect("a file");
        };
        let link = |target: &str, path: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            symlink(target, path).expect("a link");
        };
        write("sys/devices/usb1/1-1/manufacturer", "FTDI\n");
        write("sys/devices/usb1/1-1/product", "FT232R USB UART\n");
        write("sys/devices/usb1/1-1/serial", "A50285BI\n");
        write("sys/devices/usb1/1-1/1-1:1.0/ttyUSB0/port_number", "0\n");
        link("../../../devices/usb1/1-1/1-1:1.0/ttyUSB0", "sys/class/tty/ttyUSB0/device");
        for (name, kind) in [("ttyS0", "4\n"), ("ttyS1", "0\n")] {
            write(&format!("sys/class/tty/{name}/type"), kind);
            write(&format!("sys/class/tty/{name}/device/driver"), "");
        }
        write("sys/class/tty/console/active", "tty0\n");
        write("dev/ttyUSB0", "");
        link("../../ttyUSB0", "dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0");
        for (pid, name) in [("812", "gpsd\n"), ("1200", "stillwell\n")] {
            write(&format!("proc/{pid}/comm"), name);
            link("/dev/ttyUSB0", &format!("proc/{pid}/fd/4"));
            link("/dev/ttyUSB0", &format!("proc/{pid}/fd/5"));
        }
        write("proc/uptime", "1");
        write("proc/99/comm", "secret\n");
        let file = fs::metadata(root.join("dev/ttyUSB0")).expect("a file");
        // The third is of a file elsewhere that has the same number.
        let locks = format!(
            "1: POSIX  ADVISORY  WRITE 1 00:01:7 0 EOF\n\
             2: FLOCK  ADVISORY  WRITE 44 {} 0 EOF\n\
             3: FLOCK  ADVISORY  WRITE 45 ff:ff:{} 0 EOF\n",
            lock_name(&file),
            file.ino(),
        );
        write("proc/locks", &locks);
        root
    }

    #[test]
    fn ports_have_their_names_makers_and_holders() {
        let root = system();
        let ports = Ports::scan(&root);
        assert_eq!(
            ports.text(),
            "/dev/ttyS0\n\
             /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0  (/dev/ttyUSB0)\n    \
             FTDI FT232R USB UART A50285BI\n    \
             in use by stillwell (process 1200)\n    \
             in use by gpsd (process 812)\n    \
             locked by process 44\n\
             (1 process of other users may have more of them open)\n"
        );
        let json = ports.json();
        assert_eq!(json[1]["held_by"][1]["name"], "gpsd");
        assert_eq!((&json[1]["locked_by"], json[0].get("product")), (&44.into(), None));
        let holder = holder(&root, Path::new("/dev/ttyUSB0"));
        assert_eq!(holder.as_deref(), Some("in use by stillwell (process 1200)"));
        assert_eq!(Ports::scan(&root.join("nowhere")).text(), "no serial port is plugged in\n");
        fs::remove_dir_all(root).expect("ours");
    }
}
