# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# What the scripts share: the packages, and how to get them. Sourced by bash, after `set -euo pipefail`.
# shellcheck shell=bash disable=SC2034 # variables are used by those who source this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Debian keeps brokers and their tools in sbin, which is not in a user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# Debian's packages, by what they are for. The one list: everything else asks here.
packages_build="gcc libc6-dev cmake ninja-build pkg-config mosquitto-dev libmosquitto-dev libsqlite3-dev
	libxxhash-dev libuv1-dev libcurl4-openssl-dev libmicrohttpd-dev librdkafka-dev libnats-dev libpq-dev"
packages_run="mosquitto mosquitto-clients sqlite3 tzdata"
packages_test="clang libcmocka-dev libclang-rt-dev valgrind openssl python3 python3-pytest python3-pytest-xdist
	python3-paho-mqtt python3-jsonschema python3-yaml shellcheck groff-base libfaketime
	e2fsprogs xfsprogs postgresql nats-server python3-aiosmtpd nginx-light"
# AWS's own signer comes by npm. Where there is a Node from elsewhere, Debian's npm would not go with it.
command -v npm >/dev/null || packages_test="$packages_test nodejs npm"
packages_demo_bridge="postgresql postgresql-client python3 python3-aiosmtpd util-linux"
packages_bench="g++ libcjson-dev libsimdjson-dev libcmocka-dev python3"
packages_arm="gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user"
packages_brokers="debootstrap debian-archive-keyring util-linux"

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# missing_packages PACKAGE…: prints those that are not installed.
missing_packages() {
	local package
	for package in "$@"; do
		# --status would also find a package that was removed and left its configuration.
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf '%s ' "$package"
	done
}

# as_root COMMAND…: runs it as root; fails when there is no way to become root.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		return 1
	fi
}

# need_packages PACKAGE…: installs what is missing, or says plainly what is missing and why it can't.
need_packages() {
	local missing
	command -v dpkg-query >/dev/null ||
		die "needs Debian's packages ($*), and this system has no dpkg. Install their like and call cmake: see CONTRIBUTING.md"
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		die "these packages are missing: ${missing}- run as root: apt-get install ${missing% }"
	fi
	say "Installing: ${missing% }"
	local log
	log=$(mktemp)
	# shellcheck disable=SC2086 # a list of words
	if as_root apt-get -q update >"$log" 2>&1 &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >>"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	tail -n 20 "$log" >&2
	rm -f "$log"
	die "could not install: ${missing}(apt-get's last words are above). Install them by hand and call me again"
}

# writable_build: makes build/, or says whose it is.
writable_build() {
	if ! mkdir -p "$root/build" 2>/dev/null || [ ! -w "$root/build" ] ||
		{ [ -e "$root/build/release" ] && [ ! -w "$root/build/release" ]; }; then
		die "can't write $root/build: it belongs to $(stat -c %U "$root/build" 2>/dev/null || stat -c %U "$root"). Remove it, or run me as that user"
	fi
}

# build_preset PRESET [CMAKE ARGUMENT…]: configures when that was not done yet, and builds.
build_preset() {
	local preset=$1
	shift
	(cd "$root" && cmake --preset "$preset" "$@" && cmake --build --preset "$preset")
}

# debian_mirror: prints where apt gets Debian from on this machine, to make root directories from.
debian_mirror() {
	local mirror
	# Labels are known only after an `apt-get update`; without one, the first source is the distribution's.
	# shellcheck disable=SC2016 # apt's placeholders
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
	# shellcheck disable=SC2016
	[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
	[ -n "$mirror" ] || die "apt has no sources here, so there is no mirror to make root directories from"
	say "$mirror"
}
