"""Anchors: what third parties attest of checkpoints, asked for by a process of its own, never by the writer.

`files` keeps what waits and what came back, `timestamps` asks authorities (RFC 3161), `cosignatures` asks witnesses
(C2SP tlog-witness), `process` says when.
"""
