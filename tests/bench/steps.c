/*
 * Counts the instructions of malloc and free by single-stepping a warm process.
 * usage: steps LIBRARY SIZE...       prints a line per size and call:
 *   malloc 64 13 ok         (instructions from entry to return; ok, or what stood on the path:
 *   free 64 18 ok            lock, xchg, call)
 * Of 64 calls the commonest count is taken: the hit path. Exit 77 if ptrace is not permitted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 64, WARM = 4000, KEPT = 24, MOST = 4096 };

struct count {
	int steps[CALLS];
	int calls;
	unsigned marks[CALLS];
};
enum { MARK_LOCK = 1, MARK_XCHG = 2, MARK_CALL = 4 };

/* The process under the lens. It tells its two addresses by file descriptor 3, then stops. */
static int child(size_t size)
{
	void *(*volatile take)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
	void (*volatile give)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
	uint64_t at[2] = {(uintptr_t)take, (uintptr_t)give};
	void *kept[KEPT], *block[16];

	if (write(3, at, sizeof at) != (ssize_t)sizeof at)
		return 1;
	close(3);
	for (int i = 0; i < KEPT; i++) /* no call empties the process */
		kept[i] = take(size);
	for (int i = 0; i < WARM; i++) {
		for (int k = 0; k < 16; k++)
			block[k] = take(size);
		for (int k = 0; k < 16; k++)
			give(block[k]);
	}
	raise(SIGSTOP);
	for (int i = 0; i < CALLS; i++) {
		void *p = take(size);

		give(p);
	}
	raise(SIGSTOP);
	for (int i = 0; i < KEPT; i++)
		give(kept[i]);
	return 0;
}

struct place {
	uint64_t pc, back, sp;
};

#if defined(__x86_64__)
static struct place place_of(pid_t pid)
{
	struct user_regs_struct regs;
	struct place place = {0, 0, 0};

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0) {
		place.pc = regs.rip;
		place.sp = regs.rsp;
		place.back = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, (void *)regs.rsp, 0);
	}
	return place;
}

static unsigned marks_of(pid_t pid, uint64_t pc)
{
	union {
		long word[2];
		uint8_t byte[16];
	} code;
	unsigned marks = 0;
	const uint8_t *at = code.byte;

	code.word[0] = ptrace(PTRACE_PEEKTEXT, pid, (void *)pc, 0);
	code.word[1] = ptrace(PTRACE_PEEKTEXT, pid, (void *)(pc + sizeof(long)), 0);
	for (; at < code.byte + 8; at++) {
		if (*at == 0xf0)
			marks |= MARK_LOCK;
		else if (*at == 0xf3 && at[1] == 0x0f) /* endbr64 and its like */
			return marks;
		else if (!strchr("\x66\x67\x2e\x36\x3e\x26\x64\x65\xf2\xf3", *at))
			break;
	}
	if ((*at & 0xf0) == 0x40)
		at++;
	if ((*at == 0x86 || *at == 0x87) && at[1] < 0xc0)
		marks |= MARK_XCHG;
	if (*at == 0xe8 || (*at == 0xff && (at[1] & 0x38) == 0x10))
		marks |= MARK_CALL;
	return marks;
}
#elif defined(__aarch64__)
static struct place place_of(pid_t pid)
{
	struct user_pt_regs regs;
	struct iovec io = {&regs, sizeof regs};
	struct place place = {0, 0, 0};

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &io) == 0) {
		place.pc = regs.pc;
		place.sp = regs.sp;
		place.back = regs.regs[30];
	}
	return place;
}

static unsigned marks_of(pid_t pid, uint64_t pc)
{
	uint32_t code = (uint32_t)ptrace(PTRACE_PEEKTEXT, pid, (void *)pc, 0);
	unsigned marks = 0;

	if ((code & 0x3f000000) == 0x08000000 && !(code & 0x00800000))
		marks |= MARK_LOCK; /* exclusive loads and stores */
	if ((code & 0x3b200c00) == 0x38200000)
		marks |= MARK_XCHG; /* atomic memory operations */
	if ((code & 0xfc000000) == 0x94000000 || (code & 0xfffffc1f) == 0xd63f0000)
		marks |= MARK_CALL;
	return marks;
}
#else
#error "steps.c knows x86-64 and arm64"
#endif

static int step(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

/* Steps from a function's entry to the instruction after its call. */
static int walk(pid_t pid, struct place entry, struct count *count)
{
	struct place now = entry;
	int steps = 0;
	unsigned marks = 0;

	do {
		marks |= marks_of(pid, now.pc);
		if (step(pid) != SIGTRAP)
			return -1;
		now = place_of(pid);
		steps++;
	} while (now.pc != entry.back || now.sp < entry.sp);
	if (count->calls < CALLS) {
		count->steps[count->calls] = steps < MOST ? steps : MOST - 1;
		count->marks[count->calls++] = marks;
	}
	return 0;
}

static void show(const char *name, size_t size, const struct count *count)
{
	static int seen[MOST];
	int best = 0;
	unsigned marks = 0;

	memset(seen, 0, sizeof seen);
	for (int i = 0; i < count->calls; i++)
		if (++seen[count->steps[i]] > seen[best])
			best = count->steps[i];
	for (int i = 0; i < count->calls; i++)
		if (count->steps[i] == best)
			marks |= count->marks[i];
	printf("%s %zu %d%s%s%s%s\n", name, size, best, marks ? "" : " ok",
		marks & MARK_LOCK ? " lock" : "", marks & MARK_XCHG ? " xchg" : "",
		marks & MARK_CALL ? " call" : "");
}

/* Follows the child from its first stop to its second. */
static int follow(pid_t pid, const uint64_t at[2], size_t size)
{
	struct count take = {{0}, 0, {0}}, give = {{0}, 0, {0}};

	for (;;) {
		int sig = step(pid);
		struct place now = place_of(pid);

		if (sig == SIGSTOP)
			break;
		if (sig != SIGTRAP)
			return 1;
		if (now.pc == at[0] && walk(pid, now, &take) != 0)
			return 1;
		if (now.pc == at[1] && walk(pid, now, &give) != 0)
			return 1;
	}
	show("malloc", size, &take);
	show("free", size, &give);
	return take.calls == CALLS && give.calls == CALLS ? 0 : 1;
}

static int measure(const char *self, const char *library, const char *size)
{
	int tell[2], status;
	uint64_t at[2];
	pid_t pid;

	if (pipe(tell) != 0 || (pid = fork()) < 0)
		return 1;
	if (pid == 0) {
		if (dup2(tell[1], 3) < 0 || ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
			_exit(77);
		setenv("LD_PRELOAD", library, 1);
		setenv("LD_BIND_NOW", "1", 1);
		execl(self, self, "--child", size, (char *)NULL);
		_exit(127);
	}
	close(tell[1]);
	if (waitpid(pid, &status, 0) != pid || WIFEXITED(status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	ptrace(PTRACE_CONT, pid, 0, 0); /* past the stop of execve */
	if (read(tell[0], at, sizeof at) != (ssize_t)sizeof at)
		return 1;
	close(tell[0]);
	do {
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return 1;
		if (WSTOPSIG(status) != SIGSTOP)
			ptrace(PTRACE_CONT, pid, 0, WSTOPSIG(status));
	} while (WSTOPSIG(status) != SIGSTOP);
	status = follow(pid, at, strtoul(size, NULL, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return status;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return child(strtoul(argv[2], NULL, 0));
	if (argc < 3) {
		fprintf(stderr, "usage: steps LIBRARY SIZE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		int status = measure("/proc/self/exe", argv[1], argv[i]);

		if (status != 0)
			return status;
		fflush(stdout);
	}
	return 0;
}
