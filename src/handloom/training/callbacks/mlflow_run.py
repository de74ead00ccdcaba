"""A run of MLflow: begun or continued, and sent metrics, parameters, tags and files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from handloom.training.callbacks.run_parameters import Parameter

LONGEST = 6000
"""The number of characters of a parameter that MLflow keeps."""

MOST_METRICS, MOST_PARAMETERS = 1000, 100
"""The numbers of entries that MLflow takes in one request."""

Item = TypeVar("Item")


@dataclass
class MLflowRun:
    """A run of MLflow. Failed requests are tried again by the next call of a method; none is quick.

    All methods are called in the same thread, to which MLflow's active run belongs.

    Parameters
    ----------
    experiment, name : str, optional
        Of a new run.
    tags : mapping of str to str
    parameters : mapping
        The hyperparameters.
    run_id : str, optional
        The run to continue; without it, a new one begins.
    owned : bool
        Whether the run is ended here; else it belongs to the user.
    resumed : bool
        Whether the run may have epochs already, which are not sent again.
    """

    experiment: str | None
    name: str | None
    tags: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    run_id: str | None = None
    owned: bool = True
    resumed: bool = False
    _pending: list[Any] = field(default_factory=list, init=False)
    _sent: set[tuple[str, int]] = field(default_factory=set, init=False)  # before a resume
    _active: bool = field(default=False, init=False)
    _status: str | None = field(default=None, init=False)
    _described: bool = field(default=False, init=False)

    def log(self, metrics: Mapping[str, float], *, step: int, seconds: float) -> None:
        """Send metrics of a step, measured at a time in seconds, after all that are not sent yet.

        The run begins now if it has not.
        """
        from mlflow.entities import Metric

        stamp = int(1000 * seconds)
        self._pending += [Metric(name, value, stamp, step) for name, value in metrics.items()]
        self.send()

    def send(self) -> None:
        """Send the metrics that are not sent yet, and end a run that should have ended."""
        client = self._begin()
        self._pending = [
            metric for metric in self._pending if (metric.key, metric.step) not in self._sent
        ]
        while batch := self._pending[:MOST_METRICS]:
            client.log_batch(self.run_id, metrics=batch)
            del self._pending[: len(batch)]
        if self._active and self._status is not None:
            import mlflow

            self._active = False
            mlflow.end_run(self._status)

    def send_folder(self, folder: Path, name: str) -> None:
        """Send the files of a folder, as an artifact."""
        self._begin().log_artifacts(self.run_id, str(folder), name)

    def end(self, status: str, ended: str) -> None:
        """End the run with a status of MLflow, unless it belongs to the user."""
        self._status = status
        self._begin().set_tag(self.run_id, "handloom.ended", ended)
        self.send()

    def _begin(self) -> Any:
        """Return a client; before that, begin or continue the run, and send its parameters."""
        import mlflow

        client = mlflow.MlflowClient()
        if self._described:
            return client
        if self.owned and not self._active:
            run_id = self.run_id if self.run_id and _exists(client, self.run_id) else None
            self.resumed = self.resumed and run_id is not None
            experiment = None if run_id else _experiment_id(client, self.experiment)
            run = mlflow.start_run(run_id, experiment, self.name)
            self.run_id, self._active = run.info.run_id, True
        self._describe(client)
        if self.resumed:
            for name in client.get_run(self.run_id).data.metrics:
                history = client.get_metric_history(self.run_id, name)
                self._sent.update((name, metric.step) for metric in history)
        self._described = True
        return client

    def _describe(self, client: Any) -> None:
        """Send parameters and tags; a parameter that has another value already becomes a tag."""
        from mlflow.entities import Param, RunTag

        values = {name: str(value)[:LONGEST] for name, value in self.parameters.items()}
        there = client.get_run(self.run_id).data.params
        changed = {
            f"changed.{name}": value
            for name, value in values.items()
            if there.get(name, value) != value
        }
        new = [Param(name, value) for name, value in values.items() if name not in there]
        for parameters in _batches(new, MOST_PARAMETERS):
            client.log_batch(self.run_id, params=parameters)
        tags = [RunTag(name, value) for name, value in {**self.tags, **changed}.items()]
        for some in _batches(tags, MOST_PARAMETERS):
            client.log_batch(self.run_id, tags=some)


def _exists(client: Any, run_id: str) -> bool:
    """Return whether MLflow has a run, and it was not deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _experiment_id(client: Any, name: str | None) -> str | None:
    """Return the id of an experiment, a new one if there is none of this name."""
    from mlflow.exceptions import MlflowException

    if name is None:
        return None  # that of mlflow.set_experiment, or of the environment
    known = client.get_experiment_by_name(name)
    if known is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another training has created it meanwhile
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    return str(known.experiment_id)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
