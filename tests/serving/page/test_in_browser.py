"""The page in Chromium, on exports of both tasks and on a toy that fails and takes its time.

TFHASHTAG_SCREENSHOTS=FOLDER has the pictures of the documentation written there.
"""

import base64
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tests.corpus.clip_files import write_clip
from tfhashtag.corpus.hashtag import distinct_names, find_hashtags, hashtag_key
from tfhashtag.corpus.own_hashtags import take_hashtags_out
from tfhashtag.serving.config.transport import Transport
from tfhashtag.serving.config.watching import Watching
from tfhashtag.serving.server import ModelServer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt install chromium")

HELD = 6  # as many as a browser has connections
IMG = "<img src=x onerror=\"document.title='broken'\">"
HISTORY = "what a match tonight #striker #Match\noff to the stadium\nsoup and fresh bread #recipe"
METRICS = {
    "split": "test", "protocol": "future", "users": 40,
    "averages": {"all": {"MAP": 0.31234567, "P@5": 0.25}, "answerable": {"MAP": 0.5}},
}  # fmt: skip


def write_odd(folder):
    """Hashtags that look like HTML; `fail` is refused, `slow` waits for what never comes."""
    import tensorflow as tf

    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def best(self, text):
            fine = tf.debugging.Assert(text[0] != "fail", ["no such <b>post</b>"])
            with tf.control_dependencies([fine]):
                nothing = tf.raw_ops.FIFOQueueV2(component_types=[tf.float32], shared_name="none")
            value = tf.cond(
                text[0] == "slow",
                lambda: tf.reshape(
                    tf.raw_ops.QueueDequeueV2(handle=nothing, component_types=[tf.float32])[0], []
                ),
                lambda: 0.75,
            )
            tags = tf.stack([tf.constant(IMG), tf.strings.lower(text[0], "utf-8")])
            return {
                "hashtags": tf.tile(tags[None], [tf.size(text), 1]),
                "scores": tf.tile([[value, 0.5]], [tf.size(text), 1]),
            }

    odd = Odd()
    tf.saved_model.save(odd, str(folder), signatures={"serving_default": odd.best})


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    write_odd(folder / "odd" / "1")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, user_version, ranker_version, odd):
    folder = tmp_path_factory.mktemp("page")
    for name, version in {"users": user_version("engagement"), "posts": ranker_version}.items():
        # Half a minute of warm-up; what is asked here is a part of it.
        cold = shutil.ignore_patterns("tf_serving_warmup_requests")
        shutil.copytree(version, folder / name / "1", ignore=cold)
    path = folder / "users" / "1" / "assets.extra" / "model_card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card |= {"metrics": METRICS, "limits": [*card["limits"], IMG]}
    path.write_text(json.dumps(card), encoding="utf-8")
    shutil.copytree(odd / "odd", folder / "odd")
    watching = Watching(poll_seconds=0)
    with ModelServer(folder, port=0, rest_port=0, watching=watching) as running:
        running.models = folder
        yield running


@pytest.fixture(scope="module")
def hasty(odd):
    """A server that gives up soon and takes few at a time."""
    transport = Transport(rest_timeout=2, max_concurrent=HELD)
    with ModelServer(odd, port=0, rest_port=0, transport=transport) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def visit(browser, server):
    """Opens the page with a model; nothing on it may ask another host or break its policy."""
    contexts, complaints = [], []

    def opened(model, address=None, scheme="light", width=1100, **given):
        address = address or server.rest_address
        context = browser.new_context(
            viewport={"width": width, "height": 760}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                "Failed to load resource" in message.text or complaints.append(message.text)
            ),
        )
        page.on(
            "request",
            lambda request: (
                request.url.startswith((address, f"blob:{address}"))
                or complaints.append(request.url)
            ),
        )
        page.goto(f"{address}/#{urllib.parse.urlencode({'model': model, **given})}")
        page.wait_for_selector("#post:focus")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def chips(page):
    """The hashtags, once there are any."""
    page.wait_for_selector("#chips li")
    return page.locator("#chips bdi").all_inner_texts()


def settled(page, act, model="*"):
    """Does something and waits for the answer of the model to it; gives what was sent."""
    with page.expect_response(f"**/{model}:predict") as found:
        act()
    found.value.finished()
    return json.loads(found.value.request.post_data)["inputs"]


def ask(server, model, signature, inputs):
    body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
    url = f"{server.rest_address}/v1/models/{model}:predict"
    with urllib.request.urlopen(url, body, timeout=30) as answer:
        return json.load(answer)["outputs"]


def picture(sky):
    """A sun over a hill."""
    from PIL import ImageDraw

    image = Image.new("RGB", (192, 192), sky)
    draw = ImageDraw.Draw(image)
    draw.ellipse((104, 28, 160, 84), fill="gold")
    draw.ellipse((-60, 110, 260, 400), fill="darkslategray")
    data = io.BytesIO()
    image.save(data, "PNG")
    return {"name": f"{sky}.png", "mimeType": "image/png", "buffer": data.getvalue()}


def shoot(page, name):
    """A picture for the documentation, where one is asked for."""
    from PIL import Image

    if folder := os.environ.get("TFHASHTAG_SCREENSHOTS"):
        found = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        path = pathlib.Path(folder) / f"{name}.png"
        found.convert("RGB").quantize(128).save(path, optimize=True)


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("users", {"history": [[*HISTORY.split("\n"), "what a goal #striker"]], "k": 10}),
        # The fast twin of posts is what is asked with pictures, below.
        pytest.param(
            *("posts", {"text": ["what a goal"], "images": [[""]], "user": ["user3"], "k": 10}),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_hashtags_come_while_one_types_and_are_those_of_the_model(visit, server, model, inputs):
    page = visit(model, history=HISTORY, user="user3")
    chips(page)
    asked = []
    page.on("request", lambda request: request.method == "POST" and asked.append(request))

    def answers(response):
        sent = response.request.post_data
        return bool(sent) and json.loads(sent)["inputs"] == inputs

    with page.expect_response(answers) as answer:
        page.locator("#post").press_sequentially("what a goal #striker", delay=5)
    answer.value.finished()
    assert len(asked) < 10
    found = ask(server, model, "top_k", inputs)
    assert chips(page) == [f"#{tag}" for tag in found["hashtags"][0]]
    shown = [float(text.split()[-1]) for text in page.locator("#chips .score").all_inner_texts()]
    assert shown == pytest.approx(found["scores"][0], abs=6e-4)
    assert page.locator("#state").inner_text() == "10 hashtags"
    settled(page, lambda: page.select_option("#k", "5"))
    page.wait_for_selector("#chips:not(:has(li:nth-child(6)))")


def test_a_click_adds_a_hashtag_and_another_takes_it_away(visit):
    page = visit("posts", post="at the sea")
    first = chips(page)[0]
    tag = page.locator("#chips .tag").first
    assert tag.get_attribute("aria-pressed") == "false"
    tag.click()
    assert page.input_value("#post") == f"at the sea {first}"
    assert page.locator("#chips .added bdi").all_inner_texts() == [first]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    page.wait_for_selector("#copy >> text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"at the sea {first}"
    page.locator("#chips .added .tag").click()
    assert page.input_value("#post") == "at the sea"
    assert page.locator("#chips .added").count() == 0


def test_marks_tell_what_the_history_holds(visit):
    page = visit("users", post="a match")
    page.select_option("#k", "50")
    chips(page)
    page.wait_for_selector("#chips li:nth-child(20)")
    assert page.locator("#chips .mark").count() == 0  # there is nothing to tell by
    settled(page, lambda: page.fill("#history", HISTORY))
    seen = page.locator("#chips li:has(.mark.seen) bdi").all_inner_texts()
    listed = set(page.locator("#chips bdi").all_inner_texts())
    known = sorted({"#match", "#recipe", "#striker"} & listed)
    assert sorted(seen) == known and len(known) > 1
    assert page.locator("#chips .mark.new").count() == page.locator("#chips li").count() - len(seen)


def test_why_tells_scores_without_each_message(visit, server):
    page = visit("users", post="a goal", history=HISTORY)
    best = [name[1:] for name in chips(page)]
    page.locator(".ask-why").first.click()
    page.wait_for_selector(".reasons li")
    messages = [*HISTORY.split("\n"), "a goal"]
    rows = [[m for m in messages if m is not left] for left in messages]
    scores = ask(server, "users", "score", {"history": rows, "hashtags": [best] * 4})["scores"]
    expected = sorted(zip([row[0] for row in scores], messages, strict=True))
    lines = page.locator(".without li")
    told = [
        (line.locator(".left").inner_text(), line.locator(".part").inner_text())
        for line in lines.all()
    ]
    assert told == [(f"it would be {score:.3f}", f"“{text}”") for score, text in expected]
    assert page.locator("#why-title").inner_text() == f"Why #{best[0]}"
    page.locator(".ask-why").first.click()
    assert page.locator("#why").is_hidden()


@pytest.mark.parametrize(
    ("model", "given", "asked"),
    [
        ("users", {"history": HISTORY}, {"history": [HISTORY.split("\n")]}),
        (
            "posts",
            {"post": "amber light"},
            {"text": ["amber light"], "images": [[""]], "user": [""]},
        ),
    ],
)
def test_why_tells_the_signals_and_the_posts_that_carried_it(visit, server, model, given, asked):
    page = visit(model, **given)
    best = [name[1:] for name in chips(page)]
    told = ask(server, model, "explain", {**asked, "hashtag": [best[1]]})
    page.locator(".ask-why").nth(1).click()
    page.wait_for_selector(".signals li")
    shown = [tuple(line.inner_text().split("\n")) for line in page.locator(".signals li").all()]
    parts = [f"{part:+.2f}".replace("-", "−") for part in told["parts"][0][:6]]
    assert [(words.strip(), part.strip()) for words, part in shown] == [
        *zip(told["words"][0][:6], parts, strict=True)
    ]
    note = page.locator("#why .note").first.inner_text()
    for number in (told["baseline"][0], told["logit"][0]):
        assert f"{number:.2f}".replace("-0.00", "0.00").replace("-", "−") in note
    if model == "posts":
        found = sorted(zip(told["place"][0], told["similar"][0], strict=True))
        found = [(place, tags) for place, tags in found if place][:4]
        assert page.locator(".similar bdi").all_inner_texts() == [tags for _, tags in found]
        assert all(f"#{best[1]}" in tags for _, tags in found) and found


@pytest.mark.parametrize("model", ["users", "posts"])
def test_what_rises_is_shown_and_can_be_added(visit, server, model):
    told = ask(server, model, "trending", {"k": 10})
    page = visit(model, post="at the sea")
    page.wait_for_selector("#rising li")
    assert page.locator("#rising bdi").all_inner_texts() == [f"#{t}" for t in told["hashtags"]]
    said = f"×{told['ratio'][0]:.1f}, {told['users'][0]} people"
    assert page.locator("#rising .score").first.inner_text() == said
    page.locator("#rising .tag").first.click()
    assert page.input_value("#post") == f"at the sea #{told['hashtags'][0]}"
    assert page.locator("#rising .added").count() == 1
    page.select_option("#model", "odd")
    page.wait_for_selector("#trending", state="hidden")


def test_pictures_are_chosen_dropped_and_pasted_and_all_are_sent(visit, server):
    page = visit("posts", post="at the sea", user="user3")
    chips(page)
    red, blue = picture("red"), picture("blue")
    sent = settled(page, lambda: page.set_input_files("#picture-files", [red, blue]))
    assert len(sent["images"][0]) == 2 and page.locator("#picture-note").inner_text() == ""
    first = {"text": ["at the sea"], "images": [sent["images"][0]], "user": ["user3"], "k": 10}
    assert sent == first
    assert chips(page) == [f"#{tag}" for tag in ask(server, "posts", "top_k", first)["hashtags"][0]]
    page.locator(".ask-why").first.click()
    page.wait_for_selector(".without li")
    parts = page.locator(".without .part").all_inner_texts()
    assert sorted(parts) == ["picture 1", "picture 2", "the text", "the writer"]
    page.locator(".ask-why").first.click()
    sent = settled(page, lambda: page.get_by_role("button", name="Remove red.png").click())
    assert sent["images"] == [[first["images"][0][1]]]
    page.locator(".ask-why").first.click()
    page.wait_for_selector(".without li")
    parts = page.locator(".without .part").all_inner_texts()
    assert sorted(parts) == ["the picture", "the text", "the writer"]
    for kind, target in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([kind, target]) => {
                const files = new DataTransfer();
                files.items.add(new File(["no picture"], `${kind}.png`, {type: "image/png"}));
                files.items.add(new File(["text"], "text.txt", {type: "text/plain"}));
                const event = new (kind === "drop" ? DragEvent : ClipboardEvent)(
                    kind, {bubbles: true, cancelable: true, [target]: files});
                document.getElementById("post").dispatchEvent(event);
            }""",
            [kind, target],
        )
        page.wait_for_selector(f"#pictures .broken >> text={kind}.png")
    assert page.locator("#pictures li").count() == 3
    assert "2 pictures cannot be decoded" in page.locator("#picture-note").inner_text()
    sent = settled(page, lambda: page.select_option("#model", "users"), "users")
    assert "images" not in sent
    assert "reads no pictures" in page.locator("#picture-note").inner_text()
    settled(page, lambda: page.select_option("#model", "posts"))
    sent = settled(page, lambda: page.set_input_files("#picture-files", [blue] * 7))
    assert len(sent["images"][0]) == 8
    assert (
        "reads 8 pictures: the first 8 are sent, the other 2 are not"
        in page.locator("#picture-note").inner_text()
    )


def test_a_clip_is_sent_as_its_frames(visit, tmp_path):
    page = visit("posts", post="at the sea")
    chips(page)
    clip = write_clip(tmp_path / "surf.webm", codec="libvpx")
    sent = settled(page, lambda: page.set_input_files("#picture-files", [clip]), "posts")["images"][
        0
    ]
    frames = [Image.open(io.BytesIO(base64.b64decode(frame["b64"]))) for frame in sent]
    greys = [float(np.asarray(frame).mean()) / 10 for frame in frames]
    assert [frame.format for frame in frames] == ["JPEG"] * 4
    np.testing.assert_allclose(greys, [3, 9, 15, 21], atol=1.5)
    (tmp_path / "none.mp4").write_bytes(b"no clip" * 200)
    page.set_input_files("#picture-files", [tmp_path / "none.mp4"])
    page.wait_for_selector("#picture-note >> text=none.mp4 cannot be played here")
    assert page.locator("#pictures li").count() == 4


def test_people_are_chosen_from_a_file_that_stays_here(visit):
    page = visit("users")
    assert page.locator("#user").is_hidden() and page.locator("#empty").is_visible()
    posts = [
        {"user": IMG, "text": "a match\nand a goal", "hashtags": ["striker"]},
        {"user": "bo", "text": "soup"},
        {"user": IMG, "text": "again"},
    ]
    lines = "\n".join(map(json.dumps, posts))
    file = {"name": "posts.jsonl", "mimeType": "application/jsonl", "buffer": lines.encode()}
    page.set_input_files("#people-file", file)
    page.wait_for_selector("#people-note >> text=2 people")
    sent = settled(page, lambda: page.fill("#user", IMG))
    assert sent["history"] == [["a match and a goal #striker", "again"]]
    assert page.locator("#people option").first.get_attribute("value") == IMG
    page.set_input_files("#people-file", {**file, "buffer": f"{lines}\n{{\n".encode()})
    page.wait_for_selector("#people-note >> text=posts.jsonl, line 4:")
    page.click("#forget")
    page.wait_for_selector("#empty:visible")
    assert chips_now(page) == []


def chips_now(page):
    return page.locator("#chips bdi").all_inner_texts()


def test_what_users_and_models_wrote_is_text(visit):
    page = visit("odd", user=IMG, history=f"#{IMG.replace(' ', '')} {IMG}", post=IMG)
    assert chips(page) == [f"#{IMG}", f"#{IMG.lower()}"]
    page.locator("#chips .tag").first.click()
    page.select_option("#model", "users")
    page.wait_for_selector(".ask-why")
    page.locator(".ask-why").first.click()
    page.wait_for_selector(".reasons li")
    page.click("#tab-about")
    assert page.locator(".limits li").last.inner_text() == IMG
    assert page.title() == "Hashtags"
    assert page.locator("main img, header img:not([src='page/icon.svg'])").count() == 0


def test_errors_of_the_server_are_shown_and_go_away(visit, hasty):
    page = visit("odd", hasty.rest_address, post="fail")
    page.wait_for_selector("#error:visible")
    text = page.locator("#error").inner_text()
    assert "no such <b>post</b>" in text and "(HTTP 400)" in text
    page.fill("#post", "fine")
    chips(page)
    assert page.locator("#error").is_hidden()
    page.fill("#post", "slow")
    page.wait_for_selector("#state >> text=Asking …")
    assert page.get_attribute("#suggestions", "aria-busy") == "true"
    page.wait_for_selector("#error:visible >> text=(HTTP 504)")
    assert page.get_attribute("#suggestions", "aria-busy") == "false"


def test_a_question_that_is_overtaken_is_cancelled(visit, hasty):
    page = visit("odd", hasty.rest_address, post="slow")
    page.wait_for_selector("#state >> text=Asking …")
    with page.expect_event("requestfailed") as cancelled:
        page.fill("#post", "Quick")
    assert "slow" in cancelled.value.post_data
    assert cancelled.value.failure == "net::ERR_ABORTED"
    assert chips(page)[1] == "#quick" and page.locator("#error").is_hidden()


def test_a_busy_server_is_asked_again(visit, hasty):
    page = visit("odd", hasty.rest_address)
    body = json.dumps({"inputs": {"text": ["slow"]}}).encode()
    url = f"{hasty.rest_address}/v1/models/odd:predict"

    page_was_refused = threading.Event()

    def hold():
        while not page_was_refused.is_set():
            with pytest.raises(urllib.error.HTTPError, match=r"504|429"):
                urllib.request.urlopen(url, body, timeout=30)
            time.sleep(0.05)

    page.on("response", lambda answer: answer.status == 429 and page_was_refused.set())
    with ThreadPoolExecutor(2 * HELD) as holding:
        held = [holding.submit(hold) for _ in range(2 * HELD)]
        while not page_was_refused.is_set():
            page.fill("#post", "busy again" if page.input_value("#post") == "busy" else "busy")
            page.wait_for_timeout(400)
        page.wait_for_selector("#error >> text=It is asked again in 1 s.")
    assert [one.result() for one in held] == [None] * len(held)
    page.wait_for_selector("#error", state="hidden")
    assert chips(page)[1].startswith("#busy")


def test_a_server_that_was_away_is_asked_again_on_demand(visit, odd):
    with ModelServer(odd, port=0, rest_port=0) as away:
        page = visit("odd", away.rest_address)
    page.fill("#post", "lost")
    page.wait_for_selector("#error >> text=The server does not answer.")
    with ModelServer(odd, port=0, rest_port=away.rest_port):
        page.get_by_role("button", name="Try again").click()
        page.wait_for_selector("#chips bdi >> text=lost")
        assert page.locator("#error").is_hidden()


@pytest.mark.parametrize(
    ("text", "direction"),
    [("الكتاب الجديد على البحر", "rtl"), ("夕焼けの海と空", "ltr")],
)
def test_scripts(visit, text, direction):
    page = visit("odd", history=text)
    sent = settled(page, lambda: page.fill("#post", text))
    assert sent["text"] == [text]
    assert chips(page)[1] == f"#{text}"
    for field in ("#post", "#history"):
        assert page.eval_on_selector(field, "field => getComputedStyle(field).direction") == (
            direction
        )
    settled(page, lambda: page.select_option("#model", "users"), "users")
    assert len(chips(page)) > 2


TEXTS = [
    "good #TEA, read guide#tea #other#Tea", "#话题# ok", "a  #x\t#y z", "x=1#y-#w #2024 #a1 #A_b",
    "https://a.org/guide#tea and #tea", "www.b.de/y#z a.org/x#y #ok", "C#dev ##two",
    "＃Ｆｕｌｌ ﹟small #عيد سعيد #כ״ט x#عيد", "日本#夕焼け空の海#海、#コーヒー・タイム ﾊﾟ#ﾊﾟ",
    "สวัสดี#ทะเล #ไทย",
    "#e\u0301te\u0301 #e\u200dx #\ufe0f\u20e3 #1\ufe0f\u20e3 #\u00adsoft 😀#joy 👍🏽#up",
    "#नमस्ते #한국어 #ёж #straße #İstanbul #ΣΊΣΥΦΟΣ", "# #! #_ #__a #", "&#39; &#x27;it&#a",
]  # fmt: skip
NAMES = [
    *(
        "Tea",
        "TEA",
        "ＴＥＡ",
        "tea\u200d",
        "straße",
        "STRASSE",
        "strasse",
        "é",
        "e\u0301",
        "É",
        "ﾊﾟ",
    ),
    *("パ", "ς", "Σ", "σ", "İ", "i\u0307", "ı", "I", "ﬁ", "fi", "ſ", "s", "Ǆ", "ǆ", "ǅ", "ΐ"),
    *("ι\u0308\u0301", "Ⅷ", "viii", "㎏", "kg", "ᾳ", "αι", "עִ", "ע", "عيد", "عِيد"),
]


def test_a_hashtag_is_what_the_library_says_it_is(visit):
    page = visit("odd")
    found, rest, same = page.evaluate(
        """async ([texts, names]) => {
            const words = await import(new URL("page/words.js", document.baseURI));
            return [
                texts.map((text) => words.hashtagsOf(text).map((name) => name.normalize("NFKC"))),
                texts.map((text) => words.withoutHashtags(text)),
                names.map((one) => names.map((other) => words.sameTag(one, other))),
            ];
        }""",
        [TEXTS, NAMES],
    )
    assert [list(distinct_names(names)) for names in found] == [*map(find_hashtags, TEXTS)]
    assert rest == [take_hashtags_out(text, find_hashtags(text)).strip() for text in TEXTS]
    keys = [hashtag_key(name) for name in NAMES]
    assert same == [[one == other for other in keys] for one in keys]


TOGGLED = {
    "夕焼け空": ("海へ#夕焼け空#海 と", "海へ#海 と"),
    "عيد": ("سعيد #عِيد #عيد, ok", "سعيد #عِيد, ok"),
    "Straße": ("go #STRASSE", "go"),
    "pale-ale": ("a #pale-ale.", "a."),
    "2024": ("in #2024, ok", "in, ok"),
    "_1": ("in #_1 ok", "in ok"),
    "_τεα": ("in #_ΤΕΑ ok", "in ok"),
}


def test_chips_are_added_and_taken_away_by_that_rule(visit):
    page = visit("odd")
    toggled = """async ([text, tag]) => {
        const words = await import(new URL("page/words.js", document.baseURI));
        return words.toggled(text, tag);
    }"""
    for tag, (text, left) in TOGGLED.items():
        assert page.evaluate(toggled, [text, tag]) == left
        added = page.evaluate(toggled, [left, tag])
        assert added == f"{left} #{tag}" and page.evaluate(toggled, [added, tag]) == left


def test_keys_alone_are_enough(visit):
    page = visit("users", history=HISTORY)

    def to(selector):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"no way to {selector}")

    settled(page, lambda: page.keyboard.type("a goal"))
    to("#chips .tag")
    tag = page.evaluate("document.activeElement.querySelector('bdi').textContent")
    settled(page, lambda: page.keyboard.press("Enter"))
    assert page.input_value("#post") == f"a goal {tag}"
    page.wait_for_selector("#chips .tag:focus")
    to("#chips .ask-why")
    page.keyboard.press("Space")
    page.wait_for_selector(".reasons li")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.locator("#tab-compose").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#about").is_visible() and page.locator("#compose").is_hidden()
    page.keyboard.press("End")
    assert page.locator("#versions").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.locator("#compose").is_visible()
    assert page.evaluate("document.activeElement.id") == "tab-compose"


@pytest.mark.parametrize(
    ("model", "scheme", "width", "post"),
    [
        ("users", "light", 1100, "a goal in the last minute"),
        ("posts", "dark", 1100, "amber light over the hill"),
        ("users", "dark", 360, "a goal in the last minute"),
    ],
)
def test_every_view_is_accessible_and_fits(visit, model, scheme, width, post):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(model, scheme=scheme, width=width, user="user3", history=HISTORY, post=post)
    chips(page)
    if model == "posts":
        pictures = [picture("steelblue"), picture("orange")]
        settled(page, lambda: page.set_input_files("#picture-files", pictures))
    page.locator("#chips .tag").nth(1).click()
    page.locator("#chips .ask-why").first.click()
    page.wait_for_selector(".reasons li")
    page.wait_for_timeout(500)
    page.wait_for_selector(".reasons li")
    for view in ("compose", "about", "versions"):
        page.click(f"#tab-{view}")
        if view == "compose":
            shoot(page, f"page-{model}-{scheme}")
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("#tab-compose")
    page.fill("#post", "x" * 500 + " #" + "y" * 300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("model", "signatures"),
    [("users", ["score", "embed_user"]), ("posts", ["vectors"]), ("odd", ["serving_default"])],
)
def test_calls_of_signatures_run_as_they_stand(visit, server, model, signatures):
    page = visit(model)
    page.click("#tab-about")
    shown = page.locator("#about").inner_text()
    if model == "users":
        assert re.search(r"MAP\s+0.3123\s+0.5000", shown) and "protocol future" in shown
    if model == "odd":
        assert "It has no model card." in shown
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for name in signatures:
        article = page.locator("article", has=page.locator(f"h4 >> text=/^{name}$/"))
        curl, python = article.locator("pre").all_inner_texts()
        done = subprocess.run(["bash", "-c", f"{curl} -s"], capture_output=True, check=True)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, {})
        outputs = json.loads(done.stdout)["outputs"]
        assert printed.getvalue().strip() == str(outputs)


def test_versions_and_their_states(visit, server):
    broken = server.models / "odd" / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"half")
    server.store.look()
    page = visit("odd", post="fine")
    assert chips(page)[1] == "#fine"  # the old version answers
    page.click("#tab-versions")
    rows = [row.split("\t") for row in page.locator("#versions tbody tr").all_inner_texts()]
    assert [row[:3] for row in rows] == [
        ["odd", "2", "END"], ["odd", "1", "AVAILABLE"],
        ["posts", "1", "AVAILABLE"], ["users", "1", "AVAILABLE"],
    ]  # fmt: skip
    assert "does not load" in rows[0][3]
    with page.expect_request("**/versions/1:predict"):
        page.select_option("#version", "1")
