//! Every bound of the program in one place, with the relations between them asserted at compile
//! time.
//!
//! Nothing here reads anything: a limit that people may change is a configuration key whose
//! range is given here.

/// Nanoseconds in a millisecond.
pub const MS: i64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000 * MS;

// ---- wire -------------------------------------------------------------------------------------

/// Largest datagram that is read whole; a longer one is refused as `oversize`.
pub const DATAGRAM_BYTES_MAX: usize = 9_216;
/// Largest native frame, header and checksum included.
pub const FRAME_BYTES_MAX: usize = DATAGRAM_BYTES_MAX;
/// Shortest key of authenticated frames: as many bytes as the hash gives (RFC 2104, section 3).
pub const KEY_BYTES_MIN: usize = 32;
/// Longest key of authenticated frames: a block of the hash, beyond which a key is hashed first.
pub const KEY_BYTES_MAX: usize = 64;
/// Largest COBS block on a serial line: a frame plus one overhead byte in 254, and the first.
pub const COBS_BYTES_MAX: usize = FRAME_BYTES_MAX + FRAME_BYTES_MAX / 254 + 1;
/// Longest text line; a longer one is refused as `oversize`.
pub const LINE_BYTES_MAX: usize = 4_096;
/// Longest NMEA sentence. The standard says 82 bytes, which many receivers exceed.
pub const SENTENCE_BYTES_MAX: usize = 1_024;
/// Longest VE.Direct block: 22 lines (the protocol's own bound) of 44 bytes.
pub const VEDIRECT_BLOCK_BYTES_MAX: usize = 1_024;
/// Longest HEX message on a VE.Direct line.
pub const HEX_MESSAGE_BYTES_MAX: usize = 256;
/// Longest P1 telegram: the longest that are known have a little more than 2 KiB.
pub const TELEGRAM_BYTES_MAX: usize = 8_192;
/// Largest frame of a declared binary format unless its `max` says otherwise.
pub const BINARY_BYTES_DEFAULT: usize = 1_024;
/// Bytes that are kept of what comes for one Modbus request: the longest reply has 260, and an echo
/// or a late reply may come before it.
pub const MODBUS_CAME_BYTES_MAX: usize = 1_024;
/// Most values on one text line.
pub const FIELDS_PER_LINE_MAX: usize = 256;
/// Longest field name taken from a wire.
pub const FIELD_NAME_BYTES_MAX: usize = 64;
/// Longest field name that is made of several parts of a message, such as a path in JSON.
pub const FIELD_PATH_BYTES_MAX: usize = 128;
/// Longest JSON text.
pub const JSON_BYTES_MAX: usize = 65_536;
/// Deepest nesting of a JSON text.
pub const JSON_DEPTH_MAX: usize = 32;
/// Most field names one source keeps, configured and discovered together.
pub const FIELDS_PER_SOURCE_MAX: usize = 4_096;
/// Channels a native device can have: the channel number is one byte.
pub const CHANNELS_PER_DEVICE: usize = 256;

// ---- queues and batches -----------------------------------------------------------------------

/// Most readings a source collects into one batch before it hands it on.
pub const BATCH_READINGS_MAX: usize = 4_096;
/// Datagrams asked of the kernel in one receive call.
pub const RECEIVE_DATAGRAMS: usize = 64;
/// A source that is busy hands over what fills no batch at most this often.
pub const HAND_OVER_NS: i64 = 2 * MS;
/// Trains of datagrams asked of the kernel in one receive call.
pub const RECEIVE_TRAINS: usize = 16;
/// Longest train: the largest UDP payload there is, 65,507 bytes over IPv4, fits.
pub const TRAIN_BYTES_MAX: usize = 65_536;
/// Datagrams a UDP source takes before it lets the other sources run; the receive call that
/// reaches it is decoded to its end.
pub const RECEIVE_DATAGRAMS_PER_TURN: usize = 1_024;
/// Default capacity, in batches, of the queue between the sources and the engine.
pub const QUEUE_BATCHES_DEFAULT: usize = 256;
/// Largest capacity that may be configured for that queue.
pub const QUEUE_BATCHES_MAX: usize = 65_536;
/// Emptied batches that a source keeps to fill them again.
pub const SPARE_BATCHES_MAX: usize = 4;
/// Emptied lists of readings that the engine keeps to fill them again.
pub const SPARE_LISTS_MAX: usize = 4;
/// Most threads that share the channels: more shards than a gateway has cores.
pub const SHARDS_MAX: usize = 16;
/// Portions of batches, and publications, that may wait for a shard.
pub const SHARD_QUEUE: usize = 16;
/// Frame heads kept for the engine when their readings were shed by a full queue.
pub const SHED_HEADS_MAX: usize = 4_096;
/// Items the scan combinator consumes in one poll before it yields to other tasks.
pub const STEPS_PER_POLL_MAX: usize = 64;

// ---- configuration ----------------------------------------------------------------------------

/// Largest configuration or scenario file.
pub const CONFIG_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Errors of a configuration that are kept.
pub const CONFIG_ERRORS_MAX: usize = 1_000;
/// Errors of a configuration that are shown; the rest is counted.
pub const CONFIG_ERRORS_SHOWN: usize = 100;
/// Longest line of a configuration that is quoted below an error.
pub const CONFIG_LINE_QUOTED_MAX: usize = 1_024;
/// Longest name of a source.
pub const SOURCE_NAME_BYTES_MAX: usize = 64;
/// Longest id of a channel.
pub const CHANNEL_ID_BYTES_MAX: usize = 128;
/// Longest path of a Unix socket: what the kernel takes (unix(7)), less the closing zero.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Patterns in one configuration.
pub const PATTERNS_MAX: usize = 256;
/// Longest unit code.
pub const UNIT_BYTES_MAX: usize = 64;
/// Deepest nesting of parentheses in a unit code.
pub const UNIT_DEPTH_MAX: usize = 8;
/// Points of a calibration table.
pub const CALIBRATION_POINTS_MAX: usize = 4_096;
/// Coefficients of a calibration polynomial.
pub const CALIBRATION_COEFFICIENTS_MAX: usize = 16;
/// Functions in the chain of a calibration.
pub const CALIBRATION_STEPS_MAX: usize = 8;
/// Calibrations of one channel, each from its date on.
pub const CALIBRATION_ERAS_MAX: usize = 256;
/// Longest name of a calibration.
pub const CALIBRATION_VERSION_BYTES_MAX: usize = 128;
/// Default of how far the readings of a thermocouple and of its cold junction may lie apart.
pub const COLD_JUNCTION_AGE_DEFAULT_NS: i64 = 60 * SECOND;
/// Largest exponent in a unit code.
pub const UNIT_EXPONENT_MAX: i32 = 99;

// ---- engine -----------------------------------------------------------------------------------

/// Sources in one configuration.
pub const SOURCES_MAX: usize = 256;
/// Channels, configured and discovered, in one daemon.
pub const CHANNELS_MAX: usize = 1_048_576;
/// Default cap on the channels that one source may discover.
pub const DISCOVER_DEFAULT: usize = 4_096;
/// Devices one source may know, configured and discovered together.
pub const DEVICES_PER_SOURCE_MAX: usize = 16_384;
/// Windows of one channel.
pub const WINDOWS_PER_CHANNEL_MAX: usize = 16;
/// Percentiles of one channel.
pub const PERCENTILES_MAX: usize = 16;
/// Default for the finest difference that percentiles tell apart, in the unit of the channel.
pub const RESOLUTION_DEFAULT: f64 = 0.001;
/// Shortest pane.
pub const PANE_MIN_NS: i64 = MS;
/// Longest window: ten years.
pub const WINDOW_MAX_NS: i64 = 3_660 * 86_400 * SECOND;
/// Most panes in one window's ring.
pub const PANES_PER_WINDOW_MAX: i64 = 65_536;
/// Readings that an exact window holds at most, unless configured.
pub const EXACT_CAPACITY_DEFAULT: usize = 4_096;
/// Most readings that an exact window may be configured to hold: what its queue turns over at
/// once takes a quarter of a millisecond then.
pub const EXACT_CAPACITY_MAX: usize = 16_384;
/// Longest exact window.
pub const EXACT_LENGTH_MAX_NS: i64 = 3_600 * SECOND;
/// Parts of an exact window's length by which the readings that it lacks grow old.
pub const EXACT_SLICES: i64 = 64;
/// Most readings of one flag in one window, which are counted in 48 bits. More than 890,000 a
/// second of one channel for ten years would be too many, or 3.2 billion a second for a day.
pub const READINGS_PER_WINDOW_MAX: u64 = (1 << 48) - 1;
/// Most panes that lateness and future bound may keep open at once.
pub const OPEN_PANES_MAX: i64 = 4_096;
/// Frames over which duplicates, gaps and reordering are told apart, per device and boot.
pub const SEQUENCE_WINDOW: u32 = 64;
/// Starts of a device whose frames are remembered: stragglers of an earlier start are no restart.
pub const BOOTS_REMEMBERED: usize = 4;
/// Members of a `climatology`.
pub const CLIMATOLOGY_MEMBERS_MAX: usize = 64;
/// Slices in which a quality test remembers a stretch of time.
pub const QC_SLICES: i64 = 64;
/// States of a channel that are told apart.
pub const STATES_MAX: usize = 16;
/// Lengths for which a channel has an Allan deviation.
pub const ALLAN_LENGTHS_MAX: usize = 8;
/// Readings within the running mean of gusts at most.
pub const GUST_READINGS_MAX: usize = 1_024;
/// Readings of a channel with statistics that wait for the watermark at most, unless a rate is
/// expected.
pub const UNORDERED_DEFAULT: usize = 4_096;
/// Least of those that wait, whatever is expected.
pub const UNORDERED_MIN: usize = 64;
/// Most of those that wait, whatever is expected.
pub const UNORDERED_MAX: usize = 16_384;
/// Largest magnitude, in units of the resolution, that the percentile bins hold.
pub const BIN_VALUE_MAX: u64 = 1 << 40;
/// Largest magnitude of a value in an aggregate: the square of a difference of two such values,
/// summed 2^53 times, is still a number.
pub const VALUE_ABS_MAX: f64 = 1e140;
/// Open panes a lane keeps in its flat arena; further ones, which only a frame that spans a long
/// time brings about, are kept in a map until the frame is done.
pub const OPEN_SLOTS_MAX: usize = 16;
/// Channels for which panes are closed and results worked out in one go, with each batch and while
/// there is none: a millisecond, which readings that come meanwhile have to wait.
pub const CHANNELS_PER_SLICE: usize = 1_024;
/// What a channel with percentiles counts for among them.
pub const CHANNELS_PER_COUNTER: usize = 4;
/// Where slices of that size would not do, they are so large that what comes again and again is
/// done so many times as fast as it comes.
pub const SLICE_HASTE: f64 = 1.5;
/// Values of a channel in a row in one frame from which they are taken together.
pub const RUN_READINGS_MIN: usize = 32;
/// Event times are kept within this many nanoseconds of 1970, 146 years either way, so that no
/// sum of times and lengths overflows.
pub const EVENT_TIME_ABS_MAX_NS: i64 = 1 << 62;
/// Changes in what a device says of itself and of its clock that are remembered.
pub const CONDITIONS_MAX: usize = 16;
/// Span of arrivals over which the offset of a device's clock is learnt.
pub const CLOCK_BUCKET_NS: i64 = 64 * SECOND;
/// Packed bins of an open pane, bytes, from which they are merged.
pub const OPEN_BIN_BYTES: usize = 1_024;
/// Packed bins of the pane that grows at a window, bytes, from which they are merged.
pub const GROWING_BIN_BYTES: usize = 512;
/// Default of what the percentile bins of all channels may take.
pub const PERCENTILE_BYTES_DEFAULT: u64 = 256 * 1_024 * 1_024;
/// Least that may be configured for that.
pub const PERCENTILE_BYTES_MIN: u64 = 64 * 1_024;
/// Most that may be configured for that.
pub const PERCENTILE_BYTES_MAX: u64 = 1 << 40;
/// Questions about bins that may wait for the next publication.
pub const DESK_PLACES: usize = 4;
/// Longest that the bins of one window are handed out; longer ones in coarser bins.
pub const HISTOGRAM_BYTES_MAX: usize = 180 * 1_024;

// ---- state across restarts --------------------------------------------------------------------

/// Default of how often the state is saved.
pub const STATE_EVERY_DEFAULT_NS: i64 = 60 * SECOND;
/// Most often that it may be saved.
pub const STATE_EVERY_MIN_NS: i64 = SECOND;
/// Least often that it may be saved.
pub const STATE_EVERY_MAX_NS: i64 = 86_400 * SECOND;
/// Largest image of the state that is read: 8 GiB, a million channels.
pub const IMAGE_BYTES_MAX: u64 = 1 << 33;
/// Records of an image are collected in blocks of this.
pub const IMAGE_BLOCK_BYTES: usize = 256 * 1_024;
/// Channels whose state is written in one go, with each batch and while there is none: a
/// millisecond or two.
pub const CHANNELS_PER_SAVE: usize = 256;
/// Earliest time in an image, 36 years before 1970: no difference of two times overflows.
pub const IMAGE_TIME_MIN_NS: i64 = -(1 << 60);
/// Largest count in an image: as many as may grow at every level of a chain, all together, still
/// fit [`READINGS_PER_WINDOW_MAX`].
pub const IMAGE_COUNT_MAX: u64 = 1 << 43;
/// Largest sum in an image: of differences of values as panes may hold them ([`VALUE_ABS_MAX`]), as
/// many as an image may count, or over its longest time in nanoseconds.
pub const IMAGE_SUM_MAX: f64 = 1e160;
/// Largest sum of squares of such differences in an image.
pub const IMAGE_SQUARES_MAX: f64 = 1e294;

// ---- publishing and serving -------------------------------------------------------------------

/// Shortest period of publishing.
pub const PUBLISH_MIN_NS: i64 = 10 * MS;
/// Longest period of publishing.
pub const PUBLISH_MAX_NS: i64 = 60 * SECOND;
/// Default period of publishing.
pub const PUBLISH_DEFAULT_NS: i64 = 100 * MS;
/// Longest time from arrival to publication that counts as one: an hour.
pub const LATENCY_MAX_NS: i64 = 3_600 * SECOND;
/// Channels that share one allocation in a snapshot.
pub const CHANNELS_PER_CHUNK: usize = 64;
/// Longest request line.
pub const REQUEST_BYTES_MAX: usize = 4_096;
/// Deepest nesting of a request.
pub const REQUEST_DEPTH_MAX: usize = 8;
/// Longest string in a request.
pub const REQUEST_STRING_BYTES_MAX: usize = 256;
/// Most channel patterns in one request.
pub const REQUEST_PATTERNS_MAX: usize = 64;
/// Largest reply; what does not fit is named by `next`.
pub const REPLY_BYTES_MAX: usize = 256 * 1_024;
/// Half a request line may wait this long for its end.
pub const HALF_LINE_NS: i64 = 5 * SECOND;
/// A reply must be taken by the client within this time.
pub const REPLY_NS: i64 = 5 * SECOND;
/// A client that neither asks nor watches is closed after this time.
pub const CLIENT_IDLE_NS: i64 = 60 * SECOND;
/// A subscriber that takes nothing is closed after this time.
pub const WATCH_STALL_NS: i64 = 30 * SECOND;
/// Clients served at once.
pub const CLIENTS_MAX: usize = 64;
/// Clients of one user.
pub const CLIENTS_PER_UID_MAX: usize = 16;
/// Places of `CLIENTS_MAX` that only root may take.
pub const CLIENTS_ROOT_RESERVE: usize = 4;
/// Connections the kernel holds while the accept loop is busy.
pub const LISTEN_BACKLOG: u32 = 128;
/// Send buffer asked for on a client's connection.
pub const CLIENT_SEND_BUFFER: usize = 32 * 1_024;
/// Part of a reply kept for everything that is not a channel: header, `next`, brackets.
pub const REPLY_ENVELOPE_BYTES: usize = 4 * 1_024;
/// Devices in one reply of Status.
pub const REPLY_DEVICES_MAX: usize = 1_000;
/// Histograms in one reply.
pub const REPLY_HISTOGRAMS_MAX: usize = 16;
/// Channels looked at for one client before the other clients get their turn.
pub const SERVE_CHANNELS_PER_TURN: usize = 1_024;
/// Bytes written for one client before the other clients get their turn.
pub const SERVE_BYTES_PER_TURN: usize = 32 * 1_024;
/// Longest pause between two messages that a subscriber may ask for.
pub const WATCH_INTERVAL_MAX_MS: u64 = 86_400_000;
/// Pages of a publication that subscribers with the same wishes share.
pub const WATCH_SHARED_PAGES: usize = 16;
/// Subscribers that are told of a publication within this time are told as at one instant.
pub const WATCH_INSTANT_NS: i64 = 100 * MS;
/// A quiet subscription is looked after this often: has the client gone?
pub const WATCH_CHECK_NS: i64 = SECOND;
/// Whether a message was taken is asked again after this time, doubled up to the last value.
pub const WATCH_POLL_FIRST_NS: i64 = 2 * MS;
/// Longest pause between two looks at a message that was not taken.
pub const WATCH_POLL_LAST_NS: i64 = 100 * MS;
/// Pause of the accept loop when the process or the host is out of descriptors or memory.
pub const ACCEPT_BACKOFF_NS: i64 = 100 * MS;
/// Time the clients get at the end to take what was begun.
pub const SERVER_DRAIN_NS: i64 = 2 * SECOND;

/// Who may listen to the bytes of the sources at once, with Record or Tap.
pub const LISTENERS_MAX: usize = 8;
/// Time for which a source has a budget of frames that are looked at.
pub const TAP_SLICE_NS: i64 = 100 * MS;
/// Frames of a source that are looked at in [`TAP_SLICE_NS`]: 200 a second.
pub const TAP_FRAMES_PER_SLICE: usize = 20;
/// Marked frames kept for the engine when their readings were shed by a full queue.
pub const TAP_MARKS_SHED_MAX: usize = 256;
/// Readings of one frame that are told of.
pub const TRACED_READINGS_MAX: usize = 64;
/// Bytes of one frame that are told of.
pub const TAP_HEX_BYTES_MAX: usize = 512;
/// Frames that wait for one who looks on.
pub const TAP_FRAMES_WAITING: usize = 256;
/// Readings that were told of while they waited for a verdict, and are told of again with it.
pub const TAP_SETTLING_MAX: usize = 512;
/// Bytes by which the format of a port or a file is told.
pub const PROBE_BYTES_MAX: usize = 64 * 1_024;
/// How long after a change of its rate what comes over a probed line is not listened to.
pub const PROBE_STALE_NS: i64 = 100 * MS;
/// How long someone who listens to a port by himself looks at it before he looks around.
pub const LISTEN_LOOK_NS: i64 = 100 * MS;
/// Blocks of [`REPLAY_BLOCK_BYTES`] that wait for one who records: 4 MiB of bytes.
pub const RECORDED_BLOCKS_MAX: usize = 64;

// ---- sources ----------------------------------------------------------------------------------

/// First wait before a lost serial port is opened again.
pub const REOPEN_FIRST_NS: i64 = 250 * MS;
/// Longest wait before a lost serial port is opened again: one that is plugged in is read within
/// two seconds, even where nothing tells of it.
pub const REOPEN_LAST_NS: i64 = 1_500 * MS;
/// Smallest receive buffer that may be configured.
pub const RECEIVE_BUFFER_MIN: usize = 4_096;
/// Largest receive buffer that may be configured: the kernel doubles it in an `int`.
pub const RECEIVE_BUFFER_MAX: usize = 1 << 30;
/// Receive buffer asked of the kernel for a UDP socket unless configured.
pub const RECEIVE_BUFFER_DEFAULT: usize = 8 * 1_024 * 1_024;
/// Sources are judged idle on this clock, and windows drain on it.
pub const TICK_NS: i64 = 100 * MS;
/// Longest wait for all inputs to be attempted before the daemon calls itself ready.
pub const READY_NS: i64 = 5 * SECOND;
/// Wait after a receive call that failed, so that an error that stays does not spin.
pub const RECEIVE_ERROR_PAUSE_NS: i64 = 10 * MS;
/// Receive calls that empty a socket of the daemon's own when it stops: 65,536 datagrams, more
/// than the kernel keeps in 32 MiB.
pub const RECEIVE_CALLS_AT_STOP: usize = 1_024;
/// Most bytes that are sent to a device at once, by `on_open` or `poll`.
pub const SENT_BYTES_MAX: usize = 1_024;
/// Shortest time between two polls of a device.
pub const POLL_MIN_NS: i64 = 10 * MS;
/// Longest delay of an RS-485 line, milliseconds: what the kernel takes.
pub const RS485_DELAY_MAX_MS: u32 = 100;
/// Requests in a row that a Modbus device leaves without a sound reply before it is taken for
/// absent, if its `retries` are not more.
pub const MODBUS_ABSENT_AFTER: u32 = 3;
/// First wait before an absent Modbus device is asked again.
pub const MODBUS_ABSENT_FIRST_NS: i64 = SECOND;
/// Longest wait before an absent Modbus device is asked again.
pub const MODBUS_ABSENT_LAST_NS: i64 = 30 * SECOND;
/// Requests in a row for which nothing at all comes over a connection before it is made anew.
pub const MODBUS_SILENT_AFTER: u32 = 3;
/// Longest wait for a connection to a Modbus device.
pub const MODBUS_CONNECT_NS: i64 = 3 * SECOND;
/// What comes for no Modbus request is counted when nothing has followed it for so long.
pub const MODBUS_UNASKED_NS: i64 = 50 * MS;
/// Registers of one Modbus source.
pub const MODBUS_REGISTERS_MAX: usize = FIELDS_PER_SOURCE_MAX;
/// Bad frames in a row after which a serial line is called garbled, unless configured.
pub const GARBLED_AFTER_DEFAULT: u32 = 10;
/// Bytes without a good frame after which it is called so in any case: no frame is longer.
pub const GARBLED_BYTES: u64 = COBS_BYTES_MAX as u64;
/// Bytes asked of a serial port in one read.
pub const SERIAL_READ_BYTES: usize = 4_096;
/// Bytes of a replayed file that are read at once.
pub const REPLAY_BLOCK_BYTES: usize = 64 * 1_024;
/// Blocks of a replayed file that are read ahead.
pub const REPLAY_BLOCKS_AHEAD: usize = 4;
/// Longest chunk of a replayed file without stamps; a longer line or frame is fed in pieces.
pub const REPLAY_CHUNK_BYTES_MAX: usize = 16 * 1_024;
/// Lines of the log that wait to be written; more are dropped and counted.
pub const LOG_LINES_MAX: usize = 1_024;
/// At its end the process waits this long for its log to be read.
pub const LOG_FLUSH_NS: i64 = SECOND;
/// At a reload a source has this long to turn to the new engine; else it begins anew.
pub const SWITCH_NS: i64 = 2 * SECOND;
/// A source that has ended waits this long for room for its last batch.
pub const OUTLET_CLOSE_NS: i64 = SHUTDOWN_NS / 2;
/// A whole shutdown, from the signal to the end of the process.
pub const SHUTDOWN_NS: i64 = 10 * SECOND;
/// One kind of log line is written at most this often.
pub const LOG_EVERY_NS: i64 = 10 * SECOND;

const _: () = assert!(HAND_OVER_NS < TICK_NS);
const _: () = assert!(RECEIVE_TRAINS <= RECEIVE_DATAGRAMS);
const _: () = assert!(DATAGRAM_BYTES_MAX <= TRAIN_BYTES_MAX);
const _: () = assert!(RECEIVE_DATAGRAMS <= RECEIVE_DATAGRAMS_PER_TURN);
const _: () = assert!(CONFIG_ERRORS_SHOWN <= CONFIG_ERRORS_MAX);
const _: () = assert!(COBS_BYTES_MAX >= FRAME_BYTES_MAX);
const _: () = assert!(CLIENTS_ROOT_RESERVE < CLIENTS_MAX);
const _: () = assert!(CLIENTS_PER_UID_MAX <= CLIENTS_MAX);
const _: () = assert!(REQUEST_STRING_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(REQUEST_BYTES_MAX < REPLY_BYTES_MAX);
// `next` is a string of a request in its longest spelling: six bytes for each of its own.
const _: () = assert!(6 * REQUEST_STRING_BYTES_MAX + 512 < REPLY_ENVELOPE_BYTES);
const _: () = assert!(REPLY_ENVELOPE_BYTES < REPLY_BYTES_MAX);
// A histogram goes as text, four letters for three bytes.
const _: () = assert!(HISTOGRAM_BYTES_MAX / 3 * 4 + 2 * REPLY_ENVELOPE_BYTES < REPLY_BYTES_MAX);
const _: () = assert!(WATCH_POLL_FIRST_NS <= WATCH_POLL_LAST_NS);
const _: () = assert!(WATCH_CHECK_NS < WATCH_STALL_NS);
const _: () = assert!(SERVER_DRAIN_NS < SHUTDOWN_NS);
const _: () = assert!(FIELDS_PER_LINE_MAX <= FIELDS_PER_SOURCE_MAX);
const _: () = assert!(FIELD_NAME_BYTES_MAX <= FIELD_PATH_BYTES_MAX);
const _: () = assert!(DISCOVER_DEFAULT <= CHANNELS_MAX);
const _: () = assert!(QUEUE_BATCHES_DEFAULT <= QUEUE_BATCHES_MAX);
const _: () = assert!(2 <= SHARD_QUEUE);
const _: () = assert!(PUBLISH_MIN_NS <= PUBLISH_DEFAULT_NS);
const _: () = assert!(REOPEN_FIRST_NS <= REOPEN_LAST_NS);
const _: () = assert!(SEQUENCE_WINDOW == u64::BITS);
const _: () = assert!(2 * WINDOW_MAX_NS < i64::MAX - EVENT_TIME_ABS_MAX_NS);
const _: () = assert!(3 <= OPEN_SLOTS_MAX);
const _: () = assert!(PANES_PER_WINDOW_MAX <= 1 << u16::BITS);
const _: () =
    assert!((WINDOWS_PER_CHANNEL_MAX as u64 + 2) * IMAGE_COUNT_MAX <= READINGS_PER_WINDOW_MAX);
const _: () = assert!(EVENT_TIME_ABS_MAX_NS - IMAGE_TIME_MIN_NS < i64::MAX - WINDOW_MAX_NS);
const _: () = assert!(EXACT_CAPACITY_DEFAULT <= EXACT_CAPACITY_MAX);
const _: () = assert!(EXACT_SLICES <= PANE_MIN_NS);
const _: () = assert!(EXACT_LENGTH_MAX_NS <= WINDOW_MAX_NS);
const _: () = assert!(890_000 < READINGS_PER_WINDOW_MAX / (WINDOW_MAX_NS / SECOND) as u64);
const _: () = assert!(4.0 * VALUE_ABS_MAX * VALUE_ABS_MAX * 9.1e15 < f64::MAX);
const _: () = assert!(2 <= UNORDERED_MIN && UNORDERED_MIN <= UNORDERED_MAX);
const _: () = assert!(TICK_NS <= SECOND);
const _: () = assert!(RECEIVE_ERROR_PAUSE_NS <= TICK_NS);
const _: () = assert!(OUTLET_CLOSE_NS < SHUTDOWN_NS);
