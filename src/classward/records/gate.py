"""What a build was asked of an audit, and whether it holds."""

from classward.records.result import Result, result


@result
class Gate(Result):
    """One requirement of a build.

    Attributes:
        name: Its name in snake case.
        passed: Whether it holds.
        evidence: One line with the figures.
    """

    name: str
    passed: bool
    evidence: str
