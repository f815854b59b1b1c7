"""Live judges, free of any framework: what they are asked, what they answer, how votes count.

The orchestration stands in :mod:`panopt.jury`; shims supply the judges. Everything here is pure
and light (no numpy), so that a framework may import it at the start of every run.
"""

from __future__ import annotations
