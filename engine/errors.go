// SPDX-License-Identifier: MIT

package engine

import (
	"errors"
	"fmt"
)

// Errors of the environment. Every error of this package wraps one of them where it applies, so that programs can tell
// them apart with errors.Is; the text around it says what was asked for and what to do.
var (
	ErrNoDriver     = errors.New("no Vulkan driver")
	ErrNoDevice     = errors.New("no such Vulkan device")
	ErrOutOfMemory  = errors.New("out of device memory")
	ErrDeviceLost   = errors.New("device lost")
	ErrUnsupported  = errors.New("not supported by this device")
	ErrInstallation = errors.New("broken Vulkan installation")
	ErrDryRun       = errors.New("this device only plans: nothing can run on it")
)

// A Limit is a number that a device does not go beyond.
type Limit string

// The limits that this package and kernels keep to.
const (
	LimitBinding     Limit = "bytes a binding"
	LimitAllocation  Limit = "in one piece" // bytes
	LimitGroups      Limit = "workgroups in one dimension"
	LimitInvocations Limit = "invocations a workgroup"
)

// LimitError says that work asks for more than its device allows. It wraps ErrOutOfMemory for memory, ErrUnsupported for the rest.
type LimitError struct {
	Limit         Limit
	Who           string // what asks: a buffer, a shader, an op
	Asked, Allows int64
	Device        string
}

func (e *LimitError) Error() string {
	asked, allows := fmt.Sprint(e.Asked), fmt.Sprint(e.Allows)
	if e.Limit == LimitAllocation {
		asked, allows = bytesString(e.Asked), bytesString(e.Allows)
	}
	return fmt.Sprintf("engine: %s needs %s %s, %s allows %s: %v", e.Who, asked, e.Limit, e.Device, allows, e.Unwrap())
}

func (e *LimitError) Unwrap() error {
	if e.Limit == LimitAllocation {
		return ErrOutOfMemory
	}
	return ErrUnsupported
}

// resultError names a VkResult (VkResult in the Vulkan specification, appendix "Return Codes") and maps it to an
// exported error. It returns nil for success (codes >= 0 are success or status).
func resultError(call string, result int32) error {
	if result >= 0 {
		return nil
	}
	switch result {
	case -1, -2, -10: // host memory, device memory, too many objects
		return fmt.Errorf("engine: %s: %w", call, ErrOutOfMemory)
	case -4:
		return fmt.Errorf("engine: %s: %w: the driver reset the GPU, often because one submission ran too long; see the kernel's log "+
			"(dmesg)",
			call, ErrDeviceLost)
	case -6:
		return fmt.Errorf("engine: %s: %w: a layer is not installed (JITVK_VALIDATE=1 needs the Khronos validation layer: make validate "+
			"installs it)",
			call, ErrInstallation)
	case -7, -8:
		return fmt.Errorf("engine: %s: %w", call, ErrUnsupported)
	case -9, -3:
		return fmt.Errorf("engine: %s: %w: `make setup` installs a CPU driver, or install your GPU's driver", call, ErrNoDriver)
	}
	return fmt.Errorf("engine: %s: VkResult %d", call, result)
}
