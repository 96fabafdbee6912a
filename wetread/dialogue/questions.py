"""Questions to the person, one after the other."""

from __future__ import annotations

import asyncio

from wetread.events import QuestionAnswered, QuestionAsked
from wetread.session import Session


class Questions:
    """Puts questions of agents to the person who reads. While one is open the turn's clock stands still."""

    def __init__(self) -> None:
        self.open: QuestionAsked | None = None
        """The question that waits for an answer."""
        self._answer: asyncio.Future[str | None] | None = None
        self._one = asyncio.Lock()

    async def put(self, question: QuestionAsked, session: Session) -> str | None:
        """Put one question once those before it are answered; the answer, None where it was skipped."""
        emit = session.reading.emit
        with session.waiting():
            async with self._one:
                self._answer = asyncio.get_running_loop().create_future()
                self.open = question
                emit(question)
                try:
                    answer = await self._answer
                finally:
                    self.open, self._answer = None, None
        emit(QuestionAnswered(question=question.question, answer=answer))
        return answer

    def answer(self, text: str | None) -> None:
        """Answer the question that is open. Nothing happens where none is."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(text)
