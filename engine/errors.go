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
		return fmt.Errorf("engine: %s: %w: the driver reset the GPU, often because one submission ran too long; see the kernel's log (dmesg)", call, ErrDeviceLost)
	case -6:
		return fmt.Errorf("engine: %s: %w: a layer is not installed (JITVK_VALIDATE=1 needs the Khronos validation layer: make validate installs it)", call, ErrInstallation)
	case -7, -8:
		return fmt.Errorf("engine: %s: %w", call, ErrUnsupported)
	case -9, -3:
		return fmt.Errorf("engine: %s: %w: `make setup` installs a CPU driver, or install your GPU's driver", call, ErrNoDriver)
	}
	return fmt.Errorf("engine: %s: VkResult %d", call, result)
}
