"""Jobs in a thread of their own, so that a slow one does not delay a training."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread

Job = Callable[[], object]


class Background:
    """Does jobs one after another, in a thread that does not outlive the process.

    Parameters
    ----------
    name : str
        The name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._error: Exception | None = None
        Thread(target=self._work, name=name, daemon=True).start()

    def do(self, job: Job) -> None:
        """Do a job after all others."""
        self._jobs.put(job)

    def wait(self, seconds: float) -> bool:
        """Wait until all jobs are done, for some seconds at most; return whether they are."""
        done = Event()
        self.do(done.set)
        return done.wait(seconds)

    def raise_error(self) -> None:
        """Raise the latest exception of a job, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """End the thread when all jobs are done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:
                self._error = error
