# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# Everything that the engine's library calls and does not hold itself is named here, so that a lock, a
# file or a clock cannot come in unseen. A name that is new to it is to be thought about, then added.
cmake_minimum_required(VERSION 3.25)
set(memory malloc calloc realloc free mmap mremap munmap)
set(text bsearch memchr memcmp memcpy memmem memmove memset qsort strchr strcmp strlen strncmp)
# the file of a time zone, when a rule that names one is parsed: see zone_file.c
set(file open read close fstat)
set(form snprintf vsnprintf gmtime_r strftime)
# assert, and what compilers and their options call of themselves
set(compiler __assert_fail __stack_chk_fail __memcpy_chk __memset_chk __memmove_chk __snprintf_chk __vsnprintf_chk
	_GLOBAL_OFFSET_TABLE_ __cpu_model __cpu_indicator_init __tls_get_addr)

execute_process(COMMAND ${NM} --format=posix ${LIBRARY} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
if(NOT status EQUAL 0)
	message(FATAL_ERROR "${NM} cannot read ${LIBRARY}")
endif()
string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
set(called "")
set(defined "")
foreach(line IN LISTS symbols)
	if(line MATCHES "^([^ ]+) [Uw]")
		list(APPEND called ${CMAKE_MATCH_1})
	elseif(line MATCHES "^([^ ]+) [A-Z] ")
		list(APPEND defined ${CMAKE_MATCH_1})
	endif()
endforeach()
list(REMOVE_DUPLICATES called)
list(REMOVE_ITEM called ${defined})
if(NOT "malloc" IN_LIST called OR NOT "sluice_match" IN_LIST defined)
	message(FATAL_ERROR "${LIBRARY} is not the engine")
endif()
list(REMOVE_ITEM called ${memory} ${text} ${file} ${form} ${compiler})
if(called)
	message(FATAL_ERROR "the engine calls: ${called}")
endif()
