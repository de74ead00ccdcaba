"""The generated datasets by name: functions that need no argument, no file and no network."""

from collections.abc import Callable, Mapping

from handloom.data.dataset import Splits
from handloom.data.sources.silhouettes import silhouettes
from handloom.data.sources.toys import circles, moons, sine, spiral, xor

GENERATED: Mapping[str, Callable[[], Splits]] = {
    function.__name__: function for function in (silhouettes, moons, circles, spiral, xor, sine)
}
