"""Which versions shall be loaded, and in which order one gets there: plain functions of sets."""

from collections.abc import Iterable, Set
from typing import NamedTuple, TypeAlias

from tensorflow_serving.config import file_system_storage_path_source_pb2

VersionPolicy: TypeAlias = (
    file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy
)


class Step(NamedTuple):
    """The next thing to do with a model: load a version, or unload it."""

    load: bool
    version: int


def wanted_versions(policy: VersionPolicy, found: Iterable[int]) -> set[int]:
    """The versions that a policy wants of those that are there.

    Args:
        policy: `latest` (the newest `num_versions`, at least one), `all`, `specific`; one that says
            nothing wants the newest.
        found: versions on disk.

    Example:

    >>> policy = VersionPolicy()
    >>> policy.latest.num_versions = 2
    >>> sorted(wanted_versions(policy, [1, 5, 3]))
    [3, 5]
    """
    versions = set(found)
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return versions
    if choice == "specific":
        return versions & set(policy.specific.versions)
    return set(sorted(versions)[-max(policy.latest.num_versions, 1) :])


def next_step(wanted: Set[int], available: Set[int], loadable: Set[int]) -> Step | None:
    """The next step towards the wanted versions, so that some version answers at any time.

    The rule is the availability-preserving policy of TensorFlow Serving: a version that is not
    wanted stays until a wanted one answers; of several such ones the newest stays; the newest
    wanted version is loaded first.

    Args:
        wanted: versions that shall answer.
        available: versions that answer.
        loadable: versions that are wanted and can be loaded now; not those that failed.

    Returns:
        None where there is nothing to do.

    Example:

    >>> next_step(wanted={2}, available={1}, loadable={2})
    Step(load=True, version=2)
    >>> next_step(wanted={2}, available={1, 2}, loadable=set())
    Step(load=False, version=1)
    >>> next_step(wanted={2}, available={1}, loadable=set()) is None
    True
    """
    unwanted = available - wanted
    if unwanted and (not wanted or wanted & available or len(unwanted) > 1):
        return Step(False, min(unwanted))
    return Step(True, max(loadable)) if loadable else None
