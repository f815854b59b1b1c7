"""Live judging inside Inspect: juries, cascades and what they are made of.

Inspect finds all of it by the entry point ``panopt`` (:mod:`panopt.shims.inspect.live.registry`);
nothing here is imported by reading or writing logs.
"""

from __future__ import annotations
