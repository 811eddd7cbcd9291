//! What is measured: the daemon, and the program that only receives.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, UdpSocket},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    thread::{CpuSet, sched_setaffinity},
};
use serde_json::Value;
use stillwell::{
    daemon::kernel::{self, ReceiveBatch},
    limits::RECEIVE_BUFFER_DEFAULT,
};

use crate::row::Row;

/// A process that takes datagrams.
pub(crate) trait Receiver {
    fn address(&self) -> SocketAddr;
    fn pid(&self) -> u32;
    /// Datagrams received since its start, and readings made of them.
    fn taken(&mut self) -> io::Result<Taken>;
}

/// Counts of a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) datagrams: u64,
    pub(crate) accepted: u64,
    pub(crate) kernel_dropped: u64,
    /// Readings that found the daemon's queue full.
    pub(crate) queue_full: u64,
    /// Readings refused for any other reason.
    pub(crate) refused: u64,
}

impl Taken {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            datagrams: self.datagrams - before.datagrams,
            accepted: self.accepted - before.accepted,
            kernel_dropped: self.kernel_dropped - before.kernel_dropped,
            queue_full: self.queue_full - before.queue_full,
            refused: self.refused - before.refused,
        }
    }
}

/// CPU time of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    /// As the scheduler counts each thread, to a nanosecond.
    pub(crate) total_ns: f64,
    /// Hundredths of a second in the program and in the kernel.
    user: f64,
    system: f64,
}

impl Cpu {
    /// What a process has used up to now.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the process, in parentheses, may hold spaces.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = |n: usize| number(after_name.split_ascii_whitespace().nth(n));
        let mut total_ns = 0.0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let spent = fs::read_to_string(thread?.path().join("schedstat"))?;
            total_ns += number(spent.split_ascii_whitespace().next())?;
        }
        Ok(Self { total_ns, user: ticks(11)?, system: ticks(12)? })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            total_ns: self.total_ns - before.total_ns,
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }

    /// The exact sum, in the proportion of its coarse parts: nanoseconds in the program and in
    /// the kernel.
    pub(crate) fn user_and_system_ns(&self) -> (f64, f64) {
        let ticks = self.user + self.system;
        let share = if ticks == 0.0 { 0.5 } else { self.user / ticks };
        (self.total_ns * share, self.total_ns * (1.0 - share))
    }
}

fn number(word: Option<&str>) -> io::Result<f64> {
    word.unwrap_or_default().parse().map_err(io::Error::other)
}

/// A daemon in a directory of its own.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    dir: PathBuf,
    address: SocketAddr,
}

/// A directory under the build's own, emptied.
fn directory() -> io::Result<PathBuf> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("process-bench");
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(&dir)?,
    }
    Ok(dir)
}

impl Daemon {
    /// Starts it and waits until its source listens.
    pub(crate) fn start(row: &Row) -> io::Result<Self> {
        let dir = directory()?;
        fs::write(dir.join("config.toml"), row.config())?;
        let mut command = pinned(row.cpus, env!("CARGO_BIN_EXE_stillwell").as_ref())?;
        command.args(["run", "--config"]).arg(dir.join("config.toml"));
        command.arg("--socket").arg(dir.join("query.sock"));
        command.stderr(fs::File::create(dir.join("log"))?).stdin(Stdio::null());
        let child = command.spawn()?;
        let mut daemon = Self { child, dir, address: SocketAddr::from(([0; 4], 0)) };
        for _ in 0..1_000 {
            thread::sleep(Duration::from_millis(10));
            let Ok(status) = daemon.status() else { continue };
            let detail = status["sources"][0]["detail"].as_str().unwrap_or_default();
            if let Ok(address) = detail.split(',').next().unwrap_or_default().parse() {
                daemon.address = address;
                return Ok(daemon);
            }
        }
        let log = fs::read_to_string(daemon.dir.join("log"))?;
        Err(io::Error::other(format!("the daemon does not serve: {log}")))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join("query.sock")
    }

    /// The reply to Status.
    pub(crate) fn status(&self) -> io::Result<Value> {
        Ok(ask(&mut connect(&self.socket())?, r#"{"method":"Status"}"#)?["parameters"].take())
    }
}

/// A connection to a query socket.
pub(crate) fn connect(socket: &Path) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(BufReader::new(stream))
}

/// Sends a request and reads the reply.
pub(crate) fn ask(connection: &mut BufReader<UnixStream>, request: &str) -> io::Result<Value> {
    connection.get_mut().write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    connection.read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

impl Receiver for Daemon {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn taken(&mut self) -> io::Result<Taken> {
        let status = self.status()?;
        let total = &status["total"];
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        if let Some(imbalance) = total.get("imbalance") {
            return Err(io::Error::other(format!("the ledger does not balance: {imbalance}")));
        }
        let refused = total["readings_refused"].as_object();
        let refused: u64 = refused.map_or(0, |reasons| reasons.values().map(number).sum());
        let queue_full = number(&total["readings_refused"]["queue_full"]);
        Ok(Taken {
            datagrams: number(&total["datagrams"]),
            accepted: number(&total["accepted"]),
            kernel_dropped: number(&total["kernel_dropped"]),
            queue_full,
            refused: refused - queue_full,
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The limit: a program that receives in batches, as the daemon does, and looks at nothing.
#[derive(Debug)]
pub(crate) struct Discard {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
    readings_per_datagram: u64,
}

impl Discard {
    pub(crate) fn start(row: &Row) -> io::Result<Self> {
        let mut command = pinned(row.cpus, &env::current_exe()?)?;
        command
            .arg("discard")
            .arg(row.gro.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().expect("standard input is a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim().parse().map_err(io::Error::other)?;
        let readings_per_datagram = row.payload.readings() as u64;
        Ok(Self { child, input, output, address, readings_per_datagram })
    }
}

impl Receiver for Discard {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn taken(&mut self) -> io::Result<Taken> {
        self.input.write_all(b"\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let datagrams: u64 = line.trim().parse().map_err(io::Error::other)?;
        let accepted = datagrams * self.readings_per_datagram;
        Ok(Taken { datagrams, accepted, ..Taken::default() })
    }
}

impl Drop for Discard {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The other side of [`Discard`]: prints its address, then its count for each line it reads.
///
/// It receives as the daemon does, 64 datagrams a call, but asks for no stamps, looks at no byte
/// and sleeps in `poll` rather than in a runtime: what is left is the kernel's share.
pub(crate) fn discard(gro: bool) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    kernel::force_receive_buffer(socket.as_fd(), RECEIVE_BUFFER_DEFAULT)?;
    if gro {
        kernel::set_trains(socket.as_fd(), true)?;
    }
    writeln!(io::stdout(), "{}", socket.local_addr()?)?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || -> io::Result<()> {
        let mut batch = if gro { ReceiveBatch::of_trains() } else { ReceiveBatch::new() };
        let mut polled = [PollFd::new(&socket, PollFlags::IN)];
        loop {
            match batch.receive(socket.as_fd()) {
                Ok(received) => {
                    counted.fetch_add(received as u64, Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut polled, None)?;
                }
                Err(error) => return Err(error),
            }
        }
    });
    for line in io::stdin().lines() {
        line?;
        writeln!(io::stdout(), "{}", count.load(Relaxed))?;
    }
    Ok(())
}

/// A command that will run on these CPUs only: threads inherit what a process begins with.
fn pinned(cpus: &[usize], program: &Path) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    let list: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    command.arg("pinned").arg(list.join(",")).arg(program);
    Ok(command)
}

/// The other side of [`pinned`]: becomes the program.
pub(crate) fn become_pinned(mut arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let cpus = arguments.next().unwrap_or_default();
    let program = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
    pin(&cpus.split(',').filter_map(|cpu| cpu.parse().ok()).collect::<Vec<_>>())?;
    Err(Command::new(program).args(arguments).exec())
}

/// Keeps the calling thread on these CPUs.
pub(crate) fn pin(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

fn end(child: &mut Child) {
    // It may have ended by itself; what it wrote is in its log.
    let _ = child.kill();
    let _ = child.wait();
}
