"""`tfhashtag update` and what goes with it; a server that takes up what is exported."""

import json
import shutil
import threading
import time
import urllib.request

import pytest

import tfhashtag as th
from tests.runs.test_update import later_posts
from tfhashtag.cli.main import main
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.runs.run import Run
from tfhashtag.serving.client import ServingClient
from tfhashtag.serving.config.watching import Watching
from tfhashtag.serving.server import ModelServer

ASKED = {"history": [["brand brand"]], "k": 500}


def ask(server, answers, failures, done):
    """Asks by gRPC and by REST, each once and never again where it fails."""
    body = json.dumps({"signature_name": "top_k", "inputs": ASKED}).encode()
    address = f"{server.rest_address}/v1/models/now:predict"
    with ServingClient(server.address, attempts=1) as client:
        while not done.is_set():
            try:
                found = client.predict("now", ASKED, signature="top_k")["hashtags"]
                with urllib.request.urlopen(address, body, timeout=10) as answer:
                    rest = json.load(answer)["outputs"]["hashtags"][0]
                answers.append((b"brandnew" in found.ravel().tolist(), "brandnew" in rest))
            except Exception as error:
                failures.append(error)
            time.sleep(0.3)


# Fast twins: the next test of the command, `runs/test_update` of an update that is exported, and of
# a version that is taken up under load `serving/conformance/test_version_cases`.
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_running_server_takes_up_an_update_without_a_failed_request(
    user_run, user_version, tmp_path, capsys
):
    run, models = tmp_path / "run", tmp_path / "models"
    shutil.copytree(user_run("engagement").folder, run)
    shutil.copytree(user_version("engagement"), models / "now" / "1")
    posts = tmp_path / "new.jsonl"
    start = int(Run.open(run).corpus.timestamps.max()) + 60
    posts.write_text("".join(json.dumps(row) + "\n" for row in later_posts(5, start)))
    answers, failures, done = [], [], threading.Event()
    with ModelServer(models, port=0, rest_port=0, watching=Watching(poll_seconds=0.2)) as server:
        thread = threading.Thread(target=ask, args=(server, answers, failures, done))
        thread.start()
        try:
            main(["update", str(run), "--posts", str(posts), "--export", str(models / "now")])
            deadline = time.monotonic() + 120
            while not (answers and all(answers[-1])) and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            done.set()
            thread.join()
    assert failures == []
    assert answers[0] == (False, False) and answers[-1] == (True, True), "knows the new hashtag"
    told = capsys.readouterr().out
    assert "state 1, 60 posts" in told and "ranked before they came in: MAP" in told
    assert told.rstrip().endswith(str(models / "now" / "2"))


def test_a_run_is_updated_looked_at_and_gone_back_with(tmp_path, capsys):
    """Of a rule, which needs no encoder."""

    def told(*arguments):
        main([*map(str, arguments), "--json"])
        return json.loads(capsys.readouterr().out)

    corpus, run = synthetic_corpus(300, 20, 0), tmp_path / "run"
    write_corpus(corpus, tmp_path / "corpus")
    th.train("popular", tmp_path / "corpus", run)
    posts, user = tmp_path / "new.jsonl", corpus.users[0]
    rows = later_posts(5, int(corpus.timestamps.max()) + 60)
    posts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = told("update", run, "--posts", posts)
    assert (done["state"], done["posts"], done["version"]) == (1, 60, None)
    assert done["figures"]["metric"] == "MAP" and done["hashtags"] > 0
    rising = told("trending", run, "--days", 0.06)
    assert "brandnew" in [row["hashtag"] for row in rising]
    status = told("status", run, "--plot", tmp_path / "drift.png")
    main(["status", str(run)])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "update 1 " in line]
    assert f"{done['figures']['value']:.4f} █" in line and " 60 " in line, "in 80 columns"
    assert status["kept"] == [0, 1] and status["figures"][0]["metric"] == "MAP"
    assert (tmp_path / "drift.png").read_bytes()[:4] == b"\x89PNG"
    assert told("forget", run, "--user", user)["posts"] > 0
    assert user not in Run.open(run).corpus.users and Run.open(run).state == 1
    assert told("rollback", run, "--to", 0)["state"] == 0
    events = [row["event"] for row in told("status", run)["updates"]]
    assert events == ["update", "forget", "rollback"]
    with pytest.raises(SystemExit):
        main(["rollback", str(run), "--to", "7"])
    assert "no state 7 to go back to; there are 0, 1" in capsys.readouterr().err
    main(["update", str(run), "--posts", str(posts)])
    steps = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("  ")]
    assert [line.split()[0] for line in steps] == ["reading", "encoding", "taking", "ranking"]
    main(["update", str(run), "--posts", str(posts), "--quiet"])
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{run}: nothing new")
