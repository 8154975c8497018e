import pytest
import torch

from classward.core.errors import SystemFaultError
from classward.core.memory import Room, out_of_memory

CPU = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError(CPU), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError(CPU), False),
    ],
)
def test_knows_the_errors_that_say_so(error, expected):
    assert out_of_memory(error) == expected


def test_knows_what_torch_says():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert out_of_memory(caught.value)


def at_most(limit, asked):
    def work(most):
        asked.append(most)
        if most > limit:
            raise MemoryError
        return most

    return work


@pytest.mark.parametrize("most", [1, 3, 8])
def test_halves_until_it_fits(most):
    for limit in range(1, most + 1):
        asked, room = [], Room(most)
        fits = room.fit(at_most(limit, asked))
        assert fits == room.most and fits <= limit <= 2 * fits
        assert room.halved_to == (None if limit == most else fits)
        again = []
        assert room.fit(at_most(limit, again)) == fits and again == [fits], "for good"


def test_one_image_that_does_not_fit_is_the_machines_fault():
    with pytest.raises(SystemFaultError, match="with one image at once") as caught:
        Room(8).fit(at_most(0, asked := []))
    assert asked == [8, 4, 2, 1] and len(str(caught.value)) < 200


def test_another_error_is_passed_on():
    def broken(most):
        raise RuntimeError("no kernel image")

    with pytest.raises(RuntimeError, match="no kernel"):
        Room(8).fit(broken)
