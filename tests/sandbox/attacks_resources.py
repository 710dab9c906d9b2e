"""Programs that use up what there is: memory, processes, disk, time. None answers anything."""

# ruff: noqa: E501 - programs, one a line

ATTACKS = {
    "fork bomb": "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: return 0",
    "fork bomb that never stops": "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "memory bomb": "def f(x):\n    kept = []\n    while True: kept.append(bytearray(2**26))",
    "memory bomb, caught": (
        "def f(x):\n    kept = []\n    while True:\n        try: kept.append(bytearray(2**24))\n        except MemoryError: pass"
    ),
    "a power tower": "def f(x): return 9**9**9",
    "a power tower while loading": "N = 9\ndef f(x): return 0\nM = N**N**N",
    "endless output": "import os\ndef f(x):\n    while True: os.write(1, b'x' * 2**20)",
    "50 MB to return": "def f(x): return 'x' * 50_000_000",
    "50 levels to return": "def f(x):\n    y = []\n    for _ in range(50): y = [y]\n    return y",
    "a list in itself": "def f(x):\n    y = []\n    y.append(y)\n    return y",
    "a million values": "def f(x): return list(range(1_000_000))",
    "an endless sequence": "import itertools\ndef f(x): return itertools.count()",
    "an endless list": "class L(list):\n    def __iter__(self):\n        while True: yield 0\ndef f(x): return L([0])",
    "recursion": "def f(x): return f(x)",
    "recursion without limit": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return [f(x) for _ in x]",
    "a segmentation fault": "import ctypes\ndef f(x): ctypes.string_at(8)",
    "an abort": "import os\ndef f(x): os.abort()",
    "a zip bomb": (
        "import zlib\ndef f(x):\n    data = zlib.compress(bytes(2**28))\n    kept = []\n"
        "    while True: kept.append(zlib.decompress(data))"
    ),
    "fill the disk": """
def f(x):
    for place in ("/tmp", "/dev/shm", "/var/tmp", ".", "{folder}"):
        try:
            with open(place + "/{token}", "wb") as file:
                while True: file.write(bytes(2**20))
        except OSError: pass
""",
    "fill the inodes": """
import os
def f(x):
    for place in ("/tmp", "/dev/shm", "/var/tmp", ".", "{folder}"):
        for number in range(100_000):
            try: os.mkdir(f"{place}/{token}-{number}")
            except OSError: break
""",
    "take every descriptor": "import os\ndef f(x):\n    while True:\n        try: os.dup(3)\n        except OSError: return 0",
    "threads": (
        "import threading, time\ndef f(x):\n    while True:\n"
        "        try: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n        except RuntimeError: return 0"
    ),
    "backtracking": "import re\ndef f(x): return re.match(r'(a+)+$', 'a' * 40 + 'b')",
    "one long call": "def f(x): return sum(range(10**12))",
    "one long call while loading": "def f(x): return 0\nsum(range(10**12))",
    "catch the timeout": """
def f(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    "replace the alarms": """
import signal
for number in range(1, 65):
    try: signal.signal(number, lambda *arguments: None)
    except (OSError, ValueError): pass
signal.alarm(0)
def f(x):
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    while True: pass
""",
    "double fork": """
import os, time
def f(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(60)
""",
    "stop itself": "import os, signal, time\ndef f(x):\n    try: os.kill(os.getpid(), signal.SIGSTOP)\n    except OSError: time.sleep(60)",
    "sleep": "import time\ndef f(x): time.sleep(60)",
    "wait for what never comes": "import select\ndef f(x): select.select([], [], [])",
    "half a frame": "import os, time\ndef f(x):\n    os.write(3, b'\\x10\\0\\0\\0{')\n    time.sleep(60)",
    "a frame of 4 GiB": "import os\ndef f(x):\n    os.write(3, b'\\xff\\xff\\xff\\xff')\n    while True: os.write(3, bytes(2**16))",
    "a frame of brackets": (
        "import os\ndef f(x):\n    os.write(3, (2**20).to_bytes(4, 'little') + b'[' * 2**20)\n    import time; time.sleep(60)"
    ),
    "numbers that collide": "def f(x): return set(n * (2**61 - 1) for n in range(150_000))",
    "never let the check end": "def f(x):\n    while True: yield 0",
    "close everything": "import os\ndef f(x): os.closerange(0, 256)",
    "a program of nothing but brackets": "f = " + "(" * 100_000,
    "a program of signs": "def f(x): return " + "-" * 100_000 + "1",
    "a program with a null": "def f(x): return 0\0",
}
