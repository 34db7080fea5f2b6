"""How messages travel, and how many at a time."""

from dataclasses import dataclass

from tfhashtag.errors import ServingError

_WORKERS = 16


@dataclass(frozen=True)
class Transport:
    """What both ports share.

    Args:
        message_mib: largest request and answer, MiB.
        workers: requests that run at the same time, by gRPC and as many by REST; None: 16, or
            with batching as many as fill the batches that run and the next one.
        max_concurrent: requests, by gRPC and by REST, that may wait or run; more are refused.
        max_wait: seconds that a request may wait for a thread, as far as can be told when it
            comes; one that would wait longer is sent away.
        rest_timeout: seconds that a REST request may take.
        rest_cors: let pages of any origin ask REST, as `--rest-api-enable-cors-support` does.
        rest_page: answer `/` of the REST port with a page for people, see `Page`.
        memory_mib: what the runs of all requests at a time may take together, MiB; more wait.

    Raises:
        ServingError: `message_mib` is not 1 to 2047.
    """

    message_mib: int = 64
    workers: int | None = None
    max_concurrent: int = 1024
    max_wait: float = 0.5
    rest_timeout: float = 30.0
    rest_cors: bool = False
    rest_page: bool = True
    memory_mib: int = 2048

    def __post_init__(self) -> None:
        if not 1 <= self.message_mib <= 2047:
            raise ServingError(f"`message_mib` is {self.message_mib}; expected 1 to 2047.")

    @property
    def message_bytes(self) -> int:
        """Largest request and answer, bytes."""
        return self.message_mib * 2**20

    def workers_for(self, batched_requests: int | None) -> int:
        """Requests that run at the same time on a port.

        Args:
            batched_requests: that fill all batches; None without batching.
        """
        if self.workers is not None:
            return self.workers
        return _WORKERS if batched_requests is None else min(batched_requests, self.max_concurrent)
