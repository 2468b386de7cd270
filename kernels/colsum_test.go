// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestColSum(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 7}, {127, 8}, {128, 9}, {129, 64}, {130, 65}, {361, 5}, {1024, 100}, {17200, 3}} {
		for _, l := range layouts {
			for _, acc := range []bool{false, true} {
				n, c := size[0], size[1]
				t.Run(fmt.Sprintf("%dx%d/%s/acc=%v", n, c, strideOf[l], acc), func(t *testing.T) {
					h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
					dy, db0 := rnd.Normal(n*c), rnd.Normal(c)
					dyt, dbt := rows(h, dy, l, c, n, c), rows(h, pick(acc, db0), packed, c, c)
					h.Run(func(p *engine.Program) { kernels.ColSum(p, dbt.Tensor, dyt.Tensor, acc) })
					db := make([]float64, c)
					ref.ColSum(db, kerneltest.Widen(dy), n, c)
					kerneltest.Equal(t, "db", dbt.values(t), sum(pick(acc, db0), db), 1e-5)
				})
			}
		}
	}
}

func TestColSumMisuse(t *testing.T) {
	h := kerneltest.New(t)
	mustPanic(t, "kernels: ColSum: ", func(p *engine.Program) { kernels.ColSum(p, h.Output(3), h.Output(2, 4), false) })
}
