# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# What the demos share: a folder that is cleaned up, how commands are shown, a broker with the plugin. Sourced after lib.sh
# by bash, once the release is built.
# shellcheck shell=bash disable=SC2154,SC2034 # used by those who source this; root is lib.sh's

# The broker gives up root's privileges before it loads the plugin: all that it needs is here, where it may read and write.
folder=$(mktemp -d /tmp/sluice-demo.XXXXXX)
children=()
cleanup() {
	local status=$?
	trap - EXIT
	for child in "${children[@]}"; do
		kill "$child" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$folder" "$folder.outside"
	if [ "$status" = 0 ]; then
		printf "\nThe broker is stopped, and its folder is gone.\n"
	fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
chmod 755 "$folder"
install -m 755 "$root/build/release/lib/mosquitto_sluice.so" "$folder"

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# shown COMMAND…: prints the command as one would type it, and runs it.
shown() {
	local word line='$'
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./:=+-]*) line="$line '$word'" ;;
		*) line="$line $word" ;;
		esac
	done
	printf '%s%s%s\n' "$dim" "${line//$root\/build\/release\/bin\//}" "$plain"
	"$@"
}
sluice=$root/build/release/bin/sluice

start_broker() {
	for _ in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000))
		cat >"$folder/mosquitto.conf" <<-END
			listener $port 127.0.0.1
			allow_anonymous true
			plugin $folder/mosquitto_sluice.so
			plugin_opt_db_file $folder/sluice.db
		END
		[ "$(id -u)" != 0 ] || chown -R mosquitto "$folder"
		mosquitto -c "$folder/mosquitto.conf" >"$folder/mosquitto.log" 2>&1 &
		local broker=$! waited
		for ((waited = 0; waited < 100; waited++)); do
			kill -0 "$broker" 2>/dev/null || break
			if grep -q ' running$' "$folder/mosquitto.log"; then
				children+=("$broker")
				return 0
			fi
			sleep 0.1
		done
		kill "$broker" 2>/dev/null || true
		wait "$broker" 2>/dev/null || true
		grep -q 'Address already in use' "$folder/mosquitto.log" || break
	done
	sed 's/^/    /' "$folder/mosquitto.log" >&2
	die "mosquitto did not start; its log is above"
}
