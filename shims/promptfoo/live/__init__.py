"""Inside a promptfoo run: combine the panel that judged a row, and decide on the row.

promptfoo runs the judges; nothing here calls a model but the jury provider. ``hook.mjs`` and
``scoring.mjs`` keep one Python for a whole run, ``scoring.py`` and ``jury_provider.py`` are what
promptfoo's own Python calls. ``python -m panopt.shims.promptfoo.live`` prints the folder.
"""

from __future__ import annotations
