"""The values of a training as TensorBoard shows them: scalars, histograms, texts, parameters."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handloom.parameters import Array
from handloom.training.callbacks.run_parameters import Parameter
from handloom.training.history import LayerRecord, StopReason

TAGS: Mapping[str, str] = {
    "loss": "loss/train",
    "data_loss": "loss/train_without_penalty",
    "penalty": "loss/penalty",
    "accuracy": "accuracy/train",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
    "validation_loss": "loss/validation",
    "validation_accuracy": "accuracy/validation",
    "test_loss": "loss/test",
    "test_accuracy": "accuracy/test",
}
"""The tags of metrics; those with the same first word share a section of the page."""

GRADIENT = "gradient_norm/all"


def scalars(metrics: Mapping[str, float]) -> Iterator[Any]:
    """Yield metrics under the tags of `TAGS`; the tag of another one is ``recorded/`` its name."""
    for name, value in metrics.items():
        yield _value(TAGS.get(name, f"recorded/{name}"), simple_value=value)


def gradient_norm(norm: float) -> Any:
    """Return the l2 norm of a step's gradient."""
    return _value(GRADIENT, simple_value=norm)


def layer_norms(record: LayerRecord) -> Iterator[Any]:
    """Yield the norms of one array of weights in one epoch."""
    for name in ("weights", "gradient", "update"):
        yield _value(f"{name}_norm/{record.array}", simple_value=getattr(record, name))


def histograms(weights: Mapping[str, Array]) -> Iterator[Any]:
    """Yield a histogram of each array."""
    from tensorboardX.summary import histogram

    for name, array in weights.items():
        if array.size:
            yield from histogram(f"weights/{name}", array.reshape(-1), bins=30).value


def text(tag: str, lines: Iterable[str]) -> Iterator[Any]:
    """Yield a text that is shown line by line as it is."""
    from tensorboardX.summary import text as as_summary

    # TensorBoard reads Markdown, in which indented lines are quoted
    yield from as_summary(tag, "\n".join(f"    {line}" for line in lines)).value


def session_begin(parameters: Mapping[str, Parameter]) -> Iterator[Any]:
    """Yield the parameters of a training for the tab HParams.

    There is no list of all parameters: TensorBoard makes it from those of all trainings.
    """
    from tensorboardX.summary import hparams

    _, begin, _ = hparams(dict(parameters), {})
    yield from begin.value


def session_end(reason: StopReason | None) -> Iterator[Any]:
    """Yield the end of a training for the tab HParams: success or failure.

    None of one that was interrupted: the first end counts, and a resume has another.
    """
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo
    from tensorboardX.proto.summary_pb2 import SummaryMetadata

    if reason is None or reason in (StopReason.INTERRUPTED, StopReason.TIME_LIMIT):
        return
    status = Status.Value("STATUS_FAILURE" if reason.diverged else "STATUS_SUCCESS")
    content = HParamsPluginData(session_end_info=SessionEndInfo(status=status), version=0)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    yield _value("_hparams_/session_end_info", metadata=SummaryMetadata(plugin_data=plugin))


def _value(tag: str, **content: Any) -> Any:
    from tensorboardX.proto.summary_pb2 import Summary

    return Summary.Value(tag=tag, **content)
