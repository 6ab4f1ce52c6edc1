"""The queue: fair turns, leases, and tokens that keep a late worker from changing anything."""

from __future__ import annotations

import datetime

import pytest
from django.utils import timezone
from made_client import ApiClient

from novaweb.queue import queue
from novaweb.queue.queue import Claim, Ending
from novaweb.submissions.models import Job, JobState, Submission

SOLVED = Ending(JobState.SOLVED, directory="dir")


def claim_one(worker: str = "one") -> Claim:
    (claim,) = queue.claim(worker, 1)
    return claim


def lose(claim: Claim) -> None:
    """Let the lease of a job run out."""
    Job.objects.filter(pk=claim.job_id).update(lease_until=timezone.now() - datetime.timedelta(seconds=1))


def test_the_few_jobs_of_one_user_do_not_wait_for_the_many_of_another(alice: ApiClient, person) -> None:
    for _ in range(20):
        alice.upload()
    bob = person("bob")
    for _ in range(5):
        bob.upload()
    served = [Job.objects.get(pk=claim_one().job_id).user.username for _ in range(25)]
    assert [place for place, name in enumerate(served) if name == "bob"] == [1, 3, 5, 7, 9]


def test_turns_go_on_from_those_that_are_served(alice: ApiClient, person) -> None:
    """A user who comes later does not overtake all jobs that others have waiting."""
    for _ in range(3):
        alice.upload()
    claim_one()
    person("bob").upload()
    names = [Job.objects.get(pk=claim_one().job_id).user.username for _ in range(3)]
    assert names in (["alice", "bob", "alice"], ["bob", "alice", "alice"])


def test_a_job_is_claimed_once(alice: ApiClient) -> None:
    alice.upload()
    assert [len(queue.claim("one", 5)), len(queue.claim("two", 5))] == [1, 0]


def test_a_lost_job_is_taken_by_another_worker_and_the_late_one_changes_nothing(alice: ApiClient) -> None:
    alice.upload()
    first = claim_one("one")
    lose(first)
    second = claim_one("two")
    assert second.job_id == first.job_id
    assert queue.beat([first]) == set()
    assert not queue.finish(first, Ending(JobState.FAILED, "late"))
    assert queue.finish(second, SOLVED)
    job = Job.objects.get()
    assert (job.state, job.reason, job.attempts) == (JobState.SOLVED, "", 2)
    assert not queue.finish(second, SOLVED)


def test_a_heartbeat_keeps_a_job(alice: ApiClient) -> None:
    alice.upload()
    claim = claim_one()
    lose(claim)
    assert queue.beat([claim]) == {claim.job_id}
    assert queue.claim("two", 1) == []


def test_a_job_whose_workers_are_lost_three_times_fails(alice: ApiClient) -> None:
    alice.upload()
    for _ in range(queue.MAX_ATTEMPTS):
        lose(claim_one())
    assert queue.claim("next", 1) == []
    assert (Job.objects.get().state, Job.objects.get().reason) == (JobState.FAILED, queue.LOST)


def test_a_job_whose_solver_is_lost_is_tried_again(alice: ApiClient) -> None:
    alice.upload()
    for _ in range(queue.MAX_ATTEMPTS):
        queue.retry(claim_one())
    assert Job.objects.get().state == JobState.FAILED


def test_a_released_job_waits_again_and_loses_no_attempt(alice: ApiClient) -> None:
    alice.upload()
    queue.release([claim_one()])
    job = Job.objects.get()
    assert (job.state, job.attempts, job.token) == (JobState.QUEUED, 0, "")


@pytest.mark.parametrize("is_running", [False, True])
def test_a_cancelled_job_ends_and_its_result_is_thrown_away(alice: ApiClient, is_running: bool) -> None:
    alice.upload()
    claim = claim_one() if is_running else None
    assert alice.post("jobs/1/cancel") == {"status": "success"}
    assert alice.post("jobs/1") == {"status": "failure"}
    if claim is not None:
        assert not queue.finish(claim, SOLVED)
    assert alice.post("jobs/1/cancel")["errormessage"] == "job 1 has ended already"
    assert queue.claim("next", 1) == []


def test_others_cannot_cancel(alice: ApiClient, person) -> None:
    alice.upload()
    answer = person("bob").post("jobs/1/cancel")
    assert answer["errormessage"] == "only the owner of a submission may change it"
    assert Job.objects.get().state == JobState.QUEUED


def test_the_place_in_the_queue_is_told(alice: ApiClient) -> None:
    for _ in range(3):
        alice.upload()
    assert [alice.post(f"jobs/{number}/place")["place"] for number in (1, 2, 3)] == [0, 1, 2]
    claim_one()
    assert alice.post("jobs/1/place") == {"status": "solving", "place": None}


def test_numbers_stay_below_two_to_the_power_of_31(alice: ApiClient) -> None:
    from django.db import IntegrityError

    alice.upload()
    with pytest.raises(IntegrityError):
        Submission.objects.filter(pk=1).update(id=2**31)
