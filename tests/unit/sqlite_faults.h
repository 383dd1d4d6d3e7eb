/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Makes the nth thing fail that SQLite asks of memory, or of files: a VFS around its own, whose
 * reads, writes, syncs, truncations, openings and deletions are counted.
 */
#ifndef SQLITE_FAULTS_H
#define SQLITE_FAULTS_H

#include <sqlite3.h>
#include <stdbool.h>

static struct {
	bool in_memory, in_files; /* what counts now */
	long countdown;           /* fails when as many were counted */
	bool for_good;            /* everything after it fails too */
	long counted;
	bool failed;
} faults;

static void faults_set(long nth, bool for_good)
{
	faults.countdown = nth;
	faults.for_good = for_good;
	faults.counted = 0;
	faults.failed = false;
}

/* The next one to let fail after the nth: every early one, then a sample that reaches all parts of the
 * session; a thinner one where a sanitizer makes each take three times as long. */
static inline long faults_after(long nth)
{
#ifdef SLUICE_SANITIZED
	return nth + (nth < 6 ? 1 : 1 + nth / 2);
#else
	return nth + (nth < 40 ? 1 : 1 + nth / 16);
#endif
}

static bool faults_next(void)
{
	if (faults.failed)
		return faults.for_good;
	faults.counted++;
	faults.failed = faults.counted == faults.countdown;
	return faults.failed;
}

static bool memory_fails(void)
{
	return faults.in_memory && faults_next();
}

static bool file_fails(void)
{
	return faults.in_files && faults_next();
}

static sqlite3_vfs *real_vfs;
static sqlite3_mem_methods real_memory;

struct faulty_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct, in the same allocation */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct faulty_file *)file)->real;
}

static int faulty_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
	if (file_fails())
		return SQLITE_IOERR_READ;
	return real_of(file)->pMethods->xRead(real_of(file), data, size, offset);
}

static int faulty_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
	if (file_fails()) {
		/* A disk that is full takes a part. */
		real_of(file)->pMethods->xWrite(real_of(file), data, size / 2, offset);
		return SQLITE_FULL;
	}
	return real_of(file)->pMethods->xWrite(real_of(file), data, size, offset);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (file_fails())
		return SQLITE_IOERR_TRUNCATE;
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	if (file_fails())
		return SQLITE_IOERR_FSYNC;
	/* Nothing here outlives a power cut; without the disk the test takes a tenth. */
	(void)file;
	(void)flags;
	return SQLITE_OK;
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int faulty_lock(sqlite3_file *file, int lock)
{
	return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int faulty_unlock(sqlite3_file *file, int lock)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int faulty_check_lock(sqlite3_file *file, int *reserved)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int faulty_control(sqlite3_file *file, int operation, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), operation, arg);
}

static int faulty_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int faulty_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
	if (file_fails())
		return SQLITE_IOERR_SHMMAP;
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
}

static int faulty_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void faulty_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int faulty_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *out_flags)
{
	static const sqlite3_io_methods methods = {
		.iVersion = 2,
		.xClose = faulty_close,
		.xRead = faulty_read,
		.xWrite = faulty_write,
		.xTruncate = faulty_truncate,
		.xSync = faulty_sync,
		.xFileSize = faulty_size,
		.xLock = faulty_lock,
		.xUnlock = faulty_unlock,
		.xCheckReservedLock = faulty_check_lock,
		.xFileControl = faulty_control,
		.xSectorSize = faulty_sector_size,
		.xDeviceCharacteristics = faulty_characteristics,
		.xShmMap = faulty_shm_map,
		.xShmLock = faulty_shm_lock,
		.xShmBarrier = faulty_shm_barrier,
		.xShmUnmap = faulty_shm_unmap,
	};
	struct faulty_file *faulty = (struct faulty_file *)file;
	(void)vfs;
	faulty->base.pMethods = NULL;
	faulty->real = (sqlite3_file *)(faulty + 1);
	if (file_fails())
		return SQLITE_CANTOPEN;
	int rc = real_vfs->xOpen(real_vfs, name, faulty->real, flags, out_flags);
	if (faulty->real->pMethods)
		faulty->base.pMethods = &methods;
	return rc;
}

static int faulty_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	(void)vfs;
	if (file_fails())
		return SQLITE_IOERR_DELETE;
	return real_vfs->xDelete(real_vfs, name, sync_folder);
}

static void *faulty_malloc(int size)
{
	return memory_fails() ? NULL : real_memory.xMalloc(size);
}

static void *faulty_realloc(void *memory, int size)
{
	return memory_fails() ? NULL : real_memory.xRealloc(memory, size);
}

/* Before anything else is asked of SQLite. */
static void install_sqlite_faults(void)
{
	static sqlite3_vfs vfs;
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
	sqlite3_mem_methods memory = real_memory;
	memory.xMalloc = faulty_malloc;
	memory.xRealloc = faulty_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
	/* Small allocations from a pool of each connection would not be counted. */
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "faulty";
	vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
	vfs.xOpen = faulty_open;
	vfs.xDelete = faulty_delete;
	sqlite3_vfs_register(&vfs, 1);
}

#endif
