"""The web console: plain ES modules and style sheets under `static/`, served as they are; there is no build step.

The centre serves `/` as `static/index.html` and `/static/` as the folder. The pages hold no inline script and no inline
style, so they live under `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:;
connect-src 'self' <gateway ws and http origins>; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`.
"""

from __future__ import annotations

from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"
"""The folder of the console's files; `index.html` is its only page."""
