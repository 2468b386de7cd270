// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine is a computer as tools/setup.sh sees it: a root folder, and a PATH of small stand-ins.
type machine struct {
	release  string            // /etc/os-release
	files    []string          // below the root
	commands map[string]string // shell scripts
	lacks    []string          // commands of a healthy machine that are not there
	env      []string
	args     []string
}

// setup runs tools/setup.sh there without changing anything and returns what it says and whether it succeeds.
func (m machine) setup(t *testing.T) (output string, ok bool) {
	t.Helper()
	root, bin := t.TempDir(), t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "dirname", "awk", "sort", "head", "tr", "grep", "cat", "mktemp", "rm"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("no %s here: %v", name, err)
		}
		if err := os.Symlink(real, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	commands := map[string]string{
		"go":    `case "$*" in "env GOVERSION") echo go1.99.0 ;; *) echo auto ;; esac`,
		"gcc":   "cat >/dev/null",
		"make":  "true",
		"id":    "echo 0",
		"uname": "echo Linux",
	}
	for _, name := range m.lacks {
		delete(commands, name)
	}
	for name, script := range m.commands {
		commands[name] = script
	}
	for name, script := range commands {
		write(filepath.Join(bin, name), "#!/bin/sh\n"+script+"\n")
	}
	if m.release != "" {
		write(filepath.Join(root, "etc/os-release"), m.release)
	}
	for _, f := range m.files {
		write(filepath.Join(root, f), "")
	}
	script, err := filepath.Abs("../setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	// The script appends the system's sbin folders to PATH: nothing that it calls by name must be found there by chance.
	cmd := exec.Command(filepath.Join(bin, "sh"), append([]string{script}, m.args...)...)
	cmd.Env = append([]string{"PATH=" + bin, "HOME=" + root, "TMPDIR=" + os.TempDir(), "SETUP_ROOT=" + root, "SETUP_DRY_RUN=1"}, m.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

const (
	loaderFile = "usr/lib/x86_64-linux-gnu/libvulkan.so.1"
	lavapipe   = "usr/share/vulkan/icd.d/lvp_icd.json"
	nvidia     = "usr/share/vulkan/icd.d/nvidia_icd.json"
	layerFile  = "usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json"
	bookworm   = "ID=debian\nVERSION_ID=\"12\"\n"
)

func TestSetup(t *testing.T) {
	backports := map[string]string{"apt-cache": "echo 'release o=Debian Backports,n=bookworm-backports,c=main'"}
	bareDebian := map[string]string{"apt-cache": "true", "apt-get": "echo http://mirror.example/debian bookworm main"}
	mesa22 := map[string]string{"dpkg-query": "echo 22.3.6-1+deb12u1", "apt-cache": backports["apt-cache"]}
	for _, c := range []struct {
		name string
		machine
		want    []string // in the output, in this order; none: silence
		without []string
		fails   bool
	}{
		{name: "nothing missing", machine: machine{release: bookworm, files: []string{loaderFile, lavapipe},
			commands: map[string]string{"dpkg-query": "echo 25.0.7-2~bpo12+1"}}},
		{name: "nothing missing, unknown system", machine: machine{files: []string{"usr/lib64/libvulkan.so.1", "etc/vulkan/icd.d/x.json"}}},
		{name: "driver named in the environment",
			machine: machine{files: []string{loaderFile}, env: []string{"VK_DRIVER_FILES=/nonexistent:" + "/etc/passwd"}}},
		{name: "driver named in the environment is not there",
			machine: machine{files: []string{loaderFile, lavapipe}, env: []string{"VK_ICD_FILENAMES=/nonexistent"}},
			want:    []string{"missing here: driver"}, fails: true},
		{name: "a GPU's driver is enough", machine: machine{release: bookworm, files: []string{loaderFile, nvidia}, commands: mesa22}},

		{name: "Debian 12, nothing there", machine: machine{release: bookworm, lacks: []string{"gcc", "make"}, commands: bareDebian},
			want: []string{"missing here: cc make loader driver", "apt-get -qq -o DPkg::Lock::Timeout=300 update",
				"DEBIAN_FRONTEND=noninteractive apt-get", "--no-install-recommends gcc libc6-dev make libvulkan1\n",
				"adding Debian's backports", "deb http://mirror.example/debian bookworm-backports main", "jitvk-backports.list",
				"update\n", "-t bookworm-backports mesa-vulkan-drivers\n"}, without: []string{"sudo", "still missing"}},
		{name: "Debian 12, backports known", machine: machine{release: bookworm, files: []string{loaderFile}, commands: backports},
			want:    []string{"missing here: driver", "-t bookworm-backports mesa-vulkan-drivers"},
			without: []string{"jitvk-backports.list", "libvulkan1"}},
		{name: "Debian 12, old Mesa", machine: machine{release: bookworm, files: []string{loaderFile, lavapipe}, commands: mesa22},
			want: []string{"missing here: fast-driver", "-t bookworm-backports mesa-vulkan-drivers"}},
		{name: "Debian 12, old Mesa that drives a GPU",
			machine: machine{release: bookworm, files: []string{loaderFile, lavapipe, "dev/dri/renderD128"}, commands: mesa22}},
		{name: "Debian 13", machine: machine{release: "ID=debian\nVERSION_ID=\"13\"\n", commands: backports},
			want: []string{"install -y --no-install-recommends libvulkan1 mesa-vulkan-drivers\n"}, without: []string{"backports"}},
		{name: "Ubuntu as a user", machine: machine{release: "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
			files:    []string{loaderFile},
			commands: map[string]string{"id": "echo 1000", "sudo": "exit 1"}},
			want:    []string{"setup: sudo apt-get", "setup: sudo env DEBIAN_FRONTEND=noninteractive apt-get", "mesa-vulkan-drivers\n"},
			without: []string{"backports"}},
		{name: "neither root nor sudo", machine: machine{release: "ID=ubuntu\n", commands: map[string]string{"id": "echo 1000"}},
			want: []string{"not root, and no sudo here. As root, run: apt-get"}, fails: true},
		{name: "headers missing", machine: machine{release: "ID=ubuntu\n", files: []string{loaderFile, lavapipe},
			commands: map[string]string{"gcc": "cat >/dev/null; exit 1"}},
			want: []string{"missing here: cc", "gcc libc6-dev\n"}, without: []string{"mesa"}},
		{name: "NVIDIA without Vulkan", machine: machine{release: "ID=ubuntu\n", files: []string{loaderFile, "dev/nvidia0"}},
			want: []string{"NVIDIA_DRIVER_CAPABILITIES", "mesa-vulkan-drivers"}},
		{name: "validation", machine: machine{release: "ID=ubuntu\n", files: []string{loaderFile, lavapipe}, args: []string{"validation"}},
			want: []string{"missing here: layer", "recommends vulkan-validationlayers\n"}},
		{name: "validation there", machine: machine{release: "ID=ubuntu\n", files: []string{loaderFile, lavapipe, layerFile},
			args: []string{"validation"}}},
		{name: "shader compiler", machine: machine{release: "ID=arch\n", files: []string{loaderFile, lavapipe}, args: []string{"glslc"},
			commands: map[string]string{"pacman": "true"}},
			want: []string{"pacman -S --needed --noconfirm shaderc"}},

		{name: "Fedora", machine: machine{release: "ID=fedora\nVERSION_ID=42\n", lacks: []string{"gcc"}},
			want: []string{"setup: dnf install -y gcc vulkan-loader mesa-vulkan-drivers"}},
		{name: "Rocky", machine: machine{release: "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", files: []string{loaderFile}},
			want: []string{"setup: dnf install -y mesa-vulkan-drivers"}},
		{name: "Arch in a new container",
			machine: machine{release: "ID=arch\n", lacks: []string{"gcc", "make"}, commands: map[string]string{"pacman": "exit 1"}},
			want:    []string{"pacman -Sy\n", "pacman -S --needed --noconfirm gcc make vulkan-icd-loader vulkan-swrast"}},
		{name: "Manjaro", machine: machine{release: "ID=manjaro\nID_LIKE=arch\n", commands: map[string]string{"pacman": "true"}},
			want: []string{"pacman -S --needed --noconfirm vulkan-icd-loader vulkan-swrast"}, without: []string{"-Sy"}},
		{name: "macOS", machine: machine{commands: map[string]string{"uname": "echo Darwin", "clang": "cat >/dev/null", "brew": "true",
			"id": "echo 501"}},
			want: []string{"setup: brew install vulkan-loader molten-vk"}, without: []string{"sudo"}},
		{name: "macOS without tools", machine: machine{lacks: []string{"make"},
			commands: map[string]string{"uname": "echo Darwin", "brew": "true"}},
			want: []string{"setup: xcode-select --install", "setup: brew install"}},
		{name: "macOS without Homebrew", machine: machine{commands: map[string]string{"uname": "echo Darwin", "clang": "cat >/dev/null"}},
			want: []string{"https://brew.sh", "vulkan-loader molten-vk"}, fails: true},
		{name: "unknown system", machine: machine{release: "ID=plan9\n", lacks: []string{"gcc"}},
			want: []string{"this system (plan9)", "C compiler", "Vulkan loader", "Vulkan driver", "run this again"}, fails: true},

		{name: "no Go", machine: machine{lacks: []string{"go"}}, want: []string{"Go is missing", "go.dev/dl"}, fails: true},
		{name: "Go before toolchains", machine: machine{commands: map[string]string{"go": "echo go1.19.8"}},
			want: []string{"Go 1.19.8 is too old"}, fails: true},
		{name: "Go that fetches its own newer", machine: machine{files: []string{loaderFile, lavapipe},
			commands: map[string]string{"go": `case "$*" in "env GOVERSION") echo go1.21.0 ;; *) echo auto ;; esac`}}},
		{name: "Go that may not",
			machine: machine{commands: map[string]string{"go": `case "$*" in "env GOVERSION") echo go1.24.4 ;; *) echo local ;; esac`}},
			want:    []string{"Go 1.24.4 is too old", "GOTOOLCHAIN=auto"}, fails: true},
		{name: "Go with a suffix", machine: machine{files: []string{loaderFile, lavapipe},
			commands: map[string]string{"go": "echo 'go1.99.2-X:nodwarf5'"}}},
		{name: "cgo off", machine: machine{files: []string{loaderFile, lavapipe}, env: []string{"CGO_ENABLED=0"}},
			want: []string{"CGO_ENABLED=0 is set"}, fails: true},
		{name: "wrong argument", machine: machine{args: []string{"everything"}}, want: []string{"unknown argument everything"},
			fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, ok := c.setup(t)
			if ok == c.fails {
				t.Errorf("succeeded: %v, want %v", ok, !c.fails)
			}
			if len(c.want) == 0 && out != "" {
				t.Errorf("should say nothing")
			}
			rest := out
			for _, w := range c.want {
				_, after, found := strings.Cut(rest, w)
				if !found {
					t.Errorf("lacks %q, or has it too early", w)
				}
				rest = after
			}
			if slices.ContainsFunc(c.without, func(w string) bool { return strings.Contains(out, w) }) {
				t.Errorf("has one of %q", c.without)
			}
			if t.Failed() {
				t.Logf("output:\n%s", out)
			}
		})
	}
}
