//! The server on real sockets, with snapshots made by hand.

mod histogram;
mod limits;
mod requests;
mod watching;

use std::{
    fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use super::{About, Drained, Endpoint, Server, Timeouts};
use crate::{
    daemon::clock::Line,
    endpoint::SocketPath,
    engine::{Snapshot, desk::Desk},
    query::page::tests::Scene,
};

/// Longer than anything takes on a busy machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of its own for one test.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stillwell-{}-{count}", process::id()));
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("query.sock")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server with the test as its engine.
struct Daemon {
    directory: Directory,
    scene: Scene,
    desk: Arc<Desk>,
    snapshots: Option<watch::Sender<Arc<Snapshot>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinSet<Drained>,
}

impl Daemon {
    fn start(ids: &[&str], timeouts: Timeouts) -> Self {
        Self::start_with(ids, timeouts, |_| {})
    }

    /// With a first snapshot that has been edited.
    fn start_with(ids: &[&str], timeouts: Timeouts, edit: impl Fn(&mut Snapshot)) -> Self {
        let mut scene = Scene::at(ids, Line::anchored().now_ns());
        let mut snapshot = scene.snapshot(1);
        edit(&mut snapshot);
        let directory = Directory::new();
        let path = SocketPath::chosen(directory.socket());
        let endpoint = Endpoint::bind_unmasked(&path).expect("binds");
        let about = About::default();
        let desk = Arc::clone(&about.desk);
        let server = Server::new(endpoint, about).with_timeouts(timeouts);
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let (stop, stopped) = oneshot::channel::<()>();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            server.run(receiver, Line::anchored(), stopped).await.expect("serves")
        });
        Self { directory, scene, desk, snapshots: Some(snapshots), stop: Some(stop), task }
    }

    /// Four channels and the usual limits.
    fn small() -> Self {
        Self::start(&["boiler.flow", "boiler.return", "plant.a", "plant.b"], patient())
    }

    async fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.directory.socket()).await.expect("connects");
        Client(BufReader::new(stream))
    }

    /// Publishes a snapshot of number `seq` in which these channels changed.
    fn publish(&mut self, seq: u64, changed: &[u32]) {
        self.scene.change(changed.iter().copied());
        let snapshot = Arc::new(self.scene.snapshot(seq));
        self.snapshots.as_ref().expect("not dropped").send_replace(snapshot);
    }

    /// Publishes a snapshot of number `seq` in which all channels changed.
    fn publish_changed(&mut self, seq: u64) {
        self.scene.change_all();
        self.publish(seq, &[]);
    }

    async fn end(&mut self) -> Drained {
        let _ = self.stop.take().expect("ended once").send(());
        let ended = timeout(PATIENCE, self.task.join_next()).await.expect("ends");
        ended.expect("one task").expect("no panic")
    }

    /// A number of Status, such as `/clients/open`.
    async fn status(&self, pointer: &str) -> Value {
        let reply = self.connect().await.ask(r#"{"method":"Status"}"#).await;
        reply["parameters"]
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} in {reply}"))
            .clone()
    }

    /// Waits until a number of Status has this value.
    async fn until(&self, pointer: &str, value: u64) {
        let met = async {
            while self.status(pointer).await != value {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, met).await.unwrap_or_else(|_| panic!("{pointer} never became {value}"));
    }
}

/// Limits that no test reaches.
fn patient() -> Timeouts {
    Timeouts {
        half_line: PATIENCE,
        reply: PATIENCE,
        idle: PATIENCE,
        watch_stall: PATIENCE,
        watch_check: Duration::from_millis(20),
        accept_backoff: Duration::from_millis(1),
        drain: PATIENCE,
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).await.expect("the daemon listens");
    }

    /// The next bytes up to the terminator; `None` at the end.
    async fn bytes_until(&mut self, terminator: u8) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.0.read_until(terminator, &mut bytes)).await;
        match read.expect("an answer or the end") {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(bytes),
        }
    }

    /// The next message.
    async fn next(&mut self) -> Option<Value> {
        let line = self.bytes_until(b'\n').await?;
        assert_eq!(line.last(), Some(&b'\n'), "a whole line");
        Some(serde_json::from_slice(&line).expect("a line is JSON"))
    }

    async fn message(&mut self) -> Value {
        self.next().await.expect("a message")
    }

    async fn ask(&mut self, request: &str) -> Value {
        self.send(format!("{request}\n")).await;
        self.message().await
    }

    async fn rest(&mut self) -> String {
        let mut text = String::new();
        timeout(PATIENCE, self.0.read_to_string(&mut text)).await.expect("ends").expect("text");
        text
    }

    async fn close_writing(&mut self) {
        self.0.get_mut().shutdown().await.expect("still open");
    }
}

fn ids(reply: &Value) -> Vec<&str> {
    let channels = reply["parameters"]["channels"].as_array().expect("channels");
    channels.iter().map(|channel| channel["id"].as_str().expect("id")).collect()
}
