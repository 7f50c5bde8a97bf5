"""Why a stream does not come: the codes of `recorder.contract.status`, and whom a missing second is laid upon."""

from __future__ import annotations

from enum import StrEnum

from recorder.contract.assignment import StreamTransport
from recorder.contract.timeline import GapCause


class Cause(StrEnum):
    """Why there is no picture."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    BAD_PASSWORD = "bad_password"  # noqa: S105 - the name of a cause
    TIMEOUT = "timeout"
    SILENT = "silent"
    CLOSED_BY_CAMERA = "closed_by_camera"
    PROTOCOL = "protocol"
    UNSUPPORTED_CODEC = "unsupported_codec"
    TLS_PIN_MISMATCH = "tls_pin_mismatch"
    TLS_NO_PIN = "tls_no_pin"
    REDIRECTED = "redirected"
    FLOOD = "flood"
    NOT_AUTHORISED = "not_authorised"
    DISK_FULL = "disk_full"
    READER_UNAVAILABLE = "reader_unavailable"
    INTERNAL = "internal"


_GAP_CAUSES = {
    Cause.UNREACHABLE: GapCause.LINK,
    Cause.TIMEOUT: GapCause.LINK,
    Cause.NOT_AUTHORISED: GapCause.AUTHORISATION,
    Cause.DISK_FULL: GapCause.DISK,
    Cause.READER_UNAVAILABLE: GapCause.RECORDER,
    Cause.INTERNAL: GapCause.RECORDER,
}


def gap_cause(cause: str) -> GapCause:
    """Whom the ledger lays the missing seconds upon; the camera unless the cause says otherwise."""
    return _GAP_CAUSES.get(Cause(cause), GapCause.CAMERA) if cause in set(Cause) else GapCause.RECORDER


class IngestError(Exception):
    """A stream cannot be had, or was lost. `detail` is English text for the log, without secrets."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


class ForeignStreamError(IngestError):
    """The camera answers well, yet what it sends is not for the native path; the reader may have it by `transport`."""

    def __init__(self, cause: Cause, detail: str, transport: StreamTransport) -> None:
        super().__init__(cause, detail)
        self.transport = transport
