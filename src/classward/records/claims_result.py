"""Result of deciding what the papers claim."""

from typing import Any, Literal

from classward.records.result import Result, result

Outcome = Literal["holds", "partly", "not here", "undecided", "lacks"]


@result
class Decision(Result):
    """One claim, decided.

    Attributes:
        id: The paper and the place of the claim in its text.
        section: Where it stands.
        says: The claim.
        tables: Tables that show it.
        outcome: "holds" if every number asked speaks for it at the level stated, "not here" if
            none does and one speaks against it, "partly" if some do, "undecided" if none
            speaks clearly, "lacks" if it was not asked.
        asked: What was asked of the numbers, or what is lacking.
        evidence: The numbers, a phrase each.
        seen: Whether the test, or what it reads, was changed after results had been seen.
    """

    id: str
    section: str
    says: str
    tables: list[str]
    outcome: Outcome
    asked: str
    evidence: list[str]
    seen: bool


@result
class Headline(Result):
    """Several claims in a sentence.

    Attributes:
        says: What they say together.
        claims: Their ids.
    """

    says: str
    claims: list[str]


@result
class Claims(Result):
    """Every claim of the papers, decided from kept results.

    Attributes:
        scale: Scale of the results.
        tables: Name of each table -> the versions that measured it.
        decisions: One for each claim.
        headlines: What many of them say together.
    """

    scale: Literal["small", "medium", "paper"]
    tables: dict[str, dict[str, str]]
    decisions: list[Decision]
    headlines: list[Headline]

    def count(self, outcome: Outcome) -> int:
        """How many claims have this outcome."""
        return sum(decision.outcome == outcome for decision in self.decisions)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each claim."""
        return [
            {"id": d.id, "outcome": d.outcome, "section": d.section, "says": d.says}
            for d in self.decisions
        ]
