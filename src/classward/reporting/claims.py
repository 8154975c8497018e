"""Claims of the papers, decided: how many hold, and each in a line."""

from classward.records.claims_result import Claims, Outcome

OUTCOMES: dict[Outcome, str] = {
    "holds": "every number asked speaks for it, at the level stated",
    "partly": "some do",
    "not here": "none does, and one speaks against it",
    "undecided": "none speaks clearly; the samples are too few, or the effect too small",
    "lacks": "it was not asked, for the reason given",
}


def claims_sentences(told: Claims) -> dict[str, str]:
    """How many claims hold."""
    counts = [f"{told.count(outcome)} {outcome}" for outcome in OUTCOMES]
    return {"What the papers claim": f"{len(told.decisions)} claims: {', '.join(counts)}."}


def claims_lines(told: Claims) -> list[list[str]]:
    """Each claim with its outcome, the head first."""
    rows = [[decision.id, decision.outcome, decision.says] for decision in told.decisions]
    return [["claim", "outcome", "what the paper says"], *rows]
