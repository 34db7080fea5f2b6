import os
import pathlib
import signal
import subprocess
import traceback

import numpy as np
import pytest

from tfhashtag.encoders import encode_corpus, load_embeddings
from tfhashtag.encoders.journal_table import CHUNK_ROWS, JournalTable, keys_of, open_table
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.errors import ArtifactError, DataError


class Counting(TextEncoder):
    """Vector of a message: its length, its first code point and a constant; counts its work."""

    def __init__(self, name="counting", fingerprint="c" * 64, fail_at=None):
        self.name, self.fingerprint = name, fingerprint
        self.width, self.max_length = 3, None
        self.fail_at = fail_at
        self.seen = []

    def read(self, strings):
        raise NotImplementedError

    def vectors(self, messages):
        raise NotImplementedError

    def trackables(self):
        return []

    def _block_vectors(self, messages, batch_tokens):
        order = np.argsort([-len(text) for text in messages], kind="stable")
        for start in range(0, len(order), 4):
            rows = order[start : start + 4]
            if self.fail_at is not None and len(self.seen) >= self.fail_at:
                raise KeyboardInterrupt
            self.seen += [messages[row] for row in rows]
            yield rows, vectors_of([messages[row] for row in rows])


def vectors_of(messages):
    return np.array([[len(text), ord((text + " ")[0]), 1] for text in messages], np.float32)


MESSAGES = [f"{chr(97 + i % 26)}{'x' * (i % 7)} {i}" for i in range(50)]


def test_round_trip_and_second_call_encodes_nothing(tmp_path, make_corpus):
    corpus, encoder = make_corpus(MESSAGES), Counting()
    made = encode_corpus(tmp_path, corpus, encoder, progress=False)
    assert (made.encoded, made.reused) == (50, 0)
    assert sorted(encoder.seen) == sorted(MESSAGES)
    np.testing.assert_array_equal(made.vectors, vectors_of(MESSAGES))
    table = load_embeddings(tmp_path, corpus, "counting")
    assert isinstance(table, np.memmap) and table.dtype == np.float32
    np.testing.assert_array_equal(table, vectors_of(MESSAGES))
    np.testing.assert_array_equal(load_embeddings(tmp_path, corpus, "c" * 12), table)
    again = Counting()
    assert encode_corpus(tmp_path, corpus, again, progress=False).reused == 50
    assert again.seen == []


def test_real_encoder_and_progress_bar(tmp_path, make_corpus, bert, capfd):
    messages = ["good morning", "", "the", "#a #b", "日本", "x" * 10_000]
    made = encode_corpus(tmp_path, make_corpus(messages), bert, progress=True)
    np.testing.assert_allclose(made.vectors, bert.encode(messages), atol=1e-6)
    assert "messages/s" in capfd.readouterr().err


def test_only_new_messages_are_encoded(tmp_path, make_corpus):
    encode_corpus(tmp_path, make_corpus(MESSAGES), Counting(), progress=False)
    grown = ["new first", *reversed(MESSAGES[5:]), "new last"]
    with pytest.raises(ArtifactError, match="has changed since"):
        load_embeddings(tmp_path, make_corpus(grown), "counting")
    encoder = Counting()
    made = encode_corpus(tmp_path, make_corpus(grown), encoder, progress=False)
    assert sorted(encoder.seen) == ["new first", "new last"]
    assert (made.encoded, made.reused) == (2, 45)
    np.testing.assert_array_equal(
        load_embeddings(tmp_path, make_corpus(grown), "counting"), vectors_of(grown)
    )


def test_texts_that_a_table_knows_are_not_hashed_again(tmp_path, make_corpus, monkeypatch):
    table = encode_corpus(tmp_path, make_corpus(MESSAGES), Counting(), progress=False).folder
    with monkeypatch.context() as patch:
        patch.setattr("tfhashtag.corpus.texts.digests_of", None)
        patch.setattr("tfhashtag.encoders.journal_table.digests_of", None)
        found = load_embeddings(tmp_path, make_corpus(MESSAGES), "counting")
        np.testing.assert_array_equal(found, vectors_of(MESSAGES))
    keys = np.load(table / "keys.npy")
    np.save(table / "keys.npy", keys[::-1])  # damaged: the name of the folder says so
    np.testing.assert_array_equal(
        load_embeddings(tmp_path, make_corpus(MESSAGES), "counting"), vectors_of(MESSAGES)
    )


def test_two_encoders_do_not_mix(tmp_path, make_corpus):
    corpus = make_corpus(MESSAGES)
    encode_corpus(tmp_path, corpus, Counting(), progress=False)
    encode_corpus(tmp_path, corpus, Counting(fingerprint="d" * 64), progress=False)
    with pytest.raises(ArtifactError, match=r"several tables.*fingerprints"):
        load_embeddings(tmp_path, corpus, "counting")
    assert len(load_embeddings(tmp_path, corpus, "d" * 16)) == 50


def test_interruption_keeps_finished_chunks(tmp_path, make_corpus):
    corpus = make_corpus(MESSAGES)
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(tmp_path, corpus, Counting(fail_at=20), progress=False, chunk_rows=8)
    with pytest.raises(ArtifactError, match="tfhashtag encode"):
        load_embeddings(tmp_path, corpus, "counting")
    encoder = Counting()
    made = encode_corpus(tmp_path, corpus, encoder, progress=False, chunk_rows=8)
    assert 30 <= len(encoder.seen) <= 50 - 20 + 8
    assert made.encoded == len(encoder.seen)
    np.testing.assert_array_equal(made.vectors, vectors_of(MESSAGES))


def test_interrupted_table_serves_a_grown_corpus(tmp_path, make_corpus):
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(
            tmp_path, make_corpus(MESSAGES), Counting(fail_at=24), progress=False, chunk_rows=8
        )
    encoder, grown = Counting(), ["new", *MESSAGES]
    made = encode_corpus(tmp_path, make_corpus(grown), encoder, progress=False)
    assert len(encoder.seen) <= 51 - 16
    np.testing.assert_array_equal(made.vectors, vectors_of(grown))


@pytest.mark.parametrize("cut", [1, 5, 12, 70])
def test_torn_journal_is_cut_to_whole_records(tmp_path, make_corpus, cut):
    corpus = make_corpus(MESSAGES)
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(tmp_path, corpus, Counting(fail_at=24), progress=False, chunk_rows=8)
    (journal,) = tmp_path.glob("embeddings/*/.partial-*/journal.bin")
    data = journal.read_bytes()
    journal.write_bytes(data[:-cut])
    made = encode_corpus(tmp_path, corpus, Counting(), progress=False)
    np.testing.assert_array_equal(made.vectors, vectors_of(MESSAGES))


MANY = [f"{'y' * (i % 11)} {i}" for i in range(200)]


class Logged(Counting):
    """Writes down what it has encoded; ends its process without mercy after so many messages."""

    def __init__(self, log, most):
        super().__init__()
        self.log, self.most = log, most

    def _block_vectors(self, messages, batch_tokens):
        for rows, vectors in super()._block_vectors(messages, batch_tokens):
            with self.log.open("a") as log:
                log.writelines(f"{messages[row]}\n" for row in rows)
            if len(self.log.read_text().splitlines()) >= self.most:
                os.kill(os.getpid(), signal.SIGKILL)
            yield rows, vectors


def test_killed_anywhere_and_resumed(tmp_path, make_corpus, forked):
    log, corpus = tmp_path / "log", make_corpus(MANY)
    for most, ended in ((30, -signal.SIGKILL), (120, -signal.SIGKILL), (10**9, 0)):
        encoder = Logged(log, most)
        code = forked(
            lambda encoder=encoder: encode_corpus(
                tmp_path, corpus, encoder, progress=False, chunk_rows=8
            )
        )
        assert code == ended
    encoded = log.read_text().splitlines()
    assert sorted(set(encoded)) == sorted(text for text in MANY)
    # What is encoded twice: for each kill, the open chunk and the batch under way.
    assert 0 < len(encoded) - len(MANY) <= 2 * (8 + 4)
    np.testing.assert_array_equal(load_embeddings(tmp_path, corpus, "counting"), vectors_of(MANY))
    assert [path.name for path in tmp_path.glob("embeddings/*/.partial-*")] == []


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_is_said_and_resumed(small_disk, make_corpus):
    messages = [f"message {i}" for i in range(9000)]  # 108 kB of vectors, 144 kB of keys
    with pytest.raises(ArtifactError, match="disk is full"):
        encode_corpus(small_disk, make_corpus(messages), Counting(), progress=False)
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    made = encode_corpus(small_disk, make_corpus(messages), Counting(), progress=False)
    np.testing.assert_array_equal(made.vectors, vectors_of(messages))


def test_disk_that_fills_under_way_loses_nothing(small_disk, make_corpus):
    messages = [f"message {i}" for i in range(1500)]
    ballast = small_disk / "ballast"

    class Filling(Counting):
        def _block_vectors(self, messages, batch_tokens):
            for rows, vectors in super()._block_vectors(messages, batch_tokens):
                if len(self.seen) == 800:
                    with ballast.open("wb") as file:
                        try:
                            while True:
                                file.write(b"0" * 4096)
                                file.flush()
                        except OSError:
                            pass
                yield rows, vectors

    with pytest.raises(ArtifactError, match="disk is full"):
        encode_corpus(small_disk, make_corpus(messages), Filling(), progress=False, chunk_rows=8)
    ballast.unlink()
    encoder = Counting()
    made = encode_corpus(small_disk, make_corpus(messages), encoder, progress=False)
    assert len(encoder.seen) < 800
    np.testing.assert_array_equal(made.vectors, vectors_of(messages))


def test_second_process_is_refused(tmp_path, make_corpus):
    class Nested(Counting):
        def _block_vectors(self, messages, batch_tokens):
            encode_corpus(tmp_path, make_corpus(MESSAGES), Counting(), progress=False)
            yield from super()._block_vectors(messages, batch_tokens)

    with pytest.raises(ArtifactError, match="another process"):
        encode_corpus(tmp_path, make_corpus(MESSAGES), Nested(), progress=False)


def test_not_finite_names_the_message(tmp_path, make_corpus):
    class Broken(Counting):
        def _block_vectors(self, messages, batch_tokens):
            for rows, vectors in super()._block_vectors(messages, batch_tokens):
                vectors[[messages[row] == MESSAGES[7] for row in rows], 1] = np.nan
                yield rows, vectors

    with pytest.raises(DataError, match=rf"message 7 \('{MESSAGES[7]}'\) is not finite"):
        encode_corpus(tmp_path, make_corpus(MESSAGES), Broken(), progress=False)


def test_not_finite_in_a_finished_table(tmp_path, make_corpus):
    corpus = make_corpus(MESSAGES)
    folder = encode_corpus(tmp_path, corpus, Counting(), progress=False).folder
    table = np.load(folder / "vectors.npy", mmap_mode="r+")
    table[3, 0] = np.inf
    table.flush()
    for call in (
        lambda: load_embeddings(tmp_path, corpus, "counting"),
        lambda: encode_corpus(tmp_path, corpus, Counting(), progress=False),
    ):
        with pytest.raises(DataError, match=r"vectors\.npy: the vector of message 3"):
            call()


def test_given_table(tmp_path, make_corpus):
    corpus, path = make_corpus(MESSAGES), tmp_path / "given.npy"
    np.save(path, vectors_of(MESSAGES))
    np.testing.assert_array_equal(
        load_embeddings(tmp_path, corpus, str(path)), vectors_of(MESSAGES)
    )
    broken = vectors_of(MESSAGES)
    broken[11, 2] = np.nan
    np.save(path, broken)
    with pytest.raises(DataError, match="message 11"):
        load_embeddings(tmp_path, corpus, str(path))
    np.save(path, broken[:-1])
    with pytest.raises(DataError, match=r"float32 \[50, width\] was expected"):
        load_embeddings(tmp_path, corpus, str(path))
    path.write_bytes(b"not an array")
    with pytest.raises(DataError, match="cannot be read"):
        load_embeddings(tmp_path, corpus, str(path))


def test_not_encoded_says_how(tmp_path, make_corpus):
    with pytest.raises(ArtifactError, match=r"run `tfhashtag encode .* --text-encoder minilm`"):
        load_embeddings(tmp_path, make_corpus(MESSAGES), "minilm")


def test_empty_corpus(tmp_path, make_corpus):
    with pytest.raises(DataError, match="no message to encode"):
        encode_corpus(tmp_path, make_corpus([]), Counting(), progress=False)


def test_damaged_table(tmp_path, make_corpus):
    corpus = make_corpus(MESSAGES)
    folder = encode_corpus(tmp_path, corpus, Counting(), progress=False).folder
    data = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(data[:200])
    with pytest.raises(ArtifactError, match="cannot be read as a table"):
        load_embeddings(tmp_path, corpus, "counting")
    (folder / "meta.json").write_text("{}")
    with pytest.raises(ArtifactError, match="not the description"):
        load_embeddings(tmp_path, corpus, "counting")


def test_nothing_is_held_in_memory(tmp_path, make_corpus):
    count = 20_000
    messages = [str(i) for i in range(count)]

    class Wide(Counting):
        def __init__(self):
            super().__init__()
            self.width = 1024

        def _block_vectors(self, messages, batch_tokens):
            for start in range(0, len(messages), 64):
                rows = np.arange(start, min(start + 64, len(messages)))
                yield rows, np.ones((len(rows), 1024), np.float32)

    import tracemalloc

    tracemalloc.start()
    encode_corpus(tmp_path, make_corpus(messages), Wide(), progress=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # the table has 82 MB
    assert CHUNK_ROWS * 1024 * 4 < 5e6


def test_a_finished_corpus_that_nobody_may_write_is_encoded(tmp_path, make_corpus):
    """In a fork without rights: root may write anywhere."""
    corpus = make_corpus(MESSAGES)
    home = encode_corpus(tmp_path, corpus, Counting(), progress=False).folder.parent
    for path in [*tmp_path.rglob("*"), tmp_path]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for path in tmp_path.parents:
        if path.stat().st_uid == os.getuid() and path.name.startswith(("pytest", "popen", "test")):
            path.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            again = encode_corpus(tmp_path, corpus, Counting(), progress=False)
            os._exit(0 if (again.encoded, again.reused) == (0, 50) else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
    _, status = os.waitpid(pid, 0)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0
    (home / "0123456789abcdef").mkdir()  # half of an older table, that a kill left
    assert encode_corpus(tmp_path, corpus, Counting(), progress=False).encoded == 0
    assert sorted(path.name for path in home.iterdir() if path.is_dir()) == [
        next(path.name for path in home.iterdir() if (path / "meta.json").is_file())
    ]


def test_killed_between_the_last_row_and_the_final_name_nothing_is_encoded_twice(
    tmp_path, make_corpus, monkeypatch
):
    corpus = make_corpus(MESSAGES)
    rename = os.rename

    def killed(source, target):
        if pathlib.Path(source).name.startswith(".partial"):
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tfhashtag.encoders.journal_table.os.rename", killed)
        encode_corpus(tmp_path, corpus, Counting(), progress=False)
    assert os.rename is rename
    again = Counting()
    made = encode_corpus(tmp_path, corpus, again, progress=False)
    assert again.seen == [] and made.reused == 50
    assert {path.name for path in made.folder.iterdir()} == {"vectors.npy", "keys.npy", "meta.json"}
    np.testing.assert_array_equal(made.vectors, vectors_of(MESSAGES))


def test_a_table_grows_by_its_new_rows(tmp_path):
    """Its file is shared with the earlier one, which stays as it was; a branch has its own."""

    def table_of(count, home, first=0.0):
        keys = keys_of([f"text {number}" for number in range(count)])
        table = JournalTable(tmp_path / home, keys, (3,))

        def fill(todo):
            made.append(len(todo))
            yield todo, np.repeat(todo[:, None], 3, axis=1) + first

        with table.locked():
            table.fill(fill, lambda: {"encoder": "e", "fingerprint": "f"})
        return table

    made = []
    small = table_of(5, "a").folder
    for home in ("b", "c"):  # as a run's states link the tables of the state before
        (tmp_path / home).mkdir()
        (tmp_path / home / small.name).mkdir()
        for path in small.iterdir():
            os.link(path, tmp_path / home / small.name / path.name)
    grown, branch = table_of(8, "b"), table_of(7, "c", 100.0)
    assert made == [5, 3, 2]
    rows = np.arange(8.0)
    assert grown.open()[:, 0].tolist() == rows.tolist()
    assert branch.open()[:, 0].tolist() == [*rows[:5], 105, 106]
    assert open_table(small / "vectors.npy")[:, 0].tolist() == rows[:5].tolist()
    inodes = [(path / "vectors.npy").stat().st_ino for path in (small, grown.folder, branch.folder)]
    assert inodes[0] == inodes[1] != inodes[2]
    with pytest.raises(ArtifactError, match=r"\(9, 3\) was expected, found float32 \(5, 3\)"):
        open_table(grown.folder / "vectors.npy", (9, 3))
