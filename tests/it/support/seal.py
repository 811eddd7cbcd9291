"""Starts a program under the limits of a service, as systemd sets them before it executes one.

    seal.py LIMITS PROGRAM ARGUMENT...    LIMITS is a file: see seal.rs, which knows the units
    seal.py LIMITS --probe                tries what is forbidden, and prints what happened

What the system does not let this process limit is said on standard error, a line each.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SECCOMP = ctypes.CDLL("libseccomp.so.2", use_errno=True)
SECCOMP.seccomp_init.restype = ctypes.c_void_p

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x40000000
NAMESPACES = {"net": NEWNET, "uts": NEWUTS, "ipc": NEWIPC}
MS_RDONLY, MS_NOSUID, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 8, 4096, 16384, 1 << 18
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000
ATTR_RDONLY, ATTR_NOEXEC = 1, 8
DEVICES = ["null", "zero", "full", "random", "urandom"]


def check(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def attempt(what, step, *arguments):
    try:
        step(*arguments)
    except OSError as error:
        print(f"seal: not applied: {what}: {error}", file=sys.stderr, flush=True)


def mount(source, target, kind=None, flags=0, data=None):
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    check(LIBC.mount(*texts, ctypes.c_ulong(flags), data and data.encode()), f"mount {target}")


def set_mount(path, add=0, clear=0, recursive=True):
    attributes = (ctypes.c_uint64 * 4)(add, clear, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    check(
        LIBC.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), flags, attributes, 32),
        f"mount_setattr {path}",
    )


def bind_back(kept):
    """What was opened before something was mounted over it is there again."""
    for path, fd in kept.items():
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "a").close()
        mount(f"/proc/self/fd/{fd}", path, flags=MS_BIND | MS_REC)
        os.close(fd)


def cover(directory, kept, options="mode=755"):
    """An empty directory over one that is there, but for what is kept of it."""
    if os.path.isdir(directory):
        inside = [path for path in kept if path.startswith(directory + "/") and os.path.exists(path)]
        kept = {path: os.open(path, os.O_PATH) for path in inside}
        mount("tmpfs", directory, "tmpfs", data=options)
        bind_back(kept)


def files(limits):
    check(LIBC.unshare(NEWNS), "unshare")
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    devices = [f"/dev/{name}" for name in DEVICES + limits["devices"]]
    cover("/dev", devices)
    for directory in limits["hidden"]:
        cover(directory, limits["visible"])
    if limits["private_tmp"]:
        cover("/tmp", limits["visible"], "mode=1777")
    opened = [path for path in limits["writable"] + limits["executable"] if os.path.exists(path)]
    for path in opened:
        mount(path, path, flags=MS_BIND | MS_REC)
    set_mount("/", add=ATTR_RDONLY | ATTR_NOEXEC)
    for path in opened:
        if path in limits["writable"]:
            set_mount(path, clear=ATTR_RDONLY)
        if path in limits["executable"]:
            set_mount(path, clear=ATTR_NOEXEC)
    mount("proc", "/proc", "proc", data="subset=pid,hidepid=invisible")


def bounding():
    capability = 0
    while LIBC.prctl(24, capability, 0, 0, 0) == 0:  # PR_CAPBSET_DROP
        capability += 1
    if capability == 0:
        raise OSError(errno.EPERM, "capabilities cannot be dropped")


def no_capabilities():
    """None now, and none from a program that is executed."""
    bounding()
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    check(LIBC.capset(header, none), "capset")


def user(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    check(LIBC.prctl(4, 1, 0, 0, 0), "PR_SET_DUMPABLE")


def user_namespace(uid):
    check(LIBC.unshare(NEWUSER), "unshare")
    own = f"{uid} {uid} 1"
    for name, text in (("setgroups", "deny"), ("uid_map", own), ("gid_map", own)):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    # Within it there are all of them again.
    no_capabilities()


class Compare(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


NE, GE, MASKED_EQ = 1, 5, 7
ALLOW = 0x7FFF0000


def refuse(code):
    return 0x00050000 | code


class Filter:
    def __init__(self, otherwise):
        self.context = ctypes.c_void_p(SECCOMP.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action, name, *comparisons):
        number = SECCOMP.seccomp_syscall_resolve_name(name.encode())
        if 0 <= number:
            array = (Compare * max(1, len(comparisons)))(*[Compare(*c) for c in comparisons])
            result = SECCOMP.seccomp_rule_add_array(
                self.context, ctypes.c_uint32(action), number, len(comparisons), array
            )
            if result < 0 and result != -errno.EACCES:  # the default action needs no rule
                raise OSError(-result, f"a rule for {name}")

    def load(self):
        result = SECCOMP.seccomp_load(self.context)
        if result < 0:
            raise OSError(-result, "seccomp_load")


def system_calls(limits):
    eperm = refuse(errno.EPERM)
    others = Filter(ALLOW)
    # Which families are allowed is a list; each that is not on it is refused.
    families = sorted(limits["families"])
    for family in range(64):
        if family not in families:
            others.rule(refuse(errno.EAFNOSUPPORT), "socket", (0, MASKED_EQ, 0xFFFFFFFF, family))
    # MemoryDenyWriteExecute
    others.rule(eperm, "mmap", (2, MASKED_EQ, 6, 6))
    for name in ("mprotect", "pkey_mprotect"):
        others.rule(eperm, name, (2, MASKED_EQ, 4, 4))
    others.rule(eperm, "shmat", (2, MASKED_EQ, 0o100000, 0o100000))
    # RestrictNamespaces
    for name in ("unshare", "setns"):
        others.rule(eperm, name)
    for flag in (NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWNET, 0x20000000, 0x2000000):
        others.rule(eperm, "clone", (0, MASKED_EQ, flag, flag))
    others.rule(refuse(errno.ENOSYS), "clone3")
    # RestrictRealtime, RestrictSUIDSGID, LockPersonality
    others.rule(eperm, "sched_setscheduler", (1, GE, 1, 0))
    for name, place in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
        for bit in (0o4000, 0o2000):
            others.rule(eperm, name, (place, MASKED_EQ, bit, bit))
    others.rule(eperm, "personality", (0, NE, 0, 0))
    # SystemCallFilter
    known = Filter(eperm)
    for name in limits["system_calls"]:
        known.rule(ALLOW, name)
    others.load()
    known.load()


def seal(limits):
    for name, flag in NAMESPACES.items():
        if name in limits["namespaces"]:
            attempt(f"namespace {name}", lambda: check(LIBC.unshare(flag), "unshare"))
    attempt("files", files, limits)
    os.umask(limits["umask"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits["nofile"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    attempt("capabilities", bounding)
    check(LIBC.prctl(38, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    if limits["uid"] is None:
        attempt("capabilities", no_capabilities)
    else:
        attempt("user", user, limits["uid"])
        attempt("namespace user", user_namespace, limits["uid"])
    os.environ.update(limits["environment"])
    system_calls(limits)


def outcome(step):
    try:
        return step() or "done"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def write(path):
    with open(path, "w"):
        pass


def capabilities():
    with open("/proc/self/status") as status:
        sets = [line.split()[1] for line in status if line.startswith("Cap")]
    return "none" if set(sets) == {"0" * 16} else " ".join(sets)


def probe():
    """What came of trying what the service may not do."""
    print(json.dumps({
        "socket of IPv4": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()),
        "socket of netlink": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
        "local socket": outcome(lambda: socket.socket(socket.AF_UNIX).close()),
        "file in /etc": outcome(lambda: write("/etc/stillwell-was-here")),
        "another program": outcome(lambda: os.execv("/bin/true", ["true"])),
        "memory to write and execute": outcome(lambda: mmap.mmap(-1, 4096, prot=7).close()),
        "namespace": outcome(lambda: check(LIBC.unshare(NEWUTS), "unshare")),
        "mount": outcome(lambda: mount("none", "/proc", "tmpfs")),
        "sysctl": outcome(lambda: open("/proc/sys/kernel/random/boot_id").close()),
        "kernel log": outcome(lambda: open("/dev/kmsg").close()),
        "priority": outcome(lambda: check(LIBC.nice(1), "nice")),
        "set-user-id": outcome(lambda: os.mkdir("/dev/shm/x", 0o4755)),
        "capabilities": outcome(capabilities),
        "network": os.readlink("/proc/self/ns/net"),
        "user": os.getuid(),
    }))


def main():
    with open(sys.argv[1]) as file:
        limits = json.load(file)
    if sys.argv[2:] == ["--probe"]:
        seal(limits)
        probe()
    else:
        if sys.argv[3:4] == ["run"]:
            seal(limits)
        os.execv(sys.argv[2], sys.argv[2:])


main()
