"""Nothing hangs when either end of a channel is gone."""

import threading
import time

import pytest

from inspector.engine.channel import Channel


def later(action, seconds: float = 0.05) -> threading.Thread:
    thread = threading.Thread(target=lambda: (time.sleep(seconds), action()))
    thread.start()
    return thread


def test_order_and_end():
    channel = Channel(limit=100)
    assert all(channel.put(i) for i in range(10))
    channel.finish()
    assert list(channel) == list(range(10))
    assert channel.get() is None


def test_a_full_channel_blocks_until_something_is_taken():
    channel = Channel(limit=2)
    channel.put(1)
    channel.put(2)
    taken = []
    thread = later(lambda: taken.append(channel.get()))
    began = time.monotonic()
    assert channel.put(3)
    assert time.monotonic() - began > 0.03
    thread.join()
    assert taken == [1]


def test_size_is_counted_and_one_item_always_fits():
    channel = Channel(limit=10, size=len)
    assert channel.put("x" * 1000)
    thread = later(channel.close)
    assert channel.put("y") is False
    thread.join()


def test_put_answers_false_once_the_reader_is_gone():
    channel = Channel(limit=1)
    channel.close()
    assert channel.put(1) is False
    assert channel.get() is None


def test_get_wakes_when_the_writer_ends():
    channel = Channel()
    thread = later(channel.finish)
    assert channel.get() is None
    thread.join()


def test_a_timeout_is_not_the_end():
    channel = Channel()
    with pytest.raises(TimeoutError):
        channel.get(0.01)
    channel.put(1)
    assert channel.get(0.01) == 1


def test_latest_keeps_the_newest_and_counts_the_dropped():
    channel = Channel(latest=True)
    for i in range(5):
        assert channel.put(i)
    assert channel.dropped == 4
    assert channel.get() == 4


def test_take_waits_for_one_and_takes_what_is_ready():
    channel = Channel(limit=100)
    thread = later(lambda: channel.put(0))
    assert channel.take(4) == [0]
    thread.join()
    for i in range(6):
        channel.put(i)
    assert channel.take(4) == [0, 1, 2, 3]
    channel.finish()
    assert channel.take(4) == [4, 5]
    assert channel.take(4) == []


def test_many_items_between_threads_keep_their_order():
    channel = Channel(limit=3)
    got = []
    reader = threading.Thread(target=lambda: got.extend(channel))
    reader.start()
    for i in range(2000):
        channel.put(i)
    channel.finish()
    reader.join()
    assert got == list(range(2000))
