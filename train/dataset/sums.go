// SPDX-License-Identifier: MIT

package dataset

import "hash/crc32"

// sums are what is to be known of all pixels. They are added up once, while the pictures are packed, and kept in the cache's tail.
// All are whole numbers: exact, whatever the order.
type sums struct {
	CRC     uint32   // CRC-32C of the pixels as they lie in the cache
	Values  []uint64 // (Size,Size,3): of that byte of every picture
	Squares uint64   // of every byte of every picture
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// add takes the next picture.
func (s *sums) add(picture []byte) {
	if s.Values == nil {
		s.Values = make([]uint64, len(picture))
	}
	s.CRC = crc32.Update(s.CRC, castagnoli, picture)
	values, squares := s.Values[:len(picture)], uint64(0)
	for i, v := range picture {
		values[i] += uint64(v)
		squares += uint64(v) * uint64(v)
	}
	s.Squares += squares
}
