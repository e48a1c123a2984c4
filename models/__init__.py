"""Database tables (SQLModel), one noun per file with its queries. Trained models live in classifiers/artifacts.

Importing this package registers every table, so that migrations, backup and tests see the whole schema.
"""

from models.alert import Alert, AlertKind, Suppression, SuppressionReason
from models.article import Article, Revision, Seen
from models.change import Change
from models.delivery import Delivery, DeliveryState, Priority
from models.digest import Digest
from models.feed import Feed, FeedHealth
from models.lease import Lease
from models.memo import Memo
from models.question import Question
from models.reading import Reading
from models.story import Direction, Level, Story, StoryStatus
from models.subscriber import Outlet, Subscriber, SubscriberState
from models.trouble import Trouble
from models.verdict import Verdict, VerdictKind

__all__ = [
    "Alert",
    "AlertKind",
    "Article",
    "Change",
    "Delivery",
    "DeliveryState",
    "Digest",
    "Direction",
    "Feed",
    "FeedHealth",
    "Lease",
    "Level",
    "Memo",
    "Outlet",
    "Priority",
    "Question",
    "Reading",
    "Revision",
    "Seen",
    "Story",
    "StoryStatus",
    "Subscriber",
    "SubscriberState",
    "Suppression",
    "SuppressionReason",
    "Trouble",
    "Verdict",
    "VerdictKind",
]
