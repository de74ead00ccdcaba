"""Random streams: draws depend on the seed and the indices of the stream, and on nothing else."""

import numpy as np
import pytest

from handloom.errors import ConfigurationError
from handloom.randomness import Purpose, Source, StepStream, Stream, philox, spawn


def draw(stream: Source) -> list[float]:
    return list(stream.generator().random(4))


def test_the_same_stream_draws_the_same_in_every_call() -> None:
    assert draw(Stream(7).at(Purpose.SHUFFLE, 3)) == draw(Stream(7).at(Purpose.SHUFFLE).at(3))


def test_other_streams_and_seeds_draw_otherwise() -> None:
    streams = [Stream(seed).at(*key) for seed in (0, 1) for key in [(), (0,), (0, 0), (1,), (0, 1)]]
    assert len({tuple(draw(indices)) for indices in streams}) == len(streams)


def test_numpy_integers_name_the_same_stream() -> None:
    assert draw(Stream(0).at(int(np.int64(5)))) == draw(Stream(0).at(5))


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(ConfigurationError, match="seed"):
        Stream(seed)  # type: ignore[arg-type]


def test_purposes_keep_their_values() -> None:
    # another value would change the draws of every seed
    assert {purpose.name: int(purpose) for purpose in Purpose} == {
        "INITIALIZE": 0,
        "SHUFFLE": 1,
        "SPLIT": 2,
        "LAYER": 3,
        "AUGMENT": 4,
        "GENERATE": 5,
        "TOY": 6,
        "PERMUTE": 7,
    }


def test_a_step_stream_draws_the_same_in_every_call() -> None:
    step = StepStream(7, Purpose.LAYER, (3, 5))
    assert draw(step.at(1024, 2)) == draw(StepStream(7, Purpose.LAYER).at(3, 5).at(1024).at(2))


def test_other_step_streams_draw_otherwise() -> None:
    paths = [(), (1,), (0, 1), (0, 0, 1), (0, 0, 0, 1), (1, 1), (0, 1, 1), (2**32 - 1,)]
    streams: list[Source] = [
        StepStream(seed, purpose, indices)
        for seed in (0, 1, 2**90)
        for purpose in (Purpose.LAYER, Purpose.AUGMENT)
        for indices in paths
    ]
    assert len({tuple(draw(stream)) for stream in streams}) == len(streams)


def test_a_step_draws_what_philox_makes_of_key_and_counter() -> None:
    stream, words = StepStream(3, Purpose.LAYER, (1, 2, 1024, 4)), np.empty(10, np.uint64)
    assert stream.counter().tolist() == [0, 4, 1024, (1 << 32) + 2]
    philox(stream.key(), stream.counter(), words)
    assert stream.generator().integers(0, 1 << 64, 10, np.uint64).tolist() == words.tolist()


@pytest.mark.parametrize("indices", [(2**32,), (0, 2**32), (0, 0, 2**64), (0, 0, 0, 0, 1), (-1, 3)])
def test_indices_without_a_counter_of_their_own_are_refused(indices: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="indices of a step stream must be"):
        StepStream(0, Purpose.LAYER, indices).generator()


def test_generators_below_another_are_its_own_function() -> None:
    first, again, other = (
        StepStream(0, Purpose.LAYER, (0, step)).generator() for step in (0, 0, 1)
    )
    drawn = [[rng.random() for rng in spawn(parent, 3)] for parent in (first, again, other)]
    assert drawn[0] == drawn[1]
    assert len({*drawn[0], *drawn[2]}) == 6
