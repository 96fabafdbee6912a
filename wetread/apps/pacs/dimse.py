"""Results to a DICOM node by C-STORE (PS3.4 B, PS3.7 9.1.1), over an association of their own, unencrypted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wetread.apps.pacs.extra import close_socket, need_pynetdicom
from wetread.apps.pacs.results import AGAIN, Outgoing, SendResult, Sent, outcome_of
from wetread.errors import PacsError
from wetread.imaging.quiet import quiet

if TYPE_CHECKING:
    from pynetdicom.association import Association

CONNECT_S = 10.0
ANSWER_S = 60.0

_BROKE = "the connection broke before it was acknowledged"


def send(
    objects: Sequence[Outgoing], host: str, port: int, *, called: str, calling: str, answer_s: float
) -> SendResult:
    """Store objects, one after the other. Nothing is repeated on its own; sending again stores nothing twice.

    Args:
        objects: What is stored.
        host, port: The node.
        called, calling: Its application entity title, and ours.
        answer_s: Seconds to wait for each answer.

    Returns:
        What became of each object.

    Raises:
        PacsError: `WET-PACS-EXTRA`; `WET-PACS-CONNECT` there is nobody; `WET-PACS-REJECTED` it refuses the association,
            or every kind of object.
    """
    need_pynetdicom(sending=True)
    from pynetdicom import AE, evt
    from pynetdicom.presentation import build_context

    place = f"{host}:{port}"
    node = AE(calling)
    node.connection_timeout, node.acse_timeout = CONNECT_S, answer_s
    node.dimse_timeout = node.network_timeout = answer_s
    kinds = dict.fromkeys((one.sop_class, one.transfer_syntax) for one in objects)
    # the default syntax beside the object's own: no node may refuse it (PS3.5 10.1)
    contexts = [build_context(kind, [syntax, "1.2.840.10008.1.2"]) for kind, syntax in kinds]
    reached: list[Any] = []
    association = node.associate(
        host, port, contexts=contexts, ae_title=called, evt_handlers=[(evt.EVT_CONN_OPEN, reached.append)]
    )
    try:
        if not association.is_established:
            raise _none(association, place, called, reached=bool(reached))
        outcomes = [_store(association, one) for one in objects]
    finally:
        if association.is_established:
            association.release()
        if association.dul.socket is not None:  # kept open after an answer that is no DICOM
            close_socket(association.dul.socket)
    return SendResult(to=place, objects=tuple(outcomes))


def _store(association: Association, one: Outgoing) -> Sent:
    from pydicom import dcmread

    if not association.is_established:
        return Sent(name=one.name, outcome="unsent", reason="the connection had broken")
    try:
        with quiet("pydicom"):
            answer = association.send_c_store(dcmread(io.BytesIO(one.data)))
    except ValueError:
        return Sent(name=one.name, outcome="failed", reason="objects of its kind are not accepted")
    except RuntimeError:  # it broke between the question above and the sending
        return Sent(name=one.name, outcome="unsent", reason=_BROKE)
    status = answer.get("Status")
    if status is None:
        return Sent(name=one.name, outcome="unsent", reason=_BROKE)
    return outcome_of(one.name, int(status))


def _none(association: Association, place: str, called: str, *, reached: bool) -> PacsError:
    """Why there is no association."""
    if association.is_rejected:
        primitive = association.acceptor.primitive
        why = primitive.reason_str if primitive is not None else "no reason given"
        return PacsError(
            "WET-PACS-REJECTED",
            f"{place} rejects the association: {why[:1].lower()}{why[1:]}.",
            "Its administrator registers --calling and this machine; --aet is the title that it has itself.",
            sending=True,
        )
    if not reached:
        return PacsError(
            "WET-PACS-CONNECT",
            f"{place} cannot be reached: no connection could be made.",
            f"Check host, port and network. {AGAIN}",
            sending=True,
        )
    if association.acceptor.primitive is not None and not association.accepted_contexts:
        return PacsError(
            "WET-PACS-REJECTED",
            f"{place} takes none of these kinds of objects as {called}.",
            "Its administrator can allow them; --to chooses others.",
            sending=True,
        )
    return PacsError(
        "WET-PACS-CONNECT",
        f"{place} broke off before an association was made.",
        f"Check that it is a DICOM node. {AGAIN}",
        sending=True,
    )
