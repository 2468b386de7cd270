// SPDX-License-Identifier: MIT

package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// assembly is what the text of a compiled shader shows. "The loop" is where its time goes: the outermost loops with matrix
// instructions; where there are none, the longest outermost loop; where there is no loop, all of it. What a loop inside runs over
// counts once.
type assembly struct {
	Matrix  int         `json:"matrix"`            // matrix instructions in the loop
	Loads   int         `json:"loads"`             // loads from memory in the loop, of lanes, not of scalars
	Waits   int         `json:"waits"`             // waits in the loop for all that was loaded
	LDS     map[int]int `json:"lds,omitempty"`     // loads from shared memory in the loop, by bytes a lane
	Flight  int         `json:"flight"`            // bytes a lane that are on their way from memory at once, at most, in the loop
	Selects int         `json:"selects,omitempty"` // registers that are chosen by a uniform number: an array of registers with an index
}

// block is a run of instructions with one entrance.
type block struct {
	label        string
	instructions []instruction
}

// instruction is a mnemonic with its operands, as the driver prints them.
type instruction struct {
	name     string
	operands []string
}

// parse reads the text that the driver prints of a compiled shader: "BB3:" begins a block, an instruction's line ends in "; encoding".
func parse(lines []string) []block {
	blocks := []block{{}}
	for _, line := range lines {
		if label, ok := strings.CutSuffix(strings.TrimSpace(line), ":"); ok && strings.HasPrefix(label, "BB") {
			blocks = append(blocks, block{label: label})
			continue
		}
		text, _, _ := strings.Cut(line, ";")
		name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		if name == "" {
			continue
		}
		i := instruction{name: name}
		for _, operand := range strings.Split(rest, ", ") {
			i.operands = append(i.operands, strings.TrimSpace(operand))
		}
		last := &blocks[len(blocks)-1]
		last.instructions = append(last.instructions, i)
	}
	return blocks
}

// span is blocks, from the first to the one before the last.
type span struct{ first, last int }

// outermost returns the loops that lie in no other: a branch backwards ends one.
func outermost(blocks []block) []span {
	at := map[string]int{}
	var loops []span
	for n, b := range blocks {
		at[b.label] = n
		for _, i := range b.instructions {
			if !strings.HasPrefix(i.name, "s_branch") && !strings.HasPrefix(i.name, "s_cbranch") {
				continue
			}
			if to, back := at[i.operands[0]]; back {
				loops = append(loops, span{to, n + 1})
			}
		}
	}
	slices.SortFunc(loops, func(x, y span) int { return x.first - y.first })
	var outer []span
	for _, l := range loops {
		if n := len(outer); n > 0 && l.first < outer[n-1].last {
			outer[n-1].last = max(outer[n-1].last, l.last)
		} else {
			outer = append(outer, l)
		}
	}
	return outer
}

var (
	matrix = regexp.MustCompile(`^v_(s?wmmac?|s?mfmac?)_`)
	// buffer_load_b128 v[8:11], …; older chips: buffer_load_dwordx4
	load   = regexp.MustCompile(`^(?:buffer|global|flat)_load_(?:d16_)?(?:hi_)?([a-z]*\d*(?:x\d)?)`)
	shared = regexp.MustCompile(`^ds_(?:load|read)(_2addr(?:_stride64)?|2(?:st64)?)?_([a-z]*\d+)`)
	// s_waitcnt vmcnt(3) lgkmcnt(0); since gfx12 s_wait_loadcnt 0x3
	vmcnt    = regexp.MustCompile(`vmcnt\((\d+)\)`)
	register = regexp.MustCompile(`^v(\d+|\[\d+:\d+\])$`)
)

// widths are bytes a lane by the endings of loads.
var widths = map[string]int{"b128": 16, "b96": 12, "b64": 8, "b32": 4, "dwordx4": 16, "dwordx3": 12, "dwordx2": 8, "dword": 4,
	"u16": 2, "i16": 2, "b16": 2, "ushort": 2, "sshort": 2, "short": 2, "u8": 1, "i8": 1, "b8": 1, "ubyte": 1, "sbyte": 1}

// measure reads what the blocks of a shader show.
func measure(blocks []block) assembly {
	a := assembly{LDS: map[int]int{}, Selects: selects(blocks)}
	for _, l := range loop(blocks) {
		var flight []int // widths of loads under way, oldest first
		for _, b := range blocks[l.first:l.last] {
			for _, i := range b.instructions {
				if matrix.MatchString(i.name) {
					a.Matrix++
				} else if m := load.FindStringSubmatch(i.name); m != nil {
					a.Loads++
					flight = append(flight, widths[m[1]])
					a.Flight = max(a.Flight, sum(flight))
				} else if m := shared.FindStringSubmatch(i.name); m != nil {
					width := widths[m[2]]
					if m[1] != "" {
						width *= 2
					}
					a.LDS[width]++
				} else if left, ok := waits(i); ok {
					if left == 0 {
						a.Waits++
					}
					flight = flight[max(0, len(flight)-left):]
				}
			}
		}
	}
	return a
}

// loop returns where the time goes (see assembly).
func loop(blocks []block) []span {
	var with []span
	longest, most := span{0, len(blocks)}, 0
	for _, l := range outermost(blocks) {
		n, matrices := 0, false
		for _, b := range blocks[l.first:l.last] {
			n += len(b.instructions)
			for _, i := range b.instructions {
				matrices = matrices || matrix.MatchString(i.name)
			}
		}
		if matrices {
			with = append(with, l)
		}
		if n > most {
			longest, most = l, n
		}
	}
	if with == nil {
		return []span{longest}
	}
	return with
}

// waits returns how many loads from memory may be on their way still after the instruction, and whether it waits for any.
func waits(i instruction) (left int, ok bool) {
	if i.name == "s_waitcnt" {
		if m := vmcnt.FindStringSubmatch(strings.Join(i.operands, " ")); m != nil {
			left, err := strconv.Atoi(m[1])
			return left, err == nil
		}
	}
	if i.name == "s_wait_loadcnt" || i.name == "s_wait_loadcnt_dscnt" {
		n, err := strconv.ParseInt(i.operands[0], 0, 32)
		if i.name == "s_wait_loadcnt_dscnt" {
			n >>= 8
		}
		return int(n), err == nil
	}
	return 0, false
}

// selects counts registers that are chosen from several by a number that all lanes share. Registers have no addresses: an array of them
// under an index that the compiler does not know becomes a tree of comparisons. Its leaves are blocks that do nothing but copy registers
// and leave, or choose between pairs of registers under a condition that is all ones or all zeros (s_cselect -1, 0). Where one of a
// pair is the same for several choices it is a mask, not an array.
func selects(blocks []block) (n int) {
	seen := map[string]bool{} // blocks up to here: a branch to one of them is a loop's, whose copies carry values around
	for _, b := range blocks {
		seen[b.label] = true
		uniform := map[string]bool{} // scalar registers that hold such a condition
		var pairs [][]string
		uses := map[string]int{}
		copies, others, leaves := 0, 0, false
		for _, i := range b.instructions {
			if strings.HasPrefix(i.name, "v_cndmask_b32") && len(i.operands) == 4 && uniform[i.operands[3]] &&
				register.MatchString(i.operands[1]) && register.MatchString(i.operands[2]) {
				pairs = append(pairs, i.operands[1:3])
				uses[i.operands[1]]++
				uses[i.operands[2]]++
			}
			if strings.HasPrefix(i.name, "s_cselect_b") {
				uniform[i.operands[0]] = i.operands[1] == "-1" && i.operands[2] == "0"
			} else {
				delete(uniform, i.operands[0])
			}
			switch {
			case strings.HasPrefix(i.name, "s_branch"):
				leaves = !seen[i.operands[0]]
			case strings.HasPrefix(i.name, "v_mov_b32") && register.MatchString(i.operands[1]):
				copies++
			case !strings.HasPrefix(i.name, "s_"):
				others++
			}
		}
		for _, p := range pairs {
			if uses[p[0]] == 1 && uses[p[1]] == 1 {
				n++
			}
		}
		if leaves && others == 0 && copies > 1 {
			n += copies
		}
	}
	return n
}

func sum(x []int) (n int) {
	for _, v := range x {
		n += v
	}
	return n
}
