import concurrent.futures
import threading

import numpy as np
import pytest
from grpc import StatusCode

from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.batching.scheduler import BatchScheduler, merge
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.status import RequestError, invalid

FAULTS_OF_DATA = {
    StatusCode.INVALID_ARGUMENT,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.OUT_OF_RANGE,
    StatusCode.NOT_FOUND,
    StatusCode.INTERNAL,
}


class Doubling:
    """A run that doubles `x`, keeps what it was given, and can be held."""

    def __init__(self):
        self.runs = []
        self.code = None
        self.seconds = []
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()

    def __call__(self, key, feeds, seconds):
        self.entered.release()
        assert self.go.wait(60)
        self.runs.append((key, feeds["x"]))
        self.seconds.append(seconds)
        if (feeds["x"] < 0).any() and self.code is not None:
            raise RequestError(self.code, "as told")
        if (feeds["x"] < 0).any():
            raise invalid(f"negative: {feeds['x'].tolist()}")
        return [feeds["x"] * 2]


@pytest.fixture
def run():
    return Doubling()


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        yield pool


@pytest.fixture
def scheduler_of(run):
    made = []

    def make(metrics=None, **parameters):
        parameters = {"num_batch_threads": 1, **parameters}
        made.append(BatchScheduler(BatchingParameters(**parameters), run, "m", metrics))
        return made[-1]

    yield make
    run.go.set()
    for scheduler in made:
        scheduler.close()


def rows(*values):
    return {"x": np.array(values, np.float32).reshape(len(values), 1)}


def held(run, pool, scheduler):
    """The only thread is in a run of a first request, so that what follows queues."""
    run.go.clear()
    first = pool.submit(scheduler.submit, "a", rows(1))
    assert run.entered.acquire(timeout=60)
    return first


def queue(scheduler, pool, expected, *requests, key="a", timeout=None):
    """Submits one after another; each is in the queue before the next one comes."""
    futures = []
    for request in requests:
        futures.append(pool.submit(scheduler.submit, key, request, timeout))
        expected += 1
        with scheduler._changed:
            pass
        while sum(len(b.tasks) for q in scheduler._queues.values() for b in q) < expected:
            concurrent.futures.wait(futures[-1:], timeout=0.001)
            assert not futures[-1].done(), futures[-1].exception()
    return futures


def test_requests_that_wait_run_together_and_get_their_own_rows(run, pool, scheduler_of):
    scheduler = scheduler_of(max_batch_size=8)
    first = held(run, pool, scheduler)
    answers = queue(scheduler, pool, 0, rows(2), rows(3, 4), rows(5))
    run.go.set()
    assert first.result(60)[0].tolist() == [[2]]
    assert [a.result(60)[0].tolist() for a in answers] == [[[4]], [[6], [8]], [[10]]]
    assert [len(x) for _, x in run.runs] == [1, 4]


def test_a_full_batch_runs_before_its_time_and_another_begins(run, pool, scheduler_of):
    scheduler = scheduler_of(max_batch_size=2, batch_timeout_micros=3_600_000_000)
    answers = [pool.submit(scheduler.submit, "a", rows(value)) for value in range(4)]
    assert sorted(a.result(60)[0].item() for a in answers) == [0, 2, 4, 6]
    assert [len(x) for _, x in run.runs] == [2, 2]


def test_the_oldest_request_waits_no_longer_than_the_timeout(run, scheduler_of):
    scheduler = scheduler_of(max_batch_size=2, batch_timeout_micros=1000)
    assert scheduler.submit("a", rows(3))[0].tolist() == [[6]]


def test_sets_of_inputs_and_outputs_have_queues_of_their_own(run, pool, scheduler_of):
    scheduler = scheduler_of(max_batch_size=8)
    held(run, pool, scheduler)
    one = queue(scheduler, pool, 0, rows(2), rows(3), key="a")
    two = queue(scheduler, pool, 2, rows(4), rows(5), key="b")
    run.go.set()
    assert [a.result(60)[0].item() for a in one + two] == [4, 6, 8, 10]
    assert [(key, x.ravel().tolist()) for key, x in run.runs[1:]] == [("a", [2, 3]), ("b", [4, 5])]


def test_sizes_are_rounded_up_with_the_last_row_and_extras_dropped(run, scheduler_of):
    scheduler = scheduler_of(max_batch_size=4, allowed_batch_sizes=(2, 4))
    assert scheduler.submit("a", rows(7))[0].tolist() == [[14]]
    assert scheduler.submit("a", rows(1, 2, 3))[0].tolist() == [[2], [4], [6]]
    assert [x.ravel().tolist() for _, x in run.runs] == [[7, 7], [1, 2, 3, 3]]


def test_other_shapes_go_into_another_batch_or_are_padded(run, pool, scheduler_of):
    wide = {"x": np.array([[8, 9]], np.float32)}
    apart = scheduler_of(max_batch_size=8)
    held(run, pool, apart)
    answers = queue(apart, pool, 0, rows(2), rows(3), wide)
    run.go.set()
    assert [a.result(60)[0].tolist() for a in answers] == [[[4]], [[6]], [[16, 18]]]
    assert [x.shape for _, x in run.runs] == [(1, 1), (2, 1), (1, 2)]
    padding = scheduler_of(max_batch_size=8, pad_variable_length_inputs=True)
    run.entered = threading.Semaphore(0)
    held(run, pool, padding)
    answers = queue(padding, pool, 0, rows(2), wide)
    run.go.set()
    assert [a.result(60)[0].tolist() for a in answers] == [[[4, 4]], [[16, 18]]]


def test_what_cannot_be_in_a_batch(scheduler_of):
    scheduler = scheduler_of(max_batch_size=4)
    for feeds, words in (
        (rows(1, 2, 3, 4, 5), "Task size 5 is larger than maximum input batch size 4"),
        (
            {"x": np.float32(1).reshape(())},
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            {**rows(1), "y": np.zeros([2])},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ):
        with pytest.raises(RequestError) as error:
            scheduler.submit("a", feeds)
        assert (error.value.code, error.value.message) == (StatusCode.INVALID_ARGUMENT, words)


def test_a_full_queue_is_unavailable(run, pool, scheduler_of):
    scheduler = scheduler_of(max_batch_size=2, max_enqueued_batches=2)
    held(run, pool, scheduler)
    queue(scheduler, pool, 0, rows(1, 1), rows(2, 2))
    with pytest.raises(RequestError) as error:
        scheduler.submit("a", rows(3))
    assert (error.value.code, error.value.message) == (
        StatusCode.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full",
    )


def test_the_deadline_counts_in_the_queue_and_in_the_run(run, pool, scheduler_of):
    scheduler = scheduler_of(max_batch_size=8)
    held(run, pool, scheduler)
    with pytest.raises(RequestError, match="waiting in batching queue") as error:
        scheduler.submit("a", rows(2), 0.01)
    assert error.value.code == StatusCode.RESOURCE_EXHAUSTED
    assert not scheduler._queues
    patient, endless = queue(scheduler, pool, 0, rows(3), timeout=50), None
    run.go.set()
    assert patient[0].result(60)[0].item() == 6
    assert run.seconds[0] is None and 0 < run.seconds[1] <= 50
    run.go.clear()
    run.entered = threading.Semaphore(0)
    endless = pool.submit(scheduler.submit, "a", rows(4), 0.05)
    assert run.entered.acquire(timeout=60)
    with pytest.raises(RequestError) as error:
        endless.result(60)
    assert error.value.code == StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("separate", [True, False])
def test_a_request_that_fails_and_its_neighbours(run, pool, scheduler_of, separate):
    scheduler = scheduler_of(max_batch_size=8, separate_failures=separate)
    held(run, pool, scheduler)
    good, bad = queue(scheduler, pool, 0, rows(5), rows(-1))
    run.go.set()
    assert "[[-1.0]]" in bad.exception(60).message or not separate
    if separate:
        assert good.result(60)[0].item() == 10
        assert "5" not in bad.exception().message
    else:
        assert good.exception(60) is bad.exception(60)


@pytest.mark.parametrize("code", [code for code in StatusCode if code != StatusCode.OK])
def test_only_faults_of_data_are_worth_runs_one_by_one(run, pool, scheduler_of, code):
    scheduler = scheduler_of(max_batch_size=8)
    held(run, pool, scheduler)
    run.code = code
    good, bad, other = queue(scheduler, pool, 0, rows(5), rows(-1), rows(6))
    run.go.set()
    assert bad.exception(60).code == code
    sizes = [len(x) for _, x in run.runs[1:]]
    if code in FAULTS_OF_DATA:
        assert (good.result(60)[0].item(), other.result(60)[0].item()) == (10, 12)
        assert sizes == [3, 1, 1, 1]
    else:
        assert good.exception(60).code == other.exception(60).code == code
        assert sizes == [3]


def test_who_goes_from_the_queue_is_not_computed(run, pool, scheduler_of):
    metrics = ServingMetrics()
    scheduler = scheduler_of(metrics, max_batch_size=8)
    held(run, pool, scheduler)
    leave = []
    gone = pool.submit(scheduler.submit, "a", rows(7), None, lambda call: not leave.append(call))
    while not leave:
        concurrent.futures.wait([gone], timeout=0.001)
    (stays,) = queue(scheduler, pool, 1, rows(8))
    leave[0]()
    assert gone.exception(60).code == StatusCode.CANCELLED
    assert b':tensorflow:serving:queued_requests{model_name="m"} 1.0' in metrics.expose()
    with pytest.raises(RequestError) as error:
        scheduler.submit("b", rows(9), when_gone=lambda _: False)
    assert error.value.code == StatusCode.CANCELLED
    run.go.set()
    assert stays.result(60)[0].item() == 16
    assert [x.ravel().tolist() for _, x in run.runs] == [[1], [8]]
    leave[0]()  # a call that has ended: nothing is left to take out
    assert not scheduler._queues


def test_an_unexpected_failure_leaves_the_thread_at_work(pool, scheduler_of, run):
    scheduler = scheduler_of(max_batch_size=8)
    with pytest.raises(KeyError):
        scheduler.submit("a", {"z": np.zeros([1])})
    assert scheduler.submit("a", rows(1))[0].item() == 2


def test_outputs_need_the_rows_of_the_inputs():
    for output, words in ((np.float32(1), "has 0 dimensions"), (np.zeros([3]), "does not equal")):
        scheduler = BatchScheduler(BatchingParameters(), lambda *_, found=output: [found])
        with pytest.raises(RequestError, match=words) as error:
            scheduler.submit("a", rows(1))
        assert error.value.code == StatusCode.FAILED_PRECONDITION
        scheduler.close()


def test_close_answers_what_waits_and_refuses_the_rest(run, pool, scheduler_of):
    scheduler = scheduler_of(max_batch_size=2, batch_timeout_micros=3_600_000_000)
    (waiting,) = queue(scheduler, pool, 0, rows(3))
    scheduler.close()
    assert waiting.result(60)[0].item() == 6
    with pytest.raises(RequestError) as error:
        scheduler.submit("a", rows(1))
    assert error.value.code == StatusCode.UNAVAILABLE


def test_batches_are_counted(run, pool, scheduler_of):
    metrics = ServingMetrics()
    scheduler = scheduler_of(metrics, max_batch_size=4, allowed_batch_sizes=(1, 4))
    first = held(run, pool, scheduler)
    answers = queue(scheduler, pool, 0, rows(1), rows(2))
    assert b':tensorflow:serving:queued_requests{model_name="m"} 2.0' in metrics.expose()
    run.go.set()
    concurrent.futures.wait([first, *answers])
    text = metrics.expose().decode()
    session = ":tensorflow:serving:batching_session:"
    for line in (
        ':tensorflow:serving:queued_requests{model_name="m"} 0.0',
        f'{session}wrapped_run_count{{model_name="m"}} 2.0',
        f'{session}processed_batch_size_sum{{model_name="m"}} 5.0',
        f'{session}padding_size_sum{{model_name="m"}} 2.0',
        f'{session}input_batch_size_count{{model_name="m"}} 3.0',
    ):
        assert line in text


def test_many_threads_and_callers_lose_nothing(run, pool, scheduler_of):
    scheduler = scheduler_of(
        max_batch_size=8, num_batch_threads=3, batch_timeout_micros=200, max_enqueued_batches=100
    )
    values = range(600)
    found = pool.map(
        lambda v: scheduler.submit(v % 3, {"x": np.full([1 + v % 4, 1 + v % 2], v)})[0], values
    )
    for value, answer in zip(values, found, strict=True):
        assert answer.shape == (1 + value % 4, 1 + value % 2) and (answer == 2 * value).all()
    assert not scheduler._queues


def test_padding_of_strings_and_an_empty_one():
    short, long = np.array([[b"a", b"b"]], object), np.array([[b"c", b"d", b"e"]], object)
    assert merge([{"x": short}, {"x": long}])["x"].tolist() == [
        [b"a", b"b", b"a"],
        [b"c", b"d", b"e"],
    ]
    with pytest.raises(RequestError, match="Got empty tensor in batch of non-empty tensors"):
        merge([{"x": np.empty([1, 0], object)}, {"x": long}])
