"""Names of other libraries, and how each is written here: the advice in the errors about them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from handloom.errors import MissingMethodError

_TRAINER = "Trainer(network, Adam(), 1e-3, epochs=10)"
_WEIGHTS, _BIASES = 'layer.weights["weights"]', 'layer.weights["biases"]'
_EVALUATE = "handloom.evaluate(model, Dataset(inputs, targets, class_names=model.class_names))"
_FIT = f"a trainer trains it: trainer = {_TRAINER}; trainer.fit(Dataset(inputs, targets))"

CALLED = "()"
"""The key of advice about an object that is called."""

NETWORK: Mapping[str, str] = {
    "fit": _FIT,
    "compile": f"optimizer, loss and epochs are arguments of the trainer: trainer = {_TRAINER}",
    "evaluate": "write handloom.evaluate(trainer.model(), Dataset(inputs, targets))",
    "predict_proba": "write trainer.model().predict(inputs)",
    "save": "write trainer.model().save(folder)",
    "state_dict": "write network.get_weights(), a mapping of names to arrays",
    "load_state_dict": "write network.set_weights(weights), with a mapping of names to arrays",
    "weights": "write network.get_weights(), a mapping of names to arrays, or network[0].weights",
    "get_layer": "write network[0], network[-1] or network['0.dense']",
    "append": "its layers are one list: Sequential([Dense(32), ReLU(), Dense(10)])",
    "add": "its layers are one list: Sequential([Dense(32), ReLU(), Dense(10)])",
    "train": "a trainer switches between training and prediction by itself",
    "eval": "a trainer switches between training and prediction by itself",
    "zero_grad": "every backward pass overwrites the gradients, so that none is set to zero",
    CALLED: "write network.predict(inputs), or network.forward(inputs, training=True) to train",
}
"""Names of networks, each with its spelling here."""

_NOT_INITIALIZED = "its __init__ must call super().__init__() first"

LAYER: Mapping[str, str] = {
    **dict.fromkeys(("W", "w", "kernel", "weight"), f"write {_WEIGHTS}"),
    **dict.fromkeys(("b", "bias", "biases"), f"write {_BIASES}"),
    **dict.fromkeys(
        ("dW", "dweights", "grad"), 'write layer.gradients["weights"], after a backward pass'
    ),
    **dict.fromkeys(("db", "dbiases"), 'write layer.gradients["biases"], after a backward pass'),
    "get_weights": "write layer.weights, a mapping of names to arrays",
    "set_weights": f"write {_WEIGHTS}[...] = array",
    **dict.fromkeys(("weights", "gradients", "_buffers"), _NOT_INITIALIZED),
}
"""Names of layers, and those that a layer of the user's own may lack."""

OPTIMIZER: Mapping[str, str] = dict.fromkeys(
    ("weight_decay", "steps", "bindings", "state"), _NOT_INITIALIZED
)
"""Names that an optimizer of the user's own may lack."""

ARRAYS: Mapping[str, str] = {
    **dict.fromkeys(
        ("shape", "dtype", "size", "ndim", "T", "dot"),
        'these are arrays by name: write ["weights"] first',
    ),
}
"""Names of arrays, which a mapping of arrays does not have."""

MODEL: Mapping[str, str] = {
    "summary": "write print(model.network), or model.network.summary()",
    "fit": _FIT,
    **dict.fromkeys(("evaluate", "score"), f"write {_EVALUATE}"),
    **dict.fromkeys(
        ("predict_classes", "predict_class"), "write model.predict(inputs).argmax(axis=1)"
    ),
    "predict_proba": "write model.predict(inputs), which are probabilities",
    **dict.fromkeys(("weights", "get_weights"), "write model.network.get_weights()"),
    "layers": "write model.network.layers",
    CALLED: "write model.predict(inputs)",
}
"""Names of models."""

TRAINER: Mapping[str, str] = {
    **dict.fromkeys(("predict", "predict_proba"), "write trainer.model().predict(inputs)"),
    **dict.fromkeys(
        ("evaluate", "score"), "write handloom.evaluate(trainer.model(), Dataset(inputs, targets))"
    ),
    "train": "write trainer.fit(Dataset(inputs, targets))",
    "save": "write trainer.model().save(folder)",
    "summary": "write print(trainer.network)",
}
"""Names of trainers."""

FIT_ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(
        ("validation_split", "validation_data"),
        "write fit(train, validation=0.1), the fraction to hold out, or validation=dataset",
    ),
    "epochs": f"it is an option of the trainer: {_TRAINER}",
    "batch_size": "it is an option of the trainer: Trainer(network, Adam(), 1e-3, batch_size=32)",
    **dict.fromkeys(
        ("verbose", "callbacks"),
        "callbacks are an option of the trainer: Trainer(network, Adam(), 1e-3, "
        "callbacks=[Progress()])",
    ),
    "sample_weight": "it is called 'sample_weights' here",
}
"""Arguments of `Trainer.fit` in other libraries."""

HISTORY: Mapping[str, str] = {
    "history": 'columns are those of the history itself: history["loss"]',
    "loss": 'write history["loss"]',
    "accuracy": 'write history["accuracy"]',
    **dict.fromkeys(("val_loss", "validation_loss"), 'write history["validation_loss"]'),
    **dict.fromkeys(
        ("val_accuracy", "validation_accuracy"), 'write history["validation_accuracy"]'
    ),
    "keys": "write history.columns",
    **dict.fromkeys(
        ("to_frame", "to_pandas"),
        "write pandas.DataFrame({name: history[name] for name in history.columns})",
    ),
}
"""Names of histories."""

DATASET: Mapping[str, str] = {
    **dict.fromkeys(("x", "X", "images", "data", "features"), "write data.inputs"),
    **dict.fromkeys(("y", "Y", "labels", "target", "classes"), "write data.targets"),
    "shape": "write data.inputs.shape",
}
"""Names of datasets."""


class AdvisesOnNames:
    """Base class whose error of a missing attribute says how other libraries' names are written."""

    _elsewhere: ClassVar[Mapping[str, str]] = {}
    """Sentences by the names that other libraries have."""

    if not TYPE_CHECKING:  # a type checker knows all attributes

        def __getattr__(self, name: str) -> Any:
            """Raise the error of a missing attribute, for a name of other libraries with advice.

            Raises
            ------
            AttributeError
                Always.
            """
            if hasattr(type(self), name):  # a property, in which another attribute is missing
                return object.__getattribute__(self, name)
            missing = f"{type(self).__name__} has no attribute {name!r}"
            if advice := self._elsewhere.get(name):
                raise MissingMethodError(f"{missing}: {advice}")
            raise AttributeError(missing)


def refuse_call(value: AdvisesOnNames) -> NoReturn:
    """Refuse the call of an object that is not callable, with advice.

    Raises
    ------
    MissingMethodError
        Always.
    """
    raise MissingMethodError(f"{type(value).__name__} is not called: {value._elsewhere[CALLED]}")
