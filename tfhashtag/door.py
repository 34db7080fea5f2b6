"""The door for Python: what the commands do, as functions; `import tfhashtag as th`."""

import dataclasses
import functools
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tfhashtag.errors import ConfigError, NotEncodedError
from tfhashtag.files import check_new_folder

if TYPE_CHECKING:
    from tfhashtag.comparison import Comparison
    from tfhashtag.corpus.corpus import Corpus
    from tfhashtag.corpus.importing import ImportReport
    from tfhashtag.engines.spark import SparkEngine
    from tfhashtag.runs.forget import Forgotten
    from tfhashtag.runs.run import Run
    from tfhashtag.training.options import TrainingOptions
    from tfhashtag.tuning import Tuning
    from tfhashtag.vector_codes import CodeType


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def read_corpus(folder: str | os.PathLike) -> "Corpus":
    """The corpus in a folder, as `import_posts` made it.

    Raises:
        ArtifactError: it is not a corpus folder, or a file is missing or damaged.
    """
    from tfhashtag.corpus.store import read_corpus as read

    return read(folder)


def import_posts(
    source: Any,
    out: str | os.PathLike,
    format: str | None = None,
    *,
    tell: Callable[[str], None] = _tell,
    engine: "str | SparkEngine" = "local",
    master: str | None = None,
    spark_conf: Mapping[str, Any] | None = None,
    **options: Any,
) -> "Corpus":
    """Reads, checks and writes posts as a corpus folder.

    Args:
        source: a file, a folder, a pattern such as `part-*.jsonl.gz`, the ZIP archive of a
            platform as it is downloaded, or a pandas or Arrow table. Its fields are `user`, `text`,
            `hashtags` and, if there are any, `id`, `timestamp`, `split`, `image`, `proposals`,
            `likes`, `shares`, `replies`, `views` and `followers`.
        out: corpus folder to make.
        format: one of `tfhashtag.corpus.readers.FORMATS`, such as `jsonl` or `twitter`; None: by
            the file's ending and what stands in it.
        tell: called with a line about what was recognised, counted or skipped; by default on
            stderr.
        engine: `local`, or `spark` for executors of Spark, which give the same corpus; or an open
            `tfhashtag.engines.spark.SparkEngine`. Spark reads files, not tables.
        master: address of Spark's master, such as `spark://host:7077`.
        spark_conf: settings of Spark, `{"spark.executor.memory": "4g"}`.
        options: `name`, `split`, `split_seed`, and the fields of
            `tfhashtag.corpus.importing.Wishes` (`skip_bad`, `keep_hashtags_in_text`,
            `drop_duplicates`, ...) and of `tfhashtag.corpus.row_source.Reading` (`columns`,
            `delimiter`, `encoding`, `hashtag_separator`, ...).

    Raises:
        DataError: with place, what was found and what was expected.
        EngineError: Spark cannot be started, or gave up.

    Example:

    >>> import pyarrow as pa, tempfile
    >>> posts = pa.table({"user": ["ann"], "text": ["good tea"], "hashtags": [["tea"]]})
    >>> len(import_posts(posts, tempfile.mkdtemp() + "/corpus"))
    1
    """
    from tfhashtag.engines.engine import spark_of

    with spark_of(engine, master, spark_conf) as spark:
        if not isinstance(source, str | os.PathLike):
            if spark is not None:
                raise ConfigError("the engine `spark` reads files; write the table as Parquet.")
            report = _import_table(source, out, options)
        else:
            report = _import_files(source, out, format, spark, options)
    tell(f"{out}: {report.posts:,} posts")
    for line in report.told:
        tell(f"  {line}")
    for line in report.counted_lines:
        tell(f"  {line}")
    for reason, count in report.skipped.items():
        tell(f"  skipped, {reason}: {count:,}, first {report.examples[reason]}")
    return read_corpus(out)


def _import_files(
    source: str | os.PathLike,
    out: str | os.PathLike,
    format: str | None,
    spark: "SparkEngine | None",
    options: dict[str, Any],
) -> "ImportReport":
    """Of files, also in a ZIP archive, which is unpacked for as long as it is read."""
    from tfhashtag.corpus.archives import unpacked
    from tfhashtag.corpus.importing import import_posts
    from tfhashtag.corpus.recognition import format_of

    # Executors of Spark reach the folder of `out`.
    beside = None if spark is None else pathlib.Path(out).expanduser().resolve().parent
    with unpacked(source, beside) as files:
        chosen = format or format_of(files.path, **options)
        if spark is None:
            report = import_posts(chosen, files.path, out, **options)
        else:
            from tfhashtag.engines.spark_import import import_posts as import_on_spark

            report = import_on_spark(spark, chosen, files.path, out, **options)
        examples = {reason: files.shown(fault) for reason, fault in report.examples.items()}
    told = [files.shown(line) for line in report.told]
    return dataclasses.replace(report, examples=examples, told=told)


def encode(
    corpus: "str | os.PathLike | Corpus",
    text_encoder: str | None = None,
    image_encoder: str | None = None,
    *,
    image_weights: str | None = None,
    proposals: int = 9,
    batch_tokens: int = 4096,
    dtype: "CodeType | None" = None,
    progress: bool = True,
    tell: Callable[[str], None] = lambda line: None,
    engine: "str | SparkEngine" = "local",
    master: str | None = None,
    spark_conf: Mapping[str, Any] | None = None,
) -> None:
    """Embeds what these encoders have not embedded yet: texts, names of hashtags, pictures.

    It can be stopped at any time; the next call goes on.

    Args:
        corpus: a corpus of a folder, or the folder.
        text_encoder: `minilm`, a KerasHub preset, `hf://owner/model`, a TF-Hub handle or a folder.
        image_encoder: `resnet50`, `pixels`, or as above.
        image_weights: file of weights for the image encoder; `random` for tests.
        proposals: vectors of a picture, a square number: 9 is a grid of 3 x 3.
        batch_tokens: most tokens in a batch; less takes less memory.
        dtype: what the vectors of texts are kept in: `float32`, `float16`, or `int8` with a scale
            a vector; None for what they are kept in already, or float32.
        progress: show a progress bar.
        tell: called with a line about each finished table.
        engine, master, spark_conf: as in `import_posts`; every executor loads the encoder by the
            same name, and reaches the corpus folder under its path where pictures are encoded.

    Raises:
        EncoderError: an encoder cannot be loaded.
        ConfigError: neither encoder is given, or another `dtype`.
        EngineError: Spark cannot be started, or gave up.
    """
    from tfhashtag.encoders.names import check_encoder_name
    from tfhashtag.engines.engine import spark_of

    if not text_encoder and not image_encoder:
        raise ConfigError("give `text_encoder`, `image_encoder` or both.")
    for kind, name in (("Text", text_encoder), ("Image", image_encoder)):
        if name:
            check_encoder_name(kind, name)
    found, folder = _corpus(corpus)
    with spark_of(engine, master, spark_conf) as spark:
        if text_encoder:
            how_texts = text_encoder, batch_tokens, dtype
            _encode_texts(found, folder, how_texts, progress, tell, spark)
        if image_encoder:
            how = image_encoder, image_weights, proposals
            _encode_images(found, folder, how, progress, tell, spark)


def _encode_texts(
    found: "Corpus",
    folder: pathlib.Path,
    how: tuple[str, int, "CodeType | None"],
    progress: bool,
    tell: Callable[[str], None],
    spark: "SparkEngine | None",
) -> None:
    from tfhashtag.encoders import encode_corpus, encode_hashtags, load_text_encoder
    from tfhashtag.encoders.elsewhere import Elsewhere

    text_encoder, batch_tokens, dtype = how
    encoder = load_text_encoder(text_encoder)
    elsewhere = None
    if spark is not None:
        elsewhere = Elsewhere(spark.each, "text", (text_encoder,), encoder.fingerprint)
    for what, encode_texts in (
        ("messages", functools.partial(encode_corpus, dtype=dtype)),
        ("hashtags", encode_hashtags),
    ):
        if getattr(found, what):
            made = encode_texts(
                folder,
                found,
                encoder,
                progress=progress,
                batch_tokens=batch_tokens,
                elsewhere=elsewhere,
            )
            rows, width = made.vectors.shape
            kept = getattr(made.vectors, "kept", "")
            tell(
                f"{made.folder}: {rows} {what}, {kept}{kept and ' '}vectors of width {width} "
                f"({made.encoded} encoded now, {made.reused} there before)"
            )
    if cut := encoder.count_cut(found.messages):
        tell(
            f"  longer than the {encoder.max_length} tokens that {text_encoder} reads, and "
            f"cut there: {cut:,} of {len(found.messages):,} messages"
        )


def _encode_images(
    found: "Corpus",
    folder: pathlib.Path,
    how: tuple[str, str | None, int],
    progress: bool,
    tell: Callable[[str], None],
    spark: "SparkEngine | None",
) -> None:
    from tfhashtag.encoders import encode_images, load_image_encoder
    from tfhashtag.encoders.elsewhere import Elsewhere

    images, proposals = load_image_encoder(*how), how[2]
    elsewhere = None
    if spark is not None:
        elsewhere = Elsewhere(spark.each, "image", how, images.fingerprint)
    pictures = encode_images(folder, found, images, progress=progress, elsewhere=elsewhere)
    rows, _, width = pictures.vectors.shape
    tell(
        f"{pictures.folder}: {rows} images with {proposals} proposals of width {width} "
        f"({pictures.encoded} encoded now, {pictures.reused} there before)"
    )
    if pictures.broken:
        posts: dict[str, str] = {}
        for post, names in zip(found.post_ids, found.images or [], strict=True):
            posts |= {name: post for name in names if name not in posts}
        shown = ", ".join(f"post {posts[name]}: {name}" for name in pictures.broken[:5])
        shown += ", ..." if len(pictures.broken) > 5 else ""
        tell(f"  cannot be decoded and count as no image: {len(pictures.broken)} ({shown})")


def finetune(
    corpus: "str | os.PathLike | Corpus",
    out: str | os.PathLike,
    text_encoder: str = "minilm",
    *,
    progress: bool = True,
    resume: bool = False,
    **how: Any,
) -> dict[str, float]:
    """Trains a text encoder on, so that texts of a hashtag lie together; writes a folder.

    The folder stands for a text encoder everywhere: `encode(corpus, "tuned")`,
    `train("engagement", corpus, text_encoder="tuned")`.

    Args:
        corpus: a corpus of a folder, or the folder; its train texts are learned from.
        out: folder to make.
        text_encoder: `minilm`, `mpnet`, a KerasHub preset, `hf://owner/model` or a folder of a
            checkpoint.
        progress: show a progress bar.
        resume: go on with what was stopped.
        how: fields of `tfhashtag.training.finetuning.Finetuning`: `epochs`, `batch`,
            `learning_rate`, `temperature`, `names`, `seed`.

    Returns:
        Share of valid pairs whose other side is nearest in its batch: `before`, `after`.

    Raises:
        ConfigError: a value is out of range, or the encoder cannot be trained on.
        DataError: no train text has a hashtag to be paired by.
        ArtifactError: `out` exists, or something was stopped there.
        EncoderError: the encoder cannot be loaded.
    """
    check_new_folder(out)  # what cannot be is said before the encoder is loaded
    found, _ = _corpus(corpus)
    from tfhashtag.encoders import load_text_encoder
    from tfhashtag.training.finetuning import Finetuning
    from tfhashtag.training.finetuning import finetune as train_on

    chosen = Finetuning(**how)
    encoder = load_text_encoder(text_encoder)
    return train_on(found, encoder, out, chosen, progress=progress, resume=resume)


def prepare(
    config: str | os.PathLike,
    corpus: "str | os.PathLike | Corpus",
    out: str | os.PathLike,
    *,
    overrides: Iterable[str] = (),
    progress: bool = True,
    moved: Callable[[str, int, int], None] = lambda part, done, total: None,
    engine: "str | SparkEngine" = "local",
    master: str | None = None,
    spark_conf: Mapping[str, Any] | None = None,
    **settings: Any,
) -> dict[str, int]:
    """Works out what a training of `engagement` or `posts` learns from: candidates and signals.

    Those of each imitated future, out of the tables of what was known then, and of the valid split.
    `train(..., options=TrainingOptions(prepared=out))` learns from them.

    Args:
        config, overrides, settings: as `train` takes them; the training must have the same.
        corpus: a corpus of a folder, or the folder; what is not encoded is encoded.
        out: folder to make.
        progress: show a progress bar while something is encoded.
        moved: called with part, lists that are done and all of it.
        engine, master, spark_conf: as in `import_posts`; every executor reaches the corpus folder
            under its path.

    Returns:
        Part to number of lists.

    Raises:
        ConfigError: the model learns from no lists.
        DataError: there is nothing to learn from, or `out` exists.
        EngineError: Spark cannot be started, or gave up.
    """
    found, folder = _corpus(corpus)
    from tfhashtag.engines.engine import spark_of
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.runs.prepare import check_can_prepare
    from tfhashtag.runs.prepare import prepare as prepare_lists

    values = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    loaded = load_settings(config, [*overrides, *values])
    check_can_prepare(loaded, out)
    with spark_of(engine, master, spark_conf) as spark:
        _encode_missing(found, loaded, progress, spark)
        each = map if spark is None else spark.each
        return prepare_lists(loaded, folder, out, moved=moved, each=each)


def train(
    config: str | os.PathLike,
    corpus: "str | os.PathLike | Corpus | None" = None,
    out: str | os.PathLike = "run",
    *,
    overrides: Iterable[str] = (),
    resume: bool = False,
    options: "TrainingOptions | None" = None,
    track: str | Iterable[str] = (),
    **settings: Any,
) -> "Run":
    """Trains, and gives back the complete run; encodes what is not encoded yet.

    Two runs with one seed give the same metrics to the last digit on CPU, interrupted or not.

    Args:
        config: name of a shipped configuration (`engagement`, `phr`, ...) or path of a YAML file.
        corpus: a corpus of a folder, or the folder; not needed to resume.
        out: run folder; must not exist unless `resume`.
        overrides: settings as `"dotted.key=value"` strings, as `--set` takes them.
        resume: go on with the run in `out`; a complete run is left as it is.
        options: how to run, see `TrainingOptions`.
        track: `mlflow`, `mlflow:URI`, `tensorboard`, `tensorboard:FOLDER`, or several: places that
            are told of it. Without it nothing is sent anywhere.
        settings: values by dotted keys, `**{"training.epochs": 2}`.

    Raises:
        ConfigError, DataError, ArtifactError: with the file, the key and what to do.
        WorkerError: with the strategy `multi_worker`, a worker did not come or was lost.
    """
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.runs.create import check_can_begin, has_content
    from tfhashtag.runs.train import train as train_run
    from tfhashtag.tracking.tracker import trackers_of
    from tfhashtag.training.options import TrainingOptions

    options = options or TrainingOptions()
    values = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    loaded = load_settings(config, [*overrides, *values])
    folder = None if corpus is None else _corpus_folder(corpus)
    resumed = resume and has_content(pathlib.Path(out))
    # Workers encode nothing: each would do it, and not each may write there.
    if folder is not None and not resumed and options.strategy != "multi_worker":
        check_can_begin(pathlib.Path(out))  # what cannot be is said before hours of encoding
        options.check()
        trackers_of(track)
        _encode_missing(read_corpus(folder), loaded, options.progress)
    return train_run(
        loaded, folder, out, resume=resume, options=options, keep_answers=True, track=track
    )


def load(folder: str | os.PathLike, hash_users: str | os.PathLike | None = None) -> "Run":
    """Opens a run folder; it is read when it is first asked, and stays in memory.

    Args:
        folder: of the run.
        hash_users: file of the key by which the import hashed the users; then questions name them
            as they are called.

    Raises:
        ConfigError: the key is another one.
        ArtifactError: it is not a run folder, or one of its files is missing or damaged.
    """
    from tfhashtag.runs.run import Run

    return Run.open(folder, hash_users)


def recommend(
    run: "str | os.PathLike | Run",
    queries: str | os.PathLike,
    out: str | os.PathLike,
    k: int = 10,
    *,
    reach: float = 0.0,
    moved: Callable[[int], None] = lambda done: None,
    engine: "str | SparkEngine" = "local",
    master: str | None = None,
    spark_conf: Mapping[str, Any] | None = None,
) -> int:
    """Answers the questions of a file into a file, in bounded memory; `Run.recommend` for a few.

    Args:
        run: complete, or its folder.
        queries: `.jsonl`, `.csv` or `.parquet`; a question a row, with the fields of
            `Run.recommend` and perhaps `id`.
        out: `.jsonl`, `.csv` or `.parquet`; rows of `query`, `rank`, `hashtag`, `score`. Appears
            whole or not at all.
        k: how many of each.
        reach: weight of expected reach against fit, as of `Run.recommend`.
        moved: called with the number of questions that are answered.
        engine, master, spark_conf: as in `import_posts`; every executor reaches the run's folder,
            and pictures that questions name, under the same paths.

    Returns:
        The number of questions.

    Raises:
        ConfigError: a file of another ending, or the recommender ranks the lists of evaluations
            alone.
        DataError: a row that cannot be read; the message has file and line.
        EngineError: Spark cannot be started, or gave up.
    """
    from tfhashtag.engines.engine import spark_of
    from tfhashtag.runs.recommendation import recommend_file

    opened = load(run) if isinstance(run, str | os.PathLike) else run
    with spark_of(engine, master, spark_conf) as spark:
        each = None if spark is None else spark.each
        return recommend_file(opened, queries, out, k, moved, reach, each)


def forget(folder: str | os.PathLike, **options: Any) -> "Forgotten":
    """Takes posts out of a corpus or a run; arguments and errors of `tfhashtag.runs.forget`."""
    from tfhashtag.runs.forget import forget as forget_in

    return forget_in(folder, **options)


def compare(
    study: str,
    corpus: "str | os.PathLike | Corpus",
    out: str | os.PathLike = "comparison",
    *,
    track: str | Iterable[str] = (),
    **options: Any,
) -> "Comparison":
    """Trains and ranks with every system of a paper's tables; tables, tests and a report.

    Args:
        study: `"engagement"` or `"phr"`.
        corpus: an encoded corpus of a folder, or the folder.
        out: folder of all results; what was stopped there goes on.
        track: places that are told of it, as `train` takes them.
        options: `systems`, `seeds`, `overrides` and the others of `tfhashtag.comparison.compare`.

    Raises:
        ConfigError, DataError, ArtifactError: as `tfhashtag.comparison.compare`.
    """
    from tfhashtag.comparison import compare as compare_systems
    from tfhashtag.tracking.told import tell_study
    from tfhashtag.tracking.tracker import trackers_of

    trackers_of(track)  # what cannot be told is said before anything is trained
    found = compare_systems(study, _corpus_folder(corpus), out, **options)
    tell_study(track, found.folder, found.for_trackers())
    return found


def tune(
    config: str | os.PathLike,
    corpus: "str | os.PathLike | Corpus",
    out: str | os.PathLike = "tuning",
    *,
    track: str | Iterable[str] = (),
    **options: Any,
) -> "Tuning":
    """Tries settings of a configuration's section `tune` on the valid split; the best as a file.

    Encodes what is not encoded yet. What was stopped goes on when it is called again.

    Args:
        config: name of a shipped configuration with a section `tune`, or path of a YAML file.
        corpus: a corpus of a folder, or the folder.
        out: folder of all results.
        track: places that are told of it, as `train` takes them.
        options: `trials`, `timeout`, `workers`, `against`, `overrides` and the others of
            `tfhashtag.tuning.tune`.

    Returns:
        The trials, best first, as a table; `train` takes its `config`.

    Raises:
        ConfigError, DataError, ArtifactError, TuningError: as `tfhashtag.tuning.tune`.
    """
    posts, folder = _corpus(corpus)
    from tfhashtag.tracking.told import tell_study
    from tfhashtag.tracking.tracker import trackers_of
    from tfhashtag.tuning import tune as tune_settings
    from tfhashtag.tuning.space import SearchSpace

    trackers_of(track)  # what cannot be told is said before anything is trained
    for settings in SearchSpace(config, options.get("overrides", ())).all_settings():
        _encode_missing(posts, settings, progress=True)
    del posts  # each trial reads them
    found = tune_settings(config, folder, out, **options)
    tell_study(track, found.folder, found.for_trackers())
    return found


def doctor() -> dict[str, dict[str, Any]]:
    """What this machine and this installation have, for bug reports; never fails.

    Returns:
        Part to facts: program, libraries, extras, devices, encoders, disk, memory, Java and
        environment; of a part that could not be looked at `problem` alone.
    """
    from tfhashtag.diagnosis import examine

    return examine()


def _corpus_folder(corpus: "str | os.PathLike | Corpus") -> pathlib.Path:
    if isinstance(corpus, str | os.PathLike):
        return pathlib.Path(corpus)
    if corpus.folder is None:
        raise ConfigError(
            f"the corpus {corpus.name!r} is in no folder; write it with `tfhashtag.corpus.store."
            "write_corpus`, or import it with `import_posts`."
        )
    return corpus.folder


def _corpus(corpus: "str | os.PathLike | Corpus") -> "tuple[Corpus, pathlib.Path]":
    folder = _corpus_folder(corpus)
    return (read_corpus(folder) if isinstance(corpus, str | os.PathLike) else corpus), folder


def _encode_missing(
    corpus: "Corpus", settings: Any, progress: bool, spark: "SparkEngine | None" = None
) -> None:
    """Encodes what a recommender reads and the folder of the corpus has not."""
    from tfhashtag.recommenders.registry import read_vectors

    encoders: Mapping[str, Any] = settings.encoders
    try:
        read_vectors(_corpus_folder(corpus), corpus, settings)
    except NotEncodedError:
        image = encoders["image_encoder"]
        encode(
            corpus,
            encoders["text_encoder"],
            None if image in ("none", "given") else image,
            proposals=encoders["proposals"],
            progress=progress,
            engine=spark or "local",
        )


def _import_table(table: Any, out: str | os.PathLike, options: Mapping[str, Any]) -> Any:
    """Imports a pandas or Arrow table; pictures lie in `images`, by default the working folder."""
    from tfhashtag.corpus.importing import import_posts as import_files
    from tfhashtag.corpus.table_source import shown_row, table_file

    with table_file(table, options.get("columns")) as path:
        given = {"name": "table", "recorded": "table", "images": os.getcwd(), **options}
        report = import_files("parquet", path, out, **given)
    examples = {reason: shown_row(fault, path) for reason, fault in report.examples.items()}
    told = [shown_row(line, path) for line in report.told]
    return dataclasses.replace(report, examples=examples, told=told)
