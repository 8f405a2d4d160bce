"""Shadow mode: a challenger scores the records that were answered, after the answers have left, and is compared.

It changes no byte of an answer and cannot fail one: what goes wrong is counted, logged, and seen in the summary.
Nothing of a record is kept: it waits in a bounded queue, is scored, and only counts and sums remain.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from model.answer import Answer, Prediction, outcome
from model.distribution import band_of
from model.pack import Pack, Refused
from model.predictor import BANDS
from service import log
from service.answered import Answered
from service.held_pack import HeldPack, SwapProblem

MOST_WAITING = 256  # records; more are dropped, with a count
SHARE = 0.1  # of the time of the worker's loop, at most
SECONDS_BETWEEN_TRIES = 2.0  # to get a first pack
DIFFERENCES = (-1.0, -0.5, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.5, 1.0)  # points/month: upper bounds of bins


class Shadow:
    """What a challenger would have answered, in one worker.

    Figures are of one pair of packs: they begin anew when either of the two is swapped.

    Args:
        path: a challenger's pack folder, or a link to one, which is followed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: HeldPack[None] | None = None
        self._problem: SwapProblem | None = None  # why there is no pack at all
        self._waiting: deque[Answered] = deque()
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = Event()
        self.figures = Figures("", "")

    def start(self) -> None:
        """Get the challenger in a thread, and begin to score in the running event loop."""
        Thread(target=self._hold, name="challenger", daemon=True).start()
        self._task = asyncio.get_running_loop().create_task(self._score_all())

    def stop(self) -> None:
        """End. What waits is not scored."""
        self._ended.set()
        if self._held is not None:
            self._held.stop()
        if self._task is not None:
            self._task.cancel()

    async def take(self, answered: Iterable[Answered]) -> None:
        """Records and what they were answered, once the answers have left. It neither waits nor raises."""
        for each in answered:
            if self._held is None or len(self._waiting) >= MOST_WAITING:
                self.figures.dropped += 1
            else:
                self._waiting.append(each)
        self._more.set()

    def summary(self) -> dict[str, object]:
        """What has come of it so far, in this worker, as a JSON object; see ``docs/shadow.md``."""
        return {"problem": self.problem, "waiting": len(self._waiting), **self.figures.to_json()}

    @property
    def problem(self) -> SwapProblem | None:
        """Why what the path stands for is not asked."""
        return self._problem if self._held is None else self._held.problem

    def _hold(self) -> None:
        while not self._ended.is_set():
            try:
                held = HeldPack(self._path, _nothing, role="challenger")
            except Refused as error:
                self._tell(error.code if self._path.is_dir() else "not_found")
            except Exception as error:  # whatever it is, answers go on
                self._tell("fault", exception=type(error).__name__, where=log.place(error.__traceback__))
            else:
                held.start()
                self._held = held
                log.write(logging.INFO, "challenger held", pack=held.current.pack.id)
                return
            self._ended.wait(SECONDS_BETWEEN_TRIES)

    def _tell(self, problem: SwapProblem, **fields: log.Field) -> None:
        if problem != self._problem:
            log.write(logging.ERROR, "challenger refused", problem=problem, **fields)
        self._problem = problem

    async def _score_all(self) -> None:
        """One record at a time, and after each a pause, so that answers have nearly all of the loop's time."""
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            began = time.perf_counter()
            self._score(self._waiting.popleft())
            await asyncio.sleep((time.perf_counter() - began) * (1 / SHARE - 1))

    def _score(self, answered: Answered) -> None:
        held = self._held
        if held is None:
            return
        pack, answer = held.current.pack, answered.answer
        self.figures = self.figures.of(answer.pack.id, pack.id)
        try:
            other = pack.predictor.predict(answered.record)
            self.figures.add(answer, other)
        except Exception as error:  # whatever it is, answers go on
            if self.figures.faults == 0:
                where = log.place(error.__traceback__)
                log.write(logging.ERROR, "challenger fault", exception=type(error).__name__, where=where)
            self.figures.faults += 1


class Figures:
    """Counts and sums of one pair of packs, by their ids."""

    def __init__(self, champion: str, challenger: str) -> None:
        self.champion, self.challenger = champion, challenger
        self.since = datetime.now(UTC)
        self.dropped = self.faults = self.incomparable = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.bands: Counter[tuple[str, str]] = Counter()
        self.bins = [0] * (len(DIFFERENCES) + 1)
        self.count, self.sum, self.sum_absolute, self.sum_squares = 0, 0.0, 0.0, 0.0

    def of(self, champion: str, challenger: str) -> Figures:
        """These figures, or new ones where they are of another pair."""
        same = (champion, challenger) == (self.champion, self.challenger)
        return self if same else Figures(champion, challenger)

    def add(self, answer: Answer, other: Answer) -> None:
        """Count a record by the champion's answer and the challenger's."""
        self.outcomes[outcome(answer), outcome(other)] += 1
        if not isinstance(answer, Prediction) or not isinstance(other, Prediction):
            return
        if answer.unit != other.unit:  # points of another scale
            self.incomparable += 1
            return
        difference = other.progression_rate - answer.progression_rate
        self.count += 1
        self.sum += difference
        self.sum_absolute += abs(difference)
        self.sum_squares += difference * difference
        self.bins[sum(difference > bound for bound in DIFFERENCES)] += 1
        before, after = band_of([answer.progression_rate, other.progression_rate]).tolist()
        self.bands[BANDS[before], BANDS[after]] += 1

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "champion": self.champion or None,
            "challenger": self.challenger or None,
            "since": self.since.isoformat(timespec="seconds"),
            "scored": self.outcomes.total(),
            "dropped": self.dropped,
            "faults": self.faults,
            "outcomes": _pairs(self.outcomes),
            "bands": _pairs(self.bands),
            "difference": {
                "unit": "points/month",
                "count": self.count,
                "sum": self.sum,
                "sum_absolute": self.sum_absolute,
                "sum_squares": self.sum_squares,
                "bins": [
                    {"up_to": bound, "count": count}
                    for bound, count in zip((*DIFFERENCES, None), self.bins, strict=True)
                ],
                "incomparable": self.incomparable,
            },
        }


def _pairs(counts: Counter[tuple[str, str]]) -> list[dict[str, object]]:
    ordered = sorted(counts.items())
    return [{"champion": one, "challenger": other, "count": count} for (one, other), count in ordered]


def _nothing(_: Pack) -> None:
    """Nothing is made of a challenger: it is only asked."""
