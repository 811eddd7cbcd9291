//! One owner, and no victim: who may bind, remove and take over.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use super::*;
use crate::daemon::server::tests::Directory;

fn claim(path: &Path) -> Result<Endpoint, ListenError> {
    Endpoint::bind_unmasked(&SocketPath::chosen(path))
}

#[test]
fn the_socket_is_there_while_it_is_served_and_gone_after() {
    let directory = Directory::new();
    let endpoint = claim(&directory.socket()).expect("binds");
    assert!(is_served(&directory.socket()).expect("asks"));
    drop(endpoint);
    assert!(!directory.socket().exists());
    claim(&directory.socket()).expect("binds again");
}

#[test]
fn a_second_instance_is_told_of_the_first_and_leaves_it_alone() {
    let directory = Directory::new();
    let _first = claim(&directory.socket()).expect("binds");
    let error = claim(&directory.socket()).expect_err("in use");
    assert_eq!(error.exit_code(), 75);
    assert!(matches!(error, ListenError::InUse { pid: Some(pid), .. } if pid == process::id()));
    assert!(is_served(&directory.socket()).expect("asks"), "the first still serves");
}

#[test]
fn a_socket_that_somebody_else_serves_is_left_alone() {
    let directory = Directory::new();
    let _other = UnixListener::bind(directory.socket()).expect("binds, without a lock");
    let error = claim(&directory.socket()).expect_err("in use");
    assert!(matches!(error, ListenError::InUse { pid: None, .. }), "{error}");
    assert!(is_served(&directory.socket()).expect("asks"));
}

#[test]
fn a_leftover_is_replaced() {
    let directory = Directory::new();
    drop(UnixListener::bind(directory.socket()).expect("binds"));
    assert!(directory.socket().exists(), "the standard library leaves it behind");
    let _endpoint = claim(&directory.socket()).expect("binds");
    assert!(is_served(&directory.socket()).expect("asks"));
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = Directory::new();
    let at = |name: &str| directory.0.join(name);
    fs::write(at("file"), "precious").expect("writes");
    fs::create_dir(at("directory")).expect("creates");
    drop(UnixListener::bind(at("target")).expect("binds"));
    symlink(at("target"), at("link")).expect("links");
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0)
        .expect("makes");
    for (name, expected) in [
        ("file", "a file"),
        ("directory", "a directory"),
        ("link", "a symbolic link"),
        ("pipe", "a named pipe"),
    ] {
        let error = claim(&at(name)).expect_err(name);
        assert!(matches!(error, ListenError::Occupied { kind, .. } if kind == expected), "{error}");
        assert!(at(name).symlink_metadata().is_ok(), "{name} is still there");
    }
}

#[test]
fn a_lock_that_is_a_link_is_not_followed() {
    let directory = Directory::new();
    let victim = directory.0.join("victim");
    fs::write(&victim, "precious").expect("writes");
    symlink(&victim, directory.0.join("query.sock.lock")).expect("links");
    assert!(claim(&directory.socket()).is_err());
    assert_eq!(fs::read_to_string(&victim).expect("reads"), "precious");
}

#[test]
fn a_file_that_took_the_place_of_the_socket_is_not_removed() {
    let directory = Directory::new();
    let endpoint = claim(&directory.socket()).expect("binds");
    fs::remove_file(directory.socket()).expect("removes");
    fs::write(directory.socket(), "not ours").expect("writes");
    drop(endpoint);
    assert!(directory.socket().exists());
}

#[test]
fn a_missing_directory_is_made_for_the_default_path_only() {
    let directory = Directory::new();
    let path = directory.0.join("stillwell/query.sock");
    let error = claim(&path).expect_err("somebody chose it and must make it");
    assert_eq!(error.exit_code(), 73);
    make_directory(&path).expect("makes");
    make_directory(&path).expect("finds it made");
    fs::set_permissions(path.parent().expect("has one"), fs::Permissions::from_mode(0o777))
        .expect("ours");
    assert!(matches!(make_directory(&path), Err(ListenError::ForeignDirectory { .. })));
}

#[test]
fn an_inherited_socket_is_served_and_not_removed() {
    let directory = Directory::new();
    let manager = UnixListener::bind(directory.socket()).expect("binds");
    let fd = OwnedFd::from(manager.try_clone().expect("clones"));
    let endpoint = Endpoint::adopt(fd).expect("takes over");
    assert_eq!(endpoint.path(), Some(&*directory.socket()));
    assert_eq!(claim(&directory.socket()).expect_err("in use").exit_code(), 75);
    drop(endpoint);
    assert!(is_served(&directory.socket()).expect("asks"));
}

/// The umask belongs to the process, so that this one binds in a process of its own.
#[test]
fn the_socket_is_for_its_user_and_group_from_the_start() {
    const VARIABLE: &str = "STILLWELL_TEST_BIND";
    if let Some(path) = std::env::var_os(VARIABLE) {
        umask(Mode::from_raw_mode(0o022));
        let endpoint = Endpoint::bind(&SocketPath::chosen(path)).expect("binds");
        let mode = endpoint.path().expect("a path").metadata().expect("there").mode();
        assert_eq!(mode & 0o777, 0o660);
        assert_eq!(umask(Mode::empty()), Mode::from_raw_mode(0o022), "the umask is put back");
        return;
    }
    let directory = Directory::new();
    let name = "daemon::server::listen::tests::the_socket_is_for_its_user_and_group_from_the_start";
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--test-threads=1"])
        .env(VARIABLE, directory.socket())
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
