"""Pictures in a terminal: which of four ways it has, what is drawn, and the text that draws it.

    chosen = choose("auto")
    view = view_of_evidence(session, "E3", size=chosen.painter.resolution(columns, rows))
    text = chosen.painter.paint(view.pixels, columns=columns, rows=rows, labels=view.labels)

The encoders are our own, about forty lines each, since `textual-image`, the library for it, asks the terminal when it
is imported, may wait for an answer for ever, and does not know iTerm2's protocol.

Whoever imports this loads neither numpy nor Pillow; painting does.
"""

from __future__ import annotations

from wetread.apps.pictures.asking import Strainer
from wetread.apps.pictures.choosing import IMAGES, Chosen, choose
from wetread.apps.pictures.painters import Painter

__all__ = ["IMAGES", "Chosen", "Painter", "Strainer", "choose"]
