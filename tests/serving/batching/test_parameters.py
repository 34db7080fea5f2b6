import pytest

from tfhashtag.errors import ServingError
from tfhashtag.serving.batching.parameters import BatchingParameters, read_batching_parameters


def test_a_whole_file_and_the_defaults(tmp_path):
    path = tmp_path / "batching.txt"
    path.write_text(
        """
        max_batch_size { value: 32 }
        batch_timeout_micros { value: 5000 }  # waits
        max_enqueued_batches { value: 100 }
        num_batch_threads { value: 2 }
        thread_pool_name { value: 'pool' }
        allowed_batch_sizes: 1
        allowed_batch_sizes: 8
        allowed_batch_sizes: 32
        pad_variable_length_inputs: true
        """
    )
    assert read_batching_parameters(path) == BatchingParameters(
        32, 5000, 100, 2, "pool", (1, 8, 32), True
    )
    path.write_text("")
    found = read_batching_parameters(path)
    assert found == BatchingParameters()
    assert (found.max_batch_size, found.batch_timeout_micros, found.max_enqueued_batches) == (
        1000,
        0,
        10,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "max_batch_size { value: 8 }\nbatch_size: 3",
            r"batching.txt:2` is not a BatchingParameters",
        ),
        ("max_batch_size: 8", "text format"),
        ("max_batch_size { value: 0 }", "`max_batch_size` is 0; expected 1 or more"),
        ("batch_timeout_micros { value: -1 }", "expected 0 or more"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "must match `max_batch_size`; last entry was 4; expected 8",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [8, 8]",
            r"`allowed_batch_sizes` are \[8, 8\]; expected positive, increasing",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    path = tmp_path / "batching.txt"
    path.write_text(text)
    with pytest.raises(ServingError, match=words):
        read_batching_parameters(path)
    with pytest.raises(ServingError, match="cannot be read"):
        read_batching_parameters(tmp_path / "none.txt")


def test_sizes_are_rounded_up():
    parameters = BatchingParameters(max_batch_size=8, allowed_batch_sizes=(2, 8))
    assert [parameters.padded(rows) for rows in (1, 2, 3, 8)] == [2, 2, 8, 8]
    assert BatchingParameters(max_batch_size=8).padded(3) == 3
