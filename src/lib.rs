//! Stillwell: sensor frames in, settled values out.
//!
//! A stilling well is the chamber beside a river, joined to it by pipes, in which the waves settle
//! so that a gauge reads the true level. This program does that for sensors on a gateway host: it
//! reads frames from serial ports, UDP sockets, Modbus devices, recorded logs or a simulator, keeps
//! rolling windows over each channel, and answers questions about them on a local socket, together
//! with an account of everything it received.
//!
//! # Bird's-eye view
//!
//! ```text
//!   thread "ingest"               thread "engine"                     main thread
//!   one task a source             one chain of streams                one task a client
//!
//!   udp ---+
//!   modbus |
//!   serial +-> Decoder -> Outlet ==mpsc==> validate -> normalize -> qc -> rolling ==watch==> query
//!   replay +   bytes to   frames to        accepts     units     tests  panes to  latest   socket
//!   simulator  frames     batches          or refuses                     windows   Snapshot
//! ```
//!
//! What crosses the queue is a [`engine::Batch`]: frames of one source, what the wire counted
//! since the last one, and the source's word on how far its time has come. What crosses the watch
//! is an [`engine::Snapshot`]: every current summary, every live value and the ledger, immutable
//! behind one `Arc`, so that whoever asks reads one consistent state and holds nobody up.
//!
//! With `shards` the last stage is on threads of its own, each with a part of the channels
//! ([`daemon::shards`]); validation decides everything before, so that the snapshots are the
//! same.
//!
//! Shutdown is the end of the input. Only the sources hear the signal; they hand over what they
//! have and drop their end of the queue; the chain flushes and publishes a last time; the server
//! sends that and ends. No stage in between needs a branch for cancellation.
//!
//! # Where to start
//!
//! [`daemon::pipeline::run`] is the whole data path in one chain. From there, upstream is
//! [`daemon::source`], downstream [`daemon::publish`] and [`daemon::server`], and the stages of
//! the chain are in [`engine`]. To see a value go through by hand:
//! `stillwell replay FILE --ledger`. To add a text format, a frame format or a reason to refuse
//! something, start at [`wire::decode`] and [`wire::refusal`] and follow the compiler.
//!
//! # Code map
//!
//! The modules stand in reading order, and none uses one that comes after it. `tests/it/tidy.rs`
//! holds that and every invariant below that a text can be searched for.
//!
//! ## [`limits`]
//!
//! Every bound of the program, and the relations between them as constant assertions.
//!
//! **Invariant:** no queue, table, buffer or wait is without a bound from here, and no allocation
//! is sized by a length that came over a wire.
//!
//! ## [`wire`]
//!
//! Bytes to frames to samples, one file a format. A decoder is a state machine that is fed slices.
//!
//! **Invariant:** however a stream is cut, the same frames come out. **Invariant:** every byte is
//! counted once, as part of a frame or as skipped, and every frame as good or under one
//! [`wire::FrameRefusal`]. **Invariant:** [`wire::frame`] and [`wire::cobs`] use `core` alone;
//! `tests/no_std.rs` compiles them as firmware does.
//!
//! ## [`simulate`]
//!
//! Seeded devices, waveforms and faults, and what a receiver's ledger must say about them. The
//! simulator source, `stillwell-sim` and the tests play the same scenarios.
//!
//! **Invariant:** scenario, seed and start give the same bytes on every machine.
//!
//! ## [`scan`]
//!
//! The combinator that drives a state machine over a stream: [`scan::Step`] and
//! [`scan::StreamExt::scan_with`]. The engine's stages are steps, so that the same stage runs
//! under a stream in the daemon, over a file in `replay`, and in a plain loop in a test.
//!
//! **Invariant:** it knows `futures` and nothing else; one poll does bounded work.
//!
//! ## [`engine`]
//!
//! The core. [`engine::validate`] decides which readings are accepted and moves the watermarks,
//! [`engine::normalize`] turns raw values into published units, [`engine::qc`] judges them, and
//! [`engine::rolling`] closes panes and emits results; [`engine::split`] divides that among
//! several aggregators, and [`engine::edition`] makes one snapshot of what they answer. Panes are
//! shared by all windows of a channel; a window is a ring of partials ([`engine::ring`]) that
//! merge and are never subtracted.
//!
//! **Invariant:** no clock, file, socket, environment or random number: time comes with each
//! batch, and the same input gives the same snapshots, however it is cut into batches.
//! **Invariant:** a result is emitted once, when its watermark has passed, over exactly the
//! accepted readings of its interval, and never changed. **Invariant:** what is received is
//! accepted or refused under one [`engine::ReadingRefusal`]; [`engine::Ledger::imbalance`] names
//! the identity that does not hold, and tests assert that there is none.
//!
//! ## [`config`]
//!
//! TOML to typed configuration: the only parser of it and the only place with defaults.
//!
//! **Invariant:** a [`config::Config`] is valid; one with errors does not exist, and all errors of
//! a file are told at once. **Invariant:** `config.toml` shows every key.
//!
//! ## [`recording`]
//!
//! Recorded logs and raw files, cut into records: for the daemon's replay source and for `replay`.
//!
//! ## [`query`]
//!
//! What the engine's values look like as JSON, and which of them a request selects. Shared by the
//! server and `replay`, so that both say the same.
//!
//! **Invariant:** the engine's types know no JSON. Keys are absent where there is no value,
//! numbers are finite, nothing is null; within a major version the forms only grow.
//!
//! ## [`endpoint`]
//!
//! Where the query socket is when nobody says: what daemon and client must agree on.
//!
//! ## [`daemon`]
//!
//! The shell: threads, tokio, sockets, signals, systemd, the clock. It executes and decides
//! little. What survives a restart is an image of the engine ([`engine::image`]) that
//! [`daemon::state`] keeps.
//!
//! **Invariant:** only [`daemon::clock`] reads clocks, and only [`daemon::kernel`] has `unsafe`.
//! **Invariant:** a task never waits for a slower one: a full queue drops readings and keeps their
//! counts, a slow client misses intermediate snapshots. **Invariant:** the only things that outside
//! parties can write to are the inputs and the query socket, and the latter changes nothing.
//! **Invariant:** the end of every task and thread is awaited, but for the reader of a replayed
//! file, which ends with its channel; a panic ends the process.
//!
//! ## [`client`]
//!
//! `get`, `list`, `watch` and their like: tables for people, the daemon's own bytes for programs.
//!
//! **Invariant:** it speaks to the socket and knows neither engine nor daemon. Whatever it can do,
//! a script can do.
//!
//! ## [`replay`]
//!
//! A recorded log through the same stages, without runtime, socket or clock.
//!
//! **Invariant:** the same file and the same configuration give the same bytes.
//!
//! ## [`probe`]
//!
//! Ports by themselves: which there are, who has them, and what they speak.
//!
//! **Invariant:** it writes nothing to a port, and opens none that it was not told to.
//!
//! ## [`record`]
//!
//! What comes over a source of the daemon, or over a port, as a log for [`replay`].
//!
//! **Invariant:** what a recording lacks is in the log and in the exit code.
//!
//! # What is deliberately absent
//!
//! - **A thread pool.** Three threads and the shards, each with a runtime of its own, and one
//!   that writes the state: what shares
//!   state shares a thread, and the rest talks through queues and one watch.
//! - **Locks on the data path.** The snapshot is replaced, never edited.
//! - **Back pressure on sensors.** They do not wait; a blocked reader only moves the loss to where
//!   nobody counts it.
//! - **HTTP, TLS, remote access.** Whoever needs them puts a process of its own in front of the
//!   socket.
//! - **Storage of history.** The longest window is the memory.
//! - **Plugins.** Formats and reasons are closed enums, so that the compiler finds every place
//!   that a new one concerns.
//!
//! # Across the modules
//!
//! **Errors.** What comes over a wire is never an error, only a count with a reason. What a person
//! can mend is a type with a sentence that says what happened, where, and what to do, and an exit
//! code by sysexits. What cannot happen is an `expect` that says why it cannot.
//!
//! **Time.** Event time is nanoseconds since 1970 on the daemon's own line, which starts at the
//! wall clock and never steps. Functions take it as `now_ns`.
//!
//! **Tests.** Pure code is tested where it stands; `tests/it` runs the real binaries, models the
//! aggregation with a naive oracle, and executes what is shipped: configuration, units, the
//! commands of the README.

pub mod limits;
pub mod wire;
pub mod simulate;
pub mod scan;
pub mod engine;
pub mod config;
pub mod recording;
pub mod query;
pub mod endpoint;
pub mod daemon;
pub mod client;
pub mod replay;
pub mod probe;
pub mod record;
