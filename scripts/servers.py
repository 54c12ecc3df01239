"""Servers and a browser, for scripts/check-programs."""
import hashlib
import os
import pwd
import signal
import socket
import subprocess
import threading
import time

import workloads
from programs import program, where
from workloads import free_port, say


def wait_until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ValueError("no sign of " + what)
        time.sleep(0.05)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


@program("redis-server", ["redis-server", "redis-benchmark"], "redis-server --version")
def redis(box):
    port = free_port()
    start = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
             "--appendfsync", "no", "--dir", box.tmp, "--enable-debug-command", "local"]

    def up():
        server = box.server(start)
        if not workloads.wait_for(port, server):
            raise ValueError("the server did not come up")
        box.must_be_loaded(server.pid)
        return server

    def idle():
        info = say(port, "INFO", "persistence")
        return "rdb_bgsave_in_progress:0" in info and "aof_rewrite_in_progress:0" in info and \
            "aof_rewrite_scheduled:0" in info

    server = up()
    load = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-q", "-P", "8", "-r", "20000", "-d", "300",
            "-n", "150000", "-t", "set,lpush,hset,spop,zadd"]
    bench = box.popen(load, box.plain, stdout=subprocess.DEVNULL)
    for how in ("BGSAVE", "BGREWRITEAOF") * 3:
        say(port, how)
        time.sleep(0.3)
        wait_until("the end of " + how, idle)
    if bench.wait(60) != 0:
        raise ValueError("the load failed")
    say(port, "EVAL", "for i = 1, 5000 do redis.call('set', 'fixed' .. i, string.rep('x', i % 900)) end", "0")
    before, digest = say(port, "DBSIZE"), say(port, "DEBUG", "DIGEST")
    info = say(port, "INFO", "persistence")
    say(port, "BGREWRITEAOF")
    wait_until("the end of the rewrite", idle)
    server.send_signal(signal.SIGTERM)
    server.wait(20)
    up()
    after = say(port, "DBSIZE"), say(port, "DEBUG", "DIGEST")
    return "same after restart: %s, saved well: %s %s" % (
        (before, digest) == after, "rdb_last_bgsave_status:ok" in info, "aof_last_bgrewrite_status:ok" in info)


PG = os.path.dirname(where("/usr/lib/postgresql/*/bin/initdb") or "")


def who(*names):
    """The first of these users that the machine has, for those who may choose."""
    for name in names:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            pass
    return None


@program("postgresql", ["/usr/lib/postgresql/*/bin/initdb", "/usr/lib/postgresql/*/bin/pgbench"],
         PG + "/postgres --version", user=who("postgres", "nobody"))
def postgres(box):
    port, pg = str(free_port()), PG + "/"
    box.run([pg + "initdb", "-D", box.tmp + "/db", "-A", "trust", "-U", "me", "--no-sync"])
    server = box.server([pg + "postgres", "-D", box.tmp + "/db", "-p", port, "-k", box.tmp, "-c", "fsync=off",
                         "-c", "listen_addresses=", "-c", "jit=on", "-c", "jit_above_cost=0"])
    at = "-h %s -p %s -U me postgres" % (box.tmp, port)
    wait_until("postgres", lambda: os.path.exists(box.tmp + "/.s.PGSQL." + port) and subprocess.run(
        [pg + "pg_isready", "-q", "-h", box.tmp, "-p", port], env=box.plain).returncode == 0)
    box.must_be_loaded(server.pid)
    box.run("%spgbench -q -i -s 2 %s && %spgbench -n -c 8 -j 2 -t 250 %s" % (pg, at, pg, at))
    out = box.run(pg + "psql -At " + at.replace(" postgres", " -d postgres") + """ -c "
        select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history),
               (select count(*) from pgbench_history)" -c "
        select md5(string_agg(k || ':' || n, ',' order by k)) from (select x % 1000 k, count(*) n,
               max(repeat('x', x % 500)) from generate_series(1, 200000) x group by 1) t" -c "
        with recursive f(a, b) as (values (0, 1) union all select b, a + b from f where b < 1000000)
        select max(b), string_agg(a::text, '') from f" """)
    server.send_signal(signal.SIGINT)
    return out + "ended with %d" % server.wait(20)


@program("nginx with reloads", ["nginx"], "nginx -v")
def nginx(box):
    port, wrk = free_port(), where("wrk")
    os.makedirs(box.tmp + "/www")
    box.path("www/a.txt", "".join("line %d\n" % i for i in range(3000)))
    box.path("nginx.conf", """
        %s daemon off; master_process on; worker_processes 2; pid %s/pid; error_log stderr warn;
        events { worker_connections 256; }
        http {
            access_log off; gzip on; gzip_types text/plain; gzip_min_length 100;
            client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;
            scgi_temp_path %s/s; types { text/plain txt; }
            server { listen 127.0.0.1:%d; root %s/www; location /x { return 200 "hello\\n"; } }
        }""" % ("user root;" if os.geteuid() == 0 else "", box.tmp, *[box.tmp] * 5, port, box.tmp))
    server = box.server(["nginx", "-e", "stderr", "-p", box.tmp, "-c", box.tmp + "/nginx.conf"])
    wait_until("nginx", lambda: answers(port))
    box.must_be_loaded(server.pid)
    if wrk:
        box.popen([wrk, "-t", "2", "-c", "20", "-d", "6", "-H", "Accept-Encoding: gzip",
                   "http://127.0.0.1:%d/a.txt" % port], box.plain, stdout=subprocess.DEVNULL)
    good, bad, end = [0], [], time.monotonic() + 6

    def client(path, length):
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                    s.sendall(("GET %s HTTP/1.0\r\n\r\n" % path).encode())
                    body = b"".join(iter(lambda: s.recv(65536), b"")).partition(b"\r\n\r\n")[2]
                if len(body) != length:
                    bad.append(len(body))
                good[0] += 1
            except OSError as error:
                bad.append(error)

    size = os.path.getsize(box.tmp + "/www/a.txt")
    threads = [threading.Thread(target=client, args=a) for a in (("/a.txt", size), ("/x", 6)) * 2]
    for t in threads:
        t.start()
    while time.monotonic() < end:
        time.sleep(0.4)
        server.send_signal(signal.SIGHUP)
    for t in threads:
        t.join()
    server.send_signal(signal.SIGQUIT)
    return "bad answers: %s, some good: %s, ended with %d" % (bad[:3], good[0] > 100, server.wait(20))


@program("memcached", ["memcached"], "memcached -V")
def memcached(box):
    port = free_port()
    server = box.server(["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "4", "-m", "64"] +
                        (["-u", "root"] if os.geteuid() == 0 else []))
    wait_until("memcached", lambda: answers(port))
    box.must_be_loaded(server.pid)
    sums = []

    def client(me):
        total = 0
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
            f = s.makefile("rb")
            for i in range(4000):
                value = b"v" * (i * 7 % 3000)
                s.sendall(b"set k%d-%d 0 0 %d\r\n%s\r\nget k%d-%d\r\n" % (me, i, len(value), value, me, i))
                assert f.readline() == b"STORED\r\n" and f.readline().startswith(b"VALUE")
                total += len(f.read(len(value) + 2)) - 2
                f.readline()
        sums.append(total)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    server.send_signal(signal.SIGTERM)
    return "%s, ended with %d" % (sums, server.wait(20))


CHROME = "chromium|chromium-browser|google-chrome"


@program("chromium, sandboxed", [CHROME], "chromium --version", user=who("nobody"))
def chromium(box):
    box.path("page.html", """<html><body><div id=x></div><canvas id=c width=300 height=300></canvas><script>
        let a = []; for (let i = 0; i < 50000; i++) a.push({ i: i, s: 'item ' + i });
        let g = document.getElementById('c').getContext('2d'); for (let i = 0; i < 200; i++) g.fillRect(i, i, 9, 9);
        for (let i = 0; i < 2000; i++) { let p = document.createElement('p'); p.textContent = a[i].s; document.body.append(p); }
        document.getElementById('x').textContent = 'ready ' + JSON.stringify(a).length;</script></body></html>""")
    out = box.run([where(CHROME), "--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
                   "--user-data-dir=" + box.tmp + "/profile", "--dump-dom", "file://" + box.tmp + "/page.html"], 60)
    return "%d %s" % (len(out), hashlib.md5(out.encode()).hexdigest())
