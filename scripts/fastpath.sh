#!/bin/bash
# Counts the instructions of a malloc and a free that hit, entry to return, by single-stepping a
# warm process, and fails if there are more than the limits, or a lock, an xchg or a call among
# them. usage: scripts/fastpath.sh [LIBRARY]
set -uo pipefail

HARDENED=no # whether the hardening that costs instructions is on by default
SIZES=(16 64 512 1000)
if [ $HARDENED = yes ]; then
	MALLOC_MAX=16 FREE_MAX=24
else
	MALLOC_MAX=14 FREE_MAX=19
fi

cd "$(dirname "$0")/.." || exit 1
library=$(realpath "${1-libweir.so}")
steps=${BUILD:-build}/bench/steps
[ -e "$library" ] || { echo "fastpath: no $library: make first" >&2; exit 1; }
[ -x "$steps" ] || make -s "$steps" || exit 1

counts=$("$steps" "$library" "${SIZES[@]}")
status=$?
if [ $status = 77 ]; then
	echo "fastpath: skipped, ptrace is not permitted here"
	exit 0
elif [ $status != 0 ]; then
	echo "fastpath: $steps failed with $status: $counts" >&2
	exit 1
fi
awk -v malloc_max=$MALLOC_MAX -v free_max=$FREE_MAX '
	{
		most = $1 == "malloc" ? malloc_max : free_max
		if ($3 > worst[$1]) worst[$1] = $3
		if ($3 > most) { print "fastpath: " $1 "(" $2 ") takes " $3 " instructions, at most " most; bad = 1 }
		if ($4 != "ok") { print "fastpath: " $1 "(" $2 ") passes " substr($0, index($0, $4)); bad = 1 }
	}
	END {
		printf "fastpath: malloc %d instructions (at most %d), free %d (at most %d)\n",
			worst["malloc"], malloc_max, worst["free"], free_max
		exit bad
	}' <<<"$counts"
