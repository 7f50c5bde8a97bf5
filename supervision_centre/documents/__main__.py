"""The process that draws one document: JSON on standard input, PDF on standard output."""

from __future__ import annotations

import os
import sys

from supervision_centre.documents.document import Document
from supervision_centre.documents.pdf import pdf_of

_NICE = 10

if __name__ == "__main__":
    os.nice(_NICE)
    sys.stdout.buffer.write(pdf_of(Document.from_json(sys.stdin.buffer.read())))
