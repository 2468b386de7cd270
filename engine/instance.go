// SPDX-License-Identifier: MIT

package engine

/*
#cgo linux LDFLAGS: -ldl -lpthread
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// InstanceOptions say what an instance is asked for.
type InstanceOptions struct {
	Extensions []string // of the instance, such as "VK_KHR_surface" for a window; one that is not there is an ExtensionError
	Validate   bool     // the Khronos validation layer, synchronization validation included; JITVK_VALIDATE=1 turns it on as well
}

// Instance is Vulkan with the extensions that its maker asked for: devices are found in it and opened from it. Any number can be
// there at once, and several goroutines may use one.
type Instance struct {
	handle vk.Instance
	calls  *C.jitvk_instance // this instance's own table of functions (instance.c)

	mu     sync.Mutex
	users  int // whoever made it, and each open device: the last to leave destroys it
	closed bool
}

// binding guards vulkan-go, which has one set of function pointers for the whole process. Vulkan lets a pointer that one instance gave
// be called for that instance alone. So whoever calls vulkan-go holds the lock, after the pointers were made those of his instance.
// Only finding and opening devices goes through vulkan-go; what is called on an open device does not (calls.go).
var binding struct {
	sync.Mutex
	loaded bool
	of     vk.Instance // whose pointers they are
}

// NewInstance makes an instance.
func NewInstance(o InstanceOptions) (*Instance, error) {
	binding.Lock()
	defer binding.Unlock()
	if err := load(); err != nil {
		return nil, err
	}
	there := func(name *C.char) bool { return C.jitvk_instance_can(name) != 0 }
	extensions := slices.Clone(o.Extensions)
	if lacking := lacking(extensions, there); lacking != nil {
		return nil, &ExtensionError{"the Vulkan loader and its drivers", lacking}
	}
	validate := C.int(0)
	if o.Validate || os.Getenv("JITVK_VALIDATE") == "1" {
		validate = 1
		extensions = append(extensions, "VK_EXT_debug_utils", "VK_EXT_validation_features")
		// Layers before 1.3.290 look for hazards between command buffers only when told to, and only this tells them.
		if _, set := os.LookupEnv("VK_LAYER_ENABLES"); !set {
			os.Setenv("VK_LAYER_ENABLES", "VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT")
		}
	}
	// Drivers on top of another API, such as MoltenVK on Metal, are hidden from who does not ask for them.
	portable := C.int(0)
	if portability := []string{"VK_KHR_portability_enumeration"}; lacking(portability, there) == nil {
		portable, extensions = 1, append(extensions, portability...)
	}
	names, free := cStrings(extensions)
	defer free()
	request := C.jitvk_instance_request(names, C.uint32_t(len(extensions)), validate, portable)
	if request == nil {
		return nil, resultError("vkCreateInstance", outOfHostMemory)
	}
	defer C.free(request)
	i := &Instance{users: 1}
	handle := new(vk.Instance) // on its own: cgo forbids C to write into a Go structure that holds Go pointers
	if err := resultError("vkCreateInstance", int32(vk.CreateInstance(vk.NewInstanceCreateInfoRef(request), nil, handle))); err != nil {
		return nil, err
	}
	i.handle = *handle
	if i.calls = C.jitvk_instance_open(unsafe.Pointer(i.handle), validate); i.calls == nil {
		i.destroy()
		return nil, resultError("opening an instance", outOfHostMemory)
	}
	return i, nil
}

// load finds the Vulkan loader, which stays for the process, and gives it to vulkan-go. The binding is locked.
func load() error {
	if binding.loaded {
		return nil
	}
	proc := C.jitvk_load()
	if proc == nil {
		return fmt.Errorf("engine: %w: no Vulkan loader (libvulkan.so.1) found; "+
			"`make setup` installs it with a CPU driver, or install your GPU's driver", ErrNoDriver)
	}
	vk.SetGetInstanceProcAddr(proc)
	if err := vk.Init(); err != nil {
		return fmt.Errorf("engine: %w: %v; reinstall the Vulkan loader", ErrInstallation, err)
	}
	binding.loaded = true
	return nil
}

// setUp runs f, which calls vulkan-go for this instance.
func (i *Instance) setUp(f func() error) error {
	binding.Lock()
	defer binding.Unlock()
	if err := i.bind(); err != nil {
		return err
	}
	return f()
}

// bind makes vulkan-go's pointers those of this instance. The binding is locked.
func (i *Instance) bind() error {
	if binding.of != i.handle {
		if err := vk.InitInstance(i.handle); err != nil {
			return fmt.Errorf("engine: %w: %v; reinstall the Vulkan loader", ErrInstallation, err)
		}
		binding.of = i.handle
	}
	return nil
}

// Close lets the instance go. Devices that were opened from it go on; the last one to be closed takes it along.
func (i *Instance) Close() {
	i.mu.Lock()
	first := !i.closed
	i.closed = true
	i.mu.Unlock()
	if first {
		i.release()
	}
}

// retain counts one more user.
func (i *Instance) retain() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		misuse("the instance is closed: nothing can be opened from it")
	}
	i.users++
}

// release counts one user less.
func (i *Instance) release() {
	i.mu.Lock()
	i.users--
	last := i.users == 0
	i.mu.Unlock()
	if last {
		binding.Lock()
		defer binding.Unlock()
		i.destroy()
	}
}

// destroy destroys what nobody uses any more. The binding is locked.
func (i *Instance) destroy() {
	C.jitvk_instance_close(i.calls)
	if i.bind() == nil {
		vk.DestroyInstance(i.handle, nil)
	}
	i.handle, i.calls, binding.of = nil, nil, nil // another instance may get the same handle
}

// ValidationMessages returns what the validation layer has said in this process, of all instances; nil without validation.
func ValidationMessages() []string {
	var out []string
	text := make([]byte, 64<<10)
	for i := range int(C.jitvk_message_count()) {
		C.jitvk_message(C.int(i), (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
		out = append(out, zeroTerminated(text))
	}
	return out
}

// ExtensionError says which of the extensions that were asked for are not there. It is an ErrUnsupported.
type ExtensionError struct {
	Of      string // who lacks them
	Lacking []string
}

func (e *ExtensionError) Error() string {
	return fmt.Sprintf("engine: %s: no %s: %v; update the driver or choose another device", e.Of, strings.Join(e.Lacking, ", "),
		ErrUnsupported)
}

func (e *ExtensionError) Unwrap() error { return ErrUnsupported }

// lacking returns the names for which there is nothing.
func lacking(names []string, there func(name *C.char) bool) (out []string) {
	for _, name := range names {
		s := C.CString(name)
		if !there(s) {
			out = append(out, name)
		}
		C.free(unsafe.Pointer(s))
	}
	return out
}

// Devices lists the Vulkan devices of this machine, best first.
func (i *Instance) Devices() ([]Info, error) {
	all, err := i.enumerate()
	var infos []Info
	for _, c := range all {
		infos = append(infos, c.info)
	}
	return infos, err
}

// A candidate is a device that can be opened.
type candidate struct {
	handle vk.PhysicalDevice
	info   Info
	memory memoryMap
}

// enumerate finds the devices, best first.
func (i *Instance) enumerate() (all []candidate, err error) {
	i.retain()
	defer i.release()
	err = i.setUp(func() error {
		handles, err := list("vkEnumeratePhysicalDevices", func(n *uint32, into []vk.PhysicalDevice) vk.Result {
			return vk.EnumeratePhysicalDevices(i.handle, n, into)
		})
		for _, h := range handles {
			all = append(all, i.describe(h))
		}
		return err
	})
	rank := map[string]int{"discrete": 0, "integrated": 1, "virtual": 2, "other": 3, "cpu": 4}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(rank[a.info.Type], rank[b.info.Type]) })
	for n := range all {
		all[n].info.Index = n
	}
	return all, err
}

// list asks twice, as Vulkan wants it: for the number, then for so many. The second answer may be shorter, and what has grown in
// between is asked for again.
func list[T any](call string, ask func(n *uint32, into []T) vk.Result) ([]T, error) {
	for {
		n := new(uint32)
		if result := ask(n, nil); result < 0 || *n == 0 {
			return nil, resultError(call, int32(result))
		}
		out := make([]T, *n)
		switch result := ask(n, out); {
		case result < 0:
			return nil, resultError(call, int32(result))
		case result != vk.Incomplete:
			return out[:*n], nil
		}
	}
}

// cStrings copies strings into C memory, as Vulkan takes a list of names; free gives it back.
func cStrings(list []string) (first **C.char, free func()) {
	memory := C.malloc(C.size_t(len(list)+1) * C.size_t(unsafe.Sizeof(first)))
	names := unsafe.Slice((**C.char)(memory), len(list))
	for n, s := range list {
		names[n] = C.CString(s)
	}
	return (**C.char)(memory), func() {
		for _, s := range names {
			C.free(unsafe.Pointer(s))
		}
		C.free(memory)
	}
}

// zeroTerminated returns the text before the first zero.
func zeroTerminated(b []byte) string {
	if n := slices.Index(b, 0); n >= 0 {
		b = b[:n]
	}
	return string(b)
}
