"""Every error Tocsin raises on purpose.

TocsinError            anything below; `str(error)` says what is wrong and what to do next
├── ConfigError        a file or key in config/ cannot be used
├── DatabaseError      the database cannot be opened, migrated, saved or restored
├── ModelError         a classifier artifact is missing, damaged or of another version
├── FeedError          a feed could not be fetched or read (bot/feeds)
└── SendError          a message could not be delivered (bot/outlet.py)

The tree stands in the lowest layer so that every package may raise from it. Foreign errors are translated once, at the
edge where they appear; the subclasses that carry facts for their caller live beside the code that raises them.
"""


class TocsinError(Exception):
    """Base of all errors that are shown to people as one line, without a traceback."""


class ConfigError(TocsinError):
    """A setting cannot be used; the message names file, key, value and what is allowed."""


class DatabaseError(TocsinError):
    """The database cannot be used; the message says what to do next."""


class ModelError(TocsinError):
    """The classifier's artifact cannot be used; the message says which command makes a good one."""


class FeedError(TocsinError):
    """A feed could not be fetched or read."""


class SendError(TocsinError):
    """A message could not be delivered."""
