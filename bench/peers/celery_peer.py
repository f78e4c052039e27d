"""Celery end to end on the Redis whose socket is in BENCH_SOCKET: its default worker, tasks that do
nothing and are acknowledged when they are done, results kept. Says {"version", "end_to_end"} in
tasks a second."""

import json
import os
import subprocess
import sys
import time

import celery

URL = "redis+socket://" + os.environ["BENCH_SOCKET"] + "?virtual_host="
app = celery.Celery("celery_peer", broker=URL + "0", backend=URL + "1")
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)


@app.task(name="run")
def run(payload):
    return "done"


def main(count):
    command = [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", "--loglevel=ERROR"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not app.control.ping(timeout=0.5):
            pass
        payload = {"text": "x" * 500}
        started = time.monotonic()
        for result in [run.delay(payload) for _ in range(count)]:
            result.get(timeout=300)
        seconds = time.monotonic() - started
        print(json.dumps({"version": celery.__version__, "end_to_end": count / seconds}))
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
