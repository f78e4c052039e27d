"""Writes croniter-2026.txt: when croniter says that lines of cron come round in 2026, in zones whose
clocks are moved at midnight or at night, in spring and in autumn.

    python3 -m venv v && v/bin/pip install croniter==7.0.0 && v/bin/python write_reference.py > croniter-2026.txt

A line of the file: zone | line of cron | how many times | FNV-1a (64 bit) of these times, as decimal
seconds of the epoch with a newline after each. Left out: zones that move their clock by half an hour,
where croniter 7.0.0 repeats the times of `*/15 * * * *` and not those of `*/20 * * * *`.
"""

import random
from datetime import datetime
from zoneinfo import ZoneInfo

from croniter import croniter

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "UTC",
]
LINES = [
    "30 2 * * *",
    "0 2 * * *",
    "0 0 * * *",
    "30 1 * * 0",
    "15 2,3 * * *",
    "15 1-3 * * *",
    "*/7 2 * * *",
    "0 * * * *",
    "0 */2 * * *",
    "0 9 * * 1-5",
    "0 0 13 * 5",
    "0 3 29 2,3,10 *",
]


def field(rng, low, high):
    kind = rng.randrange(4)
    if kind == 0:
        return "*"
    if kind == 1:
        return str(rng.randint(low, high))
    if kind == 2:
        return ",".join(str(n) for n in sorted(rng.sample(range(low, high + 1), 3)))
    first = rng.randint(low, high - 1)
    return f"{first}-{rng.randint(first + 1, high)}"


def lines():
    rng = random.Random(2026)
    yield from LINES
    while True:
        minute = str(rng.randint(0, 59)) if rng.random() < 0.8 else f"*/{rng.choice([15, 20, 30])}"
        night = rng.random() < 0.7
        hour = field(rng, 0, 4) if night else field(rng, 0, 23)
        rest = [field(rng, 1, 28), field(rng, 1, 12), field(rng, 0, 6)]
        yield " ".join([minute, hour] + [f if rng.random() < 0.4 else "*" for f in rest])


def fnv(times):
    total = 0xCBF29CE484222325
    for time in times:
        for byte in f"{time}\n".encode():
            total = ((total ^ byte) * 0x100000001B3) % 2**64
    return total


for zone in ZONES:
    clock = ZoneInfo(zone)
    begin, end = datetime(2026, 1, 1, tzinfo=clock), datetime(2027, 1, 1, tzinfo=clock).timestamp()
    for _, line in zip(range(80), lines()):
        ticks = croniter(line, begin)
        times = []
        while (time := ticks.get_next(float)) < end:
            times.append(int(time))
        if len(times) > (9000 if zone == "Europe/Berlin" and line in LINES else 800):
            continue
        print(f"{zone}|{line}|{len(times)}|{fnv(times):016x}")
