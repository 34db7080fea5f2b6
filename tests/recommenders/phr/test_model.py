"""PHR as a whole: every switch, the graph of a batch and of stored posts, what is missing.

Of the variants of a test those are slow that put together what the others have: relations one by
one, of which `phr` has both and `tagnet`, which adds them up, has one, and a second precision.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.errors import ConfigError
from tfhashtag.layers import SextupletCoAttention, similarity_edges
from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.phr.compose import compose
from tfhashtag.recommenders.phr.model import PhrModel
from tfhashtag.recommenders.phr.parts import (
    AggregatedGraph,
    Head,
    MeanSide,
    PostTagSide,
    RelationalGraph,
    ResidualPath,
    SelfTerm,
    TextualSide,
    VisualSide,
)
from tfhashtag.recommenders.phr.settings import PhrNetwork
from tfhashtag.tasks.posts.settings import PostData

POSTS, LABELS, WIDTH, IMAGE, CELLS, WORDS, SIGNALS = 8, 6, 4, 3, 4, 5, 2
OWN, OTHERS, TAGS, USED = 2, 3, 3, 2
SIZES = {
    "proposals": CELLS,
    "features": 4,
    "projection": 5,
    "slots": 3,
    "heads": 2,
    "embedding_width": 3,
    "hidden": 7,
    # so that some pairs of posts are linked and others are not
    "visual_threshold": 0.3,
    "textual_threshold": 0.2,
}
TAGNET = {
    "pairing": "triplet",
    "sides": ["visual", "textual", "own"],
    "own_side": "hashtags",
    "graph": "aggregated",
    "relations": ["visual"],
    "activation": "relu",
}
# What is not the point of a variant, and takes most of the time: an LSTM and six pairs of sides.
PLAIN = {"text": "encoder", "pairing": "none"}
VARIANTS = {
    "phr": {},
    "tagnet": TAGNET,
    "PHR-MN": {**PLAIN, "memory": False},
    "PHR-PTA": {**PLAIN, "post_tag_attention": False},
    "PHR-SCA": {"pairing": "none"},
    "PHR-V": {"sides": ["textual", "own", "others"]},
    "PHR-T": {"sides": ["visual", "own", "others"]},
    "PHR-U": {**PLAIN, "sides": ["visual", "textual", "others"]},
    "PHR-O": {**PLAIN, "sides": ["visual", "textual", "own"]},
    "PHR-TR": {**PLAIN, "relations": ["visual"]},
    "PHR-VR": {**PLAIN, "relations": ["textual"]},
    "encoder": {"text": "encoder", "pairing": "triplet"},
    "both texts": {"text": "both", "pairing": "none", "dropout": 0.3},
    "no graph": {"text": "encoder", "pairing": "triplet", "graph": "none"},
    "no relation": {"text": "encoder", "relations": [], "graph": "aggregated"},
    "aggregated, two relations": {**PLAIN, "graph": "aggregated"},
    "residual": {**PLAIN, "residual": True, "activation": "relu"},
    "label vectors": {**PLAIN, "label_vectors": True, "graph": "none"},
    "label vectors, means": {**PLAIN, "label_vectors": True, "post_tag_attention": False},
    "one side": {"sides": ["textual"], "pairing": "none"},
}


def posts(seed=0):
    """Posts of which the last lacks everything, others an image, a text or similar posts."""
    rng = np.random.default_rng(seed)

    def some(*shape):
        return rng.normal(size=shape).astype("float32")

    length = rng.integers(1, WORDS + 1, (POSTS, 1))
    found = {
        "tokens": np.where(np.arange(WORDS) < length, rng.integers(1, 9, (POSTS, WORDS)), 0),
        "text": some(POSTS, WIDTH),
        "has_text": np.array([True, True, True, False, True, True, True, False]),
        "proposals": some(POSTS, CELLS, IMAGE),
        "has_image": np.array([True, True, False, True, True, True, False, False]),
        "user_text": some(POSTS, WIDTH),
        "count_labels": rng.integers(-1, LABELS, (POSTS, 1)).astype("int32"),
        "count_signals": np.abs(some(POSTS, 1, SIGNALS)),
    }
    sizes = {"own": (OWN, TAGS), "others": (OTHERS, TAGS)}
    for side, (count, tags) in sizes.items():
        found[f"{side}_posts"] = some(POSTS, count, WIDTH)
        found[f"{side}_posts_mask"] = np.arange(count) < rng.integers(0, count + 1, (POSTS, 1))
        found[f"{side}_hashtags"] = some(POSTS, tags, WIDTH)
        found[f"{side}_hashtags_mask"] = np.arange(tags) < rng.integers(0, tags + 1, (POSTS, 1))
    found["used_hashtags"] = some(POSTS, USED, WIDTH)
    found["used_hashtags_mask"] = np.arange(USED) < rng.integers(0, USED + 1, (POSTS, 1))
    found["tokens"] = found["tokens"].astype("int32")
    found["tokens"][~found["has_text"]] = 0
    found["text"][~found["has_text"]] = 0
    found["proposals"][~found["has_image"]] = 0
    for name, value in found.items():
        if name.endswith("_mask"):
            value[7] = False
    found["count_labels"][7] = -1
    return found


INPUTS = posts()
TARGETS = np.array([[0, 3], [1, -1], [-1, -1], [5, 2], [4, -1], [2, -1], [0, 1], [3, -1]])
slow = functools.partial(pytest.param, marks=pytest.mark.slow)


def made(variant="phr", seed=1, dtype=None, vectors="texts", **changes):
    keras.utils.set_random_seed(seed)
    network = PhrNetwork(**{**SIZES, **VARIANTS[variant], **changes})
    data = PostData(own_posts=OWN, other_posts=OTHERS, similar_vectors=vectors)
    model = compose(network, data, LABELS, WIDTH, IMAGE, 9, ("own", "others"), dtype=dtype)
    rng = np.random.default_rng(seed)
    if model.head.vectors is not None:
        model.head.vectors.adapt(rng.normal(size=(LABELS, WIDTH)))
    for weight in model.weights:
        if weight.dtype == "float32" and weight.trainable:
            weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return model


@functools.cache
def kept(variant="phr"):
    """The same for tests that change no weight: to make one takes as long as to ask it."""
    return made(variant)


@pytest.mark.parametrize(
    ("side", "read"),
    [
        ("visual", {"proposals", "has_image"}),
        ("textual", {"text"}),
        ("own", {"user_text", "count_signals 0"}),
        ("others", {"count_signals 1"}),
    ],
)
def test_residual_path_reads_nothing_of_a_side_that_takes_no_part(side, read):
    """Each input of a side changes the logits of the residual path with the side, else not."""
    every = ("visual", "textual", "own", "others")

    def logits(model, inputs):
        return np.asarray(model.residual(**model.residual.read(inputs)))

    for sides in (every, tuple(name for name in every if name != side)):
        model = made("residual", sides=list(sides))
        before = logits(model, INPUTS)
        changed = set()
        for name in ("proposals", "has_image", "text", "user_text"):
            inputs = {**INPUTS, name: INPUTS[name][::-1]}
            if not np.allclose(logits(model, inputs), before):
                changed.add(name)
        for signal in range(SIGNALS):
            signals = INPUTS["count_signals"].copy()
            signals[..., signal] *= 2
            if not np.allclose(logits(model, {**INPUTS, "count_signals": signals}), before):
                changed.add(f"count_signals {signal}")
        every_input = {"proposals", "has_image", "text", "user_text"}
        every_input |= {"count_signals 0", "count_signals 1"}
        assert changed == (every_input if sides == every else every_input - read)


@pytest.mark.parametrize("variant", ["label vectors", "label vectors, means"])
def test_hashtags_speak_for_labels_by_loops(variant):
    model = kept(variant)
    spoken, found = model.head.vectors, model.represent(INPUTS)
    hidden = np.random.default_rng(0).normal(size=(POSTS, 7)).astype("float32")
    names, query = np.array(spoken.names), np.array(spoken.query_dense.kernel)
    expected = hidden @ query @ names.T
    softplus = {s: np.log1p(np.exp(w)) / np.log1p(np.e) for s, w in spoken.learned.items()}
    for side, (sharp, focus, gain) in softplus.items():
        for post in range(POSTS):
            real = np.flatnonzero(INPUTS[f"{side}_hashtags_mask"][post])
            hashtags = INPUTS[f"{side}_hashtags"][post][real]
            scores = np.zeros(len(real))
            if variant == "label vectors":
                there = np.flatnonzero(INPUTS[f"{side}_posts_mask"][post])
                kernel = np.array(model.sides[side].attention.correlation_dense.kernel)
                texts = INPUTS[f"{side}_posts"][post][there]
                pairs = np.tanh(texts @ kernel @ hashtags.T)
                scores = focus * np.array(found[f"{side}_attention"])[post][there] @ pairs
            weights = np.exp(scores) / np.exp(scores).sum()
            for label, name in enumerate(names):
                heard = sum(
                    weight * np.exp(12 * sharp * (name @ h / np.linalg.norm(h) - 1))
                    for weight, h in zip(weights, hashtags, strict=True)
                )
                expected[post, label] += gain * np.log1p(100 * heard)
    given = spoken(hidden, INPUTS, model.guidance(INPUTS, found))
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)


def taken(inputs, rows):
    return {name: value[rows] for name, value in inputs.items()}


def stored(model, inputs, neighbours=None):
    """The catalogue of all posts; by default each is linked to all others."""
    count = len(inputs["tokens"])
    if neighbours is None:
        neighbours = np.array([[j for j in range(count) if j != i] for i in range(count)])
    halves = [model.catalogue(taken(inputs, rows)) for rows in np.array_split(np.arange(count), 2)]
    joined = {name: np.concatenate([np.array(h[name]) for h in halves]) for name in halves[0]}
    return model.spread(joined, neighbours)


def beside(inputs, catalogue, neighbours):
    """Inputs with the stored messages of their neighbours, int `[B, n]`, -1 pads."""
    real = neighbours >= 0
    found = {**inputs, "neighbour_messages": catalogue["messages"][neighbours]}
    for relation, has in (("visual", "has_image"), ("textual", "has_text")):
        if relation in catalogue:
            found[f"neighbour_{relation}"] = catalogue[relation][neighbours]
            found[f"neighbour_{relation}_mask"] = real & catalogue[has][neighbours]
    return found


# === Every switch ===


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_switch(variant):
    """It is made again from its settings, reads only what it says, and learns by every weight.

    Inputs of a side that is off may be absent; `PostInputs` need not look for them.
    """
    model = made(variant, dropout=0.0)
    again = PhrModel.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    logits = model(INPUTS)
    assert logits.shape == (POSTS, LABELS) and logits.dtype == "float32"
    away = set()
    if "visual" not in model.sides:
        away |= {"proposals", "has_image"}
    if "textual" not in model.sides:
        away |= {"tokens", "has_text"}
    for side in ("own", "others"):
        if side not in model.sides:
            away |= {name for name in INPUTS if name.startswith(f"{side}_")}
    if variant != "tagnet":
        away |= {"used_hashtags", "used_hashtags_mask"}
    if model.residual is None:
        away |= {"user_text", "count_labels", "count_signals"}
    less = {name: value for name, value in INPUTS.items() if name not in away}
    np.testing.assert_array_equal(model(less), logits)
    # Traced it takes seconds; the run that `test_explanation` trains is.
    model.compile(
        keras.optimizers.SGD(0.1), LabelCrossentropy(), jit_compile=False, run_eagerly=True
    )
    before = [np.array(v) for v in model.trainable_variables]
    first = float(model.train_on_batch(INPUTS, TARGETS))
    for variable, old in zip(model.trainable_variables, before, strict=True):
        new = np.array(variable)
        assert np.isfinite(new).all(), variable.path
        assert not np.array_equal(new, old), f"{variable.path} got no gradient"
    assert np.isfinite(np.array(model(INPUTS))).all() and np.isfinite(first)


@pytest.mark.parametrize(
    "variant", ["phr", *map(slow, ("tagnet", "both texts", "no graph")), "residual"]
)
def test_save_and_load(variant, tmp_path):
    model = kept(variant)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(INPUTS), model(INPUTS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "policy"),
    [
        slow("tagnet", "mixed_bfloat16"),
        ("both texts", "mixed_bfloat16"),
        slow("residual", "mixed_float16"),
    ],
)
def test_half_precision(variant, policy):
    half = made(variant, dtype=policy)
    found = half(INPUTS)
    assert found.dtype == "float32"
    assert all(w.dtype != half.compute_dtype for w in half.weights)
    free = {"relations": []}  # a link may fall on either side of its threshold
    left, right = made(variant, **free), made(variant, dtype=policy, **free)
    tolerance = 0.05 if policy == "mixed_float16" else 0.4
    np.testing.assert_allclose(right(INPUTS), left(INPUTS), atol=tolerance, rtol=tolerance)
    assert np.isfinite(np.array(found)).all() and found.shape == (POSTS, LABELS)
    half.compile("sgd", LabelCrossentropy(), jit_compile=False, run_eagerly=True)
    assert np.isfinite(half.train_on_batch(INPUTS, TARGETS))


def test_xla_gives_the_same():
    """Of the parts that are no layers of their own; those have it in their contracts."""
    model = made("residual", **VARIANTS["one side"])
    inputs = {name: tf.constant(value) for name, value in INPUTS.items()}

    def step():
        with tf.GradientTape() as tape:
            loss = LabelCrossentropy()(TARGETS, model(inputs, training=True))
        weights = [v.value for v in model.trainable_variables]
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    plain, compiled = step(), tf.function(step, jit_compile=True, autograph=False)()
    np.testing.assert_allclose(compiled[0], plain[0], rtol=1e-4)
    for left, right in zip(compiled[1], plain[1], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=2e-5)


@pytest.mark.slow  # `layers/test_bilstm` holds it against loops
def test_learns_with_the_fused_lstm_where_there_is_one():
    keras.utils.set_random_seed(1)
    side = TextualSide(CELLS, 4, vocabulary_size=9, embedding_width=3, cudnn=True)
    model = PhrModel([side], None, SelfTerm(4, "relu"), Head(LABELS, hidden=7))
    model.compile(keras.optimizers.Adam(0.1), LabelCrossentropy(), jit_compile=False)
    losses = model.fit(INPUTS, TARGETS, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


# === What is missing ===


@pytest.mark.parametrize("variant", ["phr", "tagnet", slow("PHR-PTA"), "both texts"])
def test_what_is_masked_is_not_read(variant):
    model = kept(variant)
    dirty = {name: value.copy() for name, value in INPUTS.items()}
    dirty["proposals"][~INPUTS["has_image"]] = np.nan
    dirty["text"][~INPUTS["has_text"]] = np.nan
    dirty["tokens"][~INPUTS["has_text"]] = 5
    for name, value in dirty.items():
        if f"{name}_mask" in dirty:
            value[~dirty[f"{name}_mask"]] = np.nan
    np.testing.assert_allclose(model(dirty), model(INPUTS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", ["phr", "tagnet"])
def test_gradients_are_finite_where_all_is_missing(variant):
    model = kept(variant)
    nothing = {name: np.zeros_like(value) for name, value in INPUTS.items()}
    nothing["count_labels"] = nothing["count_labels"] - 1
    with tf.GradientTape() as tape:
        loss = LabelCrossentropy()(TARGETS, model(nothing, training=True))
    weights = [v.value for v in model.trainable_variables]
    gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
    assert all(np.isfinite(np.array(tf.convert_to_tensor(g))).all() for g in gradients)
    answers = np.array(model(nothing))
    np.testing.assert_allclose(answers, np.repeat(answers[:1], POSTS, axis=0), atol=1e-5)


@pytest.mark.parametrize("variant", ["phr", "both texts"])
def test_padding_of_tokens_and_hashtags(variant):
    model = kept(variant)
    wider = dict(INPUTS)
    wider["tokens"] = np.pad(INPUTS["tokens"], ((0, 0), (0, 4)))
    for side in ("own", "others"):
        nans = np.full((POSTS, 2, WIDTH), np.nan, "float32")
        wider[f"{side}_hashtags"] = np.concatenate([INPUTS[f"{side}_hashtags"], nans], axis=1)
        mask = INPUTS[f"{side}_hashtags_mask"]
        wider[f"{side}_hashtags_mask"] = np.pad(mask, ((0, 0), (0, 2)))
    np.testing.assert_allclose(model(wider), model(INPUTS), rtol=1e-5, atol=1e-5)


# === The graph ===

ONE_RELATION = map(slow, ("PHR-TR", "PHR-VR", "PHR-V"))


@pytest.mark.parametrize("variant", ["phr", "tagnet", slow("aggregated, two relations")])
def test_a_batch_of_one_with_neighbours(variant):
    model = kept(variant)
    train, queries = posts(1), posts(2)
    catalogue = stored(model, train)
    neighbours = np.array(
        [[0, 1, -1], [3, -1, -1], [-1, -1, -1], [5, 4, 2], [6, 0, 7]] + [[1, 2, 3]] * 3
    )
    inputs = beside(queries, catalogue, neighbours)
    whole = np.array(model(inputs))
    for row in (0, 2, 3):
        alone = model(taken(inputs, [row]))
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-5, atol=1e-5)
    moved = np.array(model(taken(inputs, [5, 3, 3, 0])))
    np.testing.assert_allclose(moved, whole[[5, 3, 3, 0]], rtol=1e-5, atol=1e-5)
    # and neighbours do matter
    assert not np.allclose(whole, model(beside(queries, catalogue, neighbours * 0 - 1)))


@pytest.mark.parametrize("variant", ["phr", "tagnet", "aggregated, two relations", *ONE_RELATION])
def test_stored_posts_give_what_the_directed_graph_gives(variant):
    """The answer for a query equals that of one graph of train posts and the query.

    In it train posts receive from each other and the query from all; nobody from the query.
    """
    model = kept(variant)
    train, queries = posts(1), posts(2)
    catalogue = stored(model, train)
    everyone = np.tile(np.arange(POSTS), (POSTS, 1))
    found = np.array(model(beside(queries, catalogue, everyone)))
    effects = 0
    for row in range(POSTS):
        one = taken(queries, [row])
        all_posts = {name: np.concatenate([train[name], one[name]]) for name in train}
        alike = model.represent(all_posts)
        has = {"visual": all_posts["has_image"], "textual": all_posts["has_text"]}
        relations = [
            similarity_edges(alike[name], threshold, has[name])
            for name, threshold in model.graph.thresholds.items()
        ]
        edges = np.stack(relations, axis=-1)
        effects += np.count_nonzero(edges[POSTS])
        edges[:POSTS, POSTS] = 0
        if isinstance(model.graph, AggregatedGraph):
            edges = np.maximum(edges.max(axis=-1), 0)
        node = model.graph.convolution(alike["post"], edges)
        expected = model.head(node, all_posts)[POSTS]
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-4)
    assert 0 < effects < POSTS * POSTS * edges.shape[-1]


@pytest.mark.parametrize("variant", ["phr", *map(slow, ("PHR-TR", "PHR-V"))])
def test_one_hop_is_the_graph_of_the_batch(variant):
    """Relational: a post and its stored neighbours answer as they do together in a batch."""
    model = kept(variant)
    whole = np.array(model(INPUTS))
    others = np.array([[j for j in range(POSTS) if j != i] for i in range(POSTS)])
    found = model(beside(INPUTS, stored(model, INPUTS), others))
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-4)


def test_spread_follows_the_lists_of_neighbours():
    model = kept("tagnet")
    rng = np.random.default_rng(5)
    nobody = np.full((POSTS, 3), -1)
    some = np.where(rng.random((POSTS, 3)) < 0.6, rng.integers(0, POSTS, (POSTS, 3)), -1)
    alone, spread = stored(model, INPUTS, nobody), stored(model, INPUTS, some)
    assert set(alone) == set(spread) == {"messages", "visual", "has_image"}
    assert alone["messages"].shape == (POSTS, 2, 4)
    # Without neighbours a message is what a post sends of its own: M_1 = G_2, M_0 = G_1 + G_2.
    own = np.array(model.graph.project(model.represent(INPUTS)["post"]))
    expected = np.stack([own[:, 0] + own[:, 1], own[:, 1]], axis=1)
    np.testing.assert_allclose(alone["messages"], expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(alone["messages"], spread["messages"])
    without = ~INPUTS["has_image"]  # no edge to it, none from it
    np.testing.assert_allclose(
        spread["messages"][without], alone["messages"][without], rtol=1e-4, atol=1e-5
    )


def test_spread_in_blocks(monkeypatch):
    model = kept("tagnet")
    whole = stored(model, INPUTS)
    monkeypatch.setattr("tfhashtag.recommenders.phr.parts.aggregated_graph._BLOCK", 3)
    np.testing.assert_allclose(
        stored(model, INPUTS)["messages"], whole["messages"], rtol=1e-4, atol=1e-6
    )


def test_spread_changes_nothing_in_a_relational_graph():
    model = kept()
    catalogue = {name: np.array(x) for name, x in model.catalogue(INPUTS).items()}
    found = model.spread(catalogue, np.zeros((POSTS, 2), int))
    assert set(found) == set(catalogue)
    assert all(np.array_equal(found[name], catalogue[name]) for name in found)


@pytest.mark.parametrize(
    ("variant", "vectors"),
    [
        ("phr", "texts"),
        ("tagnet", "texts"),
        slow("aggregated, two relations", "texts"),
        ("PHR-PTA", "texts"),  # reads no hashtags
        ("PHR-PTA", "texts_and_hashtags"),  # unless they are part of the vectors
    ],
)
def test_own_hashtags_do_not_come_back_through_the_graph(variant, vectors):
    """Posts that have seen a post's hashtags may not tell it; the others may tell it all else."""
    model = made(variant, vectors=vectors, visual_threshold=-1.0, textual_threshold=-1.0)
    rng = np.random.default_rng(3)
    inputs = {**INPUTS, "post": np.arange(10, 10 + POSTS)}
    seen = np.full((POSTS, 3), -1)
    seen[1, 0] = seen[4, 2] = seen[5, 1] = 10  # of post 10, the first row
    seen[2, 0] = 11
    inputs["seen_posts"] = seen
    changed = dict(inputs)
    reading = ("own_hashtags", "others_hashtags", "used_hashtags")
    if vectors != "texts":
        reading = ("own_posts", "others_posts")
    for name in reading:
        changed[name] = inputs[name].copy()
        changed[name][[1, 4, 5]] = rng.normal(size=changed[name][[1, 4, 5]].shape)
    before, after = np.array(model(inputs)), np.array(model(changed))
    np.testing.assert_allclose(after[0], before[0], rtol=1e-5, atol=1e-6)
    if (variant, vectors) == ("PHR-PTA", "texts"):
        np.testing.assert_array_equal(after, before)
        strangers = {name: value for name, value in inputs.items() if name != "seen_posts"}
        np.testing.assert_array_equal(model(strangers), before)
        return
    assert not np.allclose(after[3], before[3], atol=1e-4)
    strangers = {**inputs, "seen_posts": seen * 0 - 1}
    told = {**changed, "seen_posts": seen * 0 - 1}
    assert not np.allclose(model(told)[0], model(strangers)[0], atol=1e-4)
    plain = {name: value for name, value in inputs.items() if name not in ("post", "seen_posts")}
    np.testing.assert_allclose(model(strangers), model(plain), rtol=1e-4, atol=1e-5)


def test_no_catalogue_without_a_graph():
    for variant in ("no graph", "no relation"):
        model = kept(variant)
        assert not model.linked
        with pytest.raises(ValueError, match="graph"):
            model.catalogue(INPUTS)


# === The parts of TAGNet ===


def test_tagnet():
    model = kept("tagnet")
    assert model.pairs == (("own", "visual"), ("textual", "visual"), ("own", "textual"))
    changed = dict(INPUTS)
    for name in ("own_posts", "own_hashtags", "others_posts", "others_hashtags"):
        changed[name] = INPUTS[name] + 1
    np.testing.assert_array_equal(model(changed), model(INPUTS))
    changed = {**INPUTS, "used_hashtags": INPUTS["used_hashtags"] + 1}
    assert not np.allclose(model(changed), model(INPUTS))
    means = model.represent(INPUTS)
    assert set(means) == {"post", "visual", "co_attention"}
    assert means["co_attention"].shape == (POSTS, 3, 2, CELLS)


def test_a_side_that_no_pair_uses_is_left_out():
    model = made(pairing="triplet")
    assert tuple(model.sides) == ("visual", "textual", "own")
    assert not any("others" in weight.path for weight in model.weights)
    assert tuple(kept("PHR-SCA").sides) == ("visual", "textual", "own", "others")


def test_attention_is_given():
    found = kept().represent(INPUTS)
    shapes = {name: tuple(value.shape[1:]) for name, value in found.items()}
    assert shapes == {
        "post": (CELLS * 4,),
        "visual": (4,),
        "textual": (4,),
        "co_attention": (6, 2, CELLS),
        "own_attention": (OWN,),
        "others_attention": (OTHERS,),
    }
    for side in ("own", "others"):
        assert not np.array(found[f"{side}_attention"])[~INPUTS[f"{side}_posts_mask"]].any()


# === What is refused ===

TEXT, USER = TextualSide(CELLS, 4, width=WIDTH), MeanSide("own", CELLS, 4, "own_posts", WIDTH)


@pytest.mark.parametrize(
    "name, make",
    [
        ("labels", lambda: Head(0)),
        ("hidden", lambda: Head(3, hidden=0)),
        ("width", lambda: PostTagSide("own", CELLS, 4, posts=2, width=0)),
        ("posts", lambda: PostTagSide("own", CELLS, 4, posts=0, width=2)),
        ("proposals", lambda: MeanSide("own", 0, 4, "own_posts", 2)),
        ("image_width", lambda: VisualSide(CELLS, 4, image_width=0)),
        ("projection", lambda: VisualSide(CELLS, 4, image_width=2, projection=0)),
        ("slots", lambda: VisualSide(CELLS, 4, image_width=2, slots=0)),
        ("vocabulary_size", lambda: TextualSide(CELLS, 4)),
        ("vocabulary_size", lambda: TextualSide(CELLS, 4, vocabulary_size=1)),
        ("features", lambda: TextualSide(CELLS, 5, vocabulary_size=9)),
        ("dropout", lambda: TextualSide(CELLS, 4, vocabulary_size=9, dropout=1.0)),
        ("thresholds", lambda: RelationalGraph(4, {})),
        ("thresholds", lambda: AggregatedGraph(4, {"own": 0.5})),
        ("visual", lambda: RelationalGraph(4, {"visual": 1.5})),
        ("signals", lambda: ResidualPath(3, 2, None, ["own"], [])),
        ("sides", lambda: PhrModel([], None, SelfTerm(4), Head(3))),
        ("sides", lambda: PhrModel([USER, TEXT], None, SelfTerm(4), Head(3))),
        ("sides", lambda: PhrModel([TEXT, TEXT], None, SelfTerm(4), Head(3))),
        (
            "sides",
            lambda: PhrModel(
                [TEXT, MeanSide("own", 1, 4, "own_posts", 2)], None, SelfTerm(4), Head(3)
            ),
        ),
        (
            "co_attention",
            lambda: PhrModel(
                [TEXT], SextupletCoAttention([("own", "textual")]), SelfTerm(4), Head(3)
            ),
        ),
        ("graph", lambda: PhrModel([TEXT], None, RelationalGraph(4, {"visual": 0.6}), Head(3))),
    ],
)
def test_refuses_bad_arguments(name, make):
    with pytest.raises(ValueError, match=f"`{name}`"):
        make()


def test_a_configuration_that_leaves_no_pair():
    with pytest.raises(ConfigError, match="leave no pair for"):
        made(sides=["visual"])
