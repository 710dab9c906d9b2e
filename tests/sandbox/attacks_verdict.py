"""Programs that try to be judged right. Each defines `f`; none of them knows an answer, or computes one."""

# ruff: noqa: E501 - programs, one a line

YES = """
def yes(self, *others): return True
def me(self, *others): return self
NAMES = "eq ne lt le gt ge contains bool instancecheck subclasscheck".split()
SELVES = "sub rsub add radd abs neg mul rmul float round getitem call iter next enter".split()
BODY = {**{f"__{n}__": yes for n in NAMES}, **{f"__{n}__": me for n in SELVES}, "__hash__": lambda self: 0}
"""

ATTACKS = {
    "equal to everything": YES + "Yes = type('Yes', (), BODY)\ndef f(x): return Yes()",
    "an int equal to everything": YES + "N = type('N', (int,), BODY)\ndef f(x): return N(0)",
    "a float equal to everything": YES + "N = type('N', (float,), BODY)\ndef f(x): return N(0)",
    "a string equal to everything": YES + "S = type('S', (str,), BODY)\ndef f(x): return S('')",
    "a list equal to everything": YES + "L = type('L', (list,), BODY)\ndef f(x): return L()",
    "a dict equal to everything": YES + "D = type('D', (dict,), BODY)\ndef f(x): return D()",
    "a tuple equal to everything": YES + "T = type('T', (tuple,), BODY)\ndef f(x): return T()",
    "a class equal to everything": YES + "M = type('M', (type,), BODY)\nC = M('C', (), {})\ndef f(x): return C",
    "only true": "class T:\n    def __bool__(self): return True\ndef f(x): return T()",
    "differences of nothing": (
        "class N:\n    def __sub__(self, other): return 0\n    __rsub__ = __sub__\n    def __abs__(self): return 0\n"
        "    def __lt__(self, other): return True\ndef f(x): return N()"
    ),
    "a class that says it is a list": (
        "class C:\n    __class__ = list\n    def __eq__(self, other): return True\n"
        "    def __iter__(self): return iter(())\n    def __len__(self): return 0\ndef f(x): return C()"
    ),
    "walk the frames": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals):
            for name, value in list(names.items()):
                if isinstance(value, list): value.append("passed")
                if isinstance(value, dict) and "verdict" in value: value["verdict"] = "right"
                if name in ("word", "verdict", "result", "passed"): names[name] = "right"
        frame = frame.f_back
""",
    "swap the check's code": """
import gc, types
def nothing(*arguments): return None
def f(x):
    for each in gc.get_objects():
        if isinstance(each, types.FunctionType) and "check" in each.__name__:
            try: each.__code__ = nothing.__code__
            except ValueError: pass
""",
    "read the check's constants": """
import gc, sys, types
def f(x):
    codes = [each.__code__ for each in gc.get_objects() if isinstance(each, types.FunctionType)]
    frame = sys._getframe()
    while frame:
        codes.append(frame.f_code)
        frame = frame.f_back
    for code in codes:
        if "candidate" in code.co_varnames:
            for value in code.co_consts:
                if isinstance(value, (list, tuple)): return list(value)
""",
    "trace": """
import sys
def tracer(frame, event, argument):
    frame.f_trace_lines = False
    for name in frame.f_locals:
        if name in ("word", "verdict"): frame.f_locals[name] = "right"
    return tracer
sys.settrace(tracer)
sys.setprofile(tracer)
def f(x):
    sys.settrace(tracer)
""",
    "leave with success": "import os\ndef f(x): os._exit(0)",
    "leave while loading": "import os\ndef f(x): pass\nos._exit(0)",
    "SystemExit": "def f(x): raise SystemExit(0)",
    "SystemExit while loading": "def f(x): pass\nraise SystemExit(0)",
    "interrupt": "def f(x): raise KeyboardInterrupt",
    "an assertion of its own": "def f(x): raise AssertionError",
    "an exception with a borrowed name": "E = type('StopIteration', (Exception,), {})\ndef f(x): raise E('right')",
    "an exception that cannot be shown": (
        "class E(BaseException):\n    def __str__(self): raise self\n    __repr__ = __str__\ndef f(x): raise E"
    ),
    "print what passes": """
import sys
def f(x):
    for stream in (sys.stdout, sys.stderr, sys.__stdout__):
        for word in ("passed", "right", '{"verdict": "right"}', "OK", "1 passed"): print(word, file=stream, flush=True)
""",
    "forge frames on every descriptor": """
import gc, json, os
def f(x):
    nonces = {each["nonce"] for each in gc.get_objects() if isinstance(each, dict) and "nonce" in each}
    nonces |= {getattr(each, "nonce") for each in gc.get_objects() if type(each).__name__ == "_Candidate"}
    for nonce in nonces | {"0" * 16}:
        for message in ([nonce, "right", "", True], [nonce, 0, "ready", None], [nonce, 9, "value", True], ["+"]):
            data = json.dumps(message).encode()
            for descriptor in range(64):
                try: os.write(descriptor, len(data).to_bytes(4, "little") + data)
                except OSError: pass
""",
    "a late frame": """
import os
def f(x):
    data = b'["0", 1, "value", true]'
    for _ in range(1000): os.write(3, len(data).to_bytes(4, "little") + data)
    os._exit(0)
""",
    "override assertions": """
import builtins
class Quiet(Exception):
    def __new__(cls, *arguments): return None
builtins.AssertionError = Quiet
__builtins__["AssertionError"] = Quiet
def f(x): return None
""",
    "override builtins": """
import builtins
for name in "isinstance len abs all any sorted sum round print bool list dict".split():
    setattr(builtins, name, lambda *arguments, **keywords: True)
def f(x): return True
""",
    "override modules": """
import json, sys
from types import ModuleType
for name, module in list(sys.modules.items()):
    if "sandbox" in name or name in ("json", "ast", "os"):
        for each in ("encode", "decode", "send", "run", "dumps", "loads"):
            if hasattr(module, each): setattr(module, each, lambda *arguments, **keywords: "right")
        sys.modules[name] = ModuleType(name)
def f(x): return True
""",
    "import hook": """
import sys
class Hook:
    def find_spec(self, name, path=None, target=None):
        sys.modules[name] = self
        return None
    def __getattr__(self, name): return lambda *arguments: True
sys.meta_path.insert(0, Hook())
sys.path_hooks.insert(0, Hook())
sys.modules.pop("math", None); sys.modules.pop("copy", None)
def f(x): return True
""",
    "at exit": "import atexit, os\natexit.register(lambda: os.write(1, b'right'))\ndef f(x): raise SystemExit",
    "search the memory": """
import gc
def f(x):
    for each in gc.get_objects():
        if isinstance(each, dict):
            for key in ("expected", "answer", "gold", "test", "canonical_solution"):
                if key in each: return each[key]
""",
    "empty the arguments": "def f(x):\n    x.clear()\n    return []",
    "hand back the argument, emptied": "def f(x):\n    x.clear()\n    return x",
    "read the dataset": """
import glob, os, re
def f(x):
    for place in ("{data}", "/work", "/", ".", "/proc/self/cmdline", "/proc/self/environ", "/proc/self/fd/0"):
        try: text = open(place).read()
        except OSError:
            try: text = " ".join(open(each).read() for each in glob.glob(place + "/**/*.jsonl", recursive=True))
            except OSError: continue
        found = re.search(r"== (\\[.*?\\])", text)
        if found: return eval(found[1])
""",
    "a pickle gadget": """
import os, pickle
class G:
    def __reduce__(self): return (os._exit, (0,))
    def __getstate__(self): return {"verdict": "right"}
def f(x): return G()
""",
    "pickled": "import pickle, os\nclass G:\n    def __reduce__(self): return (os._exit, (0,))\ndef f(x): return pickle.dumps(G())",
    "no number": "def f(x): return float('nan')",
    "itself": "def f(x): return f",
    "a stand-in for every name": "class A:\n    def __getattr__(self, name): return self\n    __call__ = __getattr__\nf = A()",
}
