/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Gives each file of the folders named to the fuzz target it is linked with. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
		return 0;
	FILE *file = fopen(path, "rb");
	size_t size = (size_t)info.st_size;
	/* At its exact size, so that a sanitizer sees an overrun. */
	uint8_t *data = malloc(size ? size : 1);
	if (!file || !data || fread(data, 1, size, file) != size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (!folder) {
			perror(argv[i]);
			return 1;
		}
		for (struct dirent *entry; (entry = readdir(folder));) {
			char path[4096];
			int len = snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (len > 0 && (size_t)len < sizeof(path))
				count += replay_file(path);
		}
		closedir(folder);
	}
	printf("%d inputs\n", count);
	return count > 0 ? 0 : 1;
}
