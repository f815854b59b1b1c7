"""An opt-in hook that attaches panopt's analysis to a log when its task ends.

Inspect announces every hook that is registered, so importing this module is the switch:
``import panopt.shims.inspect.live.hooks`` in the task's file, or ``PANOPT_HOOKS=1`` in the
environment. The report stands in ``results.metadata["panopt"]``, as in the copies that ``panopt
analyze --write`` makes; only the header is written. A task that is cancelled or crashes gets none.
"""

from __future__ import annotations

import logging
from typing import Any

import anyio.to_thread
from inspect_ai.hooks import Hooks, TaskEnd, hooks
from inspect_ai.log import write_eval_log_async

import panopt
from panopt.shims.inspect.annotation import annotations_of
from panopt.shims.inspect.headline import results_metadata

__all__ = ["KEY", "AnalysisHook"]

_log = logging.getLogger(__name__)

#: Where in the results' metadata the report stands.
KEY = "panopt"


@hooks(name="panopt", description="Attaches panopt's analysis of judges to finished logs.")
class AnalysisHook(Hooks):
    """Analyzes a task's log when it has ended; never fails the run."""

    async def on_task_end(self, data: TaskEnd) -> None:
        """Read the log that was just written, analyze it, and write its header anew."""
        log = data.log
        if log.results is None or not log.location:
            return
        try:
            found = await anyio.to_thread.run_sync(_analysis, log.location)
            log.results.metadata = {**(log.results.metadata or {}), KEY: found}
            await write_eval_log_async(log, header_only=True)
        except Exception as error:  # noqa: BLE001 - the run has its result, whatever is wrong here
            _log.warning("panopt did not analyze %s: %s", log.location, error)


def _analysis(location: str) -> dict[str, Any]:
    study = panopt.read(location)
    report = panopt.analyze(study)
    [source] = study.sources
    return results_metadata(report, source, annotations_of(report, source))
