"""Programs that try to get out. Each defines `attack`, which returns where it got through and raises where it did not."""

# ruff: noqa: E501 - programs, one a line

PRELUDE = '''
import ctypes, fcntl, os, platform, resource, signal, socket, struct, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"

def call(x86, arm, *arguments):
    """A system call by its numbers, past every wrapper."""
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = libc.syscall(ctypes.c_long(x86 if X86 else arm), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result

def each(*attempts):
    """Where any of them gets through."""
    for attempt in attempts:
        try: attempt()
        except OSError as error: last = error
        else: return
    raise last

def connect(family, kind, address):
    with socket.socket(family, kind) as found:
        found.settimeout(1)
        found.connect(address)
        found.send(b"!")
'''

CONCLUSION = """
def f(x):
    try: attack()
    except (OSError, RuntimeError, ValueError): pass
    return [0]

def contained():
    try: attack()
    except (OSError, RuntimeError, ValueError): return True
    return False
"""

ATTACKS = {
    "read the home": 'each(lambda: open("{secret}").read(), lambda: os.listdir("{folder}"), lambda: os.stat("{secret}"))',
    "look around": 'each(*(lambda p=p: os.listdir(p) for p in ("/", ".", "/root", "/home", "/etc", "/work", "/tmp")))',
    "write to the home": 'open("{folder}/{token}", "w").write("!")',
    "write to a checkpoint": 'open("{secret}", "r+").write("!")',
    "delete a checkpoint": 'each(lambda: os.unlink("{secret}"), lambda: os.truncate("{secret}", 0))',
    "replace a checkpoint": 'each(lambda: os.rename("{secret}", "{folder}/{token}"), lambda: os.chmod("{secret}", 0o777))',
    "write anywhere": """
    each(*(lambda p=p: open(p + "/{token}", "w") for p in ("/", "/tmp", "/dev/shm", "/var/tmp", "/run", ".", "/python")))""",
    "a symbolic link": """
    each(*(lambda p=p: os.symlink("{secret}", p + "/{token}") for p in ("/tmp", "{folder}", ".")))
    open("/tmp/{token}").read()""",
    "a hard link": 'each(*(lambda p=p: os.link("{secret}", p + "/{token}") for p in ("/tmp", "{folder}", ".")))',
    "a named pipe": 'each(lambda: os.mkfifo("/tmp/{token}"), lambda: os.mknod("{folder}/{token}"))',
    "a device": 'os.mknod("/tmp/{token}", 0o60666, os.makedev(8, 0))',
    "out through ..": 'each(*(lambda n=n: os.open("../" * n + "etc/passwd", os.O_RDONLY) for n in range(9)))',
    "another root": 'each(lambda: os.chroot("/"), lambda: os.chdir("/"), lambda: call(155, 41, b"/", b"/"))',
    "descriptors that were left open": """
    for descriptor in (*range(0, 3), *range(4, 256)):
        try: data = os.read(descriptor, 100)
        except OSError: continue
        if data: return
    raise OSError("nothing there")""",
    "directories that were left open": """
    each(*(lambda d=d: os.open("etc/passwd", os.O_RDONLY, dir_fd=d) for d in range(3, 64)))""",
    "the memory of the first process": 'each(*(lambda p=p: open(f"/proc/{p}/mem", "r+b") for p in ("1", "self", os.getppid(), {pid})))',
    "the root of the first process": 'os.listdir("/proc/1/root/")',
    "the descriptors of others": 'each(*(lambda p=p: os.listdir(f"/proc/{p}/fd") for p in (1, os.getppid(), {pid})))',
    "core_pattern": 'open("/proc/sys/kernel/core_pattern", "w").write("|/bin/sh")',
    "sysrq": 'open("/proc/sysrq-trigger", "w")',
    "control groups": 'open("/sys/fs/cgroup/release_agent", "w")',
    "TCP": 'connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", {port}))',
    "TCP, to listen": """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen()""",
    "UDP": 'connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", {port}))',
    "TCP over IPv6": 'connect(socket.AF_INET6, socket.SOCK_STREAM, ("::1", {port}))',
    "an abstract socket": 'connect(socket.AF_UNIX, socket.SOCK_STREAM, "\\0{token}")',
    "a socket with a path": 'connect(socket.AF_UNIX, socket.SOCK_STREAM, "{folder}/socket")',
    "vsock": "connect(40, socket.SOCK_STREAM, (2, 22))",
    "netlink": "socket.socket(16, socket.SOCK_RAW, 0)",
    "packets": "socket.socket(17, socket.SOCK_RAW, 3)",
    "a socket pair": "socket.socketpair()",
    "a raw socket call": "call(41, 198, 2, 1, 0)",
    "names on the network": 'socket.getaddrinfo("localhost", 80)[0] and connect(2, 1, ("localhost", {port}))',
    "ptrace the parent": "call(101, 117, 16, os.getppid(), 0, 0)",
    "ptrace a stranger": "call(101, 117, 16, {pid}, 0, 0)",
    "let itself be traced": "call(101, 117, 0, 0, 0, 0)",
    "write to another's memory": """
    memory = (ctypes.c_char * 8)()
    vector = struct.pack("QQ", ctypes.addressof(memory), 8)
    each(lambda: call(311, 271, os.getppid(), vector, 1, vector, 1, 0), lambda: call(310, 270, {pid}, vector, 1, vector, 1, 0))""",
    "kill everything": "os.kill(-1, signal.SIGKILL)",
    "kill the parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "kill a stranger": "each(lambda: os.kill({pid}, signal.SIGKILL), lambda: os.kill({pid}, 0))",
    "kill its group": "os.killpg(0, signal.SIGKILL)",
    "signal by another call": """
    each(lambda: call(234, 131, {pid}, {pid}, 9), lambda: call(200, 130, {pid}, 9), lambda: call(129, 138, {pid}, 9, None))""",
    "signal through a descriptor": "call(434, 434, {pid}, 0)",
    "signal by ownership": "fcntl.fcntl(3, fcntl.F_SETOWN, {pid})",
    "limit a stranger": "resource.prlimit({pid}, resource.RLIMIT_CPU, (1, 1))",
    "raise its limits": "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    "slow a stranger down": "each(lambda: os.setpriority(0, {pid}, 19), lambda: os.sched_setaffinity({pid}, [0]))",
    "a user namespace": "call(272, 97, 0x10000000)",
    "other namespaces": "each(*(lambda n=n: call(272, 97, n) for n in (0x20000, 0x40000000, 0x20000000, 0x2000000)))",
    "clone into namespaces": "call(56, 220, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": 'call(435, 435, struct.pack("QQQQQQQQ", 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64)',
    "enter a namespace": "call(308, 268, 3, 0)",
    "fork": "os.fork() or os._exit(0)",
    "vfork": "call(58, 220, 0x4111, 0, 0, 0, 0)",
    "a thread": "__import__('threading').Thread(target=int).start()",
    "a shell": 'os.system("true") and (_ for _ in ()).throw(OSError("refused"))',
    "a program": 'os.posix_spawn("/bin/sh", ["/bin/sh", "-c", "true"], {})',
    "become a program": 'os.execv(sys.executable, [sys.executable, "-c", "0"])',
    "a program in memory": "call(319, 279, b'x', 0)",
    "mount": 'call(165, 40, b"none", b"/", b"tmpfs", 0, None)',
    "mount anew": 'each(lambda: call(430, 430, b"tmpfs", 0), lambda: call(428, 428, -100, b"/", 1))',
    "unmount": 'call(166, 39, b"/", 2)',
    "become root": "each(lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.setresgid(0, 0, 0))",
    "take capabilities": 'call(126, 91, struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[2**32 - 1] * 6))',
    "keys": 'each(lambda: call(250, 219, 0, -3, 1), lambda: call(248, 217, b"user", b"{token}", b"x", 1, -3))',
    "io_uring": "call(425, 425, 4, bytes(120))",
    "push letters into the terminal": 'fcntl.ioctl(0, termios.TIOCSTI, b"x")',
    "open the terminal": 'os.open("/dev/tty", os.O_RDWR)',
    "shared memory": "each(lambda: call(29, 194, 0x6d72, 4096, 0o1666), lambda: call(68, 186, 0x6d72, 0o1666))",
    "a message queue": 'call(240, 180, b"{token}", 0o102, 0o666, None)',
    "BPF": "call(321, 280, 0, bytes(64), 64)",
    "performance counters": "call(298, 241, bytes(128), 0, -1, -1, 0)",
    "userfaultfd": "call(323, 282, 1)",
    "a file by its handle": "call(304, 265, -100, bytes(136), 0)",
    "the kernel's log": "call(103, 116, 3, ctypes.create_string_buffer(99), 99)",
    "a kernel module": "call(313, 273, 3, b'', 0)",
    "set the clock": "each(lambda: call(227, 112, 0, bytes(16)), lambda: call(164, 170, bytes(16), None))",
    "restart the machine": "call(169, 142, 0xfee1dead, 672274793, 0, 0)",
    "another name for the machine": 'call(170, 161, b"x", 1)',
    "swap": 'call(167, 224, b"/{token}", 0)',
    "drop the filter": "each(lambda: call(157, 167, 22, 0, 0, 0, 0), lambda: call(317, 277, 0, 0, None))",
    "let others read it": "call(157, 167, 4, 1, 0, 0, 0)",
    "watch files": "call(294, 26, 0)",
    "the other architecture": "call(0x40000000 + 2, 56, b'/etc/passwd', 0, 0)",
}


def program(body: str) -> str:
    """A whole program around the lines of an attack."""
    return f"{PRELUDE}\ndef attack():\n    {body.strip()}\n{CONCLUSION}"
