"""What an intruder tries who runs code in place of the engine; run as a program, under the engine's confinement.

``intruder.py VICTIM FOLDER``: VICTIM is another process of the same user, FOLDER is outside of the working directory
and has a file ``canary``, a program ``program`` and a listening socket ``socket``.  It prints a line for each attempt:
``COULD name`` or ``DENIED name: reason``.
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
MACHINE = platform.machine()
#: Numbers of system calls without a function in every C library: on x86-64, on aarch64.
NUMBERS = {
    "pidfd_open": (434, 434), "io_uring_setup": (425, 425), "memfd_create": (319, 279), "clone3": (435, 435),
    "add_key": (248, 217), "keyctl": (250, 219), "perf_event_open": (298, 241), "bpf": (321, 280),
    "userfaultfd": (323, 282), "process_vm_writev": (311, 271), "openat2": (437, 437), "mknodat": (259, 33),
    "execveat": (322, 281), "landlock_create_ruleset": (444, 444), "creat": (85, None), "tgkill": (234, 131),
    "chmod": (90, None), "fchmodat": (268, 53), "utimensat": (280, 88), "truncate": (76, 45), "setns": (308, 268),
}  # fmt: skip


def succeed(answer):
    """Raise OSError if a call of the C library failed."""
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def call(name, *arguments):
    number = NUMBERS[name][MACHINE != "x86_64"]
    if number is None:
        raise PermissionError(1, "no such call on this machine")
    return succeed(LIBC.syscall(number, *arguments))


def connect_to_a_service():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(FOLDER / "socket"))


def listen_without_bind():
    with socket.socket() as listener:
        listener.listen()


def open_by_tcp_fast_open():
    with socket.socket() as client, socket.create_server(("127.0.0.1", 0)) as server:
        client.sendto(b"x", 0x20000000, server.getsockname())  # MSG_FASTOPEN


def make_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def send_by_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", 9))


def fork():
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def map_memory(flags, fd=-1):
    LIBC.mmap.restype = ctypes.c_void_p
    LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    succeed(-1 if LIBC.mmap(None, 2**20, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, 0) == 2**64 - 1 else 0)


def map_zeros():
    map_memory(mmap.MAP_SHARED, os.open("/dev/zero", os.O_RDWR))


def make_segment():
    identifier = succeed(LIBC.shmget(0, 4096, 0o1600))
    LIBC.shmctl(identifier, 0, None)  # IPC_RMID


def prlimit():
    resource.prlimit(VICTIM, resource.RLIMIT_NOFILE, resource.prlimit(VICTIM, resource.RLIMIT_NOFILE))


def enlarge_the_stack():
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))


def lock():
    with (FOLDER / "canary").open() as canary:
        fcntl.flock(canary, fcntl.LOCK_EX)


def own_signals():
    fcntl.fcntl(0, fcntl.F_SETOWN, VICTIM)


def truncate_without_writing():
    os.close(os.open("own", os.O_RDONLY | os.O_TRUNC))


def nest():
    os.mkdir("nested")


TRIES = {
    "connect to a service": connect_to_a_service, "listen without bind": listen_without_bind,
    "tcp fast open": open_by_tcp_fast_open, "udp": send_by_udp,
    "netlink": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socket pair": lambda: [end.close() for end in socket.socketpair()],
    "fork": fork, "clone3": lambda: call("clone3", None, 0),
    "signal": lambda: os.kill(VICTIM, 0), "pidfd": lambda: os.close(call("pidfd_open", VICTIM, 0)),
    "tgkill": lambda: call("tgkill", VICTIM, VICTIM, 0), "prlimit": prlimit,
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, VICTIM, os.getpriority(os.PRIO_PROCESS, VICTIM)),
    "affinity": lambda: os.sched_setaffinity(VICTIM, os.sched_getaffinity(VICTIM)),
    "own scheduling": lambda: os.nice(1), "enlarge the stack": enlarge_the_stack,
    "ptrace": lambda: (succeed(LIBC.ptrace(16, VICTIM, None, None)), os.waitpid(VICTIM, 0x40000000)),
    "chmod": lambda: os.chmod(FOLDER, 0o700), "utime": lambda: os.utime(FOLDER / "canary", (1, 1)),
    "truncate": lambda: os.truncate(FOLDER / "canary", 0), "truncate without writing": truncate_without_writing,
    "nested directories": nest, "link": lambda: os.symlink("x", "link"), "fifo": lambda: os.mkfifo("fifo"),
    "lock": lock, "own signals": own_signals,
    "openat2": lambda: call("openat2", -100, b"own", (ctypes.c_uint64 * 3)(), 24),
    "remove": lambda: os.unlink("own"), "working directory": lambda: os.chdir("/"), "umask": lambda: os.umask(0),
    "shared anonymous memory": lambda: map_memory(mmap.MAP_SHARED | mmap.MAP_ANONYMOUS),
    "additional stack": lambda: map_memory(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100),
    "memory file": lambda: os.close(call("memfd_create", b"x", 0)), "segment": make_segment,
    "key": lambda: call("add_key", b"user", b"nova-test", b"x", 1, -1),
    "landlock": lambda: succeed(call("landlock_create_ruleset", None, 0, 1)),
    "namespace": lambda: succeed(LIBC.unshare(0x00000400)), "prctl": lambda: succeed(LIBC.prctl(4, 0, 0, 0, 0)),
    "timer": lambda: signal.setitimer(signal.ITIMER_REAL, 1000), "personality": lambda: succeed(LIBC.personality(0)),
    "wait in a pipe": lambda: [os.close(end) for end in os.pipe()], "inotify": lambda: succeed(LIBC.inotify_init()),
}  # fmt: skip
#: What only Landlock can forbid, since a filter sees no paths.
TRIES_WITH_FILES = {
    "zeros": map_zeros, "read": lambda: open(FOLDER / "canary").close(),
    "write": lambda: open(FOLDER / "new", "w").close(),
    "memory of the victim": lambda: os.close(os.open(f"/proc/{VICTIM}/mem", os.O_RDWR)),
    "execute": lambda: os.execv(FOLDER / "program", ["x"]),
}  # fmt: skip


if __name__ == "__main__":
    VICTIM, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
    Path("own").touch()
    for name, attempt in (TRIES | TRIES_WITH_FILES).items():
        try:
            with contextlib.suppress(BlockingIOError):
                attempt()
        except (OSError, ValueError) as exc:  # ValueError: setrlimit's own word for EPERM
            print(f"DENIED {name}: {exc}", flush=True)
        else:
            print(f"COULD {name}", flush=True)
