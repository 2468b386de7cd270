// SPDX-License-Identifier: MIT

// Command gpukit puts one folder together that is copied to a machine with a GPU and a driver, and no Go: our programs, the Vulkan loader
// in case there is none, the same model in PyTorch, the predictions, and ./kit, which runs it all in ten minutes (kit/main.go).
//
//	go run ./tools/gpukit -out kit
//	./kit/kit -out results        there; -small here, to rehearse on a CPU driver
package main

import (
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"jitvk/engine/files"
	"jitvk/model/cli"
)

func main() { os.Exit(cli.Main("gpukit", command)) }

//go:embed lines.json
var lines []byte

//go:embed predictions.json
var predictions []byte

// limit is how large the folder may be: with a checkout beside it it still travels where 64 MiB may.
const limit = 60 << 20

// programs are what the lines run, as go build (or, .test, go test -c) takes them.
var programs = map[string]string{"devices": "./tools/devices", "report": "./tools/report", "compile": "./tools/compile",
	"bench": "./tools/bench", "train": "./train", "engine.test": "./engine", "kernels.test": "./kernels"}

// loader are Debian's packages of the Vulkan loader and of libraries that NVIDIA's driver wants beside it.
var loader = []string{"libvulkan1", "libegl1", "libglvnd0", "libgl1", "libglx0", "libgles2", "libopengl0"}

func command(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("gpukit", flag.ContinueOnError)
	folder := set.String("out", "gpu-kit", "`folder` to make; what it holds is replaced")
	peer := set.String("peer", filepath.FromSlash("../shared/peer/torch_jit.py"), "`script` that trains the same models in PyTorch")
	bare := set.Bool("bare", false, "without loader and without programs, for tests")
	if err := cli.Parse(set, args); err != nil {
		return err
	}
	if err := clear(*folder); err != nil {
		return err
	}
	if err := text(*folder, *peer, out); err != nil {
		return err
	}
	kit := filepath.Join(*folder, "kit")
	if err := build(ctx, "./tools/gpukit/kit", kit, "CGO_ENABLED=0"); err != nil {
		return err
	}
	if !*bare {
		for name, from := range programs {
			fmt.Fprintln(out, "building", name)
			if err := program(ctx, from, filepath.Join(*folder, "bin", name+".gz")); err != nil {
				return err
			}
		}
		if err := libraries(ctx, filepath.Join(*folder, "lib"), out); err != nil {
			return err
		}
	}
	size, err := sizeOf(*folder)
	if err != nil {
		return err
	}
	if size > limit {
		return fmt.Errorf("gpukit: %s holds %.1f MiB, more than %d", *folder, float64(size)/(1<<20), limit>>20)
	}
	_, err = fmt.Fprintf(out, "%s holds %.1f MiB; copy it to the machine and run ./kit there\n", *folder, float64(size)/(1<<20))
	return err
}

// clear makes the folder, or empties one that an earlier call has made. Another is left alone.
func clear(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return errors.Join(os.MkdirAll(filepath.Join(folder, "bin"), 0o755), os.MkdirAll(filepath.Join(folder, "lib"), 0o755))
	}
	if _, err := os.Stat(filepath.Join(folder, "predictions.json")); err != nil {
		return fmt.Errorf("gpukit: %s is there and no kit; name another folder with -out", folder)
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return clear(folder)
}

// text writes the files that are no programs.
func text(folder, peer string, out io.Writer) error {
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output() // "" outside of a checkout
	all := map[string][]byte{"lines.json": lines, "predictions.json": predictions, "commit": commit}
	script, err := os.ReadFile(peer)
	if err == nil {
		all["torch_jit.py"] = script
	} else {
		fmt.Fprintf(out, "no PyTorch beside ours: %v; name the peer with -peer\n", err)
	}
	// What tests and tools read of a checkout: the shaders' sources, beside the folders that the tests run in.
	for _, dir := range []string{"shaders", "shaders/*"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.[cg][ol][ms][pl]")) // .comp and .glsl
		if err != nil {
			return err
		}
		for _, name := range names {
			if all["src/"+filepath.ToSlash(name)], err = os.ReadFile(name); err != nil {
				return err
			}
		}
	}
	all["src/engine/README"] = []byte("engine.test runs here\n")
	all["src/kernels/README"] = []byte("kernels.test runs here\n")
	for name, data := range all {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			return err
		}
		if err := files.WriteFile(filepath.Join(folder, name), data); err != nil {
			return err
		}
	}
	return nil
}

// build builds a program, stripped.
func build(ctx context.Context, from, to string, env ...string) error {
	args := []string{"build"}
	if strings.HasSuffix(to, ".test") {
		args = []string{"test", "-c"}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-ldflags=-s -w", "-o", to, from)...)
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("gpukit: go %s %s: %w\n%s", strings.Join(args, " "), from, err, text)
	}
	return nil
}

// program builds one and packs it.
func program(ctx context.Context, from, to string) error {
	built := strings.TrimSuffix(to, ".gz")
	if err := build(ctx, from, built); err != nil {
		return err
	}
	defer os.Remove(built)
	in, err := os.Open(built)
	if err != nil {
		return err
	}
	defer in.Close()
	return files.AtomicWrite(to, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := io.Copy(z, in); err != nil {
			return err
		}
		return z.Close()
	})
}

// libraries gets the loader from Debian's packages, else this machine's own.
func libraries(ctx context.Context, folder string, out io.Writer) error {
	err := fromPackages(ctx, folder)
	if err == nil {
		return nil
	}
	fmt.Fprintf(out, "the loader is this machine's, as its packages could not be had: %v\n", err)
	listed, err := exec.CommandContext(ctx, "/sbin/ldconfig", "-p").Output()
	if err != nil {
		return fmt.Errorf("gpukit: no loader: %w", err)
	}
	m := regexp.MustCompile(`libvulkan\.so\.1 .*=> (\S+)`).FindSubmatch(listed)
	if m == nil {
		return errors.New("gpukit: this machine has no Vulkan loader; make setup installs it")
	}
	data, err := os.ReadFile(string(m[1]))
	if err != nil {
		return err
	}
	return files.WriteFile(filepath.Join(folder, "libvulkan.so.1"), data)
}

// fromPackages downloads packages and takes the libraries out of them, each under the name that programs ask for.
func fromPackages(ctx context.Context, folder string) error {
	work, err := os.MkdirTemp("", "gpukit")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	get := exec.CommandContext(ctx, "apt-get", append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"}, loader...)...)
	get.Dir = work
	if text, err := get.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download: %w: %s", err, strings.TrimSpace(string(text)))
	}
	packages, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil {
		return err
	}
	for _, p := range packages {
		if text, err := exec.CommandContext(ctx, "dpkg-deb", "-x", p, filepath.Join(work, "root")).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-deb: %w: %s", err, text)
		}
	}
	names, err := filepath.Glob(filepath.Join(work, "root/usr/lib/*/lib*.so.?"))
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(name) // follows links
		if err != nil {
			return err
		}
		if err := files.WriteFile(filepath.Join(folder, filepath.Base(name)), data); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return errors.New("the packages hold no libraries")
	}
	return nil
}

func sizeOf(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
