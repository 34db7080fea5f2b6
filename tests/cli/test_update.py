"""`tfhashtag update`, `status`, `rollback`, and a server that takes up what is exported."""

import json
import shutil
import threading
import time

import pytest

from tests.runs.test_update import later_posts
from tfhashtag.cli.main import main
from tfhashtag.runs.run import Run
from tfhashtag.serving.client import ServingClient
from tfhashtag.serving.config.watching import Watching
from tfhashtag.serving.server import ModelServer


@pytest.mark.timeout(600)
def test_a_running_server_takes_up_an_update_without_a_failed_request(
    user_run, user_version, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(user_run("engagement").folder, run)
    models = tmp_path / "models"
    shutil.copytree(user_version("engagement"), models / "now" / "1")
    posts = tmp_path / "new.jsonl"
    start = int(Run.open(run).corpus.timestamps.max()) + 60
    posts.write_text("".join(json.dumps(row) + "\n" for row in later_posts(5, start)))
    answered, failed, done = [], [], threading.Event()

    def ask(address):
        with ServingClient(address) as client:
            while not done.is_set():
                try:
                    found = client.predict(
                        "now", {"history": [["brand brand"]], "k": 500}, signature="top_k"
                    )
                    answered.append(b"brandnew" in found["hashtags"].ravel().tolist())
                except Exception as error:
                    failed.append(error)
                time.sleep(0.3)

    with ModelServer(models, port=0, watching=Watching(poll_seconds=0.2)) as server:
        thread = threading.Thread(target=ask, args=(server.address,))
        thread.start()
        try:
            main(["update", str(run), "--posts", str(posts)])
            version = Run.open(run).export(models / "now", k=5, check=False)
            deadline = time.monotonic() + 120
            while not (answered and answered[-1]) and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            done.set()
            thread.join()
    assert not failed
    assert not answered[0] and answered[-1], "the newest version knows the new hashtag"
    told = capsys.readouterr().out
    assert "state 1, 60 posts" in told and "ranked before they came in: MAP" in told
    assert version == models / "now" / "2"
    _what_rises(run, capsys)
    _status_and_back(run, tmp_path, capsys)


def _what_rises(run, capsys):
    main(["trending", str(run), "--days", "0.06", "--json"])
    rising = json.loads(capsys.readouterr().out)
    assert "brandnew" in [row["hashtag"] for row in rising]
    user = Run.open(run).corpus.users[0]
    main(["trending", str(run), "--days", "0.06", "--user", user, "--json"])
    mine = json.loads(capsys.readouterr().out)
    assert {row["hashtag"] for row in mine} <= {row["hashtag"] for row in rising}
    assert all(row["rank"] >= 1 for row in mine)


def _status_and_back(run, tmp_path, capsys):
    main(["status", str(run), "--json", "--plot", str(tmp_path / "drift.png")])
    status = json.loads(capsys.readouterr().out)
    assert status["kept"] == [0, 1] and status["figures"][0]["metric"] == "MAP"
    assert (tmp_path / "drift.png").is_file()
    main(["rollback", str(run), "--to", "0"])
    assert "state 0, 700 posts" in capsys.readouterr().out
    main(["status", str(run)])
    assert "rollback" in capsys.readouterr().out
