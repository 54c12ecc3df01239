# weir: `make help` lists the targets.

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
PREFIX ?= /usr/local
DESTDIR ?=
# Everything made goes below BUILD; only the library of the standard build stands in the top folder.
BUILD ?= build
LIB := $(if $(filter build,$(BUILD)),libweir.so,$(BUILD)/libweir.so)

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wundef -Wshadow -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Werror
LIB_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) -fPIC -fvisibility=hidden -ftls-model=initial-exec \
	-fno-builtin-malloc -fno-plt -fexceptions -pthread -I. $(EXTRA_CFLAGS)
# glibc's symbol versions differ by architecture.
MAP := $(if $(findstring aarch64,$(shell $(CC) -dumpmachine)),shim/exports-aarch64.map,shim/exports.map)
LIB_LDFLAGS := -shared -Wl,-soname,libweir.so -Wl,--version-script=$(MAP) \
	-Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,noexecstack -pthread $(LDFLAGS)
LIB_LIBS := -ldl

# Tests call the allocator in ways that compilers warn of or optimise away: no builtins.
TEST_WARN := -Wall -Wextra -Werror -Wno-unknown-warning-option -Wno-use-after-free \
	-Wno-free-nonheap-object -Wno-clobbered -Wno-alloc-size-larger-than -Wno-deprecated-declarations
TEST_FLAGS := -O1 -g $(TEST_WARN) -fno-builtin -pthread -I. $(EXTRA_CFLAGS)
UNIT_FLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -pthread -I. $(EXTRA_CFLAGS)
BENCH_FLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -fno-builtin -pthread -I. $(EXTRA_CFLAGS)
# A source file may ask for more in its first five lines: // flags: -lfoo
FLAGS_OF = $$(sed -n '1,5s|^// flags:||p' $<)

SRC := $(wildcard pools/*.c pressure/*.c shim/*.c)
OBJ := $(SRC:%.c=$(BUILD)/obj/%.o)
# The exporting files stay out of unit tests, which run on the system's allocator.
UNIT_OBJ := $(filter-out $(patsubst %,$(BUILD)/obj/shim/%.o,malloc new dlopen limits info boot),$(OBJ))
UNIT_LIB := $(BUILD)/libweir-test.a

UNIT := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit_*.c))
ACTS := $(foreach kind,live conform stress,$(wildcard tests/$(kind)_*.c tests/$(kind)_*.cc))
ACT := $(patsubst tests/%,$(BUILD)/tests/%,$(basename $(ACTS)))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

.PHONY: all lib unit acts tests bench-programs deps demo check check-long check-programs bench \
	install uninstall clean fmt help
.DELETE_ON_ERROR:
.SUFFIXES:

all: lib
lib: $(LIB)

$(LIB): $(OBJ) $(MAP)
	@mkdir -p $(@D)
	$(CC) $(LIB_LDFLAGS) -o $@ $(OBJ) $(LIB_LIBS)

$(OBJ): $(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LIB_CFLAGS) -MMD -MP -MF $@.d -MT $@ -c -o $@ $<

$(UNIT_LIB): $(UNIT_OBJ)
	@rm -f $@
	$(AR) rcs $@ $(UNIT_OBJ)

$(UNIT): $(BUILD)/tests/%: tests/%.c $(UNIT_LIB)
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) $$(pkg-config --cflags check) -MMD -MP -MF $@.d -MT $@ -o $@ $< \
		$(FLAGS_OF) $(UNIT_LIB) $$(pkg-config --libs check) -ldl

$(patsubst tests/%.c,$(BUILD)/tests/%,$(filter %.c,$(ACTS))): $(BUILD)/tests/%: tests/%.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(TEST_FLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(FLAGS_OF) -ldl

$(patsubst tests/%.cc,$(BUILD)/tests/%,$(filter %.cc,$(ACTS))): $(BUILD)/tests/%: tests/%.cc Makefile
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(TEST_FLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(FLAGS_OF) -ldl

$(BENCH): $(BUILD)/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BENCH_FLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(FLAGS_OF) -lm -ldl

unit: $(UNIT)
acts: $(ACT)
tests: unit acts
bench-programs: $(BENCH)

deps:
	@scripts/deps build

demo:
	@scripts/deps build demo
	@$(MAKE) --no-print-directory lib
	@scripts/demo

check:
	@scripts/check

check-long:
	@scripts/check --long

check-programs:
	@scripts/deps build
	@$(MAKE) --no-print-directory lib
	@scripts/check-programs $(ARGS)

bench:
	@scripts/deps build bench
	@$(MAKE) --no-print-directory lib bench-programs
	@scripts/bench $(ARGS)

install: $(LIB)
	install -d $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(LIB) $(DESTDIR)$(PREFIX)/lib/libweir.so
ifneq ($(wildcard shim/weir.h),)
	install -d $(DESTDIR)$(PREFIX)/include
	install -m 644 shim/weir.h $(DESTDIR)$(PREFIX)/include/weir.h
endif
ifneq ($(wildcard scripts/weir),)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 scripts/weir $(DESTDIR)$(PREFIX)/bin/weir
endif
ifneq ($(wildcard doc/*.1),)
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(wildcard doc/*.1) $(DESTDIR)$(PREFIX)/share/man/man1
endif
ifneq ($(wildcard README.md LICENSE),)
	install -d $(DESTDIR)$(PREFIX)/share/doc/weir
	install -m 644 $(wildcard README.md LICENSE) $(DESTDIR)$(PREFIX)/share/doc/weir
endif

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/lib/libweir.so $(DESTDIR)$(PREFIX)/include/weir.h \
		$(DESTDIR)$(PREFIX)/bin/weir $(DESTDIR)$(PREFIX)/share/man/man1/weir.1
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/weir

clean:
	rm -rf $(BUILD) $(LIB)

fmt:
	clang-format -i $(wildcard pools/*.[ch] pressure/*.[ch] shim/*.[ch] tests/*.[ch] tests/*.cc \
		tests/bench/*.[ch])

define HELP
weir, a malloc replacement: LD_PRELOAD=./libweir.so PROGRAM

  make                 builds libweir.so (CC=clang-14 for another compiler)
  make demo            a real program under weir beside glibc, in a minute
  make check           gets what it needs, builds, and runs the tests (under 10 minutes)
  make check-long      the rest: programs, long stress, WEIR_POOLS=off
  make check-programs  unmodified programs with and without weir (ARGS=--install gets them)
  make bench           time and memory beside other allocators (ARGS=--help)
  make deps            installs what the build needs
  make tests           builds the tests          make bench-programs  builds the workloads
  make install         DESTDIR=, PREFIX=/usr/local; make uninstall
  make fmt             clang-format              make clean           removes what was built
endef
export HELP

help:
	@echo "$$HELP"

# What exists and has no rule is a source, which `make -B` asks for too.
.DEFAULT:
	@test -e '$@' || { echo "make: there is nothing called '$@' here" >&2; echo "$$HELP" >&2; false; }

-include $(wildcard $(addsuffix .d,$(OBJ) $(UNIT) $(ACT) $(BENCH)))
