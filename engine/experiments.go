// SPDX-License-Identifier: MIT

package engine

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Experiments change how work is submitted, never what it computes, so that both ways can be timed on one device:
//
//	JITVK_BARRIERS=wide     every barrier is for all stages, the host's too; narrow, the default, only for those that it orders
//	JITVK_ORDER=recorded    commands run as they were recorded; grouped, the default, so that few barriers are needed (schedule)
//	JITVK_SUBMIT=0.25       seconds that a submission may take; 0 submits each command by itself
type experiments struct {
	wide, inOrder bool
	submission    time.Duration
}

// readExperiments looks into the environment.
func readExperiments() (e experiments, err error) {
	one := func(name, standard, other string) bool {
		v := os.Getenv(name)
		if v != "" && v != standard && v != other && err == nil {
			err = fmt.Errorf("engine: %s=%s: it is %s or %s", name, v, standard, other)
		}
		return v == other
	}
	e.wide, e.inOrder = one("JITVK_BARRIERS", "narrow", "wide"), one("JITVK_ORDER", "grouped", "recorded")
	e.submission = defaultSubmission
	if v := os.Getenv("JITVK_SUBMIT"); v != "" {
		seconds, wrong := strconv.ParseFloat(v, 64)
		if wrong != nil || !(seconds >= 0 && seconds <= 60) {
			return e, fmt.Errorf("engine: JITVK_SUBMIT=%s: seconds from 0 to 60 wanted", v)
		}
		e.submission = time.Duration(seconds * float64(time.Second))
	}
	return e, err
}
