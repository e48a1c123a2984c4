"""Telegram's limits hold for every order of sends, and turns go to the most urgent."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chat.limiter import AHEAD_S, ARRIVES_S, Allowance, Limiter, Request
from config.schema import Rate
from models import Priority

PRIVATE, OTHER, GROUP = 7, 8, -100
RATES = st.builds(
    Rate,
    per_second=st.sampled_from([0.5, 1.0, 3.0, 30.0]),
    private_per_second=st.sampled_from([0.2, 1.0, 2.0]),
    group_per_minute=st.sampled_from([0.5, 3.0, 20.0]),
)
STEPS = st.lists(st.tuples(st.sampled_from([PRIVATE, OTHER, GROUP, -200]), st.floats(0, 5)), max_size=150)


def most_in_a_window(times: Sequence[float], seconds: float) -> int:
    return max((sum(start <= t < start + seconds for t in times) for start in times), default=0)


def send_as_fast_as_allowed(rate: Rate, steps: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    allowance, now, sent = Allowance(), 1000.0, list[tuple[int, float]]()
    for chat_id, idle in steps:
        now += idle
        while (delay := allowance.delay(chat_id, rate, now)) > 0:
            now += delay
        allowance.add(chat_id, rate, now)
        sent.append((chat_id, now))
    return sent


@given(RATES, STEPS)
@settings(max_examples=200)
def test_no_window_holds_more_messages_than_telegram_allows(rate: Rate, steps: list[tuple[int, float]]) -> None:
    sent = send_as_fast_as_allowed(rate, steps)
    assert most_in_a_window([t for _, t in sent], max(1, 1 / rate.per_second)) <= max(1, rate.per_second)
    for chat_id in {chat_id for chat_id, _ in sent}:
        times = [t for chat, t in sent if chat == chat_id]
        assert most_in_a_window(times, max(1, 1 / rate.private_per_second)) <= max(1, rate.private_per_second)
        if chat_id < 0:
            assert most_in_a_window(times, max(60, 60 / rate.group_per_minute)) <= max(1, rate.group_per_minute)


@given(st.lists(st.floats(0, 3), min_size=31, max_size=120), st.booleans())
@settings(max_examples=200)
def test_requests_that_were_held_up_after_their_turn_do_not_come_in_a_bunch(held_up: list[float], paid: bool) -> None:
    rate, allowance, now = Rate(per_second=60.0, paid_broadcast=True), Allowance(), 1000.0
    ready = list[float]()
    for chat_id, seconds in enumerate(held_up, 1):
        now += allowance.delay(chat_id, rate, now, paid)
        allowance.add(chat_id, rate, now, paid)
        ready.append(now + seconds)
    made = [allowance.request(rate, at, paid).start for at in sorted(ready)]
    assert most_in_a_window(made, 1) <= (60 if paid else 30)


ARRIVAL_AND_ANSWER = st.tuples(st.floats(0, ARRIVES_S), st.floats(0, 5))


@given(st.lists(ARRIVAL_AND_ANSWER, min_size=40, max_size=150), st.sampled_from([0.5, 3.0, 30.0]))
@settings(max_examples=200)
def test_however_long_requests_are_under_way_no_second_at_telegram_holds_too_many(
    under_way: list[tuple[float, float]], per_second: float
) -> None:
    rate, allowance, now = Rate(per_second=per_second), Allowance(), 1000.0
    arrived, open_requests = list[float](), list[tuple[float, Request]]()
    for outward, back in under_way:
        request = allowance.request(rate, now)
        now = request.start
        arrived.append(now + outward)
        open_requests.append((now + outward + back, request))
        for answered, earlier in open_requests:
            if answered <= now:
                earlier.arrived_by = min(earlier.arrived_by, answered)
    assert most_in_a_window(arrived, max(1, 1 / per_second)) <= max(1, per_second)


def test_a_request_that_is_answered_late_holds_back_the_one_that_would_share_its_second() -> None:
    rate, allowance = Rate(), Allowance()
    first = allowance.request(rate, 1000.0)
    for _ in range(29):
        allowance.request(rate, 1000.0)
    first.arrived_by = 1000.4
    assert allowance.request(rate, 1001.1).start == pytest.approx(1001.4)


def test_while_requests_are_held_up_nobody_takes_a_turn_so_that_a_reply_can_overtake() -> None:
    rate, allowance = Rate(), Allowance()
    assert allowance.delay(PRIVATE, rate, 1000.0) == 0
    last = [allowance.request(rate, 1000.0) for _ in range(8)][-1]
    free_at = 1000.0 + allowance.delay(PRIVATE, rate, 1000.0)
    assert last.start - AHEAD_S < free_at < last.start


def test_twenty_messages_reach_a_group_within_a_minute_and_the_next_one_waits() -> None:
    sent = [t - 1000 for _, t in send_as_fast_as_allowed(Rate(), [(GROUP, 0.0)] * 21)]
    assert sent[19] == pytest.approx(19, abs=0.01)
    assert sent[20] == pytest.approx(60, abs=0.01)


def test_a_full_chat_does_not_hold_up_another() -> None:
    allowance = Allowance()
    allowance.add(PRIVATE, Rate(), 1000.0)
    assert allowance.delay(PRIVATE, Rate(), 1000.0) == pytest.approx(1)
    assert allowance.delay(OTHER, Rate(), 1000.0) < 0.04  # its turn in the even spread over the second


def test_flood_control_closes_only_the_chat_it_names() -> None:
    allowance = Allowance()
    allowance.hold(PRIVATE, 40, 1000.0)
    allowance.hold(PRIVATE, 5, 1001.0)
    assert allowance.delay(PRIVATE, Rate(), 1010.0) == pytest.approx(30)
    assert allowance.delay(OTHER, Rate(), 1010.0) == 0
    assert allowance.delay(PRIVATE, Rate(), 1040.0) == 0


def test_chats_of_long_ago_take_no_memory() -> None:
    allowance = Allowance()
    for chat_id in range(1, 2000):
        allowance.add(chat_id, Rate(), 1000.0 + chat_id)
    assert len(allowance._sent._times) < 200


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def settled(limiter: Limiter) -> None:
    limiter.give_turns()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_reply_goes_before_an_alert_and_an_alert_before_a_digest() -> None:
    clock, turns = Clock(), list[str]()
    limiter = Limiter(Rate, clock)

    async def wait(name: str, priority: Priority) -> None:
        await limiter.wait(PRIVATE, priority)
        turns.append(name)

    await limiter.wait(PRIVATE)
    wishes = [("digest", Priority.DIGEST), ("alert", Priority.ALERT), ("reply", Priority.REPLY)]
    tasks = [asyncio.create_task(wait(*wish)) for wish in wishes]
    for expected in ([], ["reply"], ["reply", "alert"], ["reply", "alert", "digest"]):
        await settled(limiter)
        assert turns == expected
        clock.now += 1
    await asyncio.gather(*tasks)


async def test_the_admins_order_decides_who_goes_first() -> None:
    clock, turns = Clock(), list[Priority]()
    rate = Rate(order=("digest", "alert", "notice", "broadcast", "reply"))
    limiter = Limiter(lambda: rate, clock)

    async def wait(priority: Priority) -> None:
        await limiter.wait(PRIVATE, priority)
        turns.append(priority)

    await limiter.wait(PRIVATE)
    tasks = [asyncio.create_task(wait(priority)) for priority in Priority]
    for _ in Priority:
        await settled(limiter)
        clock.now += 1
    await settled(limiter)
    await asyncio.gather(*tasks)
    first = [Priority.DIGEST, Priority.ALERT, Priority.NOTICE, Priority.BROADCAST, Priority.REPLY]
    assert turns == [*first, Priority.UPDATE]


def test_only_what_is_paid_for_exceeds_what_is_free() -> None:
    rate = Rate(per_second=200.0, paid_broadcast=True)
    for paid, expected in ((True, 200), (False, 30)):
        allowance, now = Allowance(), 1000.0
        for chat_id in range(1, 1000):
            now += allowance.delay(chat_id, rate, now, paid)
            allowance.add(chat_id, rate, now, paid)
        assert 999 / (now - 1000) == pytest.approx(expected, rel=0.05)


def test_what_is_free_keeps_its_share_beside_what_is_paid_for() -> None:
    rate, allowance = Rate(per_second=200.0, paid_broadcast=True), Allowance()
    for chat_id in range(1, 50):
        allowance.add(chat_id, rate, 1000.0, paid=True)
    assert allowance.delay(OTHER + 1000, rate, 1000.5) == 0


def test_replies_and_edits_are_never_paid_for_and_nothing_is_unless_asked() -> None:
    paying = Limiter(lambda: Rate(per_second=200.0, paid_broadcast=True))
    assert [priority for priority in Priority if paying.pays(priority)] == [Priority.ALERT, Priority.BROADCAST]
    assert not any(Limiter(Rate).pays(priority) for priority in Priority)


async def test_who_has_no_patience_left_takes_no_turn() -> None:
    clock = Clock()
    limiter = Limiter(Rate, clock)
    limiter.hold(PRIVATE, 60)
    assert not await limiter.wait(PRIVATE, patience_s=0.01)
    assert limiter.delay(PRIVATE) == pytest.approx(60)
    clock.now += 60
    assert await limiter.wait(PRIVATE, patience_s=0)


async def test_a_cancelled_wish_leaves_its_turn_to_the_next() -> None:
    clock = Clock()
    limiter = Limiter(Rate, clock)
    await limiter.wait(PRIVATE)
    first = asyncio.create_task(limiter.wait(PRIVATE))
    second = asyncio.create_task(limiter.wait(PRIVATE))
    await settled(limiter)
    first.cancel()
    clock.now += 1
    await settled(limiter)
    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_requests_after_a_stall_are_spread_again_on_the_real_clock() -> None:
    limiter, loop = Limiter(lambda: Rate(per_second=200.0, paid_broadcast=True)), asyncio.get_running_loop()
    began, made = loop.time(), list[float]()

    async def request(chat_id: int) -> None:
        async with limiter.request(chat_id, paid=True):
            made.append(loop.time())

    await asyncio.gather(*(request(chat_id) for chat_id in range(1, 11)))
    assert made[-1] - began >= 9 / 200


async def test_a_chat_is_free_a_second_after_its_message_arrived_not_after_its_turn() -> None:
    clock = Clock()
    limiter = Limiter(Rate, clock)
    await limiter.wait(PRIVATE)
    async with limiter.request(PRIVATE):
        clock.now += 0.6
    clock.now += 0.5
    assert limiter.delay(PRIVATE) == pytest.approx(0.5) and limiter.delay(OTHER) == 0


@pytest.mark.parametrize(
    "rate", [Rate(per_second=200.0, paid_broadcast=True), Rate(per_second=5.0)], ids=["paid before", "slower now"]
)
def test_what_an_earlier_run_sent_faster_silences_nobody(rate: Rate) -> None:
    limiter = Limiter(lambda: rate, Clock())
    limiter.recall((1_000 + number, 60 - number / 200) for number in range(12_000))
    assert limiter.delay(OTHER) <= 1


async def test_turns_come_by_themselves_on_the_real_clock() -> None:
    limiter = Limiter(lambda: Rate(private_per_second=30.0))
    assert [await limiter.wait(PRIVATE) for _ in range(33)] == [True] * 33
