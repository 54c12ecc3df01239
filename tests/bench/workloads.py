"""The workloads of scripts/bench: programs of our own, and real ones where they are installed.

A workload's run(box, allocator) gives box.launch(...)'s sample; prepare(box) is called once,
outside the measured time. needs: the commands without which it is left out."""
import os
import shutil
import socket
import subprocess
import time


class Workload:
    def __init__(self, name, command, needs=(), prepare=None, env=None, cwd=None, stdin=None,
                 run=None, ratio=True, quick=True):
        self.name, self.command, self.needs, self.prepare = name, command, needs, prepare
        self.env, self.cwd, self.stdin, self.custom = env or {}, cwd, stdin, run
        self.ratio, self.quick = ratio, quick  # in the ratios; in a quick run

    def missing(self):
        return [n for n in self.needs if not shutil.which(n)]

    def run(self, box, allocator):
        if self.custom:
            return self.custom(box, allocator)
        command = [c.format(real=box.real, tmp=box.tmp, bench=box.bench) for c in self.command]
        cwd = self.cwd.format(tmp=box.tmp) if self.cwd else box.tmp
        return box.launch(allocator, command, self.env, cwd=cwd)


def own(name, *args, **more):
    return Workload(name, ["{bench}/" + args[0], *args[1:]], **more)


def make_repo(box):
    """A repository of 400 commits over 200 files, by git fast-import; the same each time."""
    repo = os.path.join(box.tmp, "repo")
    subprocess.run(["git", "init", "-q", repo], check=True, env=box.plain)
    subprocess.run(["git", "-C", repo, "symbolic-ref", "HEAD", "refs/heads/main"], check=True,
                   env=box.plain)
    lines, seed = [], 1
    for commit in range(400):
        text = "change %d" % commit
        lines.append("commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata %d\n%s"
                     % (1600000000 + commit * 60, len(text), text))
        for k in range(6):
            seed = (seed * 1103515245 + 12345) % 2147483648
            number = (commit * 7 + k * 31) % 200
            body = "".join("line %d of %d: %d\n" % (i, number, (seed >> (i % 13)) if i % 17 == k
                                                    else i * number) for i in range(300))
            lines.append("M 100644 inline dir%d/file%d.txt\ndata %d\n%s"
                         % (number % 9, number, len(body), body))
        lines.append("")
    subprocess.run(["git", "-C", repo, "fast-import", "--quiet"], input="\n".join(lines).encode(),
                   check=True, env=box.plain)


def make_classes(box):
    subprocess.run(["javac", "-d", box.tmp + "/classes", box.real + "/Work.java"], check=True,
                   env=box.plain, stdout=subprocess.DEVNULL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def say(port, *words):
    """One command to a redis server; the first line of its answer."""
    text = "*%d\r\n" % len(words) + "".join("$%d\r\n%s\r\n" % (len(w), w) for w in words)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(text.encode())
        return s.recv(65536).decode(errors="replace")


def wait_for(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            if "PONG" in say(port, "PING"):
                return True
        except OSError:
            time.sleep(0.02)
    return False


def redis_server(port, directory):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", directory, "--daemonize", "no", "--logfile", "/dev/null",
            "--hz", "10"]


def redis(box, allocator):
    """The server's CPU time and peak memory for a fixed load; the client runs without a preload.
    Some builds are linked with jemalloc: with libc.so.6 first they have the C library's malloc."""
    port = free_port()
    libc = {} if allocator.path else {"LD_PRELOAD": "libc.so.6"}
    with box.start(allocator, redis_server(port, box.tmp), libc) as server:
        if not wait_for(port, server.process):
            return server.result()
        bench = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-q", "-P", "16", "-r", "50000"]
        for tests, size, count in (("set,get,incr", 200, 300000), ("lpush,lpop,sadd,hset", 30, 150000),
                                   ("set", 3000, 60000)):
            subprocess.run(bench + ["-t", tests, "-d", str(size), "-n", str(box.ops(count))],
                           env=box.plain, stdout=subprocess.DEVNULL, timeout=120, check=True)
        try:
            say(port, "SHUTDOWN", "NOSAVE")
        except OSError:
            pass
        return server.result()


GIT = ["git", "-c", "pack.threads=2", "-c", "core.pager=cat"]
ALL = [
    own("lifo-64", "one", "lifo", "64"),
    own("fifo-64", "one", "fifo", "64"),
    own("random-64", "one", "random", "64"),
    own("random-512", "one", "random", "512"),
    own("mix", "mix"),
    own("server-4", "server", "4"),
    own("latency", "server", "2", "latency", ratio=False),
    own("pipeline-1", "pipeline", "1"),
    own("pipeline-4", "pipeline", "4"),
    own("grow-strings", "grow", "strings"),
    own("grow-buffers", "grow", "buffers"),
    own("grow-large", "grow", "large"),
    own("zero", "zero"),
    own("buffers", "buffers"),
    own("sparse", "sparse"),
    own("threads-2", "threads", "2"),
    own("threads-16", "threads", "16"),
    own("threads-200", "threads", "200"),
    own("births", "births", "2000"),
    own("start", "start", "1000"),
    *[Workload("python-" + name, ["python3", "{real}/work.py", name], needs=["python3"],
               env={"PYTHONMALLOC": "malloc"}) for name in ("json", "dicts", "regex", "objects")],
    Workload("redis", [], needs=["redis-server", "redis-benchmark"], run=redis),
    Workload("sqlite", ["sqlite3", "-init", "/dev/null", ":memory:", ".read {real}/work.sql"],
             needs=["sqlite3"]),
    Workload("g++", ["g++", "-std=c++17", "-O2", "-c", "-o", "/dev/null", "{real}/work.cc"],
             needs=["g++"]),
    Workload("git-gc", GIT + ["repack", "-a", "-d", "-f", "-q", "--window=30"], needs=["git"],
             prepare=make_repo, cwd="{tmp}/repo"),
    Workload("git-log", GIT + ["log", "-p", "--stat", "-M", "-C"], needs=["git"], prepare=make_repo,
             cwd="{tmp}/repo"),
    Workload("perl", ["perl", "{real}/work.pl"], needs=["perl"]),
    Workload("ruby", ["ruby", "{real}/work.rb"], needs=["ruby"]),
    Workload("node", ["node", "{real}/work.js"], needs=["node"]),
    Workload("java", ["java", "-Xmx256m", "-XX:+UseParallelGC", "-cp", "{tmp}/classes", "Work", "8", "200"],
             needs=["java", "javac"], prepare=make_classes, quick=False),
    Workload("ghostscript", ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=png16m", "-r150",
                             "-sOutputFile=/dev/null", "{real}/work.ps"], needs=["gs"]),
    Workload("imagemagick", ["convert", "-size", "500x500", "-seed", "3", "plasma:red-blue", "-blur",
                             "0x3", "-resize", "60%", "-rotate", "17", "png:/dev/null"],
             needs=["convert"], env={"MAGICK_THREAD_LIMIT": "2"}, quick=False),
]
