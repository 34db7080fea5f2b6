"""Loads from model hubs, whether there is a way to them, and what to say where there is none."""

import contextlib
import importlib.util
import time
from collections.abc import Iterator

from tfhashtag.errors import EncoderError

_SCHEME = "hf://"


def check_hugging_face(source: str, needed_by: str, ways_out: str) -> None:
    """Refuses a handle of the Hugging Face hub where nothing leads to the hub.

    The hub's own client asks six times over half a minute and more. Here it is asked twice, within
    a second. A hub that is slow, or that answers whatever it may be, is left to the client; so is a
    model in the client's cache.

    Args:
        source: `hf://owner/model`; anything else passes.
        needed_by: begins the message.
        ways_out: ends the message: what else can be done, a sentence.

    Raises:
        EncoderError: the hub cannot be reached.
    """
    if not source.startswith(_SCHEME) or importlib.util.find_spec("huggingface_hub") is None:
        return
    import huggingface_hub

    repository = source.removeprefix(_SCHEME)
    if isinstance(huggingface_hub.try_to_load_from_cache(repository, "config.json"), str):
        return
    address = huggingface_hub.hf_hub_url(repository, "config.json")
    reason = _obstacle(address)
    if reason is not None:
        time.sleep(1)  # a name server may have had a bad moment
        reason = _obstacle(address)
    if reason is not None:
        raise EncoderError(
            f"{needed_by} is not in the Hugging Face cache, and {address} cannot be reached "
            f"({reason}). {ways_out}"
        )


@contextlib.contextmanager
def from_hub(source: str, needed_by: str, ways_out: str) -> Iterator[None]:
    """Around a load by KerasHub: whatever it raises becomes one clear error.

    Arguments as `check_hugging_face`, which is asked first.

    Raises:
        EncoderError: the hub cannot be reached, or what is loaded is not there or not readable.
    """
    try:
        check_hugging_face(source, needed_by, ways_out)
        yield
    except EncoderError:
        raise
    except Exception as error:  # KerasHub raises what its hub clients and readers raise
        reason = " ".join(str(error).split())[:300]
        raise EncoderError(
            f"{needed_by} cannot be loaded: {type(error).__name__}: {reason} "
            f"Without access to a model hub, give a local Hugging Face or KerasHub folder."
        ) from error


def _obstacle(address: str) -> str | None:
    """What keeps us from the hub; None where it answers or may still answer."""
    import huggingface_hub

    try:
        huggingface_hub.get_hf_file_metadata(address)
    except huggingface_hub.errors.HfHubHTTPError:
        return None  # it answered
    except Exception as error:  # of the HTTP library, which differs between versions of the client
        if type(error).__name__ == "ConnectTimeout":
            return "no connection in time"
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
                return " ".join(str(cause.strerror or cause).split())
            cause = cause.__cause__ or cause.__context__
    return None
