"""Docstrings describe every parameter, also those that are described in another class."""

import inspect
import re

import pytest

import handloom
from handloom.training.docstrings import describes_options_of
from handloom.training.options import TrainingOptions
from handloom.training.trainer_options import TrainerOptions


class Base:
    """A base.

    Parameters
    ----------
    width, height : int
        The size.
    color : str
        The color.

        A second paragraph.

    Attributes
    ----------
    area : int
        The area.
    shade : str
        The shade.
    """

    def __init__(self, width: int, height: int, color: str) -> None: ...


def test_missing_parameters_are_described_in_the_order_of_the_signature() -> None:
    @describes_options_of(Base, attributes_except=["shade"])
    class Derived:
        """A derived class.

        Parameters
        ----------
        name : str
            The name.
        color : str
            Another color.

        Raises
        ------
        ValueError
            Never.
        """

        def __init__(self, width: int, height: int, name: str, color: str) -> None: ...

    assert inspect.getdoc(Derived) == (
        "A derived class.\n\n"
        "Parameters\n----------\n"
        "width, height : int\n    The size.\nname : str\n    The name.\n"
        "color : str\n    Another color.\n\n"
        "Raises\n------\nValueError\n    Never.\n\n"
        "Attributes\n----------\narea : int\n    The area."
    )


def test_a_parameter_that_the_class_does_not_have_is_left_out() -> None:
    @describes_options_of(Base)
    class Narrow:
        """A narrow class."""

        def __init__(self, color: str) -> None: ...

    documented = inspect.getdoc(Narrow) or ""
    assert "width" not in documented
    assert "A second paragraph." in documented
    assert "area" not in documented


@pytest.mark.parametrize(
    "cls",
    [
        TrainingOptions,
        TrainerOptions,
        handloom.Trainer,
        handloom.MLPClassifier,
        handloom.MLPRegressor,
        handloom.NetworkClassifier,
        handloom.NetworkRegressor,
    ],
)
def test_help_describes_every_parameter(cls: type) -> None:
    documented = inspect.getdoc(cls) or ""
    parameters = documented.partition("Parameters\n----------")[2].partition("\n\n")[0]
    assert "..." not in re.findall(r"^\S.*$", parameters, re.MULTILINE)
    for name in inspect.signature(cls).parameters:
        assert re.search(rf"^(\w+, )*{name}(, \w+)* : ", parameters, re.MULTILINE), name
