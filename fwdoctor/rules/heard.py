"""The known messages of a text, with what each means and the facts beside them.

This is what deciders and circumstances look at; it judges nothing itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fwdoctor import presence
from fwdoctor.model.snapshot import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.intake.catalogue import Catalogue, MessageEntry
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Finding
    from fwdoctor.model.snapshot import Snapshot

MOST_REPEATS = 3  # of one message that says the same again
_WEIGHTS = {"proven": 0, "likely": 1, "possible": 2}


class Told(NamedTuple):
    """One message of the text and its entry in the catalogue."""

    message: Message
    entry: MessageEntry

    @property
    def id(self) -> str:
        """The entry's id."""
        return self.entry.id

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every cause it may stand for, the entry's own first."""
        own = (self.entry.cause,) if self.entry.cause else ()
        return tuple(dict.fromkeys((*own, *self.entry.also)))

    @property
    def weight(self) -> tuple[int, int, int]:
        """How much it settles, most first: certainty, few others, a long text.

        Of messages without a cause of their own the one that names most comes first:
        the others are general readings of the same words.
        """
        count = len(self.entry.also)
        if self.entry.cause is None:
            return len(_WEIGHTS), -count, -len(self.entry.literal)
        certainty = _WEIGHTS[self.entry.certainty]
        return certainty, count, -len(self.entry.literal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All that was heard, and the facts and findings it is to be read with."""

    snapshot: Snapshot
    matrices: Matrices
    told: tuple[Told, ...]
    found: tuple[Finding, ...] = ()  # what the facts alone gave

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all messages."""
        return frozenset(item.id for item in self.told)

    def has(self, *names: str) -> bool:
        """Whether one of these messages was met."""
        return not self.ids.isdisjoint(names)

    def names_cause(self, cause: str) -> bool:
        """Whether a message by itself stands for this cause, at least likely."""
        return any(
            item.entry.cause == cause and item.entry.certainty != "possible"
            for item in self.told
        )

    def captures(self, fact: str) -> tuple[str, ...]:
        """Every value the messages give for a fact, in the order of the text."""
        found = (item.message.captures.get(fact) for item in self.told)
        return tuple(dict.fromkeys(value for value in found if value))

    def capture(self, fact: str) -> str | None:
        """The first value the messages give for a fact."""
        return next(iter(self.captures(fact)), None)


# What a framework's answer says where it stands in a field and not in a line.
_ANSWERS = {"torch": "torch-is-available-false", "tensorflow": "tf-list-empty"}


def _implied(snapshot: Snapshot) -> Iterator[Message]:
    """A message for each framework of the paste that saw no GPU."""
    if snapshot.origin != "pasted":
        return
    heard = {message.id for message in snapshot.messages}
    for name, framework in presence.frameworks(snapshot.target).items():
        if framework.gpu_available is False and _ANSWERS[name] not in heard:
            product = presence.product_name(name, framework)
            yield Message(id=_ANSWERS[name], text=f"{product} sees no GPU")


def hear(
    snapshot: Snapshot,
    catalogue: Catalogue,
    matrices: Matrices,
    found: tuple[Finding, ...],
) -> Heard:
    """The snapshot's messages, less noise and repetitions, ready to be decided on."""
    messages = (*snapshot.messages, *_implied(snapshot))
    told: list[Told] = []
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for message in messages:
        entry = catalogue.get(message.id)
        same = (message.id, tuple(sorted(message.captures.items())))
        counts[same] += 1
        if not entry.noise and counts[same] <= MOST_REPEATS:
            told.append(Told(message, entry))
    return Heard(snapshot=snapshot, matrices=matrices, told=tuple(told), found=found)
