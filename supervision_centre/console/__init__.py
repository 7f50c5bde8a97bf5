"""The web console: plain ES modules and style sheets under `static/`, served as they are at `/`, without a build.

The page holds no inline script and no inline style, builds no markup out of data, and fetches from its own origin and
from the gateway only, so it lives under the policy of `supervision_centre.web.headers`. It has no dependencies.
"""
