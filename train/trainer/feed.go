// SPDX-License-Identifier: MIT

package trainer

import (
	"jitvk/model/run"
	"jitvk/train/dataset"
)

// Pictures are what steps read, in batches whose numbers run over all steps: batch i of step t, both counted from 0, is number
// Accumulate t + i.
type Pictures interface {
	// Batch puts a batch's pictures, packed bytes (Batch,Size,Size,3), into dst: memory that the device copies from, to be
	// written and not read.
	Batch(dst []byte, number int64)
	// Labels puts their classes into dst (Batch). It is asked only where the model knows classes.
	Labels(dst []uint32, number int64)
}

// A feed is a data set's pictures in the order of a run.
type feed struct {
	data     *dataset.Dataset
	order    dataset.Order
	batch    int
	labelled bool
	none     uint32 // the class of every picture of data without labels
}

func newFeed(c run.Config, data *dataset.Dataset) feed {
	return feed{data, dataset.Order{N: data.Len(), Seed: c.Seed}, c.Batch, data.Classes() != nil, uint32(c.Model.Classes)}
}

func (f feed) Batch(dst []byte, number int64) { f.data.Batch(dst, f.order, number, f.batch) }

func (f feed) Labels(dst []uint32, number int64) {
	if f.labelled {
		f.data.Labels(dst, f.order, number, f.batch)
		return
	}
	for i := range dst {
		dst[i] = f.none
	}
}
