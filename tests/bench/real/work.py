"""python3 workloads: json, dicts, regex, objects. usage: work.py NAME"""
import json
import random
import re
import sys

random.seed(1)
name = sys.argv[1]
if name == "json":
    rows = [{"id": i, "name": "name-%d" % i, "tags": ["t%d" % (i % k) for k in (3, 7, 11)],
             "score": random.random(), "nested": {"a": [i] * 5, "b": None}} for i in range(12000)]
    for _ in range(5):
        text = json.dumps(rows)
        rows = json.loads(text)
elif name == "dicts":
    table = {}
    for i in range(600000):
        table.setdefault("key%d" % (i * 7919 % 200003), []).append(i)
        if i % 3 == 0:
            table.pop("key%d" % (i % 200003), None)
elif name == "regex":
    text = " ".join("word%d=%d;" % (i, i * i) for i in range(40000))
    for _ in range(8):
        found = re.findall(r"(\w+)=(\d+);", text)
        text = re.sub(r"word(\d+)=(\d+)", lambda m: "word%s=%s" % (m.group(2)[:5], m.group(1)), text)
elif name == "objects":
    class Node:
        def __init__(self, depth):
            self.left = Node(depth - 1) if depth else None
            self.right = Node(depth - 1) if depth else None
    for _ in range(35):
        Node(14)
else:
    sys.exit("no such workload")
