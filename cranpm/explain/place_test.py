"""The test of one place as a job of the forecast service."""

from __future__ import annotations

from collections.abc import Callable

from cranpm._json import JsonObject
from cranpm.explain.place_answer import PlaceAnswer, PlaceRequest
from cranpm.forecasting.service.run import Job


class PlaceTest(Job):
    """The test of one place, in the folder of its run."""

    name = "test"
    request: PlaceRequest

    def task(self) -> tuple[Callable[..., str], tuple[str, JsonObject]]:
        """All sets of patches, one after the other."""
        from cranpm.explain.place_faithfulness import answer_into_folder

        return answer_into_folder, (str(self.folder.path), self.request.to_dict())

    def answered(self) -> bool:
        """Whether the answer is there and can be read."""
        return self.answer() is not None

    def answer(self) -> PlaceAnswer | None:
        """What was found; None where there is nothing (yet)."""
        try:
            return PlaceAnswer.read(self.folder)
        except (OSError, ValueError, KeyError, TypeError):
            return None
