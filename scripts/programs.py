"""The programs of scripts/check-programs. Each body(box) runs one and returns what must be the same
with and without weir."""
import glob
import hashlib
import os
import shutil
import textwrap

import workloads

ALL = []


class Program:
    def __init__(self, name, body, needs, version, user):
        self.name, self.body, self.needs, self.version, self.user = name, body, needs, version, user


def where(name):
    """A command, one of several (a|b), or a file pattern."""
    for one in name.split("|"):
        if one.startswith("/"):
            found = sorted(glob.glob(one))
            if found:
                return found[-1]
        elif shutil.which(one, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"):
            return shutil.which(one, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    return None


PY3 = where("/usr/bin/python3") or "python3"


def program(name, needs=(), version="", user=None):
    def add(body):
        ALL.append(Program(name, body, needs, version, user))
        return body
    return add


def script(name, text, needs=(), version="", user=None, seconds=60):
    """A program that is a shell script; $real is the folder of the bench's sources."""
    program(name, needs, version, user)(
        lambda box: box.run(textwrap.dedent(text).replace("PYTHON3", PY3), seconds))


def file_hash(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


script("bash forks", """
    s=0
    for ((i = 0; i < 2000; i++)); do x=$(echo $((i * 2))); s=$((s + x)); done
    echo $s
    for ((i = 0; i < 300; i++)); do (exit $((i % 7))) || s=$((s + $?)); done
    echo $s
    seq 1000 | xargs -n 1 -P 4 echo | sort -n | md5sum
    for ((i = 0; i < 100; i++)); do sleep 0.01 & done
    wait
    declare -A a; for ((i = 0; i < 50000; i++)); do a[k$((i % 5000))]+=$i; done; echo ${#a[@]} ${#a[k77]}
    """, needs=["bash"], version="bash --version")

script("coreutils and tar", """
    seq 300000 | shuf --random-source=<(yes) | sort -n --parallel=2 | md5sum
    seq 100000 | awk '{ n[$1 % 1000] += $1 } END { for (k in n) s += n[k]; print s }'
    mkdir t; for i in $(seq 200); do seq $i 500 > t/$i; done
    tar cf - --sort=name --mtime=@0 --owner=0 --group=0 t | gzip -n | gunzip | md5sum
    grep -rlE '4(7|9)[0-9]$' t | sort | md5sum
    find t -name '*1*' | sed 's/1/x/' | sort | md5sum
    """, needs=["tar", "awk"], version="sort --version")


@program("git clone and gc", ["git"], "git --version")
def git(box):
    workloads.make_repo(box)
    return box.run("""
        git clone -q --no-local repo clone
        cd clone
        git log -p --stat -M | md5sum
        git gc -q --prune=now
        git fsck --full
        git checkout -q -b other HEAD~50
        git -c user.name=a -c user.email=a@example.org merge -q --no-edit main
        git diff HEAD~20 | md5sum
        git grep -c 'line 7 of' | md5sum
        git rev-list --objects --all | sort | md5sum""")


def compiles(box, c, cxx):
    for i in range(12):
        box.path("part%d.c" % i, "#include <stdio.h>\n#include <string.h>\n#include <math.h>\n" + "".join(
            "int part%d_%d(int x) { char b[64]; snprintf(b, sizeof b, \"%%d\", x); return (int)strlen(b)"
            " + (int)sqrt(x + %d); }\n" % (i, k, k) for k in range(40)))
    box.path("main.c", "#include <stdio.h>\n" + "".join("int part%d_7(int);\n" % i for i in range(12)) +
             "int main(void) { printf(\"%d\\n\", " + "+".join("part%d_7(%d)" % (i, i * 999) for i in range(12)) +
             "); return 0; }\n")
    box.path("Makefile", "OBJ := main.o $(patsubst %,part%.o,0 1 2 3 4 5 6 7 8 9 10 11)\n"
             "prog: $(OBJ)\n\t" + c + " -o $@ $^ -lm\n%.o: %.c\n\t" + c + " -O2 -c -o $@ $<\n")
    out = box.run("make -s -j4 && ./prog && " + cxx + " -std=c++17 -O1 -c -o w.o $real/work.cc && " +
                  cxx + " -std=c++17 -o w -O1 $real/work.cc && ./w 12 7 8", 120)
    return out + file_hash(box.path("w.o")) + file_hash(box.path("prog"))


program("gcc build", ["gcc", "g++", "make"], "gcc --version")(lambda box: compiles(box, "gcc", "g++"))
program("clang build", ["clang-14|clang", "make", "g++"], "clang-14 --version || clang --version")(
    lambda box: compiles(box, where("clang-14|clang"), where("clang++-14|clang++")))

script("python3 threads", """
    PYTHON3 - <<'END'
    import threading, json, hashlib, queue
    q, out = queue.Queue(64), []
    def make(n):
        for i in range(1500): q.put(json.dumps({"n": n, "i": i, "x": ["t" * (i % 300)] * 5}))
    def take():
        while (x := q.get()) is not None: out.append(hashlib.sha256(x.encode()).hexdigest())
    ts = [threading.Thread(target=take) for _ in range(4)] + [threading.Thread(target=make, args=(n,)) for n in range(8)]
    [t.start() for t in ts]; [t.join() for t in ts[4:]]
    for _ in range(4): q.put(None)
    [t.join() for t in ts]
    print(len(out), hashlib.sha256("".join(sorted(out)).encode()).hexdigest())
    for k in range(500): t = threading.Thread(target=bytearray, args=(k * 100,)); t.start(); t.join()
    END
    PYTHONMALLOC=malloc PYTHON3 $real/work.py json
    """, needs=["python3"], version=PY3 + " --version")

script("python3 multiprocessing", """
    cat > m.py <<'END'
    import multiprocessing as mp, threading, sys
    def f(n):
        return sum(len(str(i) * (i % 50)) for i in range(n * 200))
    if __name__ == "__main__":
        threading.Thread(target=lambda: [bytearray(i * 10) for i in range(4000)]).start()
        for how in ("fork", "spawn", "forkserver"):
            with mp.get_context(how).Pool(4) as pool:
                print(how, sum(pool.map(f, range(60))))
    END
    PYTHON3 m.py
    """, needs=["python3"], version=PY3 + " --version")

script("python3 C extensions", """
    PYTHON3 - <<'END'
    import sqlite3, zlib, lzma, bz2, decimal, ctypes, hashlib, ssl, xml.etree.ElementTree as et
    data = b"".join(b"%d," % i for i in range(200000))
    for m in (zlib, lzma, bz2): print(m.__name__, m.decompress(m.compress(data)) == data)
    c = sqlite3.connect(":memory:"); c.execute("create table t(a, b)")
    c.executemany("insert into t values(?, ?)", ((i, "x" * (i % 200)) for i in range(50000)))
    print(c.execute("select sum(a), sum(length(b)) from t").fetchone())
    decimal.getcontext().prec = 2000; print(hashlib.md5(str(decimal.Decimal(2).sqrt()).encode()).hexdigest())
    libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p; libc.free.argtypes = [ctypes.c_void_p]
    for i in range(20000): libc.free(libc.malloc(i))
    libc.strdup.restype = ctypes.c_void_p; libc.free(libc.strdup(b"from libc"))
    print(len(et.fromstring("<a>" + "<b c='d'>e</b>" * 30000 + "</a>")), bool(ssl.create_default_context()))
    try:
        import numpy as n
        a = n.arange(360000, dtype=float).reshape(600, 600) % 97
        print(n.linalg.det(a[:5, :5] + n.eye(5)).round(3), (a @ a).sum(), n.sort(a, axis=None)[1000])
        for i in range(300): a = n.concatenate([a[i % 7:], a[:i % 7]])
        print(a.sum())
    except ImportError:
        print("no numpy")
    END
    """, needs=["python3"], version=PY3 + " --version")

script("perl", """
    perl $real/work.pl
    perl -e 'for (1..200) { my $p = fork; if (!$p) { my @x = map { "x" x $_ } 1..500; exit($_ % 5) } waitpid $p, 0; $s += $? >> 8 } print "$s\\n"'
    perl -MStorable=dclone -MDigest::MD5=md5_hex -e 'my $d = { map { $_ => [1..$_ % 40] } 1..20000 }; my $e = dclone $d; print md5_hex(join ",", map { scalar @{$e->{$_}} } sort keys %$e), "\\n"'
    """, needs=["perl"], version="perl --version")

script("ruby", """
    ruby $real/work.rb
    ruby -rjson -rdigest -e '
      ts = 20.times.map { |t| Thread.new { (1..300).map { |i| JSON.parse(JSON.generate({a: ["x" * (i * t % 999)] * 4}))["a"].join.size }.sum } }
      puts ts.map(&:value).sum
      GC.start; GC.compact rescue nil
      puts 30.times.map { |i| fork { exit((("y" * 10_000_00).size + i) % 3) } }.sum { |p| Process.wait(p); $?.exitstatus }
      puts Digest::MD5.hexdigest((0..200_000).map(&:to_s).join)'
    """, needs=["ruby"], version="ruby --version")

script("node workers", """
    node $real/work.js
    cat > w.js <<'END'
    const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
    if (isMainThread) {
        let left = 12, sum = 0;
        for (let i = 0; i < 12; i++) {
            const w = new Worker(__filename, { workerData: i });
            w.on('message', m => sum += m);
            w.on('exit', c => { sum += c; if (!--left) console.log('sum', sum); });
        }
    } else {
        const zlib = require('zlib'), crypto = require('crypto');
        let n = 0;
        for (let i = 0; i < 200; i++) {
            const b = Buffer.alloc(10000 + i * 97, workerData + 'x' + i);
            n += zlib.gunzipSync(zlib.gzipSync(b)).length;
            n += crypto.createHash('sha256').update(b).digest()[0];
            n += JSON.parse(JSON.stringify({ a: new Array(i).fill('v' + i) })).a.length;
        }
        parentPort.postMessage(n);
    }
    END
    node w.js
    """, needs=["node"], version="node --version")


def java(box, collector):
    box.run("javac -d classes $real/Work.java", env=box.plain)
    return box.run("java %s -Xmx300m -cp classes Work 50 150" % collector, 90)


program("java G1, 50 threads", ["java", "javac"], "java -version")(lambda box: java(box, "-XX:+UseG1GC"))
program("java Parallel, 50 threads", ["java", "javac"], "java -version")(lambda box: java(box, "-XX:+UseParallelGC"))
program("javac", ["javac"], "javac -version")(
    lambda box: box.run("javac -d out $real/Work.java && cat out/*.class | md5sum"))


script("sqlite3", """
    sqlite3 -init /dev/null :memory: ".read $real/work.sql"
    sqlite3 -init /dev/null d.db ".read $real/work.sql"
    sqlite3 d.db 'pragma journal_mode=wal' 'vacuum' 'pragma integrity_check' '.dump' | md5sum
    """, needs=["sqlite3"], version="sqlite3 --version")


script("imagemagick", """
    OMP_NUM_THREADS=4 MAGICK_THREAD_LIMIT=4 convert -size 400x400 -seed 3 plasma:red-blue -blur 0x2 -resize 150% -rotate 17 -colors 64 rgb:- | md5sum
    convert -size 300x300 gradient:green-yellow -swirl 90 -emboss 1 png:- | convert png:- -quality 80 jpg:- | convert jpg:- rgb:- | md5sum
    """, needs=["convert"], version="convert --version")

script("ffmpeg", """
    ffmpeg -v error -threads 4 -f lavfi -i testsrc2=d=3:s=640x360 -c:v mpeg4 -flags bitexact -threads 4 -f avi x.avi
    ffmpeg -v error -i x.avi -vf scale=320:-2,hflip -f md5 -
    """, needs=["ffmpeg"], version="ffmpeg -version")

script("ghostscript", """
    gs -q -dBATCH -dNOPAUSE -sDEVICE=ppmraw -r100 -sOutputFile=- $real/work.ps | md5sum
    """, needs=["gs"], version="gs --version")

script("vim", """
    seq 20000 > f.txt
    vim -u NONE -i NONE -es -N -c '%s/7/seven/g' -c 'g/9$/normal yypJ' -c 'sort n' -c 'let x = map(range(50000), "v:val . \\"abc\\"")' \\
        -c 'call writefile(x[100:200], "g.txt")' -c 'undo' -c 'redo' -c 'wq' f.txt
    md5sum f.txt g.txt
    """, needs=["vim"], version="vim --version")

script("tmux", """
    tmux -S $PWD/s -f /dev/null new-session -d -x 80 -y 24 'for i in $(seq 3000); do echo line $i; done; echo over; exec sleep 60'
    for w in 1 2 3 4; do tmux -S $PWD/s new-window "seq 20000; exec sleep 60"; tmux -S $PWD/s split-window 'sleep 60'; done
    for i in $(seq 100); do sleep 0.1; tmux -S $PWD/s capture-pane -p -t :0 > p; grep -q over p && break; done
    cat p; tmux -S $PWD/s list-windows -F '#I #P' | md5sum
    for i in $(seq 100); do tmux -S $PWD/s resize-window -t :0 -x $((60 + i)) ; done
    tmux -S $PWD/s kill-server
    """, needs=["tmux"], version="tmux -V")

script("php", """
    cat > p.php <<'END'
    <?php
    $rows = []; for ($i = 0; $i < 60000; $i++) $rows[] = ['id' => $i, 'name' => "name $i", 'tags' => array_fill(0, 5, "t$i")];
    $s = json_encode($rows); echo strlen($s), ' ', md5($s), ' ', count(json_decode($s, true)), "\\n";
    echo preg_match_all('/name (\\d+)7"/', $s), ' ', md5(implode(',', array_map('strrev', array_column($rows, 'name')))), "\\n";
    if (extension_loaded('mbstring')) echo md5(mb_strtoupper(str_repeat('grüße ', 20000))), "\\n";
    if (extension_loaded('dom')) { $d = new DOMDocument; $d->loadXML('<a>' . str_repeat('<b>c</b>', 20000) . '</a>'); echo $d->getElementsByTagName('b')->length, "\\n"; }
    if (extension_loaded('sqlite3')) { $q = new SQLite3(':memory:'); $q->exec('create table t(a)'); for ($i = 0; $i < 5000; $i++) $q->exec("insert into t values($i)"); echo $q->querySingle('select sum(a) from t'), "\\n"; }
    if (extension_loaded('intl')) { $c = new Collator('de_DE'); $w = ['zebra', 'äpfel', 'apfel']; $c->sort($w); echo implode(' ', $w), "\\n"; }
    echo strlen(gzcompress($s)), "\\n";
    END
    php p.php
    USE_ZEND_ALLOC=0 php p.php
    php -m
    """, needs=["php"], version="php --version")

script("gdb", """
    cat > g.c <<'END'
    #include <stdlib.h>
    #include <string.h>
    struct node { struct node *next; char text[40]; };
    static struct node *grow_it(struct node *n, int i) { struct node *m = malloc(sizeof *m); m->next = n; memset(m->text, 'a' + i % 26, 39); m->text[39] = 0; return m; }
    int main(void) { struct node *n = 0; for (int i = 0; i < 100; i++) n = grow_it(n, i); return n->text[0]; }
    END
    gcc -g -O0 -o g g.c
    gdb -nx -batch -ex 'break grow_it if i == 50' -ex run -ex 'print *n' -ex bt -ex 'call (int)strlen(n->text)' -ex finish -ex delete -ex continue ./g 2>/dev/null |
        sed -E 's/0x[0-9a-f]+/ADDR/g; s/process [0-9]+/process N/; /libthread_db|debuginfod/d'
    """, needs=["gdb", "gcc"], version="gdb --version")

for stressor in ("malloc", "fork", "pthread", "brk,mmap,mremap", "vfork,clone,zombie", "context,sigsegv,madvise"):
    script("stress-ng " + stressor, """
        stress-ng --seed 1 -t 4 --verify --oomable --temp-path . %s >/dev/null
        echo done
        """ % " ".join("--%s 2" % s + (" --malloc-bytes 64m" if s == "malloc" else "") +
                       (" --%s-bytes 64m" % s if s in ("brk", "mmap", "mremap") and s != "brk" else "")
                       for s in stressor.split(",")), needs=["stress-ng"], version="stress-ng --version")
