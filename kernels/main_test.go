// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/kernels/kerneltest"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }
