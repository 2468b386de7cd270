#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sid.sh runs a program on Debian sid's C library, Vulkan loader and Mesa (26 and newer), whose CPU driver has cooperative
# matrices, without touching the system's own: the files lie in ~/.cache/jitvk/sid.
#
#   tools/sid.sh root            make that folder, if it is not there (debootstrap, as root or through sudo; about a minute)
#   tools/sid.sh exec PROG ARGS  run a program built outside on it; go test -exec "tools/sid.sh exec" does
#   tools/sid.sh glslc ARGS      sid's shader compiler; GLSLC="tools/sid.sh glslc" makes tools/spv use it
#
# No chroot: the program runs where it is, by sid's dynamic linker, with the driver and layers named in the environment.
set -eu

sid=${JITVK_SID:-${XDG_CACHE_HOME:-$HOME/.cache}/jitvk/sid}

make_root() {
	[ ! -e "$sid/usr/bin/glslc" ] || return 0
	command -v debootstrap >/dev/null 2>&1 || PATH=$PATH:/usr/sbin command -v debootstrap >/dev/null 2>&1 || {
		echo "sid.sh: debootstrap is missing; install it (Debian, Ubuntu, Fedora, Arch: package debootstrap)" >&2
		exit 1
	}
	as=
	[ "$(id -u)" = 0 ] || as=sudo
	mkdir -p "$(dirname "$sid")"
	new=$(mktemp -d "$sid.XXXXXX") # a name of its own until it is whole
	echo "sid.sh: making $sid with debootstrap ($as debootstrap sid $new)" >&2
	if ! $as env PATH="$PATH:/usr/sbin:/sbin" debootstrap --variant=minbase \
		--include=mesa-vulkan-drivers,libvulkan1,glslc,spirv-tools,vulkan-validationlayers \
		sid "$new" "${JITVK_MIRROR:-http://deb.debian.org/debian}" >"$sid.log" 2>&1; then
		tail -n 20 "$sid.log" >&2
		echo "sid.sh: debootstrap failed; the whole log is $sid.log" >&2
		$as rm -rf "$new"
		exit 1
	fi
	$as chmod 755 "$new"
	mv "$new" "$sid"
}

# on_sid PROG ARGS: the dynamic linker and the libraries are sid's, the rest of the world is as it is.
on_sid() {
	[ -e "$sid/usr/bin/glslc" ] || { echo "sid.sh: $sid is not there; run: make sid-root" >&2; exit 1; }
	for linker in "$sid"/usr/lib64/ld-linux-*.so.* "$sid"/usr/lib/ld-linux-*.so.*; do [ ! -e "$linker" ] || break; done
	libraries=$(echo "$sid"/usr/lib/*-linux-gnu*)
	exec "$linker" --library-path "$libraries" "$@"
}

case ${1:-} in
root) make_root ;;
exec)
	shift
	VK_DRIVER_FILES=$(echo "$sid"/usr/share/vulkan/icd.d/lvp_icd*.json)
	export VK_DRIVER_FILES VK_ICD_FILENAMES="$VK_DRIVER_FILES" VK_LAYER_PATH="$sid/usr/share/vulkan/explicit_layer.d"
	on_sid "$@"
	;;
glslc)
	shift
	on_sid "$sid/usr/bin/glslc" "$@"
	;;
*)
	sed -n '3,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2
	exit 1
	;;
esac
