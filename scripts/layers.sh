#!/bin/bash
# Checks that the house stands as drawn: by #include, and by the symbols of the object files.
# usage: scripts/layers.sh [--self-test]      environment: BUILD (build)
set -uo pipefail

# Folders, low to high, each with its door: what a higher folder may include and call.
FOLDERS='
pools     pools/pools
pressure  pressure/pressure
shim      -
'
# Ranks within a folder: a file uses only lower ones. A name ending in .h is a header alone.
RANKS='
pools/base.h       0
pools/os           1
pools/class        1
pools/chunk.h      2
pools/backend      2
pools/ledger       3
pools/arena        4
pools/large        2
pools/front.h      2
pools/span         5
pools/run          6
pools/mid          6
pools/heap         7
pools/life         8
pools/fast.h       8
pools/reclaim      9
pools/pools       10

pressure/level     1
pressure/probe     1
pressure/decay     1
pressure/tank      1
pressure/relief    7
pressure/pressure  8

shim/weir.h        0
shim/out           1
shim/unwind        1
shim/value         2
shim/options       3
shim/profile       4
shim/stats         9
shim/control       9
shim/service      10
shim/boot         11
shim/dlopen       12
shim/limits       12
shim/info         12
shim/malloc       12
shim/new          13
'
# Who may go past a door, and to what: a file, with which comes what that file may call, or one
# symbol. dlopen is the C library's name, which the shim wraps.
EXCEPTIONS='
pools/backend      dlopen
shim/malloc        pools/fast.h
shim/new           pools/fast.h
'
# Symbols and headers that belong to one file alone.
OWNED='
pools/os           mmap mmap64 munmap mremap madvise mprotect
pools/backend      <mimalloc.h>
shim/unwind        <libunwind.h>
'
MAX_FILE=400
MAX_FUNCTION=50

sources() {
	find pools pressure shim -name '*.[ch]' 2>/dev/null | sort || true
}

# Lines "file folder-or-file-included", "file <system header>".
includes() {
	sources | while read -r file; do
		sed -nE 's/^[ \t]*#[ \t]*include[ \t]*(["<][^">]+[">]).*/\1/p' "$file" | sed "s|^|$file |"
	done
}

# Lines "D unit symbol" and "U unit symbol" from the object files that have a source.
symbols() {
	local file object
	for file in $(sources | grep '\.c$'); do
		object=$BUILD/obj/${file%.c}.o
		if [ ! -e "$object" ]; then
			echo "MISSING ${file%.c} $object"
			continue
		fi
		nm -g "$object" | awk -v unit="${file%.c}" '
			$1 == "U" || $1 == "w" || $1 == "v" { sub(/@.*/, "", $2); print "U", unit, $2; next }
			NF == 3 { sub(/@.*/, "", $3); print "D", unit, $3 }'
	done
}

# shellcheck disable=SC2016 # awk's dollars
RULES='
function complain(text) { print "layers: " text; bad = 1 }
function unit_of(path) {
	sub(/^"/, "", path); sub(/"$/, "", path)
	if (path in rank) return path
	sub(/\.[ch]$/, "", path)
	return path
}
function folder_of(unit) { sub(/\/.*/, "", unit); return unit }
# Whether one unit may use another: own, base.h, lower in the folder, a lower door, or excepted.
function may(from, to) {
	if (from == to || to == "pools/base.h") return 1
	if (folder_of(from) == folder_of(to)) return rank[to] < rank[from]
	if (place[folder_of(to)] > place[folder_of(from)]) return 0
	return door[folder_of(to)] == to || (from, to) in excepted
}
function may_call(from, to,   key, part) {
	if (may(from, to)) return 1
	for (key in excepted) {
		split(key, part, SUBSEP)
		if (part[1] == from && folder_of(part[2]) == folder_of(to) && rank[to] <= rank[part[2]])
			return 1
	}
	return 0
}
function known(unit, where) {
	if (unit in rank) return 1
	complain(where ": " unit " has no rank (see the table in scripts/layers.sh)")
	return 0
}
BEGIN {
	n = split(folders, line, "\n")
	for (i = 1; i <= n; i++) if (split(line[i], w, " ") == 2) { place[w[1]] = i; door[w[1]] = w[2] }
	n = split(ranks, line, "\n")
	for (i = 1; i <= n; i++) if (split(line[i], w, " ") == 2) rank[w[1]] = w[2]
	n = split(exceptions, line, "\n")
	for (i = 1; i <= n; i++) if (split(line[i], w, " ") == 2) excepted[w[1], w[2]] = 1
	n = split(owned, line, "\n")
	for (i = 1; i <= n; i++) {
		m = split(line[i], w, " ")
		for (k = 2; k <= m; k++) owner[w[k]] = w[1]
	}
}
$1 == "I" {
	from = unit_of($2)
	if (!known(from, $2)) next
	if ($3 in owner && owner[$3] != from) complain($2 ": " $3 " belongs to " owner[$3])
	if ($3 !~ /^"/) next
	to = unit_of($3)
	if (to !~ /\//) complain($2 ": include " $3 " by its path from the top folder")
	else if (known(to, $2) && !may(from, to))
		complain($2 ": may not include " $3 " (rank " rank[from] " -> " rank[to] ")")
	checked++
}
$1 == "MISSING" { complain($2 ".c has no object file " $3 ": build first") }
$1 == "D" { if ($3 in definer) complain($3 " is defined in " definer[$3] " and " $2); definer[$3] = $2 }
$1 == "U" { uses[$2 " " $3] = 1 }
END {
	for (use in uses) {
		split(use, w, " ")
		if (!(w[1] in rank)) continue
		if (w[2] in owner && owner[w[2]] != w[1]) complain(w[1] ".c: " w[2] " belongs to " owner[w[2]])
		if (!(w[2] in definer) || (w[1], w[2]) in excepted) continue
		checked++
		to = definer[w[2]]
		if (to in rank && !may_call(w[1], to))
			complain(w[1] ".c: may not call " w[2] " of " to " (rank " rank[w[1]] " -> " rank[to] ")")
	}
	if (!bad) print "layers: " checked + 0 " includes and calls, all downward"
	exit bad
}'

# shellcheck disable=SC2016 # awk's dollars
SIZES='
FNR == 1 { if (name) sizes_end(); name = FILENAME; open = 0 }
function sizes_end() { if (lines > max_file) { print "layers: " name ": " lines " lines, at most " max_file; bad = 1 } }
{ lines = FNR }
/^\{/ || /^[A-Za-z_\t][^;#]*\)[^;=]*\{[ \t]*$/ { if (!open && ($0 !~ /^\t/)) open = FNR }
/^\}/ {
	if (open && FNR - open + 1 > max_function) {
		print "layers: " name ":" open ": a function of " FNR - open + 1 " lines, at most " max_function
		bad = 1
	}
	open = 0
}
END { if (name) sizes_end(); exit bad }'

check() {
	local failed=0
	{ includes | sed 's/^/I /'; symbols; } |
		awk -v folders="$FOLDERS" -v ranks="$RANKS" -v exceptions="$EXCEPTIONS" -v owned="$OWNED" \
			"$RULES" || failed=1
	sources | xargs awk -v max_file=$MAX_FILE -v max_function=$MAX_FUNCTION "$SIZES" || failed=1
	return $failed
}

# A small sound house in a temporary folder, and then one crack at a time, each of which must show.
self_test() {
	local passed=0 failed=0
	dir=$(mktemp -d) || exit 1
	trap 'rm -rf "$dir"' EXIT
	build_house() {
		rm -rf "${dir:?}"/* && cd "$dir" && mkdir -p pools shim build/obj/pools build/obj/shim
		echo 'int os_map(void);' >pools/os.h
		echo 'int arena_take(void);' >pools/arena.h
		echo 'int pools_start(void);' >pools/pools.h
		printf '#include "pools/os.h"\nint munmap(int);\nint os_map(void)\n{\n\treturn munmap(1);\n}\n' >pools/os.c
		printf '#include "pools/arena.h"\n#include "pools/os.h"\nint arena_take(void)\n{\n\treturn os_map();\n}\n' >pools/arena.c
		printf '#include "pools/pools.h"\n#include "pools/arena.h"\nint pools_start(void)\n{\n\treturn arena_take();\n}\n' >pools/pools.c
		echo 'int boot_start(void);' >shim/boot.h
		printf '#include "shim/boot.h"\n#include "pools/pools.h"\nint boot_start(void)\n{\n\treturn pools_start();\n}\n' >shim/boot.c
	}
	expect() { # expect CODE TEXT NAME
		local file out code
		for file in $(sources | grep '\.c$'); do
			${CC:-gcc} -w -I. -c -o "build/obj/${file%.c}.o" "$file" || return 1
		done
		out=$(BUILD=build check) && code=0 || code=1
		if [ $code = "$1" ] && grep -qF -- "$2" <<<"$out"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "layers self-test: $3: exit $code, said: $out" >&2
		fi
	}
	build_house
	expect 0 'all downward' 'a sound house'
	sed -i '1i #include "pools/arena.h"' pools/os.c
	expect 1 'pools/os.c: may not include "pools/arena.h"' 'an include upward'
	build_house && sed -i '1i #include "shim/boot.h"' pools/pools.c
	expect 1 'pools/pools.c: may not include "shim/boot.h"' 'an include of a higher folder'
	build_house && sed -i '1i #include "pools/arena.h"' shim/boot.c
	expect 1 'shim/boot.c: may not include "pools/arena.h"' 'an include past the door'
	build_house && sed -i '1i #include "arena.h"' pools/pools.c && cp pools/arena.h .
	expect 1 'by its path' 'an include without a path'
	build_house && echo 'int boot_start(void); int os_up(void) { return boot_start(); }' >>pools/os.c
	expect 1 'pools/os.c: may not call boot_start' 'a call of a higher folder'
	build_house && echo 'int arena_take(void); int os_up(void) { return arena_take(); }' >>pools/os.c
	expect 1 'pools/os.c: may not call arena_take' 'a call upward'
	build_house && echo 'int os_map(void); int past(void) { return os_map(); }' >>shim/boot.c
	expect 1 'shim/boot.c: may not call os_map' 'a call past the door'
	build_house && echo 'int munmap(int); int hole(void) { return munmap(1); }' >>pools/arena.c
	expect 1 'munmap belongs to pools/os' 'munmap outside os'
	build_house && printf '#if 0\n#include <mimalloc.h>\n#endif\n' >>pools/arena.c
	expect 1 '<mimalloc.h> belongs to pools/backend' 'mimalloc.h outside backend'
	build_house && echo 'int stray;' >pools/stray.c && echo '#include "pools/os.h"' >>pools/stray.c
	expect 1 'has no rank' 'a file without a rank'
	build_house && yes '// line' | head -400 >>pools/os.c
	expect 1 'lines, at most' 'a long file'
	build_house && { echo 'int os_long(void) {'; yes '	;' | head -49; echo '}'; } >>pools/os.c
	expect 1 'a function of 51 lines' 'a long function'
	build_house && { echo 'int os_long(void) {'; yes '	;' | head -48; echo '}'; } >>pools/os.c
	expect 0 'all downward' 'a function of 50 lines'
	echo "layers self-test: $passed passed, $failed failed"
	[ $failed = 0 ]
}

BUILD=${BUILD:-build}
case ${1-} in
--self-test) self_test ;;
'') cd "$(dirname "$0")/.." && check ;;
*) echo "usage: scripts/layers.sh [--self-test]" >&2; exit 2 ;;
esac
