"""What `cold` runs in a fresh interpreter: FOLDERS EVENT, where an `app.py` is and what it is asked.

Its own imports are few and built in, so that everything an answer needs is loaded while the clock runs.
"""

import sys
import time

FOLDERS, EVENT = sys.argv[1:]


class Context:
    """What Lambda tells a function about its invocation."""

    aws_request_id = "00000000-0000-4000-8000-000000000001"
    function_name = "authorize"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:authorize"
    memory_limit_in_mb = 512
    log_group_name = "/aws/lambda/authorize"
    log_stream_name = "cold"

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run."""
        return 10_000


event = eval(EVENT)  # a literal of Python, so that nothing has to be loaded to read it
sys.path[:0] = FOLDERS.split(":")

started = time.perf_counter()
import app  # noqa: E402 - the clock runs; the app of the folder named, whichever

answer = app.lambda_handler(event, Context())
seconds = time.perf_counter() - started

import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
from pathlib import Path  # noqa: E402

# Not getrusage: on Linux its figure survives exec, and would be that of the process that started this one.
status = Path("/proc/self/status").read_text("ascii")
(peak_kibibytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
told = {
    "status": answer["statusCode"],
    "milliseconds": seconds * 1000,
    "peak_mebibytes": int(peak_kibibytes) / 1024,
    "boto3": "boto3" in sys.modules,
}
sys.stdout.flush()
print(json.dumps(told), file=sys.stderr, flush=True)
os._exit(0)  # nobody waits for a Lambda function to take itself down
