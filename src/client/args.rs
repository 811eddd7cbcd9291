//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The commands that ask a running daemon.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the latest values and summaries; in JSON a channel's value is `live`
    Get(GetArgs),
    /// Show the channels
    List(ListArgs),
    /// Print the configuration that makes discovered channels permanent
    #[command(after_help = ADOPT_EXAMPLES)]
    Adopt(AdoptArgs),
    /// Follow values and summaries as they change; in JSON one line for each result
    Watch(WatchArgs),
    /// Show frames as they come: their bytes, their readings, and what becomes of each
    #[command(after_help = TAP_EXAMPLES)]
    Tap(TapArgs),
    /// Show sources, losses, clients and latencies
    Status(StatusArgs),
}

/// How to reach the daemon, and how to write what it says.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Socket of the daemon [default: the first of $XDG_RUNTIME_DIR/stillwell/query.sock,
    /// /run/stillwell/query.sock, /tmp/stillwell-UID/query.sock that exists]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// One JSON object a line, as when piped
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `get`.
#[derive(Clone, Debug, Default, Args)]
pub struct GetArgs {
    /// Channels: ids, or patterns with * and ? [default: all]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Length of the window, such as 1m, or "all" [default: the shortest of at least a minute]
    #[arg(long, value_name = "LENGTH")]
    pub window: Option<String>,
    /// Give the counts behind the percentiles of one window, in HdrHistogram's form: a line of
    /// JSON for each channel that has percentiles
    #[arg(long, requires = "window")]
    pub histogram: bool,
    /// How to reach the daemon.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `list`.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// Channels: ids, or patterns with * and ? [default: all]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// How to reach the daemon.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `adopt`.
#[derive(Clone, Debug, Default, Args)]
pub struct AdoptArgs {
    /// Channels: ids, or patterns with * and ? [default: all]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Socket of the daemon, as for `list`
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

const ADOPT_EXAMPLES: &str = "\
Writes a [[channel]] for each discovered channel, under the id that it has. The expected rate and
the resolution are estimates from what has come so far: let the source run for some minutes first.

Examples:
  stillwell adopt                          what there is
  stillwell adopt 'bench.*' >> config.toml keep the channels of one source
  stillwell check config.toml              and see what it amounts to";

/// Arguments of `watch`.
#[derive(Clone, Debug, Default, Args)]
pub struct WatchArgs {
    /// Channels: ids, or patterns with * and ? [default: all]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Length of the window, such as 1m, or "all" [default: the shortest of at least a minute]
    #[arg(long, value_name = "LENGTH")]
    pub window: Option<String>,
    /// Shortest time between two updates, such as 1s
    #[arg(long, value_name = "DURATION")]
    pub interval: Option<String>,
    /// How to reach the daemon.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `tap`.
#[derive(Clone, Debug, Default, Args)]
pub struct TapArgs {
    /// Channels: ids, or patterns with * and ? [default: all frames, refused ones too]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Only what comes over this source
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// End after so many frames
    #[arg(long, value_name = "N")]
    pub frames: Option<u64>,
    /// How to reach the daemon.
    #[command(flatten)]
    pub common: Common,
}

const TAP_EXAMPLES: &str = "\
A frame is shown with its bytes, and each of its readings with the raw value, the published value
and unit, the time, the pane and the verdict; a refused one with the reason. Of a source that sends
more than 200 frames a second some are shown, and the number of the others is told.

Examples:
  stillwell tap                         everything
  stillwell tap --source bench          one source: is what comes what I think it is?
  stillwell tap 'boiler.*' --frames 5   the next five frames with a reading of these channels
  stillwell tap --json | jq -c 'select(.verdict == \"refused\") | [.reason, .hex]'";

/// Arguments of `status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusArgs {
    /// How to reach the daemon.
    #[command(flatten)]
    pub common: Common,
}
