"""Attack 3: the same id twice."""

from __future__ import annotations

from attack_server import Server, await_engine, finish, told


def test_one_after_the_other(server: Server) -> None:
    """What the first leaves in its directory, links among it, does not meet the second."""
    manifest, _ = server.assert_served(server.without_call_filter().run(told("litter")))
    assert manifest["status"] == "solved"
    _, files = server.assert_served(server.run(told("solve-at 33")))
    assert b"CRVAL1  =                   33" in files["wcs.fits"]
    manifest, files = server.assert_served(server.run(told("exhaust")))
    assert (manifest["status"], manifest["reason"]) == ("unsolved", "exhausted")
    assert set(files) == {"backend.log"}


def test_at_once(server: Server) -> None:
    """Both jobs run at the same time, and each gets its own answer."""
    first = server.start("--slots", "2", "--max-wall", "1")
    assert first.stdin is not None
    first.stdin.write(told("sleep"))
    first.stdin.close()
    await_engine(server)
    _, files = server.assert_served_alone(server.run(told("solve-at 44"), "--slots", "2"))
    manifest, _ = server.assert_served(finish(first))
    assert manifest["reason"] == "time-limit"
    assert b"CRVAL1  =                   44" in files["wcs.fits"]


def test_many_at_once(server: Server) -> None:
    """Eight jobs with one id on two slots: each gets its own solution."""
    runs = [server.start("--slots", "2") for _ in range(8)]
    for number, process in enumerate(runs):
        assert process.stdin is not None
        process.stdin.write(told(f"solve-at {100 + number}"))
        process.stdin.close()
    for number, process in enumerate(runs):
        _, files = server.assert_served_alone(finish(process))
        assert b"CRVAL1  =                  %d" % (100 + number) in files["wcs.fits"]
    server.assert_clean()
