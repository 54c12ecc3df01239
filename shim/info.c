/*
 * info: glibc's own doors to its statistics, telling of weir's memory.
 * Owns: nothing. Calls: pools, boot, out, stdio (malloc_info: the caller's
 * stream). Threads: any. Never: holds a lock of ours.
 */
#include "pools/pools.h"
#include "shim/boot.h"
#include "shim/out.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define exported __attribute__((visibility("default")))

enum { TEXT_BYTES = 2048 };

/* libc's own functions where weir leaves the program alone, else NULL. */
static const struct boot_libc *libc(void)
{
	return boot_mode() == BOOT_PASS && boot_libc()->mallinfo ? boot_libc() : NULL;
}

static struct mallinfo2 read_info(void)
{
	struct pools_stats stats;
	struct mallinfo2 info = { 0 };

	pools_read(&stats);
	info.arena = stats.arena.open_bytes + stats.backend.region_bytes;
	info.uordblks = stats.arena_bytes + stats.backend.bytes;
	info.fordblks = stats.arena.taken_slices * SLICE_BYTES - stats.arena_bytes +
			stats.arena.dirty_slices * SLICE_BYTES;
	info.keepcost = stats.arena.dirty_slices * SLICE_BYTES;
	info.ordblks = stats.arena.free_slices;
	info.hblks = stats.large.blocks;
	info.hblkhd = stats.large.bytes;
	return info;
}

exported struct mallinfo2 mallinfo2(void)
{
	if (libc())
		return ((struct mallinfo2(*)(void))libc()->mallinfo2)();
	return read_info();
}

static int clamp(size_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

/* Its fields are ints: what does not fit stays at the largest. */
exported struct mallinfo mallinfo(void)
{
	struct mallinfo2 info;

	if (libc())
		return ((struct mallinfo(*)(void))libc()->mallinfo)();
	info = read_info();
	return (struct mallinfo){
		.arena = clamp(info.arena),
		.ordblks = clamp(info.ordblks),
		.hblks = clamp(info.hblks),
		.hblkhd = clamp(info.hblkhd),
		.uordblks = clamp(info.uordblks),
		.fordblks = clamp(info.fordblks),
		.keepcost = clamp(info.keepcost),
	};
}

exported void malloc_stats(void)
{
	char text[TEXT_BYTES];
	struct out out;
	struct pools_stats stats;
	int saved = errno;

	if (libc()) {
		libc()->malloc_stats();
		return;
	}
	pools_read(&stats);
	out_init_fd(&out, STDERR_FILENO, text, sizeof text);
	out_fmt(&out, "weir: arena bytes: open %zu, in use %zu, free and resident %zu\n",
		stats.arena.open_bytes, stats.arena_bytes, stats.arena.dirty_slices * SLICE_BYTES);
	out_fmt(&out, "weir: large blocks: %zu, bytes %zu; cached %zu, bytes %zu\n",
		stats.large.blocks, stats.large.bytes, stats.large.cache_entries,
		stats.large.cache_bytes);
	if (stats.backend.regions)
		out_fmt(&out, "weir: mimalloc blocks: %zu, bytes %zu, of regions %zu\n",
			stats.backend.blocks, stats.backend.bytes, stats.backend.region_bytes);
	out_fmt(&out, "weir: heaps: %zu, of ended threads %zu\n", stats.heaps, stats.heaps_dead);
	out_flush(&out);
	errno = saved;
}

/* The elements that readers of glibc's output look for, from our figures. */
exported int malloc_info(int options, FILE *stream)
{
	struct pools_stats stats;
	size_t mapped;

	if (libc())
		return libc()->malloc_info(options, stream);
	if (options != 0)
		return EINVAL;
	pools_read(&stats);
	mapped = stats.arena.open_bytes + stats.large.bytes + stats.large.cache_bytes;
	fprintf(stream,
		"<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n"
		"<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
		"<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n"
		"<aspace type=\"total\" size=\"%zu\"/>\n<aspace type=\"mprotect\" size=\"%zu\"/>\n"
		"</heap>\n",
		stats.arena.free_slices, stats.arena.dirty_slices * SLICE_BYTES,
		stats.arena.open_bytes, stats.arena.open_bytes, stats.arena.reserved_bytes,
		stats.arena.open_bytes);
	fprintf(stream,
		"<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
		"<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
		"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n"
		"<aspace type=\"total\" size=\"%zu\"/>\n<aspace type=\"mprotect\" size=\"%zu\"/>\n"
		"</malloc>\n",
		stats.arena.free_slices, stats.arena.dirty_slices * SLICE_BYTES,
		stats.large.blocks, stats.large.bytes, mapped, mapped, mapped, mapped);
	return ferror(stream) ? -1 : 0;
}

/* Thresholds and arenas are weir's own business: accepted, as glibc does, without effect. */
exported int mallopt(int parameter, int value)
{
	if (libc())
		return libc()->mallopt(parameter, value);
	switch (parameter) {
	case M_MXFAST:
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}
