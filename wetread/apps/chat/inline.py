"""An application that is drawn below what scrolls up, in the terminal's own screen, with what prompt_toolkit lacks.

It writes above itself while it stays as it is, it finds its first row again after a narrower window has broken its
lines, and it can be stopped and gone on with by the shell.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application
from prompt_toolkit.application.run_in_terminal import run_in_terminal
from prompt_toolkit.data_structures import Point
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

if TYPE_CHECKING:
    import asyncio

    from prompt_toolkit.layout.screen import Screen


class _Inline(Vt100_Output):
    def erase_down(self) -> None:
        """Erase from the second column on, the first one by writing a blank: tmux keeps a screen that is erased as a
        whole among what has scrolled off, and there it would stand twice."""
        self.write_raw(" ")
        super().erase_down()
        self.cursor_backward(1)


def inline_output() -> Output:
    """The terminal on standard output."""
    if sys.platform == "win32" or not sys.stdout.isatty():
        return create_output()
    term = os.environ.get("TERM")
    return _Inline.from_pty(sys.stdout, term=term, default_color_depth=ColorDepth.from_env())


class InlineApplication(Application[None]):
    """For the arguments see `Application`; the terminal may be any."""

    def write_above(self, text: str) -> None:
        """Write what is to stand for good above.

        The terminal stays raw meanwhile: what is typed is neither echoed in between nor lost.
        """
        self._find_first_row()
        # a paste that comes just now is marked as one too
        self.renderer._bracketed_paste_enabled = False
        self.renderer.erase()
        self.output.write_raw(text.replace("\r\n", "\n").replace("\n", "\r\n"))
        self.output.flush()
        self.renderer.request_absolute_cursor_position()
        self.renderer.render(self, self.layout)

    def stop_for_shell(self) -> None:
        """Give the terminal back to the shell and stop, as Ctrl-Z does; drawn anew once the shell goes on with it."""
        if not hasattr(signal, "SIGTSTP"):
            return

        def stop() -> None:
            before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            try:
                os.kill(0, signal.SIGTSTP)
            finally:
                signal.signal(signal.SIGTSTP, before)

        run_in_terminal(stop)

    def heed_stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop in the same way when somebody else sends the signal for it."""
        with contextlib.suppress(NotImplementedError, AttributeError, ValueError):
            loop.add_signal_handler(signal.SIGTSTP, self.stop_for_shell)

    def _on_resize(self) -> None:
        self._find_first_row()
        super()._on_resize()

    def _redraw(self, render_as_done: bool = False) -> None:
        # the window may be another before its signal is here
        self._find_first_row()
        super()._redraw(render_as_done)

    def _find_first_row(self) -> None:
        """Where the cursor is, in rows from the first one, after a terminal has broken the rows that were drawn."""
        renderer = self.renderer
        drawn, size, now = renderer._last_screen, renderer._last_size, self.output.get_size()
        if drawn is None or size is None or now.columns >= size.columns or not breaks_lines(os.environ):
            return
        at = renderer._cursor_pos
        rows = sum(_rows(drawn, y, now.columns) for y in range(at.y))
        renderer._cursor_pos = Point(x=at.x % now.columns, y=rows + at.x // now.columns)
        renderer._last_screen = renderer._last_size = None


def breaks_lines(environ: Mapping[str, str]) -> bool:
    """Whether the terminal breaks lines that have become too long for it, as all do but a few that cut them off."""
    if "TMUX" in environ:
        return True
    return not ("XTERM_VERSION" in environ or "STY" in environ or environ.get("TERM", "") in ("linux", "vt100"))


def _rows(screen: Screen, y: int, columns: int) -> int:
    """How many rows a drawn one takes in a window of so many columns."""
    width = max((x + cell.width for x, cell in screen.data_buffer[y].items() if cell.char != " "), default=0)
    return max(1, -(-width // columns))
