"""Random draws depend on the seed and the place, and on nothing else."""

import numpy as np
import pytest

from handloom.errors import ConfigurationError
from handloom.randomness import Purpose, Stream


def draw(stream: Stream) -> list[float]:
    return list(stream.generator().random(4))


def test_the_same_place_draws_the_same_whoever_asks() -> None:
    assert draw(Stream(7).at(Purpose.SHUFFLE, 3)) == draw(Stream(7).at(Purpose.SHUFFLE).at(3))


def test_other_places_and_seeds_draw_otherwise() -> None:
    places = [Stream(seed).at(*key) for seed in (0, 1) for key in [(), (0,), (0, 0), (1,), (0, 1)]]
    assert len({tuple(draw(place)) for place in places}) == len(places)


def test_numpy_integers_name_the_same_place() -> None:
    assert draw(Stream(0).at(int(np.int64(5)))) == draw(Stream(0).at(5))


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(ConfigurationError, match="seed"):
        Stream(seed)  # type: ignore[arg-type]


def test_purposes_keep_their_numbers() -> None:
    # another number would change what every seed means
    assert {purpose.name: int(purpose) for purpose in Purpose} == {
        "INITIALIZE": 0,
        "SHUFFLE": 1,
        "SPLIT": 2,
        "LAYER": 3,
        "AUGMENT": 4,
        "GENERATE": 5,
    }
