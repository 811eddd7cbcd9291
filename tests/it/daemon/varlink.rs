//! The programs that people have: Python, its varlink client, socat, nc.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    process::{did_not_run, look},
    support::{Daemon, Steady},
};

/// Runs a program with some input; `None` if it is not installed.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        did_not_run(&format!("{program} is not installed"));
        return None;
    };
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    // What it prints fits the pipes: nothing has to be read for it to end.
    if look(|| child.try_wait().expect("our child")).is_none() {
        let _ = child.kill();
    }
    Some(child.wait_with_output().expect("it ended"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

const PYTHON_VARLINK: &str = r#"
import json, sys
try:
    import varlink
except ImportError:
    sys.exit(99)
client = varlink.Client("unix:" + sys.argv[1])
info = client.get_service_info() if hasattr(client, "get_service_info") else None
with client.open("org.varlink.service") as service:
    info = service.GetInfo()
with client.open("io.stillwell.v1") as well:
    got = well.Get(channels=["steady"])
    status = well.Status()
    try:
        well.Get(channels=["nope"])
        error = None
    except varlink.VarlinkError as raised:
        error = raised.error()
    updates = [next(watch) for watch in [well.Watch(_more=True)] for _ in range(3)]
print(json.dumps({"info": info, "got": got, "status": status, "error": error,
                  "updates": updates}))
"#;

#[test]
fn the_varlink_client_of_python_understands_it() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    daemon.frames("steady", 10);
    let socket = daemon.socket();
    let socket = socket.to_str().expect("UTF-8");
    let Some(output) = run("python3", &["-c", PYTHON_VARLINK, socket], "") else { return };
    if output.status.code() == Some(99) {
        return did_not_run("Python has no module varlink");
    }
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let interfaces = said["info"]["interfaces"].as_array().expect("interfaces");
    assert!(interfaces.contains(&Value::from("io.stillwell.v1")), "{said}");
    assert_eq!(said["got"]["channels"][0]["id"], "steady", "{said}");
    assert!(said["got"]["channels"][0]["value"].is_number(), "{said}");
    assert_eq!(said["status"]["pid"], daemon.pid(), "{said}");
    assert_eq!(said["error"], "io.stillwell.v1.NoSuchChannel", "{said}");
    let seqs: Vec<_> =
        said["updates"].as_array().expect("messages").iter().map(|m| &m["seq"]).collect();
    assert_eq!(seqs.len(), 3, "{said}");
    assert!(seqs.is_sorted_by_key(|seq| seq.as_u64()), "{said}");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

#[test]
fn lines_work_by_hand() {
    let daemon = Daemon::start(Steady::CONFIG);
    let socket = daemon.socket();
    let socket = socket.to_str().expect("UTF-8");
    let python = "import json, socket, sys\n\
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile('rw')\n\
        for line in sys.stdin:\n    f.write(line); f.flush(); print(f.readline(), end='')\n";
    let to_socat = format!("UNIX-CONNECT:{socket}");
    let programs: [(&str, &[&str]); 3] = [
        ("socat", &["-", &to_socat]),
        ("nc", &["-U", "-N", socket]),
        ("python3", &["-c", python, socket]),
    ];
    let requests = "{\"method\":\"Status\"}\n{\"method\":\"List\"}\n";
    for (program, arguments) in programs {
        let Some(output) = run(program, arguments, requests) else { continue };
        let lines: Vec<&str> = text(&output.stdout).lines().collect();
        assert_eq!(lines.len(), 2, "{program}: {output:?}");
        let replies = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let replies: Vec<Value> = replies.collect();
        assert_eq!(replies[0]["parameters"]["pid"], daemon.pid(), "{program}");
        assert_eq!(replies[1]["parameters"]["channels"][0]["id"], "steady", "{program}");
    }
    daemon.stop();
}
