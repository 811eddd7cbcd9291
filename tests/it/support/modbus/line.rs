//! What is between the daemon and the devices: a pseudo terminal or a socket, and what goes wrong
//! on the way back. Nothing overtakes anything, as on a line.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use stillwell::daemon::clock;

use super::super::Pty;

const MS: i64 = 1_000_000;

/// How requests and replies are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Rtu,
    Tcp,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rtu => "rtu",
            Self::Tcp => "tcp",
        }
    }

    /// Bytes of a request to read.
    fn request_bytes(self) -> usize {
        match self {
            Self::Rtu => 8,
            Self::Tcp => 12,
        }
    }

    fn device(self, request: &[u8]) -> u8 {
        match self {
            Self::Rtu => request[0],
            Self::Tcp => request[6],
        }
    }

    /// The length of the reply that begins here, if that can be told.
    fn reply_bytes(self, bytes: &[u8]) -> Option<usize> {
        match (self, bytes) {
            (Self::Rtu, [_, function, ..]) if 0x80 <= *function => Some(5),
            (Self::Rtu, [_, _, length, ..]) => Some(5 + usize::from(*length)),
            (Self::Tcp, [_, _, _, _, high, low, ..]) => {
                Some(6 + usize::from(u16::from_be_bytes([*high, *low])))
            }
            _ => None,
        }
    }
}

/// What goes wrong with replies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// The beginning of what is random; `None` lets everything pass.
    pub(crate) seed: Option<u64>,
    /// Devices whose requests are lost.
    pub(crate) absent: Vec<u8>,
    /// How late a late reply is, at least and at most, in milliseconds.
    pub(crate) late_ms: (i64, i64),
}

/// How often each thing happened.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

/// The line, until it is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    stop: Arc<AtomicBool>,
    counts: Arc<Mutex<Counts>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Line {
    /// A serial line: the end of it that the devices are at.
    pub(crate) fn serial(pty: Pty, devices: SocketAddr, faults: Faults) -> Self {
        Self::start(move |stop, counts| {
            let devices = connect(devices);
            let mut way = Way::new(Mode::Rtu, faults, devices, counts);
            while !stop.load(Relaxed) {
                let heard = pty.heard();
                way.turn(&heard, &mut |bytes| pty.offer(bytes));
                thread::sleep(Duration::from_millis(1));
            }
        })
    }

    /// An address of the network, and the line behind it.
    pub(crate) fn network(mode: Mode, devices: SocketAddr, faults: Faults) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("a socket");
        let line = Self::start(move |stop, counts| {
            let mut open: Option<(TcpStream, Way)> = None;
            let mut turns = 0;
            while !stop.load(Relaxed) {
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).expect("a socket");
                    turns += 1;
                    let seed = faults.seed.map(|seed| seed + turns);
                    let faults = Faults { seed, ..faults.clone() };
                    let way = Way::new(mode, faults, connect(devices), Arc::clone(&counts));
                    way.count("connection");
                    open = Some((stream, way));
                }
                let mut heard = vec![0; 256];
                let ended = match open.as_mut().map(|(stream, _)| stream.read(&mut heard)) {
                    Some(Ok(0)) => true,
                    Some(Ok(length)) => {
                        heard.truncate(length);
                        false
                    }
                    Some(Err(_)) | None => {
                        heard.clear();
                        false
                    }
                };
                if ended {
                    open = None;
                } else if let Some((stream, way)) = &mut open {
                    // What finds nobody is lost.
                    way.turn(&heard, &mut |bytes| drop(stream.write_all(bytes)));
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        (line, address)
    }

    fn start(run: impl FnOnce(&AtomicBool, Arc<Mutex<Counts>>) + Send + 'static) -> Self {
        let (stop, counts) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Counts>>::default());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&counts));
        let thread = thread::spawn(move || run(&stopped, counted));
        Self { stop, counts, thread: Some(thread) }
    }

    /// How often each thing happened so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the line broke");
    }
}

fn connect(devices: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(devices).expect("the devices are there");
    stream.set_nodelay(true).expect("a socket");
    stream.set_nonblocking(true).expect("a socket");
    stream
}

/// There and back.
struct Way {
    mode: Mode,
    faults: Faults,
    random: u64,
    devices: TcpStream,
    asked: Vec<u8>,
    answered: Vec<u8>,
    /// What comes out at this end, and when.
    due: VecDeque<(i64, Vec<u8>)>,
    counts: Arc<Mutex<Counts>>,
}

impl Way {
    fn new(mode: Mode, faults: Faults, devices: TcpStream, counts: Arc<Mutex<Counts>>) -> Self {
        let random = faults.seed.unwrap_or_default();
        let (asked, answered, due) = Default::default();
        Self { mode, faults, random, devices, asked, answered, due, counts }
    }

    fn count(&self, what: &'static str) {
        *self.counts.lock().expect("nobody panics with it").entry(what).or_default() += 1;
    }

    /// Something below `bound` (Steele and others' SplitMix64).
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % bound
    }

    fn turn(&mut self, heard: &[u8], give: &mut impl FnMut(&[u8])) {
        self.asked.extend_from_slice(heard);
        let length = self.mode.request_bytes();
        while length <= self.asked.len() {
            let request: Vec<u8> = self.asked.drain(..length).collect();
            self.count("request");
            if self.faults.absent.contains(&self.mode.device(&request)) {
                self.count("absent");
            } else {
                self.devices.write_all(&request).expect("the devices hear");
            }
        }
        let mut buffer = [0; 1_024];
        match self.devices.read(&mut buffer) {
            Ok(length) => self.answered.extend_from_slice(&buffer[..length]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
        }
        while let Some(length) = self.mode.reply_bytes(&self.answered)
            && length <= self.answered.len()
        {
            let reply = self.answered.drain(..length).collect();
            self.way_back(reply);
        }
        while self.due.front().is_some_and(|(at_ns, _)| *at_ns <= clock::boot_ns()) {
            let (_, bytes) = self.due.pop_front().expect("it is there");
            give(&bytes);
        }
    }

    /// A reply begins its way back, on which one thing may happen to it.
    fn way_back(&mut self, mut reply: Vec<u8>) {
        let mut late_ms = 0;
        let size = reply.len() as u64;
        let turn = if self.faults.seed.is_some() { self.below(100) } else { 99 };
        match turn {
            0..10 => return self.count("lost"),
            10..25 => {
                self.count("late");
                let (least, most) = self.faults.late_ms;
                late_ms = least + self.below((most - least).unsigned_abs()) as i64;
            }
            25..33 => {
                self.count("damaged");
                // Over TCP what is damaged behind the header is for TCP to find.
                let bits = if self.mode == Mode::Tcp { 8 * 9 } else { 8 * size };
                let bit = self.below(bits) as usize;
                reply[bit / 8] ^= 1 << (bit % 8);
            }
            33..38 => {
                self.count("cut");
                let length = self.below(size) as usize;
                reply.truncate(length);
            }
            38..42 => {
                self.count("doubled");
                reply.extend(reply.clone());
            }
            42..46 => {
                self.count("garbage");
                let garbage: Vec<u8> = (0..self.below(20)).map(|_| self.below(256) as u8).collect();
                reply.splice(..0, garbage);
            }
            _ => self.count("good"),
        }
        let at_ns = clock::boot_ns() + late_ms * MS;
        let after_ns = self.due.back().map_or(0, |(at_ns, _)| *at_ns);
        self.due.push_back((at_ns.max(after_ns), reply));
    }
}
