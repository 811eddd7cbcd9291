//! One socket, one daemon; and nothing at its path is lost that is not a dead socket.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
};

use crate::{
    process::{Process, Scratch, stillwell},
    support::{Daemon, Steady},
};

/// A daemon at a socket of the test's choice, which is expected not to start.
fn refused(dir: &Scratch, socket: &Path) -> (Option<i32>, String) {
    let config = dir.write("second.toml", "");
    let mut command = stillwell();
    command.args(["run", "--config"]).arg(config).arg("--socket").arg(socket);
    let (status, log) = Process::start(&mut command, dir).ended();
    (status.code(), log)
}

#[test]
fn a_second_daemon_leaves_the_first_alone() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let mut client = daemon.client();
    let socket = daemon.socket();
    let lock = fs::read_to_string(socket.with_extension("sock.lock")).expect("a lock file");
    for _ in 0..5 {
        let (code, log) = refused(daemon.dir(), &socket);
        assert_eq!(code, Some(75), "{log}");
        assert!(log.contains(socket.to_str().expect("UTF-8")), "{log}");
        assert!(log.contains(&format!("process {}", daemon.pid())), "{log}");
    }
    let status = client.call(r#"{"method":"Status"}"#);
    assert_eq!(status["pid"], daemon.pid(), "the connection is the same");
    assert_eq!(daemon.status()["pid"], daemon.pid(), "a new one leads there too");
    assert_eq!(fs::read_to_string(socket.with_extension("sock.lock")).expect("a file"), lock);
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

#[test]
fn a_socket_left_behind_is_replaced() {
    let dir = Scratch::new();
    let socket = dir.path("query.sock");
    drop(UnixListener::bind(&socket).expect("binds"));
    assert!(fs::metadata(&socket).expect("it is left behind").file_type().is_socket());
    let daemon = Daemon::start_in(dir, Steady::CONFIG);
    let mode = fs::metadata(&socket).expect("the new one").permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    // As a crash leaves it: the lock goes with the process, the file stays.
    let dir = daemon.killed();
    assert!(socket.exists());
    Daemon::start_in(dir, Steady::CONFIG).stop();
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = Scratch::new();
    let target = dir.write("target", "precious");
    type Make<'a> = &'a dyn Fn(&Path);
    let make: [(&str, &str, Make<'_>); 5] = [
        ("file", "is a file", &|path| fs::write(path, "precious").expect("writes")),
        ("directory", "is a directory", &|path| fs::create_dir(path).expect("creates")),
        ("link", "is a symbolic link", &|path| symlink(&target, path).expect("links")),
        ("dangling", "is a symbolic link", &|path| symlink("nowhere", path).expect("links")),
        ("pipe", "is a named pipe", &|path| {
            assert!(Command::new("mkfifo").arg(path).status().expect("it starts").success());
        }),
    ];
    for (name, words, make) in make {
        let path = dir.path(name);
        make(&path);
        let before = fs::symlink_metadata(&path).expect("it was made");
        let (code, log) = refused(&dir, &path);
        assert_eq!(code, Some(73), "{name}: {log}");
        assert!(log.contains(path.to_str().expect("UTF-8")) && log.contains(words), "{log}");
        let after = fs::symlink_metadata(&path).expect("it is still there");
        assert_eq!(after.file_type(), before.file_type(), "{name}");
        assert_eq!(after.modified().ok(), before.modified().ok(), "{name}");
    }
    assert_eq!(fs::read_to_string(target).expect("it is still there"), "precious");
}

#[test]
fn a_directory_that_is_absent_is_named() {
    let dir = Scratch::new();
    let path = dir.path("nowhere/query.sock");
    let (code, log) = refused(&dir, &path);
    assert_eq!(code, Some(73), "{log}");
    assert!(log.contains("nowhere/query.sock"), "{log}");
}
