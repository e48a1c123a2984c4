"""TOML tables in, checked and frozen settings out: every key, its type, range and default.

One class per table, one top-level class per file. The TOML files in this folder document the same keys for admins; a
test holds the two together. `config.load` reads the files and turns violations into `ConfigError`.
"""

import re
from datetime import time
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    field_validator,
    model_validator,
)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LevelName = Literal["watch", "warning", "critical"]
Escalatory = Literal[
    "troop_buildup",
    "armed_attack",
    "cyberattack",
    "show_of_force",
    "military_encounter",
    "threat",
    "recognition_move",
    "diplomatic_rupture",
    "sanctions",
    "arms_transfer",
    "covert_action",
    "emergency_measures",
]
Deescalatory = Literal[
    "troop_withdrawal",
    "ceasefire",
    "negotiation",
    "agreement",
    "reassurance",
    "sanctions_relief",
    "prisoner_release",
    "diplomatic_restoration",
]
SignalName = Literal[Escalatory, Deescalatory]  # the order is that of a trained model's columns
Score = Annotated[float, Field(ge=1, le=100)]
_HTTP_URL = TypeAdapter(HttpUrl)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('must be an IANA time zone such as "UTC" or "Europe/Kyiv"') from None
    return name


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError('must be an address range such as "10.0.0.0/8"') from None
    return text


def _web_address(text: str) -> str:
    try:
        parsed = _HTTP_URL.validate_python(text)
    except ValueError:
        raise ValueError('must be a web address such as "https://example.org/rss.xml"') from None
    if parsed.username is not None or parsed.password is not None:
        raise ValueError("must not carry a user name or password; such an address is never asked")
    return text


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError('must be an address of this machine such as "127.0.0.1", or "0.0.0.0" for all') from None
    return text


def _local(moment: time) -> time:
    if moment.tzinfo is not None:
        raise ValueError('must be a local time such as "08:00", without an offset; the zone has its own key')
    return moment


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Host = Annotated[str, AfterValidator(_host)]
Network = Annotated[str, AfterValidator(_network)]
LocalTime = Annotated[time, AfterValidator(_local)]
UserId = Annotated[int, Field(ge=1, lt=2**52)]  # Telegram: "at most 52 significant bits"
WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]


class Table(BaseModel):
    """A TOML table: unknown keys are errors, types are not coerced, values never change after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# service.toml ---------------------------------------------------------------------------------------------------------


class Fetching(Table):
    """How feeds are polled; seconds and counts."""

    interval_minutes: int = Field(default=30, ge=1, le=1440)
    min_interval_minutes: int = Field(default=5, ge=1, le=1440)
    max_interval_minutes: int = Field(default=120, ge=5, le=10080)
    concurrency: int = Field(default=20, ge=1, le=200)
    per_host: int = Field(default=2, ge=1, le=20)
    connect_seconds: float = Field(default=10, gt=0, le=120)
    read_seconds: float = Field(default=20, gt=0, le=300)
    total_seconds: float = Field(default=45, gt=0, le=600)
    max_megabytes: float = Field(default=5, gt=0, le=100)
    max_entries: int = Field(default=500, ge=1, le=10000)
    allow_addresses: tuple[Network, ...] = ()
    contact: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def bounds_in_order(self) -> Self:
        if not self.min_interval_minutes <= self.interval_minutes <= self.max_interval_minutes:
            raise ValueError(
                "interval_minutes: must be between min_interval_minutes "
                f"({self.min_interval_minutes}) and max_interval_minutes ({self.max_interval_minutes}), "
                f"got {self.interval_minutes}"
            )
        return self


class Articles(Table):
    """What is stored, and for how long."""

    horizon_hours: float = Field(default=24, gt=0, le=720)
    max_edits: int = Field(default=3, ge=0, le=24)
    retention_days: int = Field(default=120, ge=30, le=3650)


class Timetable(Table):
    """How often each stage looks for work; seconds."""

    fetch_seconds: float = Field(default=15, ge=1, le=600)
    read_seconds: float = Field(default=5, ge=1, le=600)
    deliver_seconds: float = Field(default=2, ge=0.2, le=600)
    reload_seconds: float = Field(default=5, ge=1, le=600)


class Service(Table):
    """config/service.toml"""

    fetch: Fetching = Fetching()
    articles: Articles = Articles()
    timetable: Timetable = Timetable()


# alerts.toml ----------------------------------------------------------------------------------------------------------


class Levels(Table):
    """Scores, 0-100, at which a story enters a level; the same scale for both directions."""

    watch: Score = 40
    warning: Score = 55
    critical: Score = 80
    leave_below: float = Field(default=8, ge=0, le=40)
    dwell_minutes: float = Field(default=60, ge=0, le=1440)

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if not self.watch < self.warning < self.critical:
            bounds = f"watch ({self.watch:g}) and critical ({self.critical:g})"
            raise ValueError(f"warning: must be between {bounds}, got {self.warning:g}")
        if self.leave_below >= self.watch:
            raise ValueError(f"leave_below: must be less than watch ({self.watch:g}), got {self.leave_below:g}")
        return self


class Stories(Table):
    """When articles are one story, and what its score is worth."""

    window_hours: float = Field(default=72, ge=1, le=720)
    same_event: float = Field(default=0.22, gt=0, lt=1)
    memory_hours: float = Field(default=48, ge=1, le=720)
    single_source_factor: float = Field(default=0.9, ge=0.3, le=1)


class Telling(Table):
    """Who hears what by default, and how often."""

    default_level: LevelName = "warning"
    quiet_period_minutes: float = Field(default=180, ge=0, le=10080)
    daily_budget: int = Field(default=3, ge=1, le=100)
    max_age_hours: float = Field(default=24, ge=1, le=168)
    terminal_level: LevelName = "watch"
    near_miss: float = Field(default=10, ge=0, le=40)
    cool_down_minutes: float = Field(default=60, ge=0, le=1440)
    confirm_signals: tuple[SignalName, ...] = ()
    confirm_sources: int = Field(default=2, ge=2, le=10)
    tempo_spreads: float = Field(default=4, ge=0, le=20)


class Alerts(Table):
    """config/alerts.toml"""

    levels: Levels = Levels()
    deescalation: Levels | None = None
    stories: Stories = Stories()
    telling: Telling = Telling()

    def levels_for(self, direction: str) -> Levels:
        """Thresholds of one direction ("escalation" or "deescalation"), 0-100."""
        if direction == "deescalation" and self.deescalation is not None:
            return self.deescalation
        return self.levels


# telegram.toml --------------------------------------------------------------------------------------------------------


MessageKind = Literal["reply", "alert", "notice", "digest", "broadcast", "update"]
KINDS: tuple[MessageKind, ...] = ("reply", "alert", "notice", "digest", "broadcast", "update")
#: What Telegram accepts in a second from one bot without a fee.
FREE_PER_SECOND = 30.0


class Rate(Table):
    """Messages allowed, from https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this

    `order`: which kind goes first when several wait; kinds that it does not name come last. With `paid_broadcast`
    alerts and broadcasts may exceed FREE_PER_SECOND, for which Telegram takes Stars.
    """

    per_second: float = Field(default=30, gt=0, le=1000)
    private_per_second: float = Field(default=1, gt=0, le=30)
    group_per_minute: float = Field(default=20, gt=0, le=1000)
    order: tuple[MessageKind, ...] = KINDS
    paid_broadcast: bool = False

    @field_validator("order")
    @classmethod
    def every_kind_once(cls, order: tuple[MessageKind, ...]) -> tuple[MessageKind, ...]:
        if len(set(order)) < len(order):
            raise ValueError(f"must name each of {', '.join(KINDS)} once, got {', '.join(order)}")
        return *order, *(kind for kind in KINDS if kind not in order)

    @model_validator(mode="after")
    def more_is_paid_for(self) -> Self:
        if self.per_second > FREE_PER_SECOND and not self.paid_broadcast:
            raise ValueError(
                f"per_second: must be at most {FREE_PER_SECOND:g}, which is all that Telegram accepts without a fee, "
                f"got {self.per_second:g}; paid_broadcast = true allows more and costs Stars"
            )
        return self


#: Ports to which Telegram sends, https://core.telegram.org/bots/webhooks
WEBHOOK_PORTS = (443, 80, 88, 8443)


class Webhook(Table):
    """Where Telegram sends updates, https://core.telegram.org/bots/api#setwebhook; without `url` it is asked for them.

    `url` is what Telegram calls, `listen_host` and `listen_port` where Tocsin hears what a reverse proxy passes on.
    """

    url: str = Field(default="", max_length=500)
    listen_host: Host = "127.0.0.1"
    listen_port: int = Field(default=8080, ge=1, le=65535)
    max_connections: int = Field(default=40, ge=1, le=100)

    @model_validator(mode="after")
    def telegram_can_call_it(self) -> Self:
        """The message never repeats the address: some put a token into it."""
        if self.url and (reason := _not_callable(self.url)):
            raise ValueError(f'url: must be an address such as "https://bot.example.org/telegram", {reason}')
        return self


def _not_callable(url: str) -> str:
    """Why Telegram cannot call `url`; "" when it can."""
    try:
        parsed = _HTTP_URL.validate_python(url)
    except ValueError:
        return "and this is none"
    if parsed.scheme != "https":
        return "with https"
    if parsed.port not in WEBHOOK_PORTS:
        return f"on port {', '.join(map(str, WEBHOOK_PORTS))}, the only ones that Telegram calls"
    if parsed.username is not None or parsed.password is not None or parsed.query or parsed.fragment:
        return "with a host and a path only"
    if not re.fullmatch(r"/[A-Za-z0-9/_.~-]*", parsed.path or "/"):
        return "its path of letters, digits and / _ . ~ - only; the bot's token does not belong into it"
    return ""


class Telegram(Table):
    """config/telegram.toml"""

    admins: tuple[UserId, ...] = ()
    access: Literal["approval", "invite"] = "approval"
    invite_code: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_-]*$")
    rate: Rate = Rate()
    webhook: Webhook = Webhook()

    @model_validator(mode="after")
    def invite_needs_code(self) -> Self:
        if self.access == "invite" and len(self.invite_code) < 8:
            raise ValueError(
                f'invite_code: must have 8 to 64 characters when access is "invite", got {len(self.invite_code)}'
            )
        return self


# digest.toml ----------------------------------------------------------------------------------------------------------


class Digest(Table):
    """config/digest.toml"""

    weekday: Weekday = "monday"
    at: LocalTime = time(8, 0)
    timezone: TimeZone = "UTC"
    top_stories: int = Field(default=5, ge=1, le=15)


# feeds.toml -----------------------------------------------------------------------------------------------------------


#: What feeds.toml suggests; a feed may name others.
REGIONS = (
    "world",
    "europe",
    "ukraine-russia",
    "middle-east",
    "south-asia",
    "east-asia",
    "southeast-asia",
    "africa",
    "americas",
    "caucasus",
    "central-asia",
)


class Family(Table):
    """Outlets owned or controlled by one publisher; they count as one source."""

    name: str = Field(min_length=1, max_length=200)
    aligned: str = Field(default="", max_length=20)


class FeedEntry(Table):
    """One feed an admin chose."""

    url: WebAddress
    title: str = Field(default="", max_length=200)
    publisher: str = Field(default="", max_length=200)
    family: str = Field(default="", max_length=60)
    regions: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    interval_minutes: int | None = Field(default=None, ge=5, le=1440)
    weight: float = Field(default=1.0, ge=0.1, le=2.0)
    paused: bool = False


class Feeds(Table):
    """config/feeds.toml"""

    families: dict[str, Family] = {}
    feeds: tuple[FeedEntry, ...] = ()

    @model_validator(mode="after")
    def consistent(self) -> Self:
        seen: set[str] = set()
        for feed in self.feeds:
            if feed.url in seen:
                raise ValueError(f"feeds: {feed.url} is listed twice; remove one")
            seen.add(feed.url)
            if feed.family and feed.family not in self.families:
                raise ValueError(
                    f'feeds: {feed.url} names family "{feed.family}", which has no [families.{feed.family}] table'
                )
        return self


# actors.toml ----------------------------------------------------------------------------------------------------------


class ActorEntry(Table):
    """A party the built-in gazetteer does not know."""

    code: str = Field(min_length=2, max_length=20, pattern=r"^[A-Z0-9_]+$")
    name: str = Field(min_length=2, max_length=100)
    aliases: tuple[str, ...] = ()
    kind: Literal["state", "organisation", "group"] = "state"


class Actors(Table):
    """config/actors.toml"""

    actors: tuple[ActorEntry, ...] = ()


class Settings(Table):
    """Everything an admin set, checked whole. One attribute per file."""

    service: Service = Service()
    alerts: Alerts = Alerts()
    telegram: Telegram = Telegram()
    digest: Digest = Digest()
    feeds: Feeds = Feeds()
    actors: Actors = Actors()
