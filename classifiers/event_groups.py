"""classifiers/event_groups/*.jsonl -> weeks of headlines grouped by their event, for the encoder to learn from.

Written for this project like the corpus, and no part of what stories are measured with (benchmarks/story_set).
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.errors import ModelError

EVENT_GROUPS = Path(__file__).with_name("event_groups")
#: Event -> its headlines; a headline that has a lead comes with it.
Week = Mapping[str, Sequence[str]]


def read_event_groups(folder: Path = EVENT_GROUPS) -> list[Week]:
    """The events of each week, which compete with each other; those with one headline teach nothing and are left out.

    Raises ModelError with file and line of what is no record.
    """
    weeks: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                record = json.loads(line)
                title, lead = str(record["title"]), str(record.get("lead", ""))
                weeks[str(record["week"])][str(record["event"])].append(f"{title}. {lead}" if lead else title)
            except (ValueError, KeyError, TypeError) as error:
                raise ModelError(f"{path}:{number}: no headline of an event: {error!r}") from error
    told = ({event: texts for event, texts in week.items() if len(texts) > 1} for week in weeks.values())
    return [week for week in told if len(week) > 1]
