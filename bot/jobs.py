"""The timetable: every scheduled job and what it calls. Nothing else imports apscheduler.

Nothing that must happen is kept here: what is due stands in the database, so a run that is late or was missed does the
work of all that were missed (coalesced, without a limit on lateness).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.app import App
from bot.trouble import StageWatch
from config.schema import Timetable

log = logging.getLogger(__name__)
DIGEST_S, TEMPO_S, TIDY_S = 60.0, 1800.0, 3600.0


def start_timetable(app: App) -> AsyncIOScheduler:
    """Start every job; the caller shuts the scheduler down."""
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
    )
    scheduler.add_listener(_log_failure, EVENT_JOB_ERROR)

    async def reload() -> None:
        if await app.reload():
            _keep_pace(scheduler, app.settings.service.timetable)

    pace = app.settings.service.timetable
    jobs: list[tuple[str, Callable[[], Awaitable[Any]], float]] = [
        ("fetch", app.fetch, pace.fetch_seconds),
        ("read", app.read, pace.read_seconds),
        ("deliver", app.deliver, pace.deliver_seconds),
        ("reload", reload, pace.reload_seconds),
        ("digest", app.digest, DIGEST_S),
        ("tempo", app.tempo, TEMPO_S),
        ("tidy", app.tidy, TIDY_S),
    ]
    now = app.clock()
    watch = StageWatch(app.tell_trouble)
    for name, job, seconds in jobs:
        scheduler.add_job(watch.watched(name, job), "interval", seconds=seconds, id=name, next_run_time=now)
    scheduler.start()
    return scheduler


def _keep_pace(scheduler: AsyncIOScheduler, pace: Timetable) -> None:
    for name in ("fetch", "read", "deliver", "reload"):
        scheduler.reschedule_job(name, trigger="interval", seconds=getattr(pace, f"{name}_seconds"))


def _log_failure(event: JobExecutionEvent) -> None:
    """A stage that failed is tried again at its next turn; its work is still in the tables."""
    log.error("job_failed job=%s error=%s", event.job_id, event.exception, exc_info=event.exception)
