//! Every key there is, by table. A test holds the shipped `config.toml` against these lists.

/// Tables of a configuration.
pub(super) const TOP: &[&str] = &["daemon", "defaults", "source", "pattern", "channel"];

/// `[daemon]`.
pub(super) const DAEMON: &[&str] =
    &["socket", "state_dir", "state_every", "publish", "queue", "shards", "percentile_memory"];

/// What is set in `[defaults]`, for a pattern and for a channel.
pub(super) const DEFAULTS: &[&str] = &[
    "qc",
    "pane",
    "windows",
    "percentiles",
    "figures",
    "resolution",
    "lateness",
    "future",
    "expected_rate",
    "stale_after",
    "silent_after",
    "kind",
    "states",
    "width",
    "modulus",
    "wrap_max",
    "interpolation",
    "max_hold",
    "rms",
    "trust",
    "ewma",
    "allan",
    "gust",
    "speed",
    "status",
    "completeness",
];

/// A window that is written as a table.
pub(super) const WINDOW: &[&str] = &["length", "every", "exact", "capacity"];

/// `[[source]]`, of all kinds: [`super::source`] says which key fits which, and [`super::format`]
/// which format takes which.
pub(super) const SOURCE: &[&str] = &[
    "name",
    "kind",
    "listen",
    "receive_buffer",
    "gro",
    "framing",
    "path",
    "baud",
    "data_bits",
    "parity",
    "stop_bits",
    "flow",
    "low_latency",
    "rs485",
    "dtr",
    "rts",
    "settle",
    "on_open",
    "poll",
    "poll_every",
    "silence",
    "on_silence",
    "garbled_after",
    "connect",
    "mode",
    "timeout",
    "quarantine",
    "gap",
    "retries",
    "every",
    "registers_max",
    "bridge",
    "device",
    "register",
    "scenario",
    "seed",
    "interval",
    "paced",
    "format",
    "key_file",
    "preset",
    "timestamp",
    "checksum",
    "talkers",
    "name_by",
    "precision",
    "tags",
    "preset",
    "frame",
    "check",
    "field",
    "time",
    "lateness",
    "future",
    "unknown",
    "discover_max",
    "idle",
    "on_full",
];

/// `[[pattern]]`.
pub(super) const PATTERN: &[&str] =
    &with_defaults::<{ 4 + DEFAULTS.len() }>(&["match", "unit", "raw_unit", "calibration"]);

/// The keys of `[[source]]` that are about a serial line itself, but for its path.
pub(super) const PORT: &[&str] =
    &["baud", "data_bits", "parity", "stop_bits", "flow", "low_latency", "rs485", "dtr", "rts"];

/// `[[source.device]]`; all but the first may be set for all devices of a source.
pub(super) const MODBUS_DEVICE: &[&str] =
    &["address", "timeout", "quarantine", "gap", "retries", "every", "registers_max", "bridge"];

/// `[[source.register]]`.
pub(super) const REGISTER: &[&str] = &[
    "name", "device", "table", "address", "type", "order", "bits", "scale", "offset", "unit",
    "missing", "every",
];

/// `rs485 = { … }`.
pub(super) const RS485: &[&str] =
    &["rts_on_send", "rts_after_send", "delay_before", "delay_after", "rx_during_tx"];

/// `on_open` and `poll`, where they are not text.
pub(super) const SENT: &[&str] = &["hex"];

/// `[[channel]]`.
pub(super) const CHANNEL: &[&str] = &with_defaults::<{ 8 + DEFAULTS.len() }>(&[
    "id",
    "source",
    "device",
    "index",
    "field",
    "unit",
    "raw_unit",
    "calibration",
]);

/// Keys of a table's own, then those of [`DEFAULTS`]: so many in all.
const fn with_defaults<const ALL: usize>(own: &[&'static str]) -> [&'static str; ALL] {
    assert!(own.len() + DEFAULTS.len() == ALL);
    let mut all = [""; ALL];
    let (mine, rest) = all.split_at_mut(own.len());
    mine.copy_from_slice(own);
    rest.copy_from_slice(DEFAULTS);
    all
}

/// `status = { … }`.
pub(super) const STATUS: &[&str] = &["good", "bad"];

/// `calibration = { … }`,
/// of all kinds: [`super::calibration`] says which key fits which.
pub(super) const CALIBRATION: &[&str] = &[
    "kind",
    "from",
    "version",
    "input",
    "within",
    "range",
    "scale",
    "offset",
    "points",
    "outside",
    "coefficients",
    "a",
    "b",
    "c",
    "r0",
    "t0",
    "beta",
    "known",
    "sensor",
    "full_scale",
    "type",
    "cold_junction",
    "max_age",
    "low",
    "high",
    "suspect",
    "fail",
    "width",
    "modulus",
    "gives",
    "on_reset",
    "wrap_max",
    "turn",
    "steps",
];

/// `qc = { … }`.
pub(super) const QC: &[&str] = &[
    "unit",
    "gross_range",
    "spike",
    "rate_of_change",
    "flat_line",
    "attenuated",
    "gap",
    "climatology",
    "multi_variate",
    "neighbour",
];

/// `gross_range = { … }` and `gap = { … }`.
pub(super) const BOUNDS: &[&str] = &["fail", "suspect"];

/// `spike = { … }`.
pub(super) const SPIKE: &[&str] = &["fail", "suspect", "method"];

/// `rate_of_change = { … }`.
pub(super) const RATE_OF_CHANGE: &[&str] = &["fail", "suspect", "per"];

/// `flat_line = { … }`.
pub(super) const FLAT_LINE: &[&str] = &["fail", "suspect", "tolerance", "except"];

/// `attenuated = { … }`.
pub(super) const ATTENUATED: &[&str] =
    &["fail", "suspect", "spread", "period", "min_readings", "min_period"];

/// `climatology = { … }`.
pub(super) const CLIMATOLOGY: &[&str] = &["members", "depth", "depth_channel", "max_age"];

/// `members = [{ … }]`.
pub(super) const MEMBER: &[&str] =
    &["months", "quarters", "weeks", "days", "between", "depth", "fail", "suspect"];

/// `multi_variate = { … }`.
pub(super) const MULTI_VARIATE: &[&str] = &["channel", "rate", "other_rate", "per", "max_age"];

/// `neighbour = { … }`.
pub(super) const NEIGHBOUR: &[&str] = &["channel", "fail", "suspect", "max_age"];

/// `[source.frame]`, of all kinds.
pub(super) const FRAME: &[&str] = &["kind", "sync", "length", "max", "require", "gap"];

/// `length = { … }`.
pub(super) const LENGTH: &[&str] = &["at", "type", "plus"];

/// `require = [{ … }]`.
pub(super) const REQUIRE: &[&str] = &["at", "equals"];

/// `[source.check]`.
pub(super) const CHECK: &[&str] = &["kind", "custom", "over", "at", "order"];

/// `custom = { … }`.
pub(super) const CUSTOM: &[&str] = &["width", "poly", "init", "refin", "refout", "xorout"];

/// `[[source.field]]`.
pub(super) const FIELD: &[&str] =
    &["name", "at", "type", "bits", "scale", "offset", "unit", "missing"];

/// Keys that people will look for and this version does not have.
pub(super) const ABSENT: &[&str] = &["exact"];

/// A scenario.
pub(super) const SCENARIO: &[&str] = &["format", "key_file", "seed", "duration", "device", "fault"];

/// `[[device]]` of a scenario.
pub(super) const DEVICE: &[&str] = &[
    "id",
    "count",
    "boot",
    "clock",
    "clock_skew_ppm",
    "clock_offset",
    "rate",
    "samples_per_frame",
    "phase",
    "time_error",
    "health",
    "channel",
    "fault",
];

/// `[[device.channel]]` of a scenario.
pub(super) const DEVICE_CHANNEL: &[&str] =
    &["name", "count", "unit", "type", "waveform", "noise", "resolution"];

/// `waveform = { … }`, of all kinds.
pub(super) const WAVEFORM: &[&str] = &[
    "kind",
    "value",
    "offset",
    "amplitude",
    "period",
    "phase",
    "low",
    "high",
    "start",
    "step",
    "min",
    "max",
    "levels",
    "dwell",
    "night",
    "noon",
    "sunrise",
    "sunset",
    "mean",
    "stddev",
];

/// `[[fault]]` and `[[device.fault]]`, of all kinds.
pub(super) const FAULT: &[&str] =
    &["kind", "probability", "frames", "size", "per_second", "distance", "by", "ppm"];
