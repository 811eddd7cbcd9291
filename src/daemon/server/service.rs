//! Answers to requests, from whatever snapshot is the latest.

use std::{path::PathBuf, sync::Arc};

use serde_json::json;
use tokio::{sync::watch, task::yield_now};

use super::{
    clients::{Clients, Event},
    refusal::Refusal,
    request::{Call, Get, INTERFACE, Interface, NamedWindow, Paging, SERVICE, choice},
    sharing::Sharing,
    status,
};
use crate::{
    daemon::{
        clock,
        clock::Line,
        kernel::{self, WallClock},
        publish::Vitals,
        rate::LogLimits,
        reload,
        state::standing::Standing,
        tap::Taps,
    },
    engine::{Snapshot, desk::Desk},
    query::{
        Selection, WindowChoice,
        json::append,
        page::{Ask, Form, Header, HostClock, Page, Turn, Walk},
    },
};

/// What Status tells about the process besides its snapshot.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Why the daemon runs without inputs, if it does.
    pub degraded: Option<String>,
    /// Configuration file, if there is one.
    pub config: Option<PathBuf>,
    /// Signs of life of the data path, and the daemon's latencies.
    pub vitals: Arc<Vitals>,
    /// Where clients listen to the inputs.
    pub taps: Arc<Taps>,
    /// Where clients ask the engine for what no snapshot has.
    pub desk: Arc<Desk>,
    /// How the state is kept.
    pub state: Arc<Standing>,
    /// What came of the last reload.
    pub reloads: Arc<reload::Standing>,
}

/// What all sessions share.
pub(super) struct Service {
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) line: Line,
    pub(super) about: About,
    pub(super) clients: Clients,
    pub(super) log: LogLimits,
    pub(super) sharing: Sharing,
    pub(super) started_boot_ns: i64,
}

impl Service {
    pub(super) fn new(snapshots: watch::Receiver<Arc<Snapshot>>, line: Line, about: About) -> Self {
        Self {
            snapshots,
            line,
            about,
            clients: Clients::default(),
            log: LogLimits::default(),
            sharing: Sharing::default(),
            started_boot_ns: clock::boot_ns(),
        }
    }

    /// The reply to everything but what goes on for longer than a reply.
    pub(super) async fn answer(&self, call: &Call) -> Vec<u8> {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let reply = match call {
            Call::Get(get) => self.get(&snapshot, get).await,
            Call::List(paging) => self.page(&snapshot, paging, Form::Directory).await,
            Call::Status(cursor) => status::reply(self, &snapshot, cursor),
            Call::GetInfo => Ok(info()),
            Call::GetInterfaceDescription(interface) => Ok(description(*interface)),
            // Sessions have these themselves, and wait in them.
            Call::Histogram(_) | Call::Watch(_) | Call::Tap(_) | Call::Record(_) => {
                Err(Refusal::ExpectedMore)
            }
        };
        reply.unwrap_or_else(|refusal| refusal.reply())
    }

    async fn get(&self, snapshot: &Snapshot, get: &Get) -> Result<Vec<u8>, Refusal> {
        check_window(snapshot, &get.paging.selection, get.window.as_ref()).await?;
        self.page(snapshot, &get.paging, Form::Current(choice(get.window.as_ref()))).await
    }

    async fn page(
        &self,
        snapshot: &Snapshot,
        paging: &Paging,
        form: Form,
    ) -> Result<Vec<u8>, Refusal> {
        let Paging { selection, from, limit } = paging;
        check_ids(snapshot, selection)?;
        let now_ns = self.line.now_ns();
        let ask = Ask { selection, form, known: None, limit: *limit, now_ns };
        let mut walk = Walk::new(snapshot, selection, from);
        let (page, next) = fill_page(&mut walk, &ask).await;
        let Snapshot { epoch, seq, .. } = *snapshot;
        let clock = host_clock();
        let header = Header { continues: false, epoch, seq, now_ns, clock, skipped: None, next };
        Ok(page.reply(form, &header))
    }

    /// Counts, and writes a line unless one of its kind was written a moment ago.
    pub(super) fn report(&self, event: Event, kind: &'static str, why: &dyn std::fmt::Display) {
        self.clients.record(event);
        if let Some(suppressed) = self.log.allow(kind, clock::boot_ns()) {
            tracing::warn!(%why, suppressed, "{kind}");
        }
    }
}

/// Fills one page and gives other tasks their turn in between; with the `next` of a full page.
pub(super) async fn fill_page<'a>(walk: &mut Walk<'a>, ask: &Ask<'_>) -> (Page, Option<&'a str>) {
    let mut page = Page::default();
    loop {
        match page.turn(walk, ask) {
            Turn::Pause => yield_now().await,
            Turn::Full => return (page, walk.next_id()),
            Turn::End => return (page, None),
        }
    }
}

/// A pattern without a wildcard must name a channel.
pub(super) fn check_ids(snapshot: &Snapshot, selection: &Selection) -> Result<(), Refusal> {
    match selection.unknown_id(snapshot) {
        Some(id) => Err(Refusal::NoSuchChannel(id.into())),
        None => Ok(()),
    }
}

/// One of the selected channels must have the window, unless nothing is selected.
pub(super) async fn check_window(
    snapshot: &Snapshot,
    selection: &Selection,
    window: Option<&NamedWindow>,
) -> Result<(), Refusal> {
    check_ids(snapshot, selection)?;
    let Some(window) = window else { return Ok(()) };
    let finds = async |choice| {
        let mut walk = Walk::new(snapshot, selection, "");
        loop {
            match walk.finds_window(selection, choice) {
                Some(found) => return found,
                None => yield_now().await,
            }
        }
    };
    if finds(choice(Some(window))).await || !finds(WindowChoice::All).await {
        return Ok(());
    }
    Err(Refusal::NoSuchWindow(window.name.clone()))
}

/// State of the host's clock.
pub(super) fn host_clock() -> HostClock {
    match kernel::wall_clock() {
        Some(WallClock { is_synced: true, max_error_us }) => {
            HostClock { name: "synced", error_ms: Some(max_error_us / 1e3) }
        }
        // What the kernel tells then is a ceiling of its own, and no bound.
        Some(WallClock { is_synced: false, .. }) => HostClock { name: "unsynced", error_ms: None },
        None => HostClock { name: "unknown", error_ms: None },
    }
}

fn info() -> Vec<u8> {
    let mut out = Vec::new();
    let parameters = json!({
        "vendor": "stillwell",
        "product": "stillwell",
        "version": env!("CARGO_PKG_VERSION"),
        "url": "",
        "interfaces": [SERVICE, INTERFACE],
    });
    append(&mut out, &json!({ "parameters": parameters }));
    out
}

fn description(interface: Interface) -> Vec<u8> {
    let text = match interface {
        Interface::Stillwell => include_str!("io.stillwell.v1.varlink"),
        Interface::Service => include_str!("org.varlink.service.varlink"),
    };
    let mut out = Vec::new();
    append(&mut out, &json!({ "parameters": { "description": text } }));
    out
}
