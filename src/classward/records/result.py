"""Results: frozen, comparable, and the same as JSON; undefined is null, never NaN."""

from typing import Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from classward.core.errors import InputError
from classward.records.notebook import as_html

Matrix = list[list[float | None]]  # rows of undefined classes are null
Pairs = list[tuple[int, int]]
T = TypeVar("T")
R = TypeVar("R", bound="Result")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def result(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, keyword-only dataclass that refuses NaN and unknown fields."""
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    return cast(type[T], dataclass(cls, frozen=True, kw_only=True, config=config))


class Result:
    """What every result can do besides holding its numbers."""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        return TypeAdapter(type(self)).dump_python(self, mode="json")

    @classmethod
    def from_dict(cls: type[R], table: dict[str, Any]) -> R:
        """Read what `to_dict` wrote.

        Raises:
            InputError: If `table` is not such a result.
        """
        try:
            return TypeAdapter(cls).validate_python(table)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"not a {cls.__name__} result: {where}: {first['msg']}") from None

    def to_dataframe(self) -> Any:
        """The rows of the result as a pandas data frame.

        Raises:
            InputError: If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise InputError("to_dataframe needs pandas: pip install pandas") from None
        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The result as a table; one row with every plain value unless a class knows better."""
        plain = self.to_dict().items()
        return [{key: value for key, value in plain if not isinstance(value, dict | list)}]

    def headline(self) -> str:
        """What a notebook shows above the rows."""
        return type(self).__name__

    def _repr_html_(self) -> str:
        return as_html(self.headline(), self.rows())


@result
class Share(Result):
    """A share of samples with its 95 % Wilson interval; undefined where there are none.

    Attributes:
        count: Samples of which it holds.
        total: Samples asked.
        value: count / total, in [0, 1].
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


@result
class Statistic(Result):
    """A statistic beside what chance alone gives.

    Attributes:
        value: The statistic.
        null: Its mean under the null hypothesis.
        p: Share of the null that is at least as extreme, counting the sample itself.
        null_draws: Number of draws from the null; 0 for a closed-form test.
        null_name: What was held fixed and what was shuffled.
    """

    value: float
    null: float | None
    p: float
    null_draws: int
    null_name: str


@result
class Passes(Result):
    """Cost in images through the network.

    Attributes:
        forward: Images sent forward.
        backward: Images whose input gradient was taken.
    """

    forward: int
    backward: int


@result
class GradientCounts(Result):
    """Input gradients that an attack was given.

    Attributes:
        taken: Images whose gradient was taken, counted once a step.
        zero: Those whose gradient was exactly 0 in every pixel.
        not_finite: Those with a NaN or an infinity.
    """

    taken: int
    zero: int
    not_finite: int
