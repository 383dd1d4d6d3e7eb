/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * When a page of a mapped segment can't be had. The kernel says so by SIGBUS in the midst of a copy: the disk
 * failed (XFS then refuses to make a page writable, any file system to read one), somebody cut the file
 * shorter, a hole in it finds no room. A broker must not die of that.
 *
 * The handler puts a page of memory in the place of the one that failed, with what can still be read of
 * it, counts a fault, and returns: the copy goes on, into memory that no disk has. So a frame that is
 * committed after a fault is void, its segment is not appended to any more, and a reader finds zeros,
 * which are no frame. Nothing of it costs anything as long as all goes well: there is neither a
 * sigsetjmp nor a look at each page.
 *
 * It acts on synchronous faults in segments of the journal that this thread appends to or reads; all
 * else goes to the handler that was there before. It calls pwrite and mmap, which on Linux are nothing
 * but system calls, and touches lock-free atomics: it interrupts no code but a copy or a hash.
 */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal_internal.h"

_Thread_local struct sluice_journal *journal_appends_here JOURNAL_TLS;
_Thread_local struct sluice_journal *journal_reads_here JOURNAL_TLS;

/* A process has one handler of a signal, so this has to be global. */
static struct {
	pthread_mutex_t lock;
	unsigned journals; /* open ones */
	bool installed;
	bool twice; /* the one before may call ours */
	struct sigaction before;
} guard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool within(const struct journal_segment *segment, uintptr_t at)
{
	uintptr_t map = (uintptr_t)segment->map;
	return segment->map && at >= map && at - map < segment->bytes;
}

/* What the appending thread may write to: where it stands, and the segment of the frame's first piece. */
static bool appends_to(const struct sluice_journal *journal, uintptr_t at)
{
	return within(&journal->now.segment, at) || within(&journal->at.segment, at) ||
	       within(&journal->begun_segment, at);
}

/* Slots are this thread's own. *behind: nothing is written there any more. */
static bool reads_from(const struct sluice_journal *journal, uintptr_t at, bool *behind)
{
	uint64_t ready = atomic_load_explicit(&journal->ready, memory_order_relaxed);
	for (uint64_t ordinal = journal->oldest; journal->slots && ordinal <= ready; ordinal++) {
		if (!within(journal_slot(journal, ordinal), at))
			continue;
		*behind = ordinal < atomic_load_explicit(&journal->current, memory_order_relaxed);
		return true;
	}
	return false;
}

static bool replace(struct sluice_journal *journal, uintptr_t at, bool behind)
{
	size_t size = journal->page_bytes;
	void *page = (void *)(at & ~(uintptr_t)(size - 1));
	off_t offset =
	        (off_t)(atomic_fetch_add_explicit(&journal->pages, 1, memory_order_relaxed) * size);
	if (!behind) {
		/* Before the page is there: who writes to it without a fault sees these. */
		atomic_fetch_add_explicit(&journal->faults, 1, memory_order_seq_cst);
		atomic_store_explicit(&journal->refuses, true, memory_order_relaxed);
	}
	/* A page that may only be read is kept: frames that were promised stand there. pwrite says
	 * EFAULT where we would be sent the signal. */
	if (journal->pages_fd >= 0 &&
	    pwrite(journal->pages_fd, page, size, offset) == (ssize_t)size &&
	    mmap(page, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, journal->pages_fd,
	         offset) != MAP_FAILED)
		return true;
	atomic_fetch_add_explicit(&journal->unread, 1, memory_order_relaxed);
	return mmap(page, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	            0) != MAP_FAILED;
}

/* As if there were no handler of ours. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	if (guard.before.sa_flags & SA_SIGINFO) {
		guard.before.sa_sigaction(number, info, context);
	} else if (guard.before.sa_handler != SIG_DFL && guard.before.sa_handler != SIG_IGN) {
		guard.before.sa_handler(number);
	} else if (guard.before.sa_handler == SIG_DFL || info->si_code > 0) {
		/* Nobody outlives a fault, the one who ignores it neither. It comes again when this
		 * returns. */
		signal(number, SIG_DFL);
		raise(number);
	}
}

static void on_bus(int number, siginfo_t *info, void *context)
{
	static _Thread_local const siginfo_t *passed JOURNAL_TLS;
	int reason = errno;
	uintptr_t at = (uintptr_t)info->si_addr;
	/* Else somebody sent it, or it is not of what was touched just now. */
	bool fault = info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR ||
	             info->si_code == BUS_MCEERR_AR;
	struct sluice_journal *journal = NULL;
	bool behind = false;
	if (fault && journal_appends_here && appends_to(journal_appends_here, at))
		journal = journal_appends_here;
	else if (fault && journal_reads_here && reads_from(journal_reads_here, at, &behind))
		journal = journal_reads_here;
	if (journal && replace(journal, at, behind)) {
		errno = reason;
		return;
	}
	if (guard.twice && passed == info) {
		/* It came round: there is no other. */
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	passed = info;
	pass_on(number, info, context);
	passed = NULL;
	errno = reason;
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_bus;
}

void journal_guard_enter(struct sluice_journal *journal)
{
	journal->pages_fd = memfd_create("sluice-journal", MFD_CLOEXEC);
	pthread_mutex_lock(&guard.lock);
	if (guard.journals++ == 0) {
		struct sigaction action = { .sa_sigaction = on_bus,
			                    .sa_flags = SA_SIGINFO | SA_ONSTACK };
		struct sigaction now;
		sigemptyset(&action.sa_mask);
		/* What was put in the place of ours since may call ours, or not: see on_bus. */
		if (sigaction(SIGBUS, NULL, &now) == 0 && !is_ours(&now)) {
			guard.twice = guard.installed;
			guard.before = now;
			guard.installed = sigaction(SIGBUS, &action, NULL) == 0;
		}
	}
	pthread_mutex_unlock(&guard.lock);
	journal->guarded = true;
	journal_reads_here = journal;
}

void journal_guard_leave(struct sluice_journal *journal)
{
	struct sigaction now;
	if (journal_reads_here == journal)
		journal_reads_here = NULL;
	if (journal_appends_here == journal)
		journal_appends_here = NULL;
	if (!journal->guarded)
		return;
	if (journal->pages_fd >= 0)
		close(journal->pages_fd);
	pthread_mutex_lock(&guard.lock);
	/* Where another one was put before ours meanwhile, it may call ours, which has to stay. */
	if (--guard.journals == 0 && guard.installed && sigaction(SIGBUS, NULL, &now) == 0 &&
	    is_ours(&now))
		guard.installed = sigaction(SIGBUS, &guard.before, NULL) != 0;
	pthread_mutex_unlock(&guard.lock);
}
