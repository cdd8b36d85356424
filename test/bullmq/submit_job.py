"""Adds a job as a Python program does: url, prefix, queue, id."""

import asyncio
import sys

from bullmq import Queue


async def main():
    url, prefix, name, job_id = sys.argv[1:]
    queue = Queue(name, {"connection": url, "prefix": prefix})
    data = {"args": [1, "two"], "kwargs": {"three": 3}, "headers": {"from": "python"}}
    await queue.add("ours", data, {"jobId": job_id})
    await queue.close()


asyncio.run(main())
