"""A DICOM node that takes in studies: Verification and Storage as an SCP (PS3.4 A, B).

What it answers to a C-STORE: 0000 once the instance is on disk; A700 no room; A900 the data set is not what the command
says, or names another patient than the rest of its study; C000 it cannot be understood.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary, WeakSet

from wetread.apps.pacs.extra import need_pynetdicom
from wetread.apps.pacs.spool import Full, Instance, OtherPatient, Spool
from wetread.errors import InputError
from wetread.imaging.header import one_way
from wetread.imaging.quiet import quiet

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.events import Event
    from pynetdicom.transport import ThreadedAssociationServer

SUCCESS, OUT_OF_RESOURCES, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000

MAX_ASSOCIATIONS = 8
MAX_INSTANCE_BYTES = 500_000_000
"""An association over which more comes for one instance is aborted."""
IDLE_S = 60.0
"""An association over which nothing comes for so long is aborted."""

_KEYS = {"patient": "PatientID", "birth": "PatientBirthDate", "name": "PatientName"}
_UIDS = ("StudyInstanceUID", "SOPInstanceUID", "SOPClassUID")


class Node:
    """The node. Instances go into a spool.

    Args:
        spool: Where to.
        title: Our application entity title.
        allow: Titles of those who may call; empty for all.
        tell: Gets a line for a person when something is refused; from any thread, without identifiers.
    """

    def __init__(
        self, spool: Spool, *, title: str, allow: Sequence[str] = (), tell: Callable[[str], None] = lambda line: None
    ) -> None:
        need_pynetdicom(sending=False)
        from pynetdicom import AE, AllStoragePresentationContexts
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        self._spool = spool
        self._tell = tell
        self._received: WeakKeyDictionary[Association, int] = WeakKeyDictionary()
        self._gone: WeakSet[Association] = WeakSet()
        self._lock = threading.Lock()
        self._entity = AE(title)
        self._entity.maximum_associations = MAX_ASSOCIATIONS
        self._entity.network_timeout = self._entity.dimse_timeout = IDLE_S
        self._entity.require_calling_aet = list(allow)
        self._entity.add_supported_context(Verification)
        syntaxes = transfer_syntaxes()
        for context in AllStoragePresentationContexts:
            if context.abstract_syntax is not None:
                self._entity.add_supported_context(context.abstract_syntax, syntaxes)

    def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is a free one where 0 was asked for.

        Raises:
            InputError: `WET-INPUT-ADDRESS`.
        """
        from pynetdicom import evt

        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_DATA_RECV, self._count),
            (evt.EVT_REJECTED, self._refused),
            *((kind, self._ended) for kind in (evt.EVT_RELEASED, evt.EVT_ABORTED, evt.EVT_CONN_CLOSE)),
        ]
        try:
            server: ThreadedAssociationServer | None = self._entity.start_server(
                (host, port), block=False, evt_handlers=handlers
            )
        except (OSError, OverflowError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such address"
            raise InputError(
                "WET-INPUT-ADDRESS", f"Cannot listen at {host}:{port} ({reason}).", "Choose another --host or --port."
            ) from None
        assert server is not None and server.socket is not None
        found: int = server.socket.getsockname()[1]
        return found

    def stop(self) -> None:
        """Stop listening; associations that are open are aborted, so that their senders try again."""
        self._entity.shutdown()

    # called by pynetdicom, each association in a thread of its own

    def _store(self, event: Event) -> int:
        with self._lock:
            self._received[event.assoc] = 0
        try:
            instance, mismatch = _instance(event)
        except Exception:  # pydicom raises what it likes on damaged data sets
            self._tell("An instance was refused: it cannot be understood (C000).")
            return NOT_UNDERSTOOD
        if mismatch:
            self._tell("An instance was refused: it is not the object that was announced (A900).")
            return MISMATCH
        try:
            self._spool.add(instance, event.assoc)
        except OtherPatient:
            self._tell("An instance was refused: it names another patient than its study (A900).")
            return MISMATCH
        except Full as full:
            self._tell(f"An instance was refused: there is no room ({full}, A700).")
            return OUT_OF_RESOURCES
        except OSError as error:
            self._tell(f"An instance was refused: it cannot be written ({error.strerror}, A700).")
            return OUT_OF_RESOURCES
        finally:
            if event.assoc in self._gone:  # it broke while the instance was written
                self._spool.ended(event.assoc)
        return SUCCESS

    def _count(self, event: Event) -> None:
        """How much came since the last instance; too much ends the association before memory does."""
        with self._lock:
            came = self._received[event.assoc] = self._received.get(event.assoc, 0) + len(event.data)
        if came > MAX_INSTANCE_BYTES:
            self._tell(f"An association was aborted: an instance of more than {MAX_INSTANCE_BYTES // 1_000_000} MB.")
            event.assoc.abort(block=False)

    def _ended(self, event: Event) -> None:
        self._gone.add(event.assoc)
        self._spool.ended(event.assoc)

    def _refused(self, event: Event) -> None:
        primitive = event.assoc.acceptor.primitive
        why = primitive.reason_str.lower() if primitive is not None else "no reason given"
        self._tell(f"An association of {event.assoc.requestor.ae_title.strip()!r} was refused: {why}.")


def transfer_syntaxes() -> list[str]:
    """The transfer syntaxes whose images can be decoded here, the uncompressed ones first."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import AllTransferSyntaxes

    found = []
    for syntax in AllTransferSyntaxes:
        try:
            get_decoder(syntax)
        except NotImplementedError:
            continue
        found.append(str(syntax))
    return found


def _instance(event: Event) -> tuple[Instance, bool]:
    """What came with a C-STORE, and whether it is another object than the command says.

    Raises:
        Exception: it is no data set, or says not which study it is of.
    """
    from pydicom import dcmread
    from pydicom.uid import UID

    data = event.encoded_dataset()
    with quiet("pydicom"):
        header = dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=[*_UIDS, *_KEYS.values()])
        study, instance, kind = (
            str(header[key].value) for key in ("StudyInstanceUID", "SOPInstanceUID", "SOPClassUID")
        )
        keys = {name: str(header.get(keyword) or "").strip() for name, keyword in _KEYS.items()}
    if not UID(study).is_valid or not UID(instance).is_valid:
        raise ValueError("no valid UID")
    patient = {name: one_way(name, text) for name, text in keys.items() if text}
    request = cast("C_STORE", event.request)
    announced = (str(request.AffectedSOPInstanceUID), str(request.AffectedSOPClassUID))
    return Instance(study, instance, patient, data), announced != (instance, kind)
