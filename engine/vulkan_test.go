// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	vk "github.com/vulkan-go/vulkan"
)

// adder returns a program of n launches: x's third 64 floats = its first + its second.
func adder(t testing.TB, d *Device, x *Buffer, n int) *Program {
	t.Helper()
	p := NewProgram(d, "adder")
	for range n {
		p.Dispatch(Dispatch{Shader: "add", Spec: []uint32{64, 1}, Push: [1]uint32{64},
			Bind: []Binding{Write(x.Range(512, 256)), Read(x.Range(0, 256)), Read(x.Range(256, 256))}})
	}
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestNothingLeaks does what a long run does over and over, and sees that C's memory does not grow. vulkan-go's structures were 140
// bytes a download and 55 a launch.
func TestNothingLeaks(t *testing.T) {
	if allocated() == 0 || os.Getenv("JITVK_VALIDATE") == "1" {
		t.Skip("SKIP: this C library does not count what is allocated, or the validation layer allocates as well")
	}
	d := testDevice(t)
	x := buffer(t, d, 4096)
	for _, c := range []struct {
		name string
		work func()
	}{
		{"downloads", func() {
			if _, err := d.Download(x.Range(0, 64)); err != nil {
				t.Fatal(err)
			}
		}},
		{"builds", func() { adder(t, d, x, 20).Close() }},
	} {
		const times = 10000
		for range times / 10 { // the driver's own lists reach their size
			c.work()
		}
		before := allocated()
		for range times {
			c.work()
		}
		if grown := allocated() - before; grown > 10*times {
			t.Errorf("%d %s: C code holds %d bytes more", times, c.name, grown)
		}
	}
}

// TestCollectorMayRun sets up, builds and runs with a collector that never rests, as under a memory limit, and adds.
func TestCollectorMayRun(t *testing.T) {
	testDevice(t)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 30 { // a busy machine collects less often
		addOn(t, testDevice(t), 200)
		if runtime.ReadMemStats(&after); after.NumGC-before.NumGC >= 100 {
			return
		}
	}
	t.Errorf("%d collections: the limit does nothing", after.NumGC-before.NumGC)
}

// addOn builds and runs a program some times on a device and checks the sums.
func addOn(t testing.TB, d *Device, times int) {
	x, err := d.NewBuffer("x", 1024)
	if err != nil {
		t.Error(err)
		return
	}
	defer x.Close()
	one := binary.LittleEndian.AppendUint32(nil, 0x3f800000)
	two := binary.LittleEndian.AppendUint32(nil, 0x40000000)
	p := NewProgram(d, "add")
	defer p.Close()
	p.Fill(x.Range(0, 512), 0x3f800000) // 1
	p.Dispatch(Dispatch{Shader: "add", Spec: []uint32{64, 1}, Push: [1]uint32{64},
		Bind: []Binding{Write(x.Range(512, 256)), Read(x.Range(0, 256)), Read(x.Range(256, 256))}})
	if err := p.Build(); err != nil {
		t.Error(err)
		return
	}
	for range times {
		s, err := p.Submit([]Update{{To: x.Range(512, 4), Data: one}}, []Range{x.Range(512, 4), x.Range(764, 4)})
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := s.Wait(); err != nil || !bytes.Equal(got[0], two) || !bytes.Equal(got[1], two) {
			t.Errorf("1 + 1 is %x (%v)", got, err)
			return
		}
	}
}

// TestTwoDevicesAtOnce runs two devices in two goroutines while others come and go: of one instance, and each of its own.
func TestTwoDevicesAtOnce(t *testing.T) {
	shared, err := NewInstance(InstanceOptions{})
	if errors.Is(err, ErrNoDriver) {
		t.Skipf("SKIP: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	for name, open := range map[string]func(Options) (*Device, error){"one instance": shared.Open, "an instance each": Open} {
		t.Run(name, func(t *testing.T) {
			var wait sync.WaitGroup
			for range 2 {
				wait.Go(func() {
					d, err := open(Options{Select: os.Getenv("JITVK_DEVICE")})
					if err != nil {
						t.Error(err)
						return
					}
					defer d.Close()
					for range 20 {
						addOn(t, d, 10)
					}
				})
			}
			wait.Go(func() {
				for range 5 {
					d, err := open(Options{Select: os.Getenv("JITVK_DEVICE")})
					if err != nil {
						t.Error(err)
						return
					}
					addOn(t, d, 1)
					d.Close()
					if _, err := Devices(); err != nil {
						t.Error(err)
					}
				}
			})
			wait.Wait()
		})
	}
}

// TestInstanceOutlivesItsMaker: a device goes on when its instance is let go, and nothing new is opened from it.
func TestInstanceOutlivesItsMaker(t *testing.T) {
	i, err := NewInstance(InstanceOptions{})
	if errors.Is(err, ErrNoDriver) {
		t.Skipf("SKIP: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	d, err := i.Open(Options{Select: os.Getenv("JITVK_DEVICE")})
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
	i.Close()
	addOn(t, d, 1)
	if i.handle == nil {
		t.Error("the instance is gone before its device")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a closed instance opens devices")
			}
		}()
		i.Devices()
	}()
	d.Close()
	if i.handle != nil || d.Handles() != (Handles{}) {
		t.Error("the last to leave leaves the instance behind")
	}
}

// TestWindow opens what a window needs: an instance with surfaces, and a device with swapchains whose queue can present.
func TestWindow(t *testing.T) {
	i, err := NewInstance(InstanceOptions{Extensions: []string{"VK_KHR_surface"}})
	if errors.Is(err, ErrNoDriver) || errors.Is(err, ErrUnsupported) {
		t.Skipf("SKIP: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	var asked []Handles
	d, err := i.Open(Options{Select: os.Getenv("JITVK_DEVICE"), Extensions: []string{"VK_KHR_swapchain"},
		Family: func(h Handles) bool { asked = append(asked, h); return true }})
	if errors.Is(err, ErrUnsupported) {
		t.Skipf("SKIP: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	h := d.Handles()
	if len(asked) != 1 || asked[0] != (Handles{Instance: h.Instance, PhysicalDevice: h.PhysicalDevice, Family: h.Family}) ||
		h.Instance == 0 || h.PhysicalDevice == 0 || h.Device == 0 || h.Queue == 0 {
		t.Errorf("asked about %+v, opened with %+v", asked, h)
	}
	if !d.has("vkCreateSwapchainKHR") {
		t.Error("a device that was asked for swapchains has none")
	}
	if testDevice(t).has("vkCreateSwapchainKHR") {
		t.Error("a device that was not asked for swapchains has them")
	}
	if _, err := i.Open(Options{Family: func(Handles) bool { return false }}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a queue that will not do: %v", err)
	}
}

func TestMissingExtensions(t *testing.T) {
	testDevice(t)
	var lacks *ExtensionError
	if _, err := NewInstance(InstanceOptions{Extensions: []string{"VK_KHR_surface", "VK_NO_such"}}); !errors.As(err, &lacks) ||
		!errors.Is(err, ErrUnsupported) || lacks.Lacking[len(lacks.Lacking)-1] != "VK_NO_such" {
		t.Errorf("instance: %v", err)
	}
	if _, err := Open(Options{Select: os.Getenv("JITVK_DEVICE"), Extensions: []string{"VK_NO_such", "VK_NO_other"}}); !errors.As(err,
		&lacks) ||
		!reflect.DeepEqual(lacks.Lacking, []string{"VK_NO_such", "VK_NO_other"}) {
		t.Errorf("device: %v", err)
	}
}

// TestListOfDevices gives answers that change between the question how many and the question which.
func TestListOfDevices(t *testing.T) {
	answers := [][]int{{1, 2, 3}, {1, 2}} // three, then one has gone
	ask := func(n *uint32, into []int) vk.Result {
		now := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		if into == nil {
			*n = uint32(len(now))
			return vk.Success
		}
		if *n = uint32(copy(into, now)); int(*n) < len(now) {
			return vk.Incomplete
		}
		return vk.Success
	}
	if got, err := list("vkX", ask); err != nil || !reflect.DeepEqual(got, []int{1, 2}) {
		t.Errorf("one fewer: %v (%v)", got, err)
	}
	answers = [][]int{{1}, {1, 2}} // one, then another has come
	if got, err := list("vkX", ask); err != nil || !reflect.DeepEqual(got, []int{1, 2}) {
		t.Errorf("one more: %v (%v)", got, err)
	}
	if got, err := list("vkX", func(*uint32, []int) vk.Result { return vk.ErrorInitializationFailed }); got != nil ||
		!errors.Is(err, ErrNoDriver) {
		t.Errorf("no driver: %v (%v)", got, err)
	}
}
