#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setup.sh installs what this project needs and the machine lacks: a C compiler for cgo, make, the Vulkan loader and a Vulkan
# driver (Mesa's CPU driver where there is no GPU's). Where nothing is missing it prints nothing, asks no network and is
# done in a blink; before it installs anything it says what and how.
#
#   tools/setup.sh              what building, training and testing need
#   tools/setup.sh validation   and the Khronos validation layer, for JITVK_VALIDATE=1
#   tools/setup.sh glslc        and the shader compiler, for make spv
#
# SETUP_DRY_RUN=1 prints the commands that change the system and runs none of them. SETUP_ROOT=DIR looks for files of the
# system below DIR (for the tests of this script).
set -eu

root=${SETUP_ROOT:-}
dry_run=${SETUP_DRY_RUN:-}
repository=$(cd "$(dirname "$0")/.." && pwd)

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# run executes a command that changes the system: as root, or through sudo. Its output is shown if it fails.
run() {
	if [ "$(id -u)" = 0 ]; then as=; elif have sudo; then as="sudo "; else
		die "not root, and no sudo here. As root, run: $*"
	fi
	say "$as$*"
	[ -z "$dry_run" ] || return 0
	log=$(mktemp)
	if ! $as "$@" >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		die "that failed (its output is above). Once it works, run this again."
	fi
	rm -f "$log"
}

# run_as_user executes one that refuses root (Homebrew), or brings its own dialog (xcode-select).
run_as_user() {
	say "$*"
	[ -n "$dry_run" ] || "$@" >&2 || die "that failed. Once it works, run this again."
}

# --- What there is ---------------------------------------------------------------------------------------------------

# any_file succeeds if one of its arguments exists (a pattern that matches nothing stays a pattern, and does not).
any_file() {
	for file; do [ ! -e "$file" ] || return 0; done
	return 1
}

# A compiler without the C library's headers (Debian's gcc without libc6-dev) is no use.
have_cc() { echo '#include <stdlib.h>' | ${CC:-$default_cc} -E -x c - >/dev/null 2>&1; }

# ldconfig lies in a folder that a user's PATH may lack.
ldconfig_() { PATH=$PATH:/usr/sbin:/sbin ldconfig "$@" 2>/dev/null; }

have_loader() {
	if [ -z "$root" ] && ldconfig_ -p | grep -q 'libvulkan\.so\.1'; then return 0; fi
	any_file "$root"/usr/lib/libvulkan.so.1 "$root"/usr/lib64/libvulkan.so.1 "$root"/usr/lib/*/libvulkan.so.1 \
		"$root"/usr/local/lib/libvulkan.so.1 "$root"/usr/local/lib/libvulkan.1.dylib "$root"/opt/homebrew/lib/libvulkan.1.dylib
}

# drivers prints the manifests (*.json) of the installed Vulkan drivers, where the loader looks for them.
drivers() {
	listed=${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}}
	if [ -n "$listed" ]; then
		echo "$listed" | tr ':' '\n' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done
		return
	fi
	for dir in /usr/share /etc /usr/local/share /usr/local/etc /opt/homebrew/share /opt/homebrew/etc; do
		for file in "$root$dir"/vulkan/icd.d/*.json; do [ ! -e "$file" ] || echo "$file"; done
	done
	for file in "${XDG_DATA_HOME:-${HOME:-/}/.local/share}"/vulkan/icd.d/*.json; do
		[ -n "$root" ] || [ ! -e "$file" ] || echo "$file"
	done
}

have_layer() {
	any_file "$root"/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json \
		"$root"/etc/vulkan/explicit_layer.d/VkLayer_khronos_validation.json \
		"$root"/usr/local/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json \
		"$root"/opt/homebrew/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ||
		any_file ${VK_LAYER_PATH:+"$VK_LAYER_PATH"/VkLayer_khronos_validation.json}
}

# slow_mesa succeeds on Debian 12 with Debian 12's own Mesa, whose CPU driver is ten times slower than the one in backports.
# On a machine with a GPU that Mesa drives (a render node) the driver is left as it is.
slow_mesa() {
	[ "$os" = debian ] && [ "$os_version" = 12 ] && ! any_file "$root"/dev/dri/renderD* || return 1
	drivers | grep -q '/lvp_icd[^/]*$' || return 1
	version=$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null) || return 1
	[ "${version%%.*}" -lt 25 ]
}

# missing prints what to install, one word each: cc make loader driver fast-driver layer glslc.
missing() {
	have_cc || echo cc
	have make || echo make
	have_loader || echo loader
	if [ -z "$(drivers)" ]; then echo driver; elif slow_mesa; then echo fast-driver; fi
	case " $wanted " in *" validation "*) have_layer || echo layer ;; esac
	case " $wanted " in *" glslc "*) [ -n "${GLSLC:-}" ] || have glslc || echo glslc ;; esac
}

# --- Go itself --------------------------------------------------------------------------------------------------------

# older A B succeeds if the version A is older than B: "1.24.4" than "1.26.8".
older() {
	[ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$1" ]
}

check_go() {
	need=$(awk '$1 == "go" { print $2; exit }' "$repository/go.mod")
	have go || die "Go is missing: install Go $need or newer from https://go.dev/dl/ and put its bin folder in PATH."
	got=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
	got=${got#go}
	got=${got%%[!0-9.]*}
	if older "$got" "$need"; then
		# From 1.21 on, Go fetches the version that go.mod names by itself, unless it has been told not to.
		if older "$got" 1.21 || [ "$(cd / && go env GOTOOLCHAIN)" = local ]; then
			die "Go $got is too old: install Go $need or newer from https://go.dev/dl/ (or, with 1.21 and newer, set GOTOOLCHAIN=auto)."
		fi
	fi
	[ "${CGO_ENABLED:-1}" = 1 ] || die "CGO_ENABLED=$CGO_ENABLED is set, but Vulkan is called through cgo: unset it."
}

# --- Package managers -------------------------------------------------------------------------------------------------

# packages maps the words of missing to package names: cc=…, one argument each; "fast-driver" is Debian's own business.
packages() {
	for what in $lacking; do
		for map; do [ "${map%%=*}" != "$what" ] || printf '%s ' "${map#*=}"; done
	done
}

apt_install() { run env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; }

install_apt() {
	run apt-get -qq -o DPkg::Lock::Timeout=300 update
	driver=mesa-vulkan-drivers
	if [ "$os-$os_version" = debian-12 ]; then driver=; fi
	# shellcheck disable=SC2046 # one word a package
	set -- $(packages cc="gcc libc6-dev" make=make loader=libvulkan1 driver="$driver" layer=vulkan-validationlayers glslc=glslc)
	[ $# = 0 ] || apt_install "$@"
	[ -z "$driver" ] || return 0
	case " $lacking " in *driver\ *) ;; *) return 0 ;; esac
	if ! apt-cache policy 2>/dev/null | grep -q 'n=bookworm-backports'; then
		say "adding Debian's backports: the CPU driver of their Mesa is ten times faster than Debian 12's own"
		mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
			awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
		key=/usr/share/keyrings/debian-archive-keyring.gpg
		if [ -e "$root$key" ]; then key="[signed-by=$key] "; else key=; fi
		run sh -c "echo 'deb $key${mirror:-http://deb.debian.org/debian} bookworm-backports main' >/etc/apt/sources.list.d/jitvk-backports.list"
		run apt-get -qq -o DPkg::Lock::Timeout=300 update
	fi
	apt_install -t bookworm-backports mesa-vulkan-drivers
}

install_dnf() {
	# shellcheck disable=SC2046
	run dnf install -y $(packages cc=gcc make=make loader=vulkan-loader driver=mesa-vulkan-drivers layer=vulkan-validation-layers glslc=glslc)
}

install_pacman() {
	if ! pacman -Si vulkan-icd-loader >/dev/null 2>&1; then run pacman -Sy; fi # no package lists yet, as in a new container
	# shellcheck disable=SC2046
	run pacman -S --needed --noconfirm $(packages cc=gcc make=make loader=vulkan-icd-loader driver=vulkan-swrast layer=vulkan-validation-layers glslc=shaderc)
}

install_brew() {
	case " $lacking " in *" cc "* | *" make "*)
		run_as_user xcode-select --install
		[ -n "$dry_run" ] || die "finish the dialog that has opened, then run this again."
		;;
	esac
	# shellcheck disable=SC2046
	set -- $(packages loader=vulkan-loader driver=molten-vk layer=vulkan-validationlayers glslc=shaderc)
	[ $# = 0 ] || have brew || die "install Homebrew from https://brew.sh, then run this again; it will install: $*"
	[ $# = 0 ] || run_as_user brew install "$@"
}

# by_hand says in words what to install where no package manager above is known.
by_hand() {
	die "do not know how to install on this system (${os:-unknown}). Please install: $(packages cc="a C compiler (gcc)," \
		make="make," loader="the Vulkan loader (libvulkan.so.1)," layer="the Khronos validation layer," glslc="glslc (shaderc)," \
		driver="a Vulkan driver (your GPU's, or Mesa's lavapipe) with its .json in /usr/share/vulkan/icd.d,")then run this again."
}

# --- Main -------------------------------------------------------------------------------------------------------------

wanted=$*
for word in $wanted; do
	case $word in validation | glslc) ;; *) die "unknown argument $word; what there is: validation, glslc" ;; esac
done

os= os_version= os_like=
default_cc=gcc
if [ "$(uname -s)" = Darwin ]; then
	os=macos default_cc=clang
elif [ -r "$root/etc/os-release" ]; then
	os=$(. "$root/etc/os-release" && echo "${ID:-}")
	os_version=$(. "$root/etc/os-release" && echo "${VERSION_ID:-}")
	os_like=$(. "$root/etc/os-release" && echo "${ID_LIKE:-}")
fi

check_go
lacking=$(missing | tr '\n' ' ')
if [ -z "$lacking" ]; then exit 0; fi

say "missing here: $lacking"
case "$lacking" in *driver*)
	if any_file "$root"/dev/nvidia0 "$root"/proc/driver/nvidia/version; then
		say "there is an NVIDIA GPU, but its Vulkan driver is not installed (nvidia_icd.json; in a container, set" \
			"NVIDIA_DRIVER_CAPABILITIES=all). Until it is, Mesa's CPU driver will be used."
	fi
	;;
esac

case " $os $os_like " in
*" debian "* | *" ubuntu "*) install_apt ;;
*" fedora "* | *" rhel "* | *" centos "*) install_dnf ;;
*" arch "*) install_pacman ;;
*" macos "*) install_brew ;;
*) by_hand ;;
esac

[ -z "$dry_run" ] || exit 0
lacking=$(missing | tr '\n' ' ')
[ -z "$lacking" ] || die "installed, but still missing: $lacking- please install by hand."
say "done"
