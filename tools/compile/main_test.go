// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/model/run"
	"jitvk/train/trainer"
)

// log is what a child writes of three pipelines, shortened; the code's shape is that of matmul/05_coopmat with a tree at its end.
const log = `a note of the loader: 5
configuration: tiny fp16
pipeline: matmul/05_coopmat [256 0 1 0 0 0 1 2 1 0 1 0 0 0 8 16 16 16 128]
Compute Shader
disasm:
BB0:
	buffer_load_b128 v[0:3], v1, s[24:27], 0 offen              ; e05c0000 80460801
BB1:
	s_cbranch_scc1 BB3                                          ; bfa2024f
BB2:
	buffer_load_b128 v[8:11], v8, s[36:39], 0 offen             ; e05c0000 80490808
	buffer_load_b64 v[4:5], v8, s[36:39], 0 offen               ; e05c0000 80490808
	s_waitcnt vmcnt(1)                                          ; bf8903f7
	buffer_load_b64 v[6:7], v8, s[36:39], 0 offen               ; e05c0000 80490808
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	ds_load_b128 v[120:123], v117                               ; dbfc0000 78000075
	ds_load_2addr_stride64_b32 v[120:121], v117                 ; dbfc0000 78000075
	ds_load_u16_d16_hi v120, v117 offset:6                      ; dbfc0000 78000075
	s_waitcnt lgkmcnt(0)                                        ; bf89fc07
	v_wmma_f32_16x16x16_f16 v[52:59], v[120:127], v[152:159], v[52:59] ; cc404034 1cd33178
	v_mov_b32_e32 v11, v19                                      ; 7e160313
	v_mov_b32_e32 v12, v19                                      ; 7e160313
	s_branch BB1                                                ; bfa0fdae
BB3:
	s_cmp_lt_i32 s12, 1                                         ; bf04810c
	s_cselect_b64 vcc, -1, 0                                    ; 98ea80c1
	v_cndmask_b32_e32 v0, v56, v52, vcc                         ; 02006938
	v_cndmask_b32_e32 v1, v57, v53, vcc                         ; 02026b39
	s_branch BB5                                                ; bfa0003f
BB4:
	v_mov_b32_e32 v0, v60                                       ; 7e160313
	v_mov_b32_e32 v1, v61                                       ; 7e160313
	s_branch BB5                                                ; bfa0003f
BB5:
	v_cmp_lt_i32_e32 vcc, s32, v22                              ; 7c822c20
	v_cndmask_b32_e32 v31, v31, v16, vcc                        ; 023e211f
	s_cselect_b64 s[36:37], -1, 0                               ; 98a480c1
	v_cndmask_b32_e64 v2, v78, v109, s[36:37]                   ; d501006d 0092db4e
	v_cndmask_b32_e64 v3, v78, v110, s[36:37]                   ; d501006d 0092db4e
BB6:
	s_cbranch_scc1 BB6                                          ; bfa2024f

Compute Shader:
*** SHADER STATS ***
VGPRs: 24
Spilled VGPRs: 0
Subgroups per SIMD: 16
Code size: 5668
Instructions: 240
********************
configuration: tiny fp32
pipeline: reduce [3]
VGPRs: 8
pipeline: reduce []
VGPRs: 12
Spilled VGPRs: 7
`

// TestRead: what RADV prints of pipelines becomes their names, the configuration that needs them, and numbers.
func TestRead(t *testing.T) {
	t.Chdir("../..") // the shaders' sources name the constants
	all := read(strings.NewReader(log))
	if len(all) != 3 {
		t.Fatalf("%d pipelines", len(all))
	}
	p := all[0]
	const name = "matmul/05_coopmat LOCAL=256 TRANS_B LAY_A=1 LAY_B=2 LAY_C=1 PRECISION=1 GROUP=8 CM=16 CN=16 CK=16 BM=128"
	if p.name() != name {
		t.Errorf("%q, want %q", p.name(), name)
	}
	if p.For != "tiny fp16" || all[1].For != "tiny fp32" || all[1].name() != "reduce LOCAL=3" || all[2].name() != "reduce" {
		t.Errorf("%+v %+v %+v", p, all[1], all[2])
	}
	stats := map[string]int{"VGPRs": 24, "Spilled VGPRs": 0, "Subgroups per SIMD": 16, "Instructions": 240}
	if !maps.Equal(p.Stats, stats) {
		t.Errorf("%v, want %v", p.Stats, stats)
	}
	want := assembly{Matrix: 1, Loads: 3, Waits: 1, LDS: map[int]int{16: 1, 8: 1, 2: 1}, Flight: 24, Selects: 4}
	if !reflect.DeepEqual(p.Code, want) {
		t.Errorf("%+v, want %+v", p.Code, want)
	}
	if got := byWidth(p.Code.LDS); got != "1 x 16, 1 x 8, 1 x 2" {
		t.Errorf("%q", got)
	}
	summary := (&table{Pipelines: all}).summary()
	for _, want := range []string{"3 pipelines of 2 shaders",
		"| reduce | 2 | 0 | 0 | 12 | 7 |", "| matmul/05_coopmat | 1 | 240 | 0 | 24 | 0 |"} {
		if !strings.Contains(summary, want) {
			t.Errorf("no %q in\n%s", want, summary)
		}
	}
}

// TestOthers: other drivers' numbers, by their own names, and which of them should be 0.
func TestOthers(t *testing.T) {
	all := read(strings.NewReader("pipeline: a [8]\nstatistic: Register Count: 40\nstatistic: Local Memory: 0\n" +
		"VGPRs of a line that is none: 3\npipeline: b []\nstatistic: Local Memory: 16\n"))
	got := others(all)
	for _, want := range []string{"2 pipelines", "| pipeline | Local Memory | Register Count |", "| a LOCAL=8 | 0 | 40 |", "| b | 16 | 0 |",
		"1 numbers tell", "\nb: Local Memory 16\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := others(all[:1]); !strings.Contains(got, "no registers in memory") {
		t.Error(got)
	}
	if got := others(read(strings.NewReader("pipeline: a []\n"))); !strings.Contains(got, "says nothing") {
		t.Error(got)
	}
}

// TestSameWork: a pipeline's partner in another rung has its constants, as far as both have them.
func TestSameWork(t *testing.T) {
	t.Chdir("../..")
	make := func(shader, constants string) *pipeline { return &pipeline{Shader: shader, Constants: constants} }
	now := []*pipeline{make("matmul/06_prefetch", "LOCAL=256 TRANS_A BM=128 TURN UNROLL"), make("matmul/06_prefetch", "LOCAL=256 BM=128"),
		make("attention/04_pipelined_fwd", "LOCAL=256 D=64 TURN"), make("cast", "LOCAL=256")}
	old := []*pipeline{make("matmul/05_coopmat", "LOCAL=256 TRANS_A BM=128"), make("matmul/05_coopmat", "LOCAL=256 TRANS_A BM=64"),
		make("attention/03_coopmat_bwd_dq", "LOCAL=256 D=64"), make("attention/03_coopmat_fwd", "LOCAL=256 D=64"),
		make("cast", "LOCAL=256")}
	got := sameWork(now, old)
	if len(got) != 2 || got[now[0].name()] != old[0] || got[now[2].name()] != old[3] {
		t.Errorf("%+v", got)
	}
}

// TestOlderAndNewer: the names that other generations of the chips have for the same.
func TestOlderAndNewer(t *testing.T) {
	for text, want := range map[string]assembly{
		"buffer_load_dwordx2 v[0:1], v1\ns_waitcnt vmcnt(0) lgkmcnt(0)":   {Loads: 1, Waits: 1, Flight: 8},
		"global_load_d16_b16 v0, v1\ns_wait_loadcnt 0x0":                  {Loads: 1, Waits: 1, Flight: 2},
		"flat_load_ushort v0, v1\ns_wait_loadcnt_dscnt 0x3":               {Loads: 1, Waits: 1, Flight: 2},
		"flat_load_ubyte v0, v1\ns_wait_loadcnt_dscnt 0x100":              {Loads: 1, Flight: 1},
		"ds_read2_b32 v0, v1\nds_read_b96 v0, v1\nds_read_u16_d16 v0, v1": {LDS: map[int]int{8: 1, 12: 1, 2: 1}},
		"v_mfma_f32_32x32x8_f16 a[0:15], v0":                              {Matrix: 1},
		"v_swmmac_f32_16x16x32_f16 v[0:7], v8":                            {Matrix: 1},
		"s_load_b128 s[0:3], s[4:5]\nscratch_load_b32 v0, off":            {},
	} {
		got := measure(parse(strings.Split(text, "\n")))
		if len(got.LDS) == 0 {
			got.LDS = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

// TestCompare: a number that is worse fails with both; a better one does not; another driver's table is not compared, and says so.
func TestCompare(t *testing.T) {
	tables := func(change func(p *pipeline, t *table)) (string, error) {
		kept, now := &table{Driver: "radv Mesa 25.0.7-2", Pipelines: read(strings.NewReader(log))},
			&table{Driver: "radv Mesa 25.0.7-9", Pipelines: read(strings.NewReader(log))}
		change(now.Pipelines[0], now)
		var out strings.Builder
		err := compare(&out, kept, now, true)
		return out.String(), err
	}
	for name, c := range map[string]struct {
		change func(p *pipeline, t *table)
		want   string // "" passes
	}{
		"same":        {func(*pipeline, *table) {}, ""},
		"registers":   {func(p *pipeline, _ *table) { p.Stats["VGPRs"] = 36 }, "registers 24 -> 36"},
		"fewer":       {func(p *pipeline, _ *table) { p.Stats["VGPRs"] = 12 }, ""},
		"occupancy":   {func(p *pipeline, _ *table) { p.Stats["Subgroups per SIMD"] = 8 }, "subgroups a SIMD 16 -> 8"},
		"waits":       {func(p *pipeline, _ *table) { p.Code.Waits = 8 }, "full waits 1 -> 8"},
		"in flight":   {func(p *pipeline, _ *table) { p.Code.Flight = 8 }, "bytes in flight 24 -> 8"},
		"shared":      {func(p *pipeline, _ *table) { p.Code.LDS = map[int]int{2: 4} }, "shared loads 1 x 16, 1 x 8, 1 x 2 -> 4 x 2"},
		"fewer loads": {func(p *pipeline, _ *table) { p.Code.LDS = map[int]int{16: 2} }, ""},
		"selects":     {func(p *pipeline, _ *table) { p.Code.Selects = 5 }, "selects 4 -> 5"},
		"new":         {func(p *pipeline, _ *table) { p.Shader = "other" }, "is not in the table"},
		"gone":        {func(_ *pipeline, t *table) { t.Pipelines = t.Pipelines[1:] }, "compiled no more"},
		"driver":      {func(p *pipeline, t *table) { t.Driver, p.Stats["VGPRs"] = "radv Mesa 26.0.0", 99 }, ""},
	} {
		out, err := tables(c.change)
		if (err != nil) != (c.want != "") || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if name == "driver" && !strings.Contains(out, "--- SKIPPED") {
			t.Errorf("skipped in silence: %s", out)
		}
	}
	if err := compare(io.Discard, &table{}, &table{}, true); err == nil {
		t.Error("compared with no table")
	}
}

// TestWrite: a table that is written and read is the same.
func TestWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table")
	now := &table{Driver: "radv Mesa 25.0.7", Pipelines: read(strings.NewReader(log))}
	if err := now.write(file); err != nil {
		t.Fatal(err)
	}
	kept, err := readTable(file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(io.Discard, kept, now, true); err != nil || len(kept.byName()) != 3 {
		t.Errorf("%v, %d pipelines", err, len(kept.byName()))
	}
	if page, err := os.ReadFile(file + ".md"); err != nil || strings.Count(string(page), "\n| matmul/05_coopmat") != 2 {
		t.Errorf("%v\n%s", err, page)
	}
}

// TestCompile: a device that only compiles announces the pipelines of a plan, each once, and holds no memory.
func TestCompile(t *testing.T) {
	if infos, err := engine.Devices(); err != nil || len(infos) == 0 {
		t.Skip("no Vulkan device")
	}
	seen, made := map[string]int{}, map[string]int{}
	d, err := engine.Open(engine.Options{DryRun: true, Compile: func(pipeline string) { seen[pipeline]++ },
		Compiled: func(pipeline string, statistics []engine.Statistic) {
			made[pipeline] = len(statistics)
			for _, s := range statistics {
				if s.Name == "" || s.Value < 0 {
					t.Errorf("%s: %+v", pipeline, s)
				}
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := run.Parse([]string{"-preset", "tiny", "-batch", "2"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := trainer.NewState(d, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(seen) < 20 {
		t.Errorf("%d pipelines: %v", len(seen), seen)
	}
	for name, n := range seen {
		if _, ok := made[name]; !ok {
			t.Errorf("%q was not told of when it was made", name)
		}
		if n != 1 || !strings.Contains(name, " [") {
			t.Errorf("%q was compiled %d times", name, n)
		}
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"-presets", "huge"}, {"-precisions", "fp8"}, {"-write", "-only", "x"}, {"-asm"}, {"-only", "("}} {
		if err := command(context.Background(), args, nil); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
