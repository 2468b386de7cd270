// SPDX-License-Identifier: MIT

package engine

import (
	"encoding/binary"
	"sync"

	"jitvk/shaders"
)

// A shaderInterface is what a launch must give a shader, as its SPIR-V says.
type shaderInterface struct {
	bindings  int // numbers 0 to bindings-1
	pushBytes int
	local     [3]constant // invocations of a workgroup
}

// A constant is a number that specialization constant id replaces, where id is not negative.
type constant struct {
	value uint32
	id    int
}

// under returns the constant's value under a launch's specialization.
func (c constant) under(spec []uint32) int64 {
	if c.id >= 0 && c.id < len(spec) {
		return int64(spec[c.id])
	}
	return int64(c.value)
}

var interfaces sync.Map // of shaderInterface by name

// interfaceOf returns the interface of an embedded shader.
func interfaceOf(shader string) (i shaderInterface, ok bool) {
	if i, ok := interfaces.Load(shader); ok {
		return i.(shaderInterface), true
	}
	code, ok := shaders.SPIRV(shader)
	if !ok {
		return shaderInterface{}, false
	}
	i = readInterface(code)
	interfaces.Store(shader, i)
	return i, true
}

// readInterface reads a module: five words, then instructions, each with its length and its opcode in the first word. The numbers
// are those of the SPIR-V specification, chapter 3. Push constants are 32-bit fields in this project.
func readInterface(code []byte) (out shaderInterface) {
	const (
		opExecutionMode, opTypePointer, opConstant, opConstantComposite = 16, 32, 43, 44
		opSpecConstant, opSpecConstantComposite, opVariable             = 50, 51, 59
		opDecorate, opMemberDecorate, opExecutionModeID                 = 71, 72, 331
		modeLocalSize, modeLocalSizeID                                  = 17, 38
		decorationSpecID, decorationBuiltIn, decorationBinding          = 1, 11, 33
		decorationOffset, builtInWorkgroupSize, classPushConstant       = 35, 25, 9
	)
	words := make([]uint32, len(code)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	specID, constants, pointee, blockEnd := map[uint32]int{}, map[uint32]constant{}, map[uint32]uint32{}, map[uint32]int{}
	var sizeIDs []uint32 // of the constants that are the workgroup's size
	var sizeComposite uint32
	out.local = [3]constant{{1, -1}, {1, -1}, {1, -1}}
	for at := 5; at < len(words); {
		n := int(words[at] >> 16)
		if n == 0 || at+n > len(words) {
			break
		}
		op, w := words[at]&0xffff, words[at+1:at+n]
		at += n
		switch {
		case op == opDecorate && w[1] == decorationBinding:
			out.bindings = max(out.bindings, int(w[2])+1)
		case op == opDecorate && w[1] == decorationSpecID:
			specID[w[0]] = int(w[2])
		case op == opDecorate && w[1] == decorationBuiltIn && w[2] == builtInWorkgroupSize:
			sizeComposite = w[0]
		case op == opMemberDecorate && w[2] == decorationOffset:
			blockEnd[w[0]] = max(blockEnd[w[0]], int(w[3])+4)
		case op == opTypePointer:
			pointee[w[0]] = w[2]
		case op == opVariable && w[2] == classPushConstant:
			out.pushBytes = blockEnd[pointee[w[0]]]
		case op == opConstant:
			constants[w[1]] = constant{w[2], -1}
		case op == opSpecConstant:
			constants[w[1]] = constant{w[2], specID[w[1]]}
		case (op == opSpecConstantComposite || op == opConstantComposite) && w[1] == sizeComposite:
			sizeIDs = w[2:]
		case op == opExecutionMode && w[1] == modeLocalSize:
			out.local = [3]constant{{w[2], -1}, {w[3], -1}, {w[4], -1}}
		case op == opExecutionModeID && w[1] == modeLocalSizeID && sizeIDs == nil:
			sizeIDs = w[2:]
		}
	}
	for i := range min(len(sizeIDs), 3) {
		if c, ok := constants[sizeIDs[i]]; ok {
			out.local[i] = c
		}
	}
	return out
}

// fitsShader panics unless the launch gives the shader all that it wants, and has Build fail if its workgroup is too large for the
// device. A shader that is not embedded is for Build to miss: on a dry run nobody needs it.
func (p *Program) fitsShader(c *command) {
	want, ok := interfaceOf(c.Shader)
	if !ok {
		return
	}
	if len(c.Bind) < want.bindings || len(c.push) < want.pushBytes {
		misuse("%s: %d bindings and %d bytes of push constants, where the shader has %d and %d",
			c.Shader, len(c.Bind), len(c.push), want.bindings, want.pushBytes)
	}
	size := want.local[0].under(c.Spec) * want.local[1].under(c.Spec) * want.local[2].under(c.Spec)
	if size < 1 {
		misuse("%s: a workgroup of %d invocations with the specialization constants %v: at least 1 wanted", c.Shader, size, c.Spec)
	}
	if most := int64(p.dev.info.MaxInvocations); size > most {
		p.Fail(&LimitError{LimitInvocations, c.Shader, size, most, p.dev.info.Name})
	}
}
