"""A teacher for tests: a small server of the OpenAI protocol in a process of its own, which solves sums by a program.

    python solver.py [FAULT]        prints its port

FAULT: `wrong` answers every third question wrongly; `busy` answers each first with 503; `hangs` answers every fourth
after a minute; `dead` closes every connection; `uncounted` does not say what it read and wrote; `slowly` answers the
first after two seconds, and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item


class Handler(BaseHTTPRequestHandler):
    fault = ""
    seen: dict[str, int] = {}  # noqa: RUF012
    asked = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cls, question = type(self), body["messages"][-1]["content"]
        cls.asked += 1
        number = cls.asked
        first = question not in cls.seen
        cls.seen[question] = cls.seen.get(question, 0) + 1
        if cls.fault == "dead":
            self.close_connection = True
            return
        if cls.fault == "busy" and first:
            self.answer(503, {"error": "later"})
            return
        if cls.fault == "slowly":
            if number > 1:
                self.answer(400, {"error": "no"})
                return
            time.sleep(2)
        if cls.fault == "hangs" and number % 4 == 0:
            time.sleep(60)
        item = arithmetic.parse(question)
        text = item.trace if isinstance(item, Item) else "I cannot tell."
        if cls.fault == "wrong" and sum(map(ord, question)) % 3 == 0:
            text = "So 999."
        usage = {} if cls.fault == "uncounted" else {"prompt_tokens": 20, "completion_tokens": 30}
        self.answer(200, {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage})

    def answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """How often it was asked."""
        self.answer(200, {"asked": type(self).asked})

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def solver(fault: str = "") -> Iterator[str]:
    """The address of such a server while it runs."""
    process = subprocess.Popen([sys.executable, __file__, fault], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    Handler.fault = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
