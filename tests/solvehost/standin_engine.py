"""A stand-in for astrometry-engine, run as a program: the label of the attempt selects its behaviour.

It is called like the engine (``-c engine.cfg ../job.axy``) and reads the label from the axy's NVLABEL card, so each
attempt of a race can behave differently.  It writes its process ids into the job directory's ``pids``, one on a line,
unless it is confined, and an empty file ``here`` into its working directory.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

CARDS = {
    "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 50.0, "CRPIX2": 40.0,
    "CD1_1": 0.01, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.01,
}  # fmt: skip


def header(**values):
    cards = [f"{'SIMPLE':<8}= {'T':>20}", *(f"{key:<8}= {value!s:>20}" for key, value in values.items()), "END"]
    return "".join(card.ljust(80) for card in cards).encode().ljust(2880)


def label_of(axy):
    block = Path(axy).read_bytes()[: 2880 * 4]
    start = block.index(b"NVLABEL = '")
    return block[start + 11 : start + 80].split(b"'")[0].decode().split()


def note_pid():
    Path("here").touch()
    try:
        with Path("../pids").open("a") as pids:
            pids.write(f"{os.getpid()}\n")
    except PermissionError:
        pass


def wait_for(name):
    while not Path("..", name).exists():
        time.sleep(0.002)


def solve_once(name, ra):
    """Solve once there is a file beside this program, where a confined engine can look."""
    while not Path(__file__).with_name(name).exists():
        time.sleep(0.005)
    solve(CRVAL1=ra)


def solve_late(seconds, ra):
    time.sleep(float(seconds))
    solve(CRVAL1=ra)


def burn():
    """Use CPU time until it is killed."""
    while True:
        pass


def sleep_for_ever():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def solve(**changes):
    for name in ("corr.fits", "rdls.fits"):
        Path(name).write_bytes(header(BITPIX=8, NAXIS=0))
    Path("wcs.fits").write_bytes(header(**{**CARDS, **changes}))


def solve_when(name):
    wait_for(name)
    solve()


def take_turns(own, other):
    """Note that this attempt had a turn, and solve once the other had one."""
    Path("..", own).touch()
    solve_when(other)


def turn_then_sleep(own):
    Path("..", own).touch()
    sleep_for_ever()


def fork_a_sleeper():
    if os.fork() == 0:
        note_pid()
        Path("../forked").touch()
        sleep_for_ever()
    wait_for("forked")


def fork_and_sleep():
    fork_a_sleeper()
    sleep_for_ever()


def crash():
    print("about to crash", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def log_match(logodds="20", then="exhaust"):
    """Log a match as the engine does."""
    print(f"  log-odds ratio {logodds} (1e+09), 6 match, 0 conflict, 1 distractors, 18 index.")
    print("  RA,Dec = (10.5,20.25), pixel scale 30 arcsec/pix.", flush=True)
    BEHAVIOURS[then]()


def log_late_match(then="exhaust"):
    """Log a match behind more output than is read at once."""
    sys.stdout.write("x" * 2**19 + "\n")
    log_match("20", then)


def follow_up():
    """Solve the follow-up of a candidate if the file ``confirm`` exists; note that it ran, and burn if asked to."""
    while Path("../burn").exists() and time.process_time() < 0.3:
        pass
    with Path("../followed").open("a") as followed:
        followed.write(f"{Path.cwd().name} ")
    if Path("../confirm").exists():
        solve(CRVAL1=77.0)


def half():
    Path("solved").write_bytes(b"\1")
    Path("wcs.fits").write_bytes(header(**CARDS)[:1440])


def no_end():
    Path("wcs.fits").write_bytes(header(**CARDS)[:400].ljust(2880))


def linked():
    """Leave a complete solution behind a symbolic link."""
    Path("../elsewhere.fits").write_bytes(header(**CARDS))
    Path("wcs.fits").symlink_to("../elsewhere.fits")


def litter():
    """Solve, and leave a link, a directory and a pipe as well."""
    solve()
    Path("corr.fits").unlink()
    Path("corr.fits").symlink_to("/etc/passwd")
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/file").touch()
    os.mkfifo("pipe")


def pipe_as_log():
    Path("log").unlink()
    os.mkfifo("log")


def huge_log():
    print("first words")
    for _ in range(3000):
        sys.stdout.write("x" * 1023 + "\n")
    print("last words")


def too_large_a_file():
    with Path("big").open("wb") as big:
        while True:
            big.write(b"x" * 2**16)


def echo():
    """Print every card of the star list that reached the engine."""
    block = Path(sys.argv[-1]).read_bytes()
    cards = [block[at : at + 80].decode("latin-1").rstrip() for at in range(0, len(block), 80)]
    print("\n".join(f"CARD {card}" for card in cards[: cards.index("END") + 1]))
    table = cards[cards.index("END") + 1 :]
    print("\n".join(f"TABLE {card}" for card in table[: table.index("END")] if card))


def daemons(then="sleep"):
    """Leave a process in a session of its own, without a parent and with another working directory."""
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.chdir("/")
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            os.write(tell, b"!")
            sleep_for_ever()
        os._exit(0)
    os.read(ready, 1)
    Path("daemons").touch()
    {"sleep": sleep_for_ever, "solve": solve, "crash": crash, "exhaust": lambda: None}[then]()


def flood():
    """Write to the log until it is killed."""
    while True:
        os.write(1, b"x" * 2**16)


def hog(megabytes):
    """Allocate memory, and write to it."""
    taken = bytearray(int(megabytes) * 2**20)
    taken[:: resource.getpagesize()] = b"x" * len(taken[:: resource.getpagesize()])
    Path("taken").touch()
    sleep_for_ever()


def sparse_log():
    """Make the log as long as a file may be, without printable content, in one step."""
    os.truncate("log", 64 * 2**20)
    sleep_for_ever()


def fill():
    """Make many files, each within the limit for one file."""
    for number in range(20):
        with Path(f"big-{number}").open("wb") as big:
            big.truncate(60 * 2**20)
    sleep_for_ever()


def fill_for_real():
    """Fill the disk, then write a solution, of which only a part fits, as the engine does."""
    Path("solved").write_bytes(b"\1")
    chunk = b"x" * 2**16
    with contextlib.suppress(OSError), Path("big").open("wb", buffering=0) as big:
        while big.write(chunk) == len(chunk):
            pass
    with contextlib.suppress(OSError), Path("wcs.fits").open("wb", buffering=0) as wcs:
        wcs.write(header(**CARDS))


def escapes():
    print("\x1b[2J\x1b]0;title\x07 \x9b31m back\\slash \r over \u202e", flush=True)
    os.write(1, bytes(range(256)) + b"\n")


def huge_solution():
    solve()
    Path("corr.fits").write_bytes(header(BITPIX=8, NAXIS=1, NAXIS1=2880 * 13999))
    with Path("corr.fits").open("ab") as corr:
        corr.truncate(2880 * 14000)  # 40 MB, more than a reply may have


def half_matches():
    """Solve, but leave the other files incomplete."""
    solve()
    Path("corr.fits").write_bytes(header(BITPIX=8, NAXIS=1, NAXIS1=2880 * 2) + bytes(2880))
    Path("rdls.fits").write_bytes(b"")


def leftovers():
    """Solve, and leave a core, other files, links, a pipe, a setuid program and a directory that cannot be read."""
    solve()
    for name in ("core", "manifest.json", "job.axy", "backend.log", "-rf", "a b", "x\ny"):
        Path(name).write_text("to be kept here")
    Path("tool").write_text("#!/bin/sh\n")
    Path("tool").chmod(0o4755)
    os.link("rdls.fits", "again.fits")
    Path("corr.fits").unlink()
    os.mkfifo("corr.fits")
    Path("up").symlink_to("../..")
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/file").touch()
    Path("deep/er").chmod(0)
    Path("deep").chmod(0)


def meddle(path):
    """Try what is forbidden to a confined engine, and print what was possible."""
    tries = {
        "write": lambda: Path(path).write_text("x"),
        "truncate": lambda: os.truncate(path, 0),
        "create": lambda: Path(path).with_name("new").touch(),
        "read": lambda: Path(path).read_bytes(),
        "list": lambda: os.listdir(Path(path).parent),
        "remove": lambda: Path(path).unlink(),
        "rename": lambda: Path(path).rename("stolen"),
        "link": lambda: os.link(path, "stolen"),
        "passwd": lambda: Path("/etc/passwd").read_bytes(),
        "axy": lambda: Path(sys.argv[-1]).write_text("x"),
        "execute": lambda: os.execv(path, [path]),
        "signal": lambda: os.kill(os.getppid(), signal.SIGKILL),
        "tcp": tcp,
    }
    for name, attempt in tries.items():
        try:
            attempt()
        except OSError as exc:
            print(f"DENIED {name}: {exc.strerror}", flush=True)
        else:
            print(f"COULD {name}", flush=True)


def tcp():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


def environ():
    for name, value in os.environ.items():
        if name != "PWD":
            print(f"ENV {name}={value}")


def record():
    names = ("CPU", "DATA", "FSIZE", "NOFILE", "CORE", "AS")
    found = {
        "argv": sys.argv[1:],
        "environment": dict(os.environ),
        "limits": {n: resource.getrlimit(getattr(resource, f"RLIMIT_{n}")) for n in names},
        "cwd": Path.cwd().name,
        "config": Path("engine.cfg").read_text(),
        "stdin": os.readlink("/proc/self/fd/0") if Path("/proc/self/fd").is_dir() else os.devnull,
        "open": sorted(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else [],
        "session": os.getsid(0) == os.getpid() == os.getpgid(0),
    }
    Path("../record.json").write_text(json.dumps(found))


BEHAVIOURS = {
    "solve": solve, "solve-when": solve_when, "take-turns": take_turns, "turn-then-sleep": turn_then_sleep,
    "sleep": sleep_for_ever, "burn": burn, "exhaust": lambda: None, "fail": lambda: sys.exit(3),
    "fork-and-exit": fork_a_sleeper, "fork-and-sleep": fork_and_sleep, "crash": crash,
    "half": half, "no-end": no_end, "empty": lambda: Path("wcs.fits").touch(),
    "nan": lambda: solve(CRVAL1="NaN"), "infinite": lambda: solve(CD1_1="inf"), "singular": lambda: solve(CD1_1="0."),
    "linked": linked, "dangling": lambda: Path("wcs.fits").symlink_to("nowhere"),
    "pipe": lambda: os.mkfifo("wcs.fits"), "litter": litter, "pipe-as-log": pipe_as_log, "huge-log": huge_log,
    "too-large-a-file": too_large_a_file, "record": record,
    "echo": echo, "solve-at": lambda ra: solve(CRVAL1=ra), "daemons": daemons, "flood": flood, "fill": fill,
    "fill-for-real": fill_for_real, "sparse-log": sparse_log, "hog": hog, "escapes": escapes,
    "huge-solution": huge_solution, "leftovers": leftovers,
    "solve-once": solve_once, "solve-late": solve_late, "environ": environ,
    "log-match": log_match, "log-late-match": log_late_match, "follow-up": follow_up,
    "meddle": meddle, "half-matches": half_matches,
}  # fmt: skip


if __name__ == "__main__":
    note_pid()
    try:
        name, *arguments = label_of(sys.argv[-1])
        behaviour = BEHAVIOURS[name]
    except (ValueError, KeyError, OSError):
        sys.exit("the label names no behaviour")
    behaviour(*arguments)
